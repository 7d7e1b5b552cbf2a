"""Rebuild the derived tables from the log, or compare them with a rebuilt copy.

The same statements that the writer runs beside an append (`match_history`, `outbox`) are run again
here, so that a rebuilt table can't differ from one that was written event by event.
"""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from service.errors import ServiceError
from service.eventstore import tables
from service.eventstore.codec import decode
from service.eventstore.inspection import Files
from service.eventstore.integrity import ChainCheck
from service.eventstore.read_models import match_history, outbox
from service.eventstore.read_models.match_history import history_of
from service.eventstore.read_models.outbox import outbox_of
from service.eventstore.reader import PAGE, UnreadableEvent
from service.eventstore.records import GENESIS, Head, RecordedEvent, Row
from service.eventstore.side_file import LAST_EVENT, REBUILD, DamagedSideFile, SideFile, check_end
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
"""The columns that follow from the log, by table; the other ones are notes of a delivery."""

CHANGED_BY = match_history.PROJECTED_EVENTS | outbox.PROJECTED_EVENTS
"""The events that change any of these tables."""

_WRITTEN: tuple[Table, ...] = (
    tables.matches,
    tables.match_players,
    tables.consumers,
    tables.outbox,
    tables.bearers,
)
"""All tables that the statements write to."""

_RESTORE_NOTES = """
    UPDATE outbox SET (attempts, next_at, last_error) = (
        SELECT attempts, next_at, last_error FROM notes
        WHERE notes.consumer = outbox.consumer AND notes.match = outbox.match)
    WHERE EXISTS (SELECT 1 FROM notes WHERE notes.consumer = outbox.consumer
        AND notes.match = outbox.match AND notes.state = outbox.state)
"""

_NOTES_ARE_RIGHT = """
    typeof(attempts) = 'integer' AND attempts >= 0
    AND (next_at IS NULL
        OR typeof(next_at) = 'integer' AND next_at BETWEEN 0 AND 253402300799999999)
    AND typeof(last_error) IN ('null', 'text')
"""
"""Of the notes of a delivery only the form can be checked; `next_at` lies before the year 10000."""


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
    """What is kept beside the log is not what the log says."""


class DamagedDatabase(ServiceError):
    """The database file itself is damaged; restore a backup."""


class DatabaseUnusable(ServiceError):
    """The disk or another process keeps the database from being used."""


def recorded_of(row: Row) -> RecordedEvent:
    """Read the event of a row; raise `UnreadableEvent`, which names its position."""
    try:
        event = decode(row.type, row.schema_version, row.data)
    except Exception as error:
        raise UnreadableEvent(row.position, row.type, error) from error
    return RecordedEvent(row.position, row.version, row.recorded_at, event, row.actor)


def readable(row: Row, skipped: Collection[Position]) -> RecordedEvent | None:
    """Read the event of a row, or return None for one that was skipped since it can't be read.

    A skipped event is not folded; but what it wrote beside the log stands there.
    """
    try:
        return recorded_of(row)
    except UnreadableEvent:
        if row.position in skipped:
            return None
        raise


def apply(connection: sqlite3.Connection, recorded: RecordedEvent) -> None:
    """Change the tables as `recorded` says."""
    if type(recorded.event) in CHANGED_BY:
        for statement, parameters in (*history_of(recorded), *outbox_of(recorded)):
            connection.execute(statement, parameters)


class Comparison:
    """Compares the derived tables of a log, as they are at its head, with rebuilt ones.

    The kept tables are copied in one read transaction, so the service may go on writing. Both
    stand in a temporary database, which SQLite moves to the disk when it grows large.
    """

    def __init__(self, path: Path) -> None:
        """Copy the tables of the database at `path`; raise `DamagedDatabase`."""
        self._db = sqlite3.connect("", isolation_level=None, uri=True)
        for table in _WRITTEN:
            self._db.execute(str(CreateTable(table).compile(dialect=sqlite.dialect())))
        self._db.execute("ATTACH DATABASE '' AS kept")
        self._index_fault: str | None = None
        with damage_named(path):
            self.head = self._copy(path)
        self._db.execute("BEGIN")

    def close(self) -> None:
        """Forget both."""
        self._db.close()

    def take(self, recorded: RecordedEvent) -> None:
        """Apply the next event to the rebuilt tables."""
        apply(self._db, recorded)

    def finish(self) -> None:
        """Raise `BrokenProjection`, which names a row that differs, unless all are equal."""
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
                f"what a delivery of match {wrong[0]} noted is damaged: {REBUILD}"
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
            return f"the list of consumers is not what the log says ({key[0]})"
        if table == "outbox":
            return f"the outbox is not what the log says: match {key[1]} for {key[0]}"
        stands = [
            self._db.execute(
                f"SELECT 1 FROM {schema}.{table} WHERE match = ?",  # noqa: S608 - the same
                key,
            ).fetchone()
            for schema in ("kept", "main")
        ]
        if table == "matches" and None in stands:
            return f"match {key[0]} stands in the history or in the log, not both"
        return f"the history of match {key[0]} is not what the log says"


