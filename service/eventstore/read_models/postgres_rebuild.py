"""Rebuild what is derived from a log on PostgreSQL, in one transaction, while no node runs."""

from __future__ import annotations

import uuid
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.types.string import StrDumper

from service.eventstore.archive_file import ArchiveFiles
from service.eventstore.archive_gaps import GAP, Gaps
from service.eventstore.postgres_commands import locked
from service.eventstore.postgres_schema import DatabaseUnreachable
from service.eventstore.postgres_sql import named_parameters
from service.eventstore.read_models.match_history import history_statements
from service.eventstore.read_models.outbox import outbox_statements
from service.eventstore.read_models.projection import PROJECTED_EVENTS
from service.eventstore.read_models.rebuild import DERIVED, RESTORE_NOTES, walk_pages
from service.eventstore.reader import PAGE
from service.eventstore.records import GENESIS, Head, Row
from service.eventstore.side_file import LAST_EVENT, DamagedSideFile, SideFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from service.domain.events.base import Position
    from service.eventstore.records import RecordedEvent

    Connection = psycopg.Connection[tuple[Any, ...]]

_KEEP_NOTES: Final = """
    CREATE TEMP TABLE notes ON COMMIT DROP AS SELECT * FROM outbox
    WHERE attempts >= 0 AND (next_at IS NULL OR next_at BETWEEN 0 AND 253402300799999999)
"""
_PUT_HEAD: Final = """
    INSERT INTO log_head AS h (id, position, hash, epoch) VALUES (1, %s, %s, %s)
    ON CONFLICT (id) DO UPDATE SET position = excluded.position, hash = excluded.hash,
        recorded_at = NULL
"""
_PAGE: Final = (
    f"SELECT {', '.join(Row._fields)} FROM events"  # noqa: S608 - names of ours
    " WHERE position > %s ORDER BY position LIMIT %s"
)


_GAP: Final = named_parameters(GAP)


def rebuild_tables(
    conninfo: str,
    side_file: Path,
    progress: Callable[[Position, Position], None],
    files: ArchiveFiles | None = None,
) -> Position:
    """Rebuild the derived tables from the events; return the number of events.

    Raises `LogInUse` while a service runs on the log, `BrokenChain` instead of deriving tables from
    a log that was changed, and `Archived` if `files` lack events. Damaged indexes are a matter of
    `REINDEX DATABASE`.
    """
    try:
        with locked(conninfo), psycopg.connect(conninfo) as connection:
            connection.adapters.register_dumper(str, StrDumper)
            _repair_head(connection, side_file)
            connection.execute(_KEEP_NOTES)
            for table in DERIVED:
                connection.execute(f"DELETE FROM {table}".encode())  # noqa: S608 - a name of ours
            found = connection.execute("SELECT position FROM skipped").fetchall()
            head = walk_pages(
                _head_of(connection),
                partial(_page_after, connection),
                skipped={position for (position,) in found},
                gaps=Gaps(partial(_gap_at, connection), files or ArchiveFiles(None)),
                progress=progress,
                project=partial(_project, connection),
            )
            connection.execute(RESTORE_NOTES.encode())
    except psycopg.OperationalError as error:
        raise DatabaseUnreachable(f"the database can't be used: {error}") from error
    return head.position


def _repair_head(connection: Connection, side_file: Path) -> None:
    """Set the head to the last event, unless the head is ahead of it: then events are missing."""
    row = connection.execute("SELECT position, epoch FROM log_head").fetchone()
    last = connection.execute(LAST_EVENT).fetchone()
    if last is None or (row is not None and row[0] > last[0]):
        return
    try:
        side = SideFile(side_file).read()
    except DamagedSideFile:
        side = None
    epoch = row[1] if row is not None else uuid.uuid4().hex if side is None else side.epoch
    connection.execute(_PUT_HEAD, (*last, epoch))


def _head_of(connection: Connection) -> Head:
    row = connection.execute("SELECT position, hash, epoch FROM log_head").fetchone()
    return Head(0, GENESIS, "") if row is None else Head(*row)


def _page_after(connection: Connection, position: Position) -> list[Row]:
    return [Row(*row) for row in connection.execute(_PAGE.encode(), (position, PAGE))]


def _gap_at(connection: Connection, first: Position) -> tuple[Position, bytes, str] | None:
    row = connection.execute(_GAP.encode(), {"first": first}).fetchone()
    return None if row is None else (row[0], row[1], row[2])


def _project(connection: Connection, recorded: RecordedEvent) -> None:
    if type(recorded.event) not in PROJECTED_EVENTS:
        return
    for statements in (history_statements(recorded), outbox_statements(recorded)):
        for statement, parameters in statements:
            connection.execute(named_parameters(statement).encode(), parameters)
