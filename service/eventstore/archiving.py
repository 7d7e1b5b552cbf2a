"""Move events of old matches out of the log: find, prove, write the file, and move the rows."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import delete, insert, select, text, update

from service.domain.events.log import LogArchived
from service.errors import ConfigurationError
from service.eventstore import baselines, migrate
from service.eventstore.archive_cycles import CycleFinder
from service.eventstore.archive_file import ArchiveFiles, ArchiveWriter, Digest
from service.eventstore.archive_proof import NotProved, Walk, prove
from service.eventstore.codec import encode
from service.eventstore.durable_files import make_directory
from service.eventstore.lock import LogInUse
from service.eventstore.postgres_schema import TRY_SHARED_TRANSACTION_LOCK, is_postgres
from service.eventstore.records import Head, Row, chain, new_event_id
from service.eventstore.tables import (
    archive_gaps,
    archived_streams,
    archives,
    events,
    log_head,
    snapshots,
)
from service.eventstore.tables import baselines as baselines_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection

    from service.domain.events.base import Position
    from service.domain.projections.world import World
    from service.eventstore.archive_proof import Proved
    from service.eventstore.reader import Reader

NODE = "archive"
"""The node of the events that the command appends."""

ROWS_MAX = 1_000_000
"""Rows of one archive on SQLite: they leave the log in one transaction."""

ROWS_MAX_ON_POSTGRES = 100_000
"""The same on PostgreSQL, where nodes wait for the end of the transaction: about a second."""

_DELETE = """
    DELETE FROM events WHERE position IN (
        SELECT e.position FROM archive_gaps AS g CROSS JOIN events AS e
        WHERE g.archive = :archive AND e.position BETWEEN g.first AND g.last)
"""
"""CROSS JOIN keeps SQLite from looking through all gaps for each event."""
_DELETE_FROM_INDEX = """
    DELETE FROM stream_index WHERE stream = :stream AND position BETWEEN :first AND :last
"""
_IDLE_LIMIT = "SET LOCAL idle_in_transaction_session_timeout = '5s'"
"""Others must not wait for a command that is stopped."""

_SET_TIME = "UPDATE log_head SET recorded_at = :at"


class ArchiveRefused(ConfigurationError):
    """The events can't be archived; nothing was changed."""

    error_code = "ARCHIVE_REFUSED"


class _Gap(msgspec.Struct):
    first: Position
    last: Position
    hash: bytes


class _Stream(msgspec.Struct):
    first: Position
    last: Position
    last_version: int
    visibility: str | None


class Made(msgspec.Struct):
    """An archive that is written, and whose rows are still in the log."""

    file: str
    digest: str
    count: int
    gaps: list[_Gap]
    streams: dict[tuple[str, Position], _Stream]
    head: Head
    """The head of the log that was read."""
    world: World
    """The world there."""

    @property
    def first(self) -> Position:
        """The position of its first row."""
        return self.gaps[0].first

    @property
    def last(self) -> Position:
        """The position of its last row."""
        return self.gaps[-1].last


class Done(msgspec.Struct):
    """What was archived."""

    file: str | None
    """None if there was nothing."""
    events: int
    rooms: int
    matches: int
    kept: int
    """Rooms that ended in time and stay in the log."""
    is_complete: bool


