"""Rebuild the derived tables from the log, or compare them with a rebuilt copy.

It runs the statements of `match_history` and `outbox`, as the writer does in the transaction of
their events, so a rebuilt table can't differ from one that was written event by event.
"""

from __future__ import annotations

import functools
import sqlite3
import uuid
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from service.errors import ServiceError
from service.eventstore import tables
from service.eventstore.archive_file import ArchiveFiles
from service.eventstore.archive_gaps import Gaps, sqlite_gaps
from service.eventstore.codec import decode
from service.eventstore.inspection import LogFiles
from service.eventstore.integrity import ChainCheck
from service.eventstore.read_models.projection import PROJECTED_EVENTS, project
from service.eventstore.reader import PAGE
from service.eventstore.records import GENESIS, Head, RecordedEvent, Row
from service.eventstore.side_file import LAST_EVENT, REBUILD, DamagedSideFile, SideFile, check_end
from service.eventstore.stored import UnreadableEvent
from service.eventstore.stream_index import difference, refill

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from sqlalchemy import Table

    from service.domain.events.base import Position

COLUMNS: dict[str, tuple[str, ...]] = {
    "matches": tuple(column.name for column in tables.matches.columns),
    "match_players": ("match", "seat", "user"),
    "consumers": ("consumer",),
    "outbox": ("consumer", "match", "state", "position"),
}
"""The columns that follow from the log, by table; others are state of a delivery."""

_WRITTEN: tuple[Table, ...] = (
    tables.matches,
    tables.match_players,
    tables.consumers,
    tables.outbox,
    tables.kept_tokens,
)
"""All tables that the statements write to."""

RESTORE_NOTES = """
    UPDATE outbox SET (attempts, next_at, last_error) = (
        SELECT attempts, next_at, last_error FROM notes
        WHERE notes.consumer = outbox.consumer AND notes.match = outbox.match)
    WHERE EXISTS (SELECT 1 FROM notes WHERE notes.consumer = outbox.consumer
        AND notes.match = outbox.match AND notes.state = outbox.state)
"""

DERIVED = ("outbox", "consumers", "match_players", "matches", "snapshots")
"""The tables that a rebuild empties, in the order of their foreign keys."""

_NOTES_ARE_RIGHT = """
    typeof(attempts) = 'integer' AND attempts >= 0
    AND (next_at IS NULL
        OR typeof(next_at) = 'integer' AND next_at BETWEEN 0 AND 253402300799999999)
    AND typeof(last_error) IN ('null', 'text')
"""
"""State of a delivery can only be checked for its form; `next_at` is before the year 10000."""


_NO_DAMAGE = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
}


class BrokenProjection(ServiceError):
    """A derived table does not agree with the log."""


class DamagedDatabase(ServiceError):
    """The database file is damaged; restore a backup."""


class DatabaseUnusable(ServiceError):
    """The database can't be used now: the disk is full, or another process has locked it."""


def recorded_of(row: Row) -> RecordedEvent:
    """Decode the event of a row; raise `UnreadableEvent`."""
    try:
        event = decode(row.type, row.schema_version, row.data)
    except Exception as error:
        raise UnreadableEvent(row.position, row.type, error) from error
    return RecordedEvent(row.position, row.version, row.recorded_at, event, row.actor)


def recorded_unless_skipped(row: Row, skipped: Collection[Position]) -> RecordedEvent | None:
    """Decode the event of a row; return None for a skipped one that can't be decoded.

    A skipped event that can be decoded is returned: it is not folded into the world, but the
    derived tables were written before it was skipped.
    """
    try:
        return recorded_of(row)
    except UnreadableEvent:
        if row.position in skipped:
            return None
        raise


def apply(connection: sqlite3.Connection, recorded: RecordedEvent) -> None:
    """Project `recorded` to the tables."""
    if type(recorded.event) in PROJECTED_EVENTS:
        project(connection, recorded)


