"""SQLite storage of the writer: one connection used by one thread, one transaction per batch."""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from typing import TYPE_CHECKING

from service.domain.personal_data import NO_PERSONAL_DATA, PersonalData
from service.errors import ServiceError, Unavailable
from service.eventstore.archive_gaps import is_archived
from service.eventstore.inspection import LogFiles
from service.eventstore.plan import Committed, Plan
from service.eventstore.read_models.projection import PROJECTED_EVENTS, project
from service.eventstore.records import GENESIS, Head, Row
from service.eventstore.side_file import LAST_EVENT, check_end
from service.eventstore.store import DuplicateVersion, LogDiverged
from service.eventstore.stream_index import StreamVersions, cut, fill

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from service.domain.events.base import Position
    from service.eventstore.plan import Append

_DURABLE = "synchronous=FULL"
"""Acknowledged events must survive a power failure."""

_NOT_SYNCED = "synchronous=NORMAL"
"""For what can be derived again: it is durable with the next commit that is."""

VERSIONS_CACHED_MAX = 100_000
"""Streams whose last version is cached; others are looked up in the database."""

ROWS_PER_INSERT_MAX = 32
"""Rows per INSERT. Batching matters because every execute() releases and reacquires the GIL.

There is one prepared statement for each number of rows.
"""

_COLUMNS = ", ".join(Row._fields)
_VALUES = f"({', '.join('?' * len(Row._fields))})"
_INSERT_EVENTS = {
    rows * len(Row._fields): (
        f"INSERT INTO events ({_COLUMNS}) VALUES {', '.join([_VALUES] * rows)}"  # noqa: S608 - our own
    )
    for rows in range(1, ROWS_PER_INSERT_MAX + 1)
}
"""The statements by how many values they take."""

_MOVE_HEAD = "UPDATE log_head SET position = ?, hash = ? WHERE id = 1 AND position = ?"
_FIRST_POSITION = "SELECT position FROM events WHERE event_id = ?"
_RECORDED_AT = "SELECT recorded_at FROM events WHERE position = ?"
_PUT_NAME = """
    INSERT INTO profiles ("user", name) VALUES (?, ?)
    ON CONFLICT ("user") DO UPDATE SET name = excluded.name
"""
_PUT_TEXT = "INSERT OR IGNORE INTO texts (chat, salt, text) VALUES (?, ?, ?)"
_PUT_SNAPSHOT = """
    INSERT OR REPLACE INTO snapshots (projection, code_version, position, hash, data)
    VALUES (?, ?, ?, ?, ?)
"""
_DROP_SNAPSHOTS = """
    DELETE FROM snapshots WHERE projection = :projection AND CASE code_version WHEN :code THEN
        position < (SELECT max(position) FROM snapshots
            WHERE projection = :projection AND code_version = :code AND position <= :needed_from)
        ELSE code_version NOT IN (SELECT value FROM json_each(:used)) END
"""
_DROP_SNAPSHOT = "DELETE FROM snapshots WHERE projection = ? AND position = ?"
_DROP_PROBE = "DELETE FROM snapshots WHERE projection = 'probe'"

PROBE_BYTES = 256 * 1024
"""How much a probe writes after a failure: about as much as a large batch."""

CLOCK_STEP_US_MAX = 1_000_000
"""`recorded_at` does not go back while the clock is behind by at most this; beyond it, it does."""


class FileMoved(ServiceError, sqlite3.OperationalError):
    """The database or its WAL was moved or deleted since it was opened: writes would be lost."""