class Rebuild:
    """Makes the derived tables anew, in one transaction; nobody else may write meanwhile.

    What a delivery has noted (attempts, the next try, the last error) stays.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Begin with empty tables, by a connection that is in a transaction."""
        self._connection = connection
        # The indexes follow from the tables; one that is damaged would hide rows.
        connection.execute("REINDEX")
        connection.execute("DROP TABLE IF EXISTS temp.notes")
        connection.execute(
            f"CREATE TEMP TABLE notes AS SELECT * FROM outbox WHERE {_NOTES_ARE_RIGHT}"  # noqa: S608 - ours
        )
        for table in ("outbox", "consumers", "match_players", "matches", "snapshots"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - a name of ours

    def take(self, recorded: RecordedEvent) -> None:
        """Apply the next event."""
        apply(self._connection, recorded)

    def finish(self) -> None:
        """Fill the index of streams, and bring the notes of deliveries back."""
        refill(self._connection, head_of(self._connection).position)
        self._connection.execute(_RESTORE_NOTES)
        self._connection.execute("DROP TABLE temp.notes")


def rebuild_tables(path: Path, progress: Callable[[Position, Position], None]) -> Position:
    """Make the derived tables of a database anew from its events; return how many there are.

    It is one transaction. The caller keeps every other writer out. Raises `BrokenChain` for a log
    that was changed, since what is made from it would be believed.
    """
    with damage_named(path), closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        mend_head(connection, path)
        rebuild = Rebuild(connection)
        head = walk(connection, progress, rebuild.take)
        rebuild.finish()
        connection.execute("COMMIT")
    return head.position


def mend_head(connection: sqlite3.Connection, path: Path) -> None:
    """Let the head say where the log ends; one that says that events are missing stays.

    Without its row, the epoch is that of the side file, or a new one.
    """
    row = connection.execute("SELECT position, hash, epoch FROM log_head").fetchone()
    last = connection.execute(LAST_EVENT).fetchone()
    if last is None or (row is not None and row[0] > last[0]):
        return
    try:
        side = SideFile(Files(path).side_file).read()
    except DamagedSideFile:
        side = None
    epoch = row[2] if row is not None else uuid.uuid4().hex if side is None else side.epoch
    connection.execute("INSERT OR REPLACE INTO log_head VALUES (1, ?, ?, ?)", (*last, epoch))


def walk(
    connection: sqlite3.Connection,
    progress: Callable[[Position, Position], None],
    take: Callable[[RecordedEvent], None] | None = None,
) -> Head:
    """Check the hash chain of a log that does not change, and give each event to `take`.

    Returns the head. Raises `BrokenChain` or `UnreadableEvent`.
    """
    head, chain = head_of(connection), ChainCheck()
    skipped = {row[0] for row in connection.execute("SELECT position FROM skipped")}
    while page := rows_after(connection, chain.position):
        for row in page:
            chain.take(row)
            recorded = None if take is None else readable(row, skipped)
            if take is not None and recorded is not None:
                take(recorded)
        progress(chain.position, head.position)
    chain.finish(head)
    return head


def head_of(connection: sqlite3.Connection) -> Head:
    """Return where a log ends."""
    row = connection.execute("SELECT position, hash, epoch FROM log_head").fetchone()
    return Head(0, GENESIS, "") if row is None else Head(*row)


def rows_after(connection: sqlite3.Connection, position: Position) -> list[Row]:
    """Return the first rows after `position`."""
    found = connection.execute(
        f"SELECT {_quoted(Row._fields)} FROM events "  # noqa: S608 - names of ours
        "WHERE position > ? ORDER BY position LIMIT ?",
        (position, PAGE),
    )
    return [Row(*row) for row in found]


def opened(path: Path) -> closing[sqlite3.Connection]:
    """Open a database for reading only: neither it nor its WAL is changed."""
    return closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True))


def check_file(path: Path) -> None:
    """Raise `DamagedDatabase` when pages or indexes of the database are damaged."""
    with damage_named(path), opened(path) as connection:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
    if found == ["ok"]:
        return
    if all(" index " in line for line in found):
        raise BrokenProjection(f"an index is damaged ({found[0]}): {REBUILD}")
    raise DamagedDatabase(f"the database {path} is damaged: {found[0]}; restore a backup")


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Raise `DamagedDatabase` in place of what SQLite raises when it can't read the file.

    A full disk or a lock is no damage, and no reason to restore: then it is `DatabaseUnusable`.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in _NO_DAMAGE:
            raise DatabaseUnusable(
                f"the database {path} can't be used: {error}. Is the disk full, is the database in "
                "use, are its rights as they were?"
            ) from error
        raise DamagedDatabase(
            f"the database {path} can't be read: {error}; restore a backup"
        ) from error


def _quoted(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{column}"' for column in columns)
