"""Logs of any length, quickly: an evening that the real service has recorded, again and again.

Each repetition has users, rooms and matches of its own, so that the fold, the indexes and the
history have as much to do as with a log that grew. Rows are written with the real encoding and
hash chain, but without waiting for the disk.
"""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import generator
from benchmarks.contenders import SERVICE
from benchmarks.processes import BenchmarkError, stop
from benchmarks.workloads import match_plan
from service.eventstore import migrate
from service.eventstore.codec import decode
from service.eventstore.read_models.match_history import history_statements
from service.eventstore.records import GENESIS, RecordedEvent, Row, chain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MATCHES = 20
MATCH_S = 6
EVENT_US = 200
"""Between two events of a long log: five thousand a second, a full house."""
USERS_PREFIX = b"70000000000"
"""Ids of thirteen digits, of which eleven say which repetition it is."""
FIRST_USER = int(USERS_PREFIX + b"01")
ROOM_MARK = b"%ROOM%"
"""Placeholder in a template for the part of a room's id that numbers the repetition."""
DATABASE = "ws-service.db"
QUIET_TIMEOUT_S = 20.0

SETTINGS = {
    "WS_MATCH_DURATION_S": str(MATCH_S),
    "WS_PRESENCE_GRACE_S": "0.2",
    "WS_RECONNECT_GRACE_S": "0.2",
    "WS_ROOM_EMPTY_S": "0.2",
}

_INSERT = f"INSERT INTO events VALUES ({', '.join('?' * len(Row._fields))})"  # noqa: S608 - question marks
_ONLINE = """
    SELECT sum(CASE type WHEN 'user.came_online' THEN 1 WHEN 'user.went_offline' THEN -1 END)
        + sum(CASE type WHEN 'room.created' THEN 1 WHEN 'room.closed' THEN -1 END)
    FROM events
"""


class Template(NamedTuple):
    """A recorded event."""

    stream: bytes
    version: int
    type: str
    schema_version: int
    correlation_id: str
    actor: bytes | None
    node: str
    data: bytes


def record(directory: Path) -> list[Template]:
    """Let the service play some matches from the first user's coming to the last one's going."""
    with SERVICE.started({**SETTINGS, "WS_DATA_DIR": str(directory)}) as server:
        plan = match_plan(SERVICE, server, MATCHES, FIRST_USER)
        plan.window_s = MATCH_S
        generator.run(plan)
        database = directory / DATABASE
        deadline = time.monotonic() + QUIET_TIMEOUT_S
        while _in_house(database):
            if time.monotonic() > deadline:
                raise BenchmarkError("the users of the recorded evening do not go")
            time.sleep(0.05)
        stop(server.process)
    with closing(sqlite3.connect(database)) as connection:
        rows = [Row(*row) for row in connection.execute("SELECT * FROM events ORDER BY position")]
    return list(_templates(rows))


def _in_house(database: Path) -> bool:
    with closing(sqlite3.connect(database)) as connection:
        return bool(connection.execute(_ONLINE).fetchone()[0])


def _templates(rows: list[Row]) -> Iterator[Template]:
    rooms: dict[bytes, bytes] = {}

    def marked(found: re.Match[bytes]) -> bytes:
        number = rooms.setdefault(found[0], b"%06x" % len(rooms))
        return ROOM_MARK + number

    created = {row.stream.partition(":")[2] for row in rows if row.type == "room.created"}
    any_room = re.compile("|".join(map(re.escape, sorted(created))).encode() or b"(?!)")
    for row in rows:
        if row.stream.startswith("node:"):
            continue
        yield Template(
            any_room.sub(marked, row.stream.encode()),
            row.version,
            row.type,
            row.schema_version,
            row.correlation_id,
            None if row.actor is None else row.actor.encode(),
            row.node,
            any_room.sub(marked, row.data),
        )


def build(directory: Path, templates: list[Template], length: int) -> None:
    """Write a log of at least `length` events into a data directory."""
    directory.mkdir()
    path = directory / DATABASE
    migrate.upgrade(f"sqlite+aiosqlite:///{path}")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-1000000"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        hash_, position = GENESIS, 0
        repetitions = -(-length // len(templates))
        began_us = time.time_ns() // 1000 - repetitions * len(templates) * EVENT_US
        for repetition in range(repetitions):
            rows = list(_rows(templates, repetition, position, hash_, began_us))
            connection.executemany(_INSERT, rows)
            _write_history(connection, rows)
            hash_, position = rows[-1].hash, rows[-1].position
        connection.execute("INSERT INTO log_head VALUES (1, ?, ?, 'benchmark')", (position, hash_))
        connection.execute("COMMIT")


def _rows(
    templates: list[Template], repetition: int, position: int, hash_: bytes, began_us: int
) -> Iterator[Row]:
    users, rooms = b"7%010d" % (repetition + 1), b"%06x" % repetition

    def named(marked: bytes) -> bytes:
        return marked.replace(USERS_PREFIX, users).replace(ROOM_MARK, rooms)

    for template in templates:
        position += 1
        unhashed = (
            position,
            named(template.stream).decode(),
            template.version,
            template.type,
            template.schema_version,
            position.to_bytes(16, "big"),
            template.correlation_id,
            None if template.actor is None else named(template.actor).decode(),
            template.node,
            began_us + position * EVENT_US,
            named(template.data),
            None,
        )
        hash_ = chain(hash_, unhashed)
        yield Row(*unhashed, hash_)


def _write_history(connection: sqlite3.Connection, rows: list[Row]) -> None:
    for row in rows:
        if row.type in {"match.started", "match.ended"}:
            event = decode(row.type, row.schema_version, row.data)
            recorded = RecordedEvent(row.position, row.version, row.recorded_at, event)
            for statement, parameters in history_statements(recorded):
                connection.execute(statement, parameters)
