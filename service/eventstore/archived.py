"""Read what has left the log: rows of archives, by position and by stream."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import func, select

from service.eventstore.tables import archive_gaps, archived_streams, archives, baselines

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.ext.asyncio import AsyncEngine

    from service.domain.events.base import Position
    from service.eventstore.archive_file import ArchiveFiles
    from service.eventstore.records import Row


class Gap(msgspec.Struct, frozen=True):
    """Positions, up to and including `last`, whose rows an archive has."""

    first: Position
    last: Position
    hash: bytes
    """The hash of the row at `last`, from which the next one follows."""
    file: str


class Archive(msgspec.Struct, frozen=True):
    """An archive, as its `log.archived` describes it."""

    position: Position
    file: str
    first: Position
    last: Position
    count: int
    digest: bytes


class StoredBaseline(msgspec.Struct, frozen=True):
    """A world that does not depend on archived events, as it is stored."""

    position: Position
    schema_version: int
    data: bytes


class ArchivedRows:
    """The archived rows of a log; all methods raise `Archived` for a file that can't be read."""

    def __init__(self, engine: AsyncEngine, files: ArchiveFiles) -> None:
        """Find them by the tables of `engine`, and read them from `files`."""
        self._engine = engine
        self.files = files

    async def archives(self) -> list[Archive]:
        """Return all archives in the order in which they were made."""
        columns = [archives.c[name] for name in Archive.__struct_fields__]
        async with self._engine.connect() as connection:
            rows = await connection.execute(select(*columns).order_by(archives.c.position))
            return [Archive(*row) for row in rows]

    async def baseline(self) -> StoredBaseline | None:
        """Return the newest baseline whose event the log has."""
        statement = select(baselines).order_by(baselines.c.position.desc()).limit(1)
        async with self._engine.connect() as connection:
            row = (await connection.execute(statement)).first()
        return None if row is None else StoredBaseline(row.position, row.schema_version, row.data)

    async def between(self, after: Position, until: Position) -> list[tuple[Gap, list[Row]]]:
        """Return the archived rows after a position, up to and including another, by gaps."""
        found: list[tuple[Gap, list[Row]]] = []
        for gap in await self._gaps(after + 1, until):
            rows = await asyncio.to_thread(self.files.rows_between, gap.file, gap.first, gap.last)
            found.append((gap, rows))
        return found

    async def of_stream(self, stream: str, after: Position, limit: int) -> list[Row]:
        """Return at most `limit` archived rows of a stream after a position, in order."""
        found: list[Row] = []
        for file in await self._files_of(stream, after):
            found += await asyncio.to_thread(self.files.rows_of_stream, file, stream, after, limit)
        return sorted(found)[:limit]

    async def rows_at(self, positions: Collection[Position]) -> list[Row]:
        """Return the archived rows at these positions; missing ones are left out."""
        if not positions:
            return []
        by_file: dict[str, set[Position]] = {}
        gaps = await self._gaps(min(positions), max(positions))
        firsts = [gap.first for gap in gaps]
        for position in positions:
            index = bisect_right(firsts, position) - 1
            if index >= 0 and gaps[index].last >= position:
                by_file.setdefault(gaps[index].file, set()).add(position)
        found: list[Row] = []
        for file, wanted in by_file.items():
            found += await asyncio.to_thread(self.files.rows_at, file, wanted)
        return found

    async def visibilities(self, streams: Collection[str]) -> list[tuple[Position, str, str]]:
        """Return (position of its creation, stream, visibility) of the archived rooms among these.

        No file is read for that.
        """
        statement = select(
            archived_streams.c.first, archived_streams.c.stream, archived_streams.c.visibility
        ).where(archived_streams.c.stream.in_(streams), archived_streams.c.visibility.is_not(None))
        async with self._engine.connect() as connection:
            rows: Sequence[tuple[Position, str, str]] = [
                (row.first, row.stream, row.visibility)
                for row in await connection.execute(statement)
            ]
        return sorted(rows)

    async def _gaps(self, first: Position, last: Position) -> list[Gap]:
        """Return the gaps that have any of these positions, in order."""
        # Only `first` has an index.
        before = select(func.max(archive_gaps.c.first)).where(archive_gaps.c.first <= first)
        from_ = func.coalesce(before.scalar_subquery(), first)
        statement = (
            select(archive_gaps.c.first, archive_gaps.c.last, archive_gaps.c.hash, archives.c.file)
            .join(archives, archives.c.position == archive_gaps.c.archive)
            .where(archive_gaps.c.first >= from_, archive_gaps.c.first <= last)
            .where(archive_gaps.c.last >= first)
            .order_by(archive_gaps.c.first)
        )
        async with self._engine.connect() as connection:
            return [Gap(*row) for row in await connection.execute(statement)]

    async def _files_of(self, stream: str, after: Position) -> list[str]:
        statement = (
            select(archives.c.file)
            .join(archived_streams, archived_streams.c.archive == archives.c.position)
            .where(archived_streams.c.stream == stream, archived_streams.c.last > after)
            .order_by(archived_streams.c.first)
        )
        async with self._engine.connect() as connection:
            return list(dict.fromkeys((await connection.execute(statement)).scalars()))