class Comparison:
    """Compares the derived tables of a log, as of its head, with rebuilt ones.

    The stored tables are copied in one read transaction, so the service may go on writing. Both
    copies are in a temporary database, which SQLite spills to the disk when it grows large.
    """

    def __init__(self, path: Path, postgres: str | None = None) -> None:
        """Copy the tables of the database at `path`, or of `postgres`; raise `DamagedDatabase`."""
        self._db = sqlite3.connect("", isolation_level=None, uri=True)
        for table in _WRITTEN:
            self._db.execute(str(CreateTable(table).compile(dialect=sqlite.dialect())))
        self._db.execute("ATTACH DATABASE '' AS kept")
        self._index_fault: str | None = None
        if postgres is None:
            with sqlite_errors_named(path):
                self.head = self._copy(path)
        else:
            from service.eventstore.postgres_commands import copy_tables  # noqa: PLC0415 - slow

            self.head = copy_tables(postgres, COLUMNS, self._db)
        self._db.execute("BEGIN")

    def close(self) -> None:
        """Drop the temporary database."""
        self._db.close()

    def project(self, recorded: RecordedEvent) -> None:
        """Project the next event to the rebuilt tables."""
        apply(self._db, recorded)

    def finish(self) -> None:
        """Raise `BrokenProjection` with the first row that differs, unless all are equal."""
        for found in (*map(self._difference, COLUMNS), self._index_fault):
            if found is not None:
                raise BrokenProjection(f"{found}: {REBUILD}")

    def _copy(self, path: Path) -> Head:
        self._db.execute("ATTACH DATABASE ? AS log", (f"file:{quote(str(path))}?mode=ro",))
        self._db.execute("BEGIN")
        head = head_of(self._db)
        check_end(head, self._db.execute(LAST_EVENT).fetchone())
        for table, columns in COLUMNS.items():
            self._db.execute(
                f"CREATE TABLE kept.{table} AS SELECT {_quoted(columns)} FROM log.{table}"  # noqa: S608 - names of ours
            )
        self._index_fault = difference(self._db, "log")
        wrong = self._db.execute(
            f"SELECT match FROM log.outbox WHERE NOT ({_NOTES_ARE_RIGHT}) LIMIT 1"  # noqa: S608 - ours
        ).fetchone()
        self._db.execute("COMMIT")
        self._db.execute("DETACH DATABASE log")
        if wrong is not None:
            raise BrokenProjection(
                f"the state of a delivery of match {wrong[0]} is damaged: {REBUILD}"
            )
        return head

    def _difference(self, table: str) -> str | None:
        columns = _quoted(COLUMNS[table])
        kept, rebuilt = (
            f"SELECT {columns} FROM {schema}.{table}"  # noqa: S608 - names of ours
            for schema in ("kept", "main")
        )
        keys = ("consumer", "match") if table == "outbox" else (COLUMNS[table][0],)
        differ = self._db.execute(
            f"SELECT {_quoted(keys)} FROM (SELECT * FROM ({kept} EXCEPT {rebuilt}) "  # noqa: S608 - the same
            f"UNION ALL SELECT * FROM ({rebuilt} EXCEPT {kept})) ORDER BY {_quoted(keys)} LIMIT 1"
        ).fetchone()
        return None if differ is None else self._named(table, differ)

    def _named(self, table: str, key: tuple[str, ...]) -> str:
        if table == "consumers":
            return f"the list of consumers does not agree with the log ({key[0]})"
        if table == "outbox":
            return f"the outbox does not agree with the log: match {key[1]} for {key[0]}"
        found = [
            self._db.execute(
                f"SELECT 1 FROM {schema}.{table} WHERE match = ?",  # noqa: S608 - the same
                key,
            ).fetchone()
            for schema in ("kept", "main")
        ]
        if table == "matches" and None in found:
            return f"match {key[0]} is in the history or in the log, not both"
        return f"the history of match {key[0]} does not agree with the log"


class Rebuild:
    """Rebuilds the derived tables in one transaction; there must be no other writer.

    The state of deliveries (attempts, next attempt, last error) is kept.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Empty the tables; `connection` must be in a transaction."""
        self._connection = connection
        # A damaged index would hide rows.
        connection.execute("REINDEX")
        connection.execute("DROP TABLE IF EXISTS temp.notes")
        connection.execute(
            f"CREATE TEMP TABLE notes AS SELECT * FROM outbox WHERE {_NOTES_ARE_RIGHT}"  # noqa: S608 - ours
        )
        for table in DERIVED:
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - a name of ours

    def project(self, recorded: RecordedEvent) -> None:
        """Project the next event."""
        apply(self._connection, recorded)

    def finish(self) -> None:
        """Fill the index of streams, and restore the state of deliveries."""
        refill(self._connection, head_of(self._connection).position)
        self._connection.execute(RESTORE_NOTES)
        self._connection.execute("DROP TABLE temp.notes")


def rebuild_tables(
    path: Path,
    progress: Callable[[Position, Position], None],
    files: ArchiveFiles | None = None,
) -> Position:
    """Rebuild the derived tables of a database from its events; return the number of events.

    It is one transaction, and the caller must hold the lock of the log. Raises `BrokenChain`
    instead of deriving tables from a log that was changed, and `Archived` if `files` lack events.
    """
    with (
        sqlite_errors_named(path),
        closing(sqlite3.connect(path, isolation_level=None)) as connection,
    ):
        connection.execute("BEGIN IMMEDIATE")
        repair_head(connection, path)
        rebuild = Rebuild(connection)
        head = walk(connection, progress, rebuild.project, files)
        rebuild.finish()
        connection.execute("COMMIT")
    return head.position


