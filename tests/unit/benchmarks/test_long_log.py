"""Generated logs are valid logs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from benchmarks.long_log import DATABASE, FIRST_USER, _templates, build
from service.domain.projections.world import World
from service.eventstore.codec import decode
from service.eventstore.integrity import ChainCheck
from service.eventstore.records import Head, Row

if TYPE_CHECKING:
    from pathlib import Path

USERS = FIRST_USER, FIRST_USER + 1


def row(stream: str, type_: str, data: str, version: int = 1) -> Row:
    """Write a row as the service recorded it, without the columns that are generated."""
    return Row(
        0, stream, version, type_, 1, b"", "c", str(USERS[0]), "n1", 0, data.encode(), None, b""
    )


EVENING = [
    row("node:n1", "node.started", '{"node":"n1","incarnation":1}'),
    *(row(f"user:{user}", "user.came_online", f'{{"user":{user}}}') for user in USERS),
    *(row(f"user:{user}", "user.went_offline", f'{{"user":{user}}}', 2) for user in USERS),
]


def test_a_generated_log_has_a_valid_chain_and_folds_to_an_empty_world(tmp_path: Path) -> None:
    build(tmp_path / "log", list(_templates(EVENING)), 10)
    with closing(sqlite3.connect(tmp_path / "log" / DATABASE)) as connection:
        rows = [Row(*one) for one in connection.execute("SELECT * FROM events ORDER BY position")]
        head = Head(*connection.execute("SELECT position, hash, epoch FROM log_head").fetchone())
    assert len(rows) == 12, "whole evenings only"
    chain, world = ChainCheck(), World()
    for one in rows:
        chain.check(one)
        world.fold(decode(one.type, one.schema_version, one.data), one.position)
    chain.finish(head)
    assert not list(world.presence.online())
    assert len({one.stream for one in rows}) == 6, "each evening has users of its own"
    assert len({one.event_id for one in rows}) == 12


def test_each_evening_has_rooms_of_its_own(tmp_path: Path) -> None:
    room = row("room:0123456789ab", "room.created", '{"room":"0123456789ab"}')
    build(tmp_path / "log", list(_templates([room])), 2)
    with closing(sqlite3.connect(tmp_path / "log" / DATABASE)) as connection:
        rows = connection.execute("SELECT stream, data FROM events ORDER BY position").fetchall()
    assert rows == [
        ("room:000000000000", b'{"room":"000000000000"}'),
        ("room:000001000000", b'{"room":"000001000000"}'),
    ]
