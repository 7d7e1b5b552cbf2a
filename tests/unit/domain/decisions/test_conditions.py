"""The keys of an append, by which the decisions of several nodes are kept apart."""

from __future__ import annotations

import msgspec

from service.domain.commands.conditions import Keys, keys_of, ownership
from service.domain.events.matches import MatchCheckpoint, MatchOutcome, MatchPaused
from service.domain.events.rooms import RoomCreated, RoomMoved
from tests.unit.domain.decisions.histories import ANA, BEN, made, online, started
from tests.unit.domain.story import ROOM

STREAMS = {"user:1", "user:2"}
NOTHING = Keys(frozenset(), frozenset())
RAW = msgspec.Raw(b"{}")


def test_a_command_depends_on_its_streams_and_marks_them() -> None:
    keys = keys_of(STREAMS, online(ANA, BEN))
    assert keys.needs == keys.marks == STREAMS


def test_what_locks_nothing_depends_on_nothing() -> None:
    assert keys_of(set(), online(ANA)) == NOTHING


def test_what_a_match_records_depends_on_its_owner_and_marks_nothing() -> None:
    events = [
        MatchOutcome(match="a-1", tick=3, outcome=RAW),
        MatchCheckpoint(match="b-1", tick=3, state=RAW, hash=""),
    ]
    assert keys_of(set(), events) == Keys(frozenset({"own:a", "own:b"}), frozenset())


def test_a_pause_depends_on_the_room_and_its_owner() -> None:
    room = f"room:{ROOM}"
    keys = keys_of({room}, [MatchPaused(match=f"{ROOM}-1", tick=0)])
    assert keys == Keys(frozenset({room, ownership(ROOM)}), frozenset({room}))


def test_a_match_begins_under_the_key_of_its_room_alone() -> None:
    keys = keys_of({f"room:{ROOM}"}, [started(ANA, BEN)])
    assert keys.marks == keys.needs == {f"room:{ROOM}"}


def test_a_move_of_a_room_ends_what_its_earlier_owner_records() -> None:
    moved = RoomMoved(room=ROOM, to="n2", to_incarnation=1)
    keys = keys_of({f"room:{ROOM}", "node:n2"}, [moved])
    assert keys.marks == keys.needs == {f"room:{ROOM}", "node:n2", ownership(ROOM)}


def test_a_new_room_is_marked_although_its_id_was_not_known_before() -> None:
    (created,) = made(ANA, BEN)
    assert isinstance(created, RoomCreated)
    assert keys_of(STREAMS, [created]).marks == STREAMS | {f"room:{ROOM}"}
