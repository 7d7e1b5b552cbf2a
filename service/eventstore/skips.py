"""Events that an operator skipped permanently; they are neither read nor folded.

Skips are rows of a table of their own, since rows of the log never change; `log verify` lists them.
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
    """A skipped event: why, by whom, and when, in microseconds since 1970."""

    position: Position
    reason: str
    actor: str
    skipped_at: int


async def read_skips(reader: Reader) -> list[Skip]:
    """Return all skips in the order of the log."""
    statement = select(skipped).order_by(skipped.c.position)
    async with reader.engine.connect() as connection:
        return [Skip(*row) for row in await connection.execute(statement)]


def write_skip(path: Path, skip: Skip) -> None:
    """Skip an event of the log at `path`; the caller must hold the lock of the log."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA synchronous=FULL")
        with database:
            database.execute(_PUT, msgspec.structs.astuple(skip))