async def archive(
    reader: Reader,
    url: str,
    directory: Path,
    before_us: int,
    progress: Callable[[str, Position, Position], None],
) -> Done:
    """Move the events of what ended before a time into a file in `directory`.

    `progress` gets what is done, the position reached, and the last one. Raises `ArchiveRefused`,
    `NotProved` or `Archived`; then nothing was changed, but for a file that nothing refers to.
    """
    head = await reader.head()
    walk = Walk(reader, head, lambda done, total: progress("folding", done, total))
    on_postgres = is_postgres(url)
    rows_max = ROWS_MAX_ON_POSTGRES if on_postgres else ROWS_MAX
    proved = await prove(reader, walk, before_us, rows_max)
    if on_postgres and proved.world.nodes.live:
        _check_level(proved.world)
    await _check_directory(reader, directory)
    if not proved.cycles:
        return Done(None, 0, 0, 0, proved.kept, is_complete=True)
    writing = Walk(reader, head, lambda done, total: progress("writing", done, total))
    made = await _write(writing, proved, directory)
    found = await asyncio.to_thread(ArchiveFiles(directory).digest, made.file)
    if (str(found), found.count) != (made.digest, made.count):
        raise ArchiveRefused(f"the archive {made.file} was not written as it should be")
    await asyncio.to_thread(_move, url, made)
    matches = sum(len(cycle.matches) for cycle in proved.cycles)
    return Done(made.file, made.count, len(proved.cycles), matches, proved.kept, proved.is_complete)


async def _check_directory(reader: Reader, directory: Path) -> None:
    """Refuse a directory that lacks an earlier archive, as when its disk is not mounted."""
    for earlier in await reader.archived.archives():
        if not (directory / earlier.file).is_file():
            raise ArchiveRefused(
                f"the earlier archive {earlier.file} is not in {directory}: all archives belong "
                "into one directory; is its disk mounted?"
            )


def _check_level(world: World) -> None:
    """Refuse events that a live node could not read."""
    if world.nodes.level < LogArchived.needs_level:
        old = [name for name, node in world.nodes.live.items() if node.level < world.nodes.level]
        raise ArchiveRefused(
            f"a node runs a version that can't read a log with archives: {', '.join(old) or 'all'}"
            "; deploy this version to all nodes first"
        )


async def _write(walk: Walk, proved: Proved, directory: Path) -> Made:
    """Write the rows of the chosen cycles into a file."""
    chosen = {cycle.first: cycle for cycle in proved.cycles}
    finder, digest = CycleFinder(), Digest()
    made = Made("", "", 0, [], {}, walk.head, proved.world)
    writer = _writer(directory)
    try:
        async for rows in walk.rows():
            taken: list[Row] = []
            for row in rows:
                cycle = chosen.get(finder.first_of(row) or 0)
                if cycle is not None:
                    taken.append(row)
                    digest.add(row)
                    visibility = cycle.visibility if row.stream.startswith("room:") else None
                    _note(made, row, cycle.first, visibility)
            writer.add(taken)
        made.digest, made.count = str(digest), digest.count
        made.file = f"ws-archive-{made.first}-{made.last}-{made.digest[:16]}.db"
        writer.finish(directory / made.file)
    except (OSError, sqlite3.OperationalError) as error:
        raise _unwritable(directory, error) from error
    finally:
        writer.discard()
    return made


def _unwritable(directory: Path, error: Exception) -> ArchiveRefused:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return ArchiveRefused(
        f"the archive can't be written to {directory}: {reason}; make room or choose another "
        "directory, and check that you may write to it"
    )


def _writer(directory: Path) -> ArchiveWriter:
    try:
        make_directory(directory, 0o750)
        return ArchiveWriter(directory / ".archive.partial")
    except (FileExistsError, NotADirectoryError) as error:
        raise ArchiveRefused(f"{directory} can't be a directory: choose another one") from error
    except OSError as error:
        raise _unwritable(directory, error) from error


def _note(made: Made, row: Row, cycle: Position, visibility: str | None) -> None:
    """Note the gap that a row leaves, and what is archived of its stream."""
    if made.gaps and made.gaps[-1].last == row.position - 1:
        made.gaps[-1].last, made.gaps[-1].hash = row.position, row.hash
    else:
        made.gaps.append(_Gap(row.position, row.position, row.hash))
    stream = made.streams.get((row.stream, cycle))
    if stream is None:
        made.streams[row.stream, cycle] = _Stream(
            row.position, row.position, row.version, visibility
        )
    else:
        stream.last, stream.last_version = row.position, row.version


