"""Events that an operator has skipped for good; they are neither read nor folded.

The row of a skip stands beside the log, whose own rows never change; `log verify` shows it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import select

from service.eventstore.tables import skipped

if TYPE_CHECKING:
    from pathlib import Path

    from service.domain.events.base import Position
    from service.eventstore.reader import Reader

REASON_LENGTH_MAX = 500

_PUT = "INSERT INTO skipped (position, reason, actor, skipped_at) VALUES (?, ?, ?, ?)"


class Skip(msgspec.Struct, frozen=True):
    """One event that was left out: why, by whom, and when in microseconds since 1970."""

    position: Position
    reason: str
    actor: str
    skipped_at: int


async def read_skips(reader: Reader) -> list[Skip]:
    """List what was left out, in the order of the log."""
    statement = select(skipped).order_by(skipped.c.position)
    async with reader.engine.connect() as connection:
        return [Skip(*row) for row in await connection.execute(statement)]


def write_skip(path: Path, skip: Skip) -> None:
    """Leave an event of the log at `path` out; whoever calls this holds the lock of the log."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA synchronous=FULL")
        with database:
            database.execute(_PUT, msgspec.structs.astuple(skip))