class SqliteStore:
    """The store on SQLite: one connection, used by one thread."""

    def __init__(self, path: Path, node: str, busy_ms: int) -> None:
        """Open the migrated database at `path` and read the head of its log.

        `busy_ms` is how long SQLite waits for a lock. Raises `DamagedHead`.
        """
        self.node = node
        self.is_closing = False
        self._connection = sqlite3.connect(
            path,
            isolation_level=None,
            timeout=busy_ms / 1000,
            check_same_thread=False,
            cached_statements=2 * len(_INSERT_EVENTS),
        )
        for pragma in ("journal_mode=WAL", _DURABLE, "foreign_keys=ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._durability = _DURABLE
        self._failed = False
        self._files: dict[Path, tuple[int, int]] = {}
        """Device and inode of each open file by its path."""
        try:
            self.head = self._read_head()
            self._versions = StreamVersions(self._connection, VERSIONS_CACHED_MAX)
        except BaseException:
            self._connection.close()
            raise
        self._recorded_at = self._last_recorded_at()
        files = LogFiles(path)
        self._files = {
            file: identity
            for file in (files.database, files.wal, files.memory)
            if (identity := _identity(file)) is not None
        }

    def _read_head(self) -> Head:
        row = self._connection.execute("SELECT position, hash, epoch FROM log_head").fetchone()
        if row is not None:
            return Head(*row)
        check_end(None, self._last())
        head = Head(0, GENESIS, uuid.uuid4().hex)
        self._write_in_transaction("INSERT INTO log_head VALUES (1, ?, ?, ?)", head)
        return head

    def _last_recorded_at(self) -> int:
        row = self._connection.execute(_RECORDED_AT, (self.head.position,)).fetchone()
        return 0 if row is None else row[0]

    def check_end(self) -> None:
        """Raise `LostTail` or `DamagedHead` unless the last event is the one of the head."""
        check_end(self.head, self._last())

    def has_other_writers(self) -> bool:
        """Return False: a lock keeps others away."""
        return False

    def begin_epoch(self) -> None:
        """Begin a new epoch, for a log whose history may differ from the one that clients know."""
        position, hash_ = self._last() or (0, GENESIS)
        self.head = Head(position, hash_, uuid.uuid4().hex)

        def write() -> None:
            self._connection.execute(
                "UPDATE log_head SET position = ?, hash = ?, epoch = ?", self.head
            )
            cut(self._connection, position)

        self._in_transaction(write)
        self._versions = StreamVersions(self._connection, VERSIONS_CACHED_MAX)

    def _last(self) -> tuple[Position, bytes] | None:
        """Return position and hash of the last event."""
        row: tuple[Position, bytes] | None = self._connection.execute(LAST_EVENT).fetchone()
        return row

    def begin_incarnation(self, incarnation: int) -> None:
        """Do nothing: there is no other node."""

    def hash_at(self, position: Position) -> bytes | None:
        """Return the hash of the event at `position`, or None without such an event."""
        if position == 0:
            return GENESIS
        row = self._connection.execute(
            "SELECT hash FROM events WHERE position = ?", (position,)
        ).fetchone()
        return None if row is None else row[0]

    def is_archived(self, position: Position) -> bool:
        """Return whether an archive has the event at `position`."""
        return is_archived(self._connection, position)

    def commit(self, batch: Sequence[Append]) -> list[Committed | Exception]:
        """Commit `batch` in one transaction; return the result of each append, in order.

        A version conflict fails only its append. Raises `Unavailable` when the database can't be
        written, and `LogDiverged`; then nothing of the batch is committed.
        """
        try:
            return self._commit(batch)
        except sqlite3.IntegrityError:
            # Some event id is in the log already: that append gets its first result.
            return self._commit(batch, self.seen(batch))
        except sqlite3.DatabaseError as error:
            self._failed = True
            raise Unavailable(f"The event log can't be written: {error}.") from error

    def probe(self) -> None:
        """Check that the database can be written; raise `Unavailable` if not.

        After a failure it writes as much as a large batch, since on a full disk a small write may
        still fit into the WAL.
        """
        position, hash_, _ = self.head
        try:
            if self._failed:
                self._write_in_transaction(_PUT_SNAPSHOT, ("probe", "", 0, b"", bytes(PROBE_BYTES)))
                self._write_in_transaction(_DROP_PROBE, ())
                self._failed = False
            self._write_in_transaction(_MOVE_HEAD, (position, hash_, position))
        except sqlite3.DatabaseError as error:
            raise Unavailable(f"The event log can't be written: {error}.") from error

    def save_snapshot(  # noqa: PLR0913 - what a snapshot is
        self,
        projection: str,
        code_version: str,
        position: Position,
        data: bytes,
        *,
        needed_from: Position,
        used: AbstractSet[str] = frozenset(),
    ) -> None:
        """Store a snapshot, and drop older ones, and those of code versions other than `used`.

        The newest snapshot not after `needed_from` is kept. Raises `Unavailable`.
        """
        row = (projection, code_version, position, self.hash_at(position), data)
        needed = {
            "projection": projection,
            "code": code_version,
            "needed_from": needed_from,
            "used": json.dumps(sorted(used)),
        }

        def write() -> None:
            self._connection.execute(_PUT_SNAPSHOT, row)
            self._connection.execute(_DROP_SNAPSHOTS, needed)

        try:
            self._in_transaction(write)
        except sqlite3.DatabaseError as error:
            raise Unavailable(f"The snapshot can't be written: {error}.") from error

    def drop_snapshot(self, projection: str, position: Position) -> None:
        """Delete the snapshot of `projection` at `position`."""
        self.execute(_DROP_SNAPSHOT, (projection, position))

    def execute(self, statement: str, parameters: Sequence[object] | Mapping[str, object]) -> None:
        """Run one statement on tables that are not derived from the log; raise `Unavailable`."""
        try:
            self._write_in_transaction(statement, parameters)
        except sqlite3.DatabaseError as error:
            raise Unavailable(f"The database can't be written: {error}.") from error

    def load_snapshot(
        self, projection: str, code_version: str, at_most: Position
    ) -> tuple[Position, bytes] | None:
        """Return position and data of the newest usable snapshot not after `at_most`, or None.

        A snapshot is usable if it has this code version and the hash of this log at its position.
        """
        rows = self._connection.execute(
            "SELECT position, hash FROM snapshots"
            " WHERE projection = ? AND code_version = ? AND position <= ? ORDER BY position DESC",
            (projection, code_version, at_most),
        ).fetchall()
        for position, hash_ in rows:
            if self.hash_at(position) == hash_:
                (data,) = self._connection.execute(
                    "SELECT data FROM snapshots WHERE projection = ? AND position = ?",
                    (projection, position),
                ).fetchone()
                return position, data
        return None

    def close(self) -> None:
        """Close the connection, which also checkpoints the WAL."""
        self._connection.close()

    def _commit(
        self, batch: Sequence[Append], seen: dict[bytes, Position] | None = None
    ) -> list[Committed | Exception]:
        plan = Plan(self, seen)
        results = [plan.add(append) for append in batch]
        if seen is None and plan.has_conflicts:
            # A repeated append conflicts with the versions that it made itself.
            return self._commit(batch, self.seen(batch))
        personal_data = [
            append.personal_data
            for append, result in zip(batch, results, strict=True)
            if append.personal_data is not NO_PERSONAL_DATA and isinstance(result, Committed)
        ]
        if plan.values or personal_data:
            self._in_transaction(lambda: self._write(plan, personal_data))
        self._failed = False
        self.head = plan.head
        self._recorded_at = plan.recorded_at
        self._versions.move(plan.versions, self.head.position)
        return results

    def _write(self, plan: Plan, personal_data: Sequence[PersonalData]) -> None:
        if plan.values:
            # The head first: rows of another writer must raise `LogDiverged`, not IntegrityError,
            # which is taken for a repeated append.
            moved = self._connection.execute(
                _MOVE_HEAD, (plan.head.position, plan.head.hash, self.head.position)
            )
            if moved.rowcount != 1:
                raise LogDiverged
            step = ROWS_PER_INSERT_MAX * len(Row._fields)
            for first in range(0, len(plan.values), step):
                values = plan.values[first : first + step]
                self._connection.execute(_INSERT_EVENTS[len(values)], values)
        for recorded in plan.recorded:
            if type(recorded.event) in PROJECTED_EVENTS:
                project(self._connection, recorded)
        for one in personal_data:
            self._write_personal_data(one)

    def _write_personal_data(self, data: PersonalData) -> None:
        self._connection.executemany(_PUT_NAME, list(data.names.items()))
        texts = [(chat, text.salt, text.text) for chat, text in data.texts.items()]
        self._connection.executemany(_PUT_TEXT, texts)

    def _write_in_transaction(
        self, statement: str, parameters: Sequence[object] | Mapping[str, object]
    ) -> None:
        self._in_transaction(lambda: self._connection.execute(statement, parameters))

    def _in_transaction(self, write: Callable[[], object], durability: str = _DURABLE) -> None:
        for file, identity in self._files.items():
            if _identity(file) != identity:
                # Clients see this message, so it has the name of the file without its path.
                raise FileMoved(
                    f"{file.name} was moved or deleted; put it back, or restart the service"
                )
        if durability != self._durability:
            # If this raises, nothing is committed, and the next transaction tries again.
            self._connection.execute(f"PRAGMA {durability}")
            self._durability = durability
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            write()
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def seen(self, batch: Sequence[Append]) -> dict[bytes, Position]:
        """Return the positions of the event ids of `batch` that are in the log."""
        seen = {}
        for append in batch:
            for event in append.events:
                row = self._connection.execute(_FIRST_POSITION, (event.event_id,)).fetchone()
                if row is not None:
                    seen[event.event_id] = row[0]
        return seen

    def last_version(self, stream: str) -> int:
        """Return the version of the last event of `stream`, 0 when it has none."""
        return self._versions.last(stream)

    @property
    def unindexed(self) -> int:
        """How many events are not in the index of streams yet."""
        return self._versions.unindexed(self.head.position)

    def fill_index(self) -> None:
        """Add some of the events that are not in the index of streams yet to it.

        Raises `Unavailable`, or `DuplicateVersion` when the log has two events of one version.
        """
        after, until = self._versions.next_fill(self.head.position)
        try:
            self._in_transaction(lambda: fill(self._connection, after, until), _NOT_SYNCED)
        except sqlite3.IntegrityError as error:
            raise DuplicateVersion from error
        except sqlite3.DatabaseError as error:
            raise Unavailable(f"The index of streams can't be written: {error}.") from error
        self._versions.indexed(until)

    def next_recorded_at(self) -> int:
        """Return the time for the next events, in microseconds since 1970.

        It goes back only if the clock was set back by more than `CLOCK_STEP_US_MAX`. Events are
        ordered by position, never by time.
        """
        now = time.time_ns() // 1000
        ahead = self._recorded_at - now
        return self._recorded_at if 0 < ahead <= CLOCK_STEP_US_MAX else now


def _identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode of the file at `path`, or None without one."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
