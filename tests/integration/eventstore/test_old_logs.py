"""A log of 0.1.0, which knew of no other node, folds as it did, and its rooms get an owner."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from service.domain.commands.nodes import StartNode
from service.domain.commands.pauses import TakeOver
from service.domain.events.nodes import NodeStarted
from service.domain.ids import Owner
from service.domain.projections.world import World
from service.eventstore.codec import decode
from service.runtime.snapshots import dump, restore
from tests.unit.domain.story import Story

LOG = Path(__file__).parents[2] / "compat" / "0.1.0" / "data.sql"
"""It was left by a process that was killed while a match ran."""


def folded() -> Story:
    """Fold the log into a story that begins with it."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(LOG.read_text())
        rows = database.execute(
            "SELECT type, schema_version, data FROM events ORDER BY position"
        ).fetchall()
    story = Story()
    story.world, story.events = World(), []
    for row in rows:
        story.fold(decode(*row))
    return story


def test_the_rooms_of_an_old_log_belong_to_its_only_node() -> None:
    story = folded()
    nodes = story.world.nodes
    assert set(nodes.live) == {"n1"}
    assert nodes.level == 0
    owner = Owner("n1", nodes.live["n1"].incarnation)
    assert set(nodes.owners) == set(story.world.rooms.rooms)
    assert set(nodes.owners.values()) == {owner}
    assert set(nodes.playing) == {
        room.id for room in story.world.rooms.rooms.values() if room.match
    }
    assert restore(dump(story.world)) == story.world


def test_the_next_start_takes_over_what_an_old_log_has_left() -> None:
    story = folded()
    (match,) = story.world.matches.live.values()
    before = story.world.nodes.live["n1"].incarnation
    (started,) = story.do(StartNode("n1"))
    assert isinstance(started, NodeStarted)
    assert (started.incarnation, started.alone) == (before + 1, True)
    assert set(story.world.nodes.owners.values()) == {Owner("n1", before + 1)}
    assert not any(story.world.presence.sockets.values())
    room = story.world.rooms.rooms[match.id.rpartition("-")[0]]
    assert all(seat.excused for seat in room.seats if seat.user is not None)
    story.do(TakeOver(match.id))
    assert match.paused
