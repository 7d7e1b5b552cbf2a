"""Read the log by keyset pagination; no database cursor stays open."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import create_async_engine

from service.domain.events.matches import MatchEnded
from service.domain.personal_data import Text
from service.eventstore import migrate
from service.eventstore.archive_file import ArchiveFiles
from service.eventstore.archived import ArchivedRows
from service.eventstore.codec import decode, decode_meta
from service.eventstore.postgres_schema import is_postgres
from service.eventstore.postgres_sql import named_parameters
from service.eventstore.queries import (
    EVENTS_ALONE,
    FOLLOWED,
    LAST_BEFORE,
    OF_ALL,
    OF_TYPE,
    POSTGRES,
    SQLITE,
)
from service.eventstore.records import GENESIS, Head, RecordedEvent, Row
from service.eventstore.stored import StoredEvent, UnreadableEvent
from service.eventstore.stream_index import positions_of
from service.eventstore.tables import events, log_head, matches, profiles, skipped, texts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Sequence
    from pathlib import Path

    from sqlalchemy import Column, ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncEngine

    from service.domain.events.base import Event, Position
    from service.domain.ids import MatchId

PAGE = 5000
"""Rows per page."""

ARCHIVED_MATCH_MAX = 1_000_000
"""The maximum number of archived events that are read to look for the end of a match."""

SHORT_PAGE = 500
"""Rows per page where the event loop must not be kept from other work for long."""

KEYS_PAGE = 500
"""Keys per query; SQLite limits the parameters of a statement to some thousands."""

_rows = select(*(events.c[name] for name in Row._fields))


def open_database(url: str) -> AsyncEngine:
    """Open the database at `url` read-only; the WAL of SQLite is not changed either."""
    if is_postgres(url):
        from service.eventstore.postgres_search import open_postgres  # noqa: PLC0415 - slow to import

        return open_postgres(url)
    engine = create_async_engine(migrate.read_only(url))

    @sqlalchemy_event.listens_for(engine.sync_engine, "connect")
    def _read_only(connection: object, _record: object) -> None:
        connection.cursor().execute("PRAGMA query_only = ON")  # type: ignore[attr-defined]  # SQLAlchemy types it as object

    return engine


class Reader:
    """Reads events, whole rows, and the tables of personal data.

    Skipped events are left out by all methods but `rows`. An event that can't be decoded raises
    `UnreadableEvent`.
    """

    def __init__(self, engine: AsyncEngine, archive_dir: Path | None = None) -> None:
        """Read by the connections of `engine`, and archived rows from files in `archive_dir`.

        Methods that return rows or events of streams, or rows at positions, raise `Archived` when
        such a file is needed and can't be read.
        """
        self.engine = engine
        self.archived = ArchivedRows(engine, ArchiveFiles(archive_dir))
        self._is_postgres = engine.dialect.name == "postgresql"
        self._queries = POSTGRES if self._is_postgres else SQLITE

    async def read(
        self, after: Position = 0, *, stream: str | None = None
    ) -> AsyncIterator[list[RecordedEvent]]:
        """Yield pages of the events after a position, of all streams or of one."""
        while page := await self.page(after, stream=stream):
            yield page
            after = page[-1].position

    async def page(
        self, after: Position = 0, *, stream: str | None = None, limit: int = PAGE
    ) -> list[RecordedEvent]:
        """Return at most `limit` events after a position, of all streams or of one."""
        if stream is None:
            rows = await self._fetch(OF_ALL, after=after, limit=limit)
        else:
            rows = await self._fetch(
                self._queries.of_stream, stream=stream, after=after, limit=limit
            )
            archived = await self.archived.of_stream(stream, after, limit)
            if archived:
                rows = sorted([*map(_recorded_columns, archived), *rows])[:limit]
        return _recorded(rows)

    async def following(self, after: Position, limit: int) -> list[tuple[bytes, RecordedEvent]]:
        """Return (event id, event) of at most `limit` events after a position."""
        rows = await self._fetch(FOLLOWED, after=after, limit=limit)
        recorded = _recorded([row[:-1] for row in rows])
        return [(row[-1], one) for row, one in zip(rows, recorded, strict=True)]

    async def of_match(
        self, stream: str, after: int, limit: int
    ) -> list[tuple[int, Position, Event]]:
        """Return at most `limit` events of a stream after a version: (version, position, event).

        It uses the index of (stream, version).
        """
        rows = await self._fetch(self._queries.of_match, stream=stream, after=after, limit=limit)
        try:
            return [
                (version, position, decode(type_, schema, data))
                for version, position, type_, schema, data in rows
            ]
        except Exception as error:
            raise _unreadable([row[1:] for row in rows], error) from error

    async def events(
        self, after: Position, until: Position, *, limit: int = PAGE
    ) -> AsyncIterator[list[tuple[Position, Event]]]:
        """Yield pages of (position, event) after a position, up to and including another.

        Metadata is left out: a start without a snapshot waits for all events to be folded.
        """
        while rows := await self._fetch(EVENTS_ALONE, after=after, until=until, limit=limit):
            try:
                page = [
                    (position, decode(type_, schema, data))
                    for position, type_, schema, data in rows
                ]
            except Exception as error:
                raise _unreadable(rows, error) from error
            yield page
            after = rows[-1][0]

    async def stored(
        self,
        after: Position,
        until: Position,
        *,
        without: Sequence[str],
        sparse: str,
        streams: Collection[str],
    ) -> AsyncIterator[list[StoredEvent]]:
        """Yield short pages of undecoded events after a position, up to and including another.

        Types in `without` are left out, and events of the type `sparse` included only if they are
        in `streams`.
        """
        parameters = {
            "until": until,
            "without": json.dumps(list(without)),
            "sparse": sparse,
            "streams": json.dumps(list(streams)),
            "limit": SHORT_PAGE,
        }
        while rows := await self._fetch(self._queries.tail, after=after, **parameters):
            yield [StoredEvent(*row) for row in rows]
            after = rows[-1][0]

    async def commands(self, after: Position, until: Position) -> AsyncIterator[RecordedEvent]:
        """Yield the last event of each command with an id, as if it were the only one.

        The first event of the command is after a position, up to and including another.
        """
        while rows := await self._fetch(
            self._queries.commands, after=after, until=until, limit=SHORT_PAGE
        ):
            for _, position, at, type_, schema, data, actor, meta in rows:
                found = msgspec.structs.replace(decode_meta(meta), events=1)
                yield RecordedEvent(position, 0, at, decode(type_, schema, data), actor, found)
            after = rows[-1][0]

    async def _fetch(self, statement: str, **parameters: object) -> Sequence[tuple[Any, ...]]:
        """Return the rows of the driver as plain tuples, without SQLAlchemy's overhead per row."""
        async with self.engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            if driver is None:
                raise AssertionError(self.engine)
            rows: Sequence[tuple[Any, ...]]
            if self._is_postgres:
                cursor = await driver.execute(named_parameters(statement), parameters)
                rows = await cursor.fetchall()
            else:
                rows = await driver.execute_fetchall(statement, parameters)
            return rows

    async def rows(
        self, after: Position = 0, *, stream: str | None = None, limit: int = PAGE
    ) -> AsyncIterator[list[Row]]:
        """Yield pages of at most `limit` whole rows, those of skipped events included."""
        statement = _rows
        if stream is not None:
            statement = _rows.where(self._are_of([stream]))
        statement = statement.order_by(events.c.position).limit(limit)
        while True:
            async with self.engine.connect() as connection:
                found = (await connection.execute(statement.where(events.c.position > after))).all()
            page = [Row(*row) for row in found]
            if stream is not None:
                archived = await self.archived.of_stream(stream, after, limit)
                page = sorted([*archived, *page])[:limit]
            if not page:
                return
            yield page
            after = page[-1].position

    def _are_of(self, streams: Collection[str]) -> ColumnElement[bool]:
        """Return the condition that an event is of `streams`."""
        if self._is_postgres:
            return events.c.stream.in_(streams)
        return events.c.position.in_(positions_of(streams))

    async def rows_at(self, positions: Collection[Position]) -> dict[Position, Row]:
        """Return the whole rows at these positions; missing ones are left out."""
        found = await self._matching(_rows, events.c.position, positions)
        rows = {row[0]: Row(*row) for row in found}
        archived = await self.archived.rows_at([one for one in positions if one not in rows])
        return rows | {row.position: row for row in archived}

    async def hashes(self, positions: Collection[Position]) -> dict[Position, bytes]:
        """Return the hashes of the rows at these positions; missing ones are left out."""
        statement = select(events.c.position, events.c.hash)
        hashes = dict(await self._matching(statement, events.c.position, positions))
        archived = await self.archived.rows_at([one for one in positions if one not in hashes])
        return hashes | {row.position: row.hash for row in archived}

    async def head(self) -> Head:
        """Return the head of the log."""
        columns = (log_head.c.position, log_head.c.hash, log_head.c.epoch)
        async with self.engine.connect() as connection:
            row = (await connection.execute(select(*columns))).one_or_none()
        return Head(0, GENESIS, "") if row is None else Head(*row)

    async def counts(self) -> dict[str, int]:
        """Return the number of events by type."""
        statement = select(events.c.type, func.count()).group_by(events.c.type)
        async with self.engine.connect() as connection:
            return dict((await connection.execute(statement)).all())

    async def last_before(self, recorded_at: int, *, after: Position) -> Position:
        """Return the position of the last event recorded before that time, or `after`.

        `recorded_at` is in microseconds since 1970, and may go back where the clock was set back,
        so the search goes backwards from the end.
        """
        rows = await self._fetch(LAST_BEFORE, after=after, recorded_at=recorded_at)
        position: Position = rows[0][0] if rows else after
        return position

    async def before_last(self, count: int, *, without: Sequence[str], after: Position) -> Position:
        """Return the position before the last `count` events of other types than `without`.

        Returns `after` when there are not more of them after that position.
        """
        types = json.dumps(list(without))
        rows = await self._fetch(
            self._queries.from_the_end, after=after, without=types, count=count
        )
        position: Position = rows[0][0] if rows else after
        return position

    async def of_type_between(
        self, type_: str, after: Position, until: Position
    ) -> AsyncIterator[Event]:
        """Yield the events of a type after a position, up to and including another."""
        while rows := await self._fetch(
            OF_TYPE, type=type_, after=after, until=until, limit=SHORT_PAGE
        ):
            for position, schema, data in rows:
                yield decode(type_, schema, data)
                after = position

    async def of_type(self, streams: Collection[str], type_: str) -> list[tuple[Position, Event]]:
        """Return (position, event) of the events of this type in `streams`, in order."""
        statement = (
            select(events.c.position, events.c.type, events.c.schema_version, events.c.data)
            .where(
                self._are_of(streams),
                events.c.type == type_,
                events.c.position.not_in(select(skipped.c.position)),
            )
            .order_by(events.c.position)
        )
        async with self.engine.connect() as connection:
            rows = await connection.execute(statement)
            return [(row[0], decode(row[1], row[2], row[3])) for row in rows]

    async def lacks_end(self, match: MatchId, stream: str) -> bool:
        """Return whether the match history has an end of the match that `stream` lacks."""
        ended = select(matches.c.match).where(
            matches.c.match == match,
            matches.c.ended_at.is_not(None),
            ~select(events.c.position)
            .where(self._are_of([stream]), events.c.type == MatchEnded.type)
            .exists(),
        )
        async with self.engine.connect() as connection:
            if (await connection.execute(ended)).first() is None:
                return False
        archived = await self.archived.of_stream(stream, 0, ARCHIVED_MATCH_MAX)
        return not any(row.type == MatchEnded.type for row in archived)

    async def names(self, users: Collection[str]) -> dict[str, str]:
        """Return the known display names of `users`."""
        found = await self._matching(select(profiles), profiles.c.user, users)
        return {row.user: row.name for row in found}

    async def texts(self, chats: Collection[str]) -> dict[str, str]:
        """Return chat texts by the ids of their events; erased ones are left out."""
        return {chat: text.text for chat, text in (await self.salted_texts(chats)).items()}

    async def salted_texts(self, chats: Collection[str]) -> dict[str, Text]:
        """Return the same with the salts of the digests in the log."""
        found = await self._matching(select(texts), texts.c.chat, chats)
        return {row.chat: Text(row.salt, row.text) for row in found}

    async def _matching(
        self, statement: Select[Any], column: Column[Any], keys: Collection[object]
    ) -> list[Any]:
        """Return the rows of `statement` where `column` is one of `keys`."""
        wanted, found = list(keys), list[Any]()
        async with self.engine.connect() as connection:
            for start in range(0, len(wanted), KEYS_PAGE):
                some = statement.where(column.in_(wanted[start : start + KEYS_PAGE]))
                found += (await connection.execute(some)).all()
        return found

    async def close(self) -> None:
        """Close the connections."""
        await self.engine.dispose()


def _recorded(rows: Sequence[tuple[Any, ...]]) -> list[RecordedEvent]:
    try:
        return [
            RecordedEvent(
                position,
                version,
                at,
                decode(type_, schema, data),
                actor,
                None if meta is None else decode_meta(meta),
            )
            for position, version, at, type_, schema, data, actor, meta in rows
        ]
    except Exception as error:
        raise _unreadable([(row[0], *row[3:6]) for row in rows], error) from error


def _recorded_columns(row: Row) -> tuple[Any, ...]:
    """Return the columns of an archived row that a `RecordedEvent` is made of."""
    return (
        row.position,
        row.version,
        row.recorded_at,
        row.type,
        row.schema_version,
        row.data,
        row.actor,
        row.meta,
    )


def _unreadable(rows: Sequence[tuple[Any, ...]], found: Exception) -> Exception:
    """Return the error of the first row (position, type, schema version, data) that is unreadable.

    `found` is returned if all of them can be decoded.
    """
    for position, type_, schema, data in rows:
        try:
            decode(type_, schema, data)
        except Exception as error:  # noqa: BLE001 - it is the cause that the returned error names
            return UnreadableEvent(position, type_, error)
    return found