def _move(url: str, made: Made) -> None:
    """Take the rows out of the log, and append `log.archived`, in one transaction."""
    with migrate.transaction(url) as connection:
        on_postgres = is_postgres(url)
        if on_postgres and not connection.exec_driver_sql(TRY_SHARED_TRANSACTION_LOCK).scalar_one():
            raise LogInUse(
                "the log is used by a service that runs alone: stop it, or let it run as a node of "
                "a cluster"
            )
        position = _append(connection, made, on_postgres=on_postgres)
        _record(connection, made, position)
        _delete(connection, made, position, on_postgres=on_postgres)


def _append(connection: Connection, made: Made, *, on_postgres: bool) -> Position:
    """Append the event; return its position."""
    # On PostgreSQL other nodes wait for this lock until the transaction ends.
    if on_postgres:
        connection.exec_driver_sql(_IDLE_LIMIT)
    columns = log_head.c.position, log_head.c.hash, log_head.c.epoch
    head = Head(*connection.execute(select(*columns).with_for_update()).one())
    hash_at = select(events.c.hash).where(events.c.position == made.head.position)
    if head.epoch != made.head.epoch or connection.scalar(hash_at) != made.head.hash:
        raise ArchiveRefused("the log was restored or rewritten meanwhile: try again")
    version = 1 + len(connection.execute(select(archives.c.position)).all())
    last_at = select(events.c.recorded_at).where(events.c.position == head.position)
    at = max(time.time_ns() // 1000, connection.scalar(last_at) or 0)
    event = LogArchived(made.first, made.last, made.count, made.digest, made.file)
    position = head.position + 1
    unhashed = (
        position,
        event.stream,
        version,
        event.type,
        event.schema_version,
        new_event_id(),
        NODE,
        None,
        NODE,
        at,
        encode(event),
        None,
    )
    row = Row(*unhashed, chain(head.hash, unhashed))
    connection.execute(insert(events), row._asdict())
    connection.execute(update(log_head).values(position=position, hash=row.hash))
    if on_postgres:
        connection.execute(text(_SET_TIME), {"at": at})
    return position


def _record(connection: Connection, made: Made, position: Position) -> None:
    """Record where the rows are, and the world that never needs them."""
    connection.execute(
        insert(archives),
        {
            "position": position,
            "file": made.file,
            "first": made.first,
            "last": made.last,
            "count": made.count,
            "digest": bytes.fromhex(made.digest),
        },
    )
    gaps = [
        {"first": gap.first, "last": gap.last, "hash": gap.hash, "archive": position}
        for gap in made.gaps
    ]
    connection.execute(insert(archive_gaps), gaps)
    streams = [
        {"stream": stream, "archive": position, **msgspec.structs.asdict(found)}
        for (stream, _), found in made.streams.items()
    ]
    connection.execute(insert(archived_streams), streams)
    connection.execute(delete(baselines_table))
    connection.execute(
        insert(baselines_table),
        {
            "position": made.head.position,
            "schema_version": baselines.SCHEMA_VERSION,
            "hash": made.head.hash,
            "data": baselines.dump(made.world),
        },
    )


def _delete(connection: Connection, made: Made, position: Position, *, on_postgres: bool) -> None:
    """Delete the rows, their index, and the snapshots that would need them."""
    if on_postgres:
        connection.exec_driver_sql("SELECT ws_archive(%s)", (position,))
    else:
        gone = connection.execute(text(_DELETE), {"archive": position}).rowcount
        if gone != made.count:
            raise NotProved(f"the archive has {made.count} rows, the log {gone}")
        keys = [
            {"stream": stream, "first": found.first, "last": found.last}
            for (stream, _), found in made.streams.items()
        ]
        connection.execute(text(_DELETE_FROM_INDEX), keys)
    connection.execute(delete(snapshots).where(snapshots.c.position < made.last))
