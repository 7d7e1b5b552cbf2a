"""Reading the log from the database, in keyset pages: no cursor is ever held open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import create_async_engine

from service.log.codec import decode
from service.log.records import GENESIS, Head, RecordedEvent, Row
from service.log.tables import events, log_head, profiles

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from sqlalchemy.ext.asyncio import AsyncEngine

    from service.domain.event import Position

PAGE = 5000
"""Rows a page."""

NAMES_PAGE = 500
"""Names asked for at once; SQLite allows some thousand parameters."""

_recorded = select(
    events.c.position,
    events.c.version,
    events.c.recorded_at,
    events.c.type,
    events.c.schema_version,
    events.c.data,
)
_rows = select(*(events.c[name] for name in Row._fields))


def open_database(url: str) -> AsyncEngine:
    """Open the database at `url` for reading only."""
    engine = create_async_engine(url)

    @sqlalchemy_event.listens_for(engine.sync_engine, "connect")
    def _read_only(connection: object, _record: object) -> None:
        connection.cursor().execute("PRAGMA query_only = ON")  # type: ignore[attr-defined]

    return engine


class Reader:
    """Reads events, whole rows, and what stands beside the log."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Read by `engine`."""
        self.engine = engine

    async def read(
        self, after: Position = 0, *, stream: str | None = None
    ) -> AsyncIterator[list[RecordedEvent]]:
        """Yield pages of the events after a position, all of them or those of one stream."""
        statement = _recorded if stream is None else _recorded.where(events.c.stream == stream)
        statement = statement.order_by(events.c.position).limit(PAGE)
        while True:
            async with self.engine.connect() as connection:
                page = (await connection.execute(statement.where(events.c.position > after))).all()
            if not page:
                return
            yield [
                RecordedEvent(position, version, recorded_at, decode(type_, schema, data))
                for position, version, recorded_at, type_, schema, data in page
            ]
            after = page[-1][0]

    async def rows(
        self, after: Position = 0, *, stream: str | None = None
    ) -> AsyncIterator[list[Row]]:
        """Yield pages of whole rows."""
        statement = _rows if stream is None else _rows.where(events.c.stream == stream)
        statement = statement.order_by(events.c.position).limit(PAGE)
        while True:
            async with self.engine.connect() as connection:
                page = (await connection.execute(statement.where(events.c.position > after))).all()
            if not page:
                return
            yield [Row(*row) for row in page]
            after = page[-1][0]

    async def head(self) -> Head:
        """Return where the log ends."""
        columns = (log_head.c.position, log_head.c.hash, log_head.c.epoch)
        async with self.engine.connect() as connection:
            row = (await connection.execute(select(*columns))).one_or_none()
        return Head(0, GENESIS, "") if row is None else Head(*row)

    async def counts(self) -> dict[str, int]:
        """Return how many events there are of each type."""
        statement = select(events.c.type, func.count()).group_by(events.c.type)
        async with self.engine.connect() as connection:
            return dict((await connection.execute(statement)).all())

    async def names(self, users: Collection[str]) -> dict[str, str]:
        """Return the display names that are known of `users`."""
        wanted = list(users)
        found: dict[str, str] = {}
        async with self.engine.connect() as connection:
            for start in range(0, len(wanted), NAMES_PAGE):
                some = wanted[start : start + NAMES_PAGE]
                statement = select(profiles.c.user, profiles.c.name).where(
                    profiles.c.user.in_(some)
                )
                found.update((await connection.execute(statement)).all())
        return found

    async def close(self) -> None:
        """Close the connections."""
        await self.engine.dispose()