def repair_head(connection: sqlite3.Connection, path: Path) -> None:
    """Set the head to the last event, unless the head is ahead of it: then events are missing.

    If the row of the head is missing, the epoch is that of the side file, or a new one.
    """
    row = connection.execute("SELECT position, hash, epoch FROM log_head").fetchone()
    last = connection.execute(LAST_EVENT).fetchone()
    if last is None or (row is not None and row[0] > last[0]):
        return
    try:
        side = SideFile(LogFiles(path).side_file).read()
    except DamagedSideFile:
        side = None
    epoch = row[2] if row is not None else uuid.uuid4().hex if side is None else side.epoch
    connection.execute("INSERT OR REPLACE INTO log_head VALUES (1, ?, ?, ?)", (*last, epoch))


def walk(
    connection: sqlite3.Connection,
    progress: Callable[[Position, Position], None],
    project: Callable[[RecordedEvent], None] | None = None,
    files: ArchiveFiles | None = None,
) -> Head:
    """Check the hash chain of a log that has no writer, call `project` for each event.

    `progress` gets the position reached and the last one. Returns the head. Raises `BrokenChain`,
    `UnreadableEvent`, or `Archived` for an archived event that `files` do not have; without
    `project` none is read.
    """
    skipped = {row[0] for row in connection.execute("SELECT position FROM skipped")}
    return walk_pages(
        head_of(connection),
        functools.partial(rows_after, connection),
        skipped=skipped,
        gaps=Gaps(sqlite_gaps(connection), files or ArchiveFiles(None)),
        progress=progress,
        project=project,
    )


def walk_pages(  # noqa: PLR0913 - what differs between databases
    head: Head,
    page_after: Callable[[Position], list[Row]],
    *,
    skipped: Collection[Position],
    gaps: Gaps,
    progress: Callable[[Position, Position], None],
    project: Callable[[RecordedEvent], None] | None = None,
) -> Head:
    """Do as `walk` with the pages of any database."""
    chain = ChainCheck()

    def take(row: Row) -> None:
        chain.check(row)
        recorded = None if project is None else recorded_unless_skipped(row, skipped)
        if project is not None and recorded is not None:
            project(recorded)

    while page := page_after(chain.position):
        for row in page:
            if row.position != chain.position + 1:
                if project is None:
                    gaps.pass_over(chain, row.position)
                else:
                    gaps.fill(chain, row.position, take)
            take(row)
        progress(chain.position, head.position)
    chain.finish(head)
    return head


def head_of(connection: sqlite3.Connection) -> Head:
    """Return the head of a log."""
    row = connection.execute("SELECT position, hash, epoch FROM log_head").fetchone()
    return Head(0, GENESIS, "") if row is None else Head(*row)


def rows_after(connection: sqlite3.Connection, position: Position) -> list[Row]:
    """Return a page of rows after `position`."""
    found = connection.execute(
        f"SELECT {_quoted(Row._fields)} FROM events "  # noqa: S608 - names of ours
        "WHERE position > ? ORDER BY position LIMIT ?",
        (position, PAGE),
    )
    return [Row(*row) for row in found]


def open_read_only(path: Path) -> closing[sqlite3.Connection]:
    """Open a database read-only; its WAL is not changed either."""
    return closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True))


def check_file(path: Path) -> None:
    """Check pages and indexes; raise `DamagedDatabase`, or `BrokenProjection` for an index."""
    with sqlite_errors_named(path), open_read_only(path) as connection:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
    if found == ["ok"]:
        return
    if all(" index " in line for line in found):
        raise BrokenProjection(f"an index is damaged ({found[0]}): {REBUILD}")
    raise DamagedDatabase(f"the database {path} is damaged: {found[0]}; restore a backup")


@contextmanager
def sqlite_errors_named(path: Path) -> Iterator[None]:
    """Raise `DamagedDatabase` or `DatabaseUnusable` for errors of SQLite.

    A full disk or a lock is `DatabaseUnusable`, since it is no reason to restore a backup.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in _NO_DAMAGE:
            raise DatabaseUnusable(
                f"the database {path} can't be used: {error}. Check that the disk is not full, "
                "that no other process uses the database, and that its files may be written"
            ) from error
        raise DamagedDatabase(
            f"the database {path} can't be read: {error}; restore a backup"
        ) from error


def _quoted(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{column}"' for column in columns)
