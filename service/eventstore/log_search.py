"""Search the log backwards from its end, for operators who read it page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import or_

from service.eventstore.records import Row
from service.eventstore.stream_index import positions_of
from service.eventstore.tables import events

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from service.domain.events.base import Position
    from service.eventstore.reader import Reader

SCANNED_MAX = 50_000
"""How many events one page looks through at the most, where no index helps."""


class LogQuery(msgspec.Struct, frozen=True):
    """Which events are wanted; without a filter, all."""

    before: Position
    """Only events before this position."""
    limit: int
    stream: str | None = None
    type: str | None = None
    """A type, or the beginning of types with a dot at its end, as `match.`."""
    user: str | None = None
    """Events of the stream of this user, and those that they have caused."""


class Found(msgspec.Struct, frozen=True):
    """Events, the newest first, and how far the search has come."""

    rows: list[Row]
    searched_to: Position
    """All events from this position on were looked at; the next page is that before it."""


async def search_log(reader: Reader, query: LogQuery) -> Found:
    """Return the newest matching events before a position; archived ones are left out."""
    before = min(query.before, (await reader.head()).position + 1)
    lowest = 1 if query.stream is not None else max(1, before - SCANNED_MAX)
    statement = (
        events.select()
        .with_only_columns(*(events.c[name] for name in Row._fields))
        .where(events.c.position < before, events.c.position >= lowest, *_conditions(reader, query))
        .order_by(events.c.position.desc())
        .limit(query.limit)
    )
    async with reader.engine.connect() as connection:
        rows = [Row(*row) for row in (await connection.execute(statement)).all()]
    is_full = len(rows) == query.limit
    return Found(rows, rows[-1].position if is_full else lowest)


def _conditions(reader: Reader, query: LogQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.stream is not None:
        if reader.engine.dialect.name == "postgresql":
            conditions.append(events.c.stream == query.stream)
        else:
            conditions.append(events.c.position.in_(positions_of([query.stream])))
    if query.type is not None:
        is_prefix = query.type.endswith(".")
        matches = events.c.type.startswith(query.type, autoescape=True)
        conditions.append(matches if is_prefix else events.c.type == query.type)
    if query.user is not None:
        stream = f"user:{query.user}"
        conditions.append(or_(events.c.stream == stream, events.c.actor == query.user))
    return conditions
