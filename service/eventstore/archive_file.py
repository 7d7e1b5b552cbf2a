"""The file of an archive: rows of the log, byte for byte, in a database of SQLite.

It is written once, and only read from then on, by every node that has its directory. The digest of
an archive is the SHA-256 of its rows in the order of the log, each as MessagePack with its hash.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import msgspec

from service.errors import ServiceError
from service.eventstore.durable_files import move
from service.eventstore.records import Row

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from service.domain.events.base import Position

FORMAT: Final = 1

KEYS_PER_QUERY: Final = 500

_COLUMNS = ", ".join(Row._fields)
_CREATE = """
    CREATE TABLE archive (format INTEGER NOT NULL);
    CREATE TABLE events (
        position INTEGER PRIMARY KEY, stream TEXT NOT NULL, version INTEGER NOT NULL,
        type TEXT NOT NULL, schema_version INTEGER NOT NULL, event_id BLOB NOT NULL,
        correlation_id TEXT NOT NULL, actor TEXT, node TEXT NOT NULL, recorded_at INTEGER NOT NULL,
        data BLOB NOT NULL, meta BLOB, hash BLOB NOT NULL
    );
"""
_INDEX = "CREATE INDEX events_by_stream ON events (stream, position)"
_INSERT = f"INSERT INTO events ({_COLUMNS}) VALUES ({', '.join('?' * len(Row._fields))})"  # noqa: S608 - our own names
_BETWEEN = f"""
    SELECT {_COLUMNS} FROM events WHERE position BETWEEN ? AND ? ORDER BY position
"""  # noqa: S608 - our own names
_OF_STREAM = f"""
    SELECT {_COLUMNS} FROM events WHERE stream = ? AND position > ? ORDER BY position LIMIT ?
"""  # noqa: S608 - our own names


class Archived(ServiceError):
    """The events are in an archive that can't be read here."""

    error_code = "ARCHIVED"

    def __init__(self, file: str, reason: str) -> None:
        """Name the file that has the events."""
        super().__init__(f"ARCHIVED: the events are in the archive {file}, {reason}")
        self.file = file


class Digest:
    """The digest of the rows of an archive, taken row by row."""

    def __init__(self) -> None:
        """Begin without rows."""
        self._hash = hashlib.sha256()
        self.count = 0

    def add(self, row: Row) -> None:
        """Add the next row."""
        self._hash.update(msgspec.msgpack.encode(tuple(row)))
        self.count += 1

    def __str__(self) -> str:
        """Return the digest of all rows that were added, in hexadecimal."""
        return self._hash.hexdigest()


class ArchiveWriter:
    """Writes an archive to a draft file."""

    def __init__(self, draft: Path) -> None:
        """Create the file, readable by its owner and their group only."""
        draft.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640))
        self._draft = draft
        self._connection = sqlite3.connect(draft, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=OFF")
        self._connection.executescript(_CREATE)
        self._connection.execute("BEGIN")
        self._connection.execute("INSERT INTO archive VALUES (?)", (FORMAT,))

    def add(self, rows: Sequence[Row]) -> None:
        """Add rows in the order of the log."""
        self._connection.executemany(_INSERT, rows)

    def finish(self, file: Path) -> None:
        """Complete the file, and move it to its name, all synced to the disk."""
        self._connection.execute(_INDEX)
        self._connection.execute("COMMIT")
        self._connection.close()
        move(self._draft, file)

    def discard(self) -> None:
        """Remove what was written; nothing happens after `finish`."""
        self._connection.close()
        self._draft.unlink(missing_ok=True)


class ArchiveFiles:
    """The archives in a directory; without one, none can be read."""

    def __init__(self, directory: Path | None) -> None:
        """Read from this directory."""
        self._directory = directory

    def rows_between(self, file: str, first: Position, last: Position) -> list[Row]:
        """Return the rows from `first` to `last`; raise `Archived`."""
        with self._opened(file) as connection:
            return [Row(*row) for row in connection.execute(_BETWEEN, (first, last))]

    def rows_of_stream(self, file: str, stream: str, after: Position, limit: int) -> list[Row]:
        """Return at most `limit` rows of a stream after a position; raise `Archived`."""
        with self._opened(file) as connection:
            return [Row(*row) for row in connection.execute(_OF_STREAM, (stream, after, limit))]

    def rows_at(self, file: str, positions: Collection[Position]) -> list[Row]:
        """Return the rows at these positions; raise `Archived`."""
        wanted, found = sorted(positions), list[Row]()
        with self._opened(file) as connection:
            for start in range(0, len(wanted), KEYS_PER_QUERY):
                some = wanted[start : start + KEYS_PER_QUERY]
                places = ", ".join("?" * len(some))
                query = f"SELECT {_COLUMNS} FROM events WHERE position IN ({places})"  # noqa: S608 - our own names
                found += [Row(*row) for row in connection.execute(query, some)]
        return found

    def digest(self, file: str) -> Digest:
        """Return the digest of all rows of an archive; raise `Archived`."""
        found = Digest()
        with self._opened(file) as connection:
            for row in connection.execute(f"SELECT {_COLUMNS} FROM events ORDER BY position"):  # noqa: S608 - our own names
                found.add(Row(*row))
        return found

    @contextmanager
    def _opened(self, file: str) -> Iterator[sqlite3.Connection]:
        if self._directory is None:
            raise Archived(file, "and WS_ARCHIVE_DIR does not say where that is")
        path = self._directory / file
        # A name with a directory in it would be another file than the log means.
        if path.parent != self._directory or not path.is_file():
            raise Archived(file, f"which is not in {self._directory} (WS_ARCHIVE_DIR)")
        try:
            # It never changes, and its directory may be read-only.
            uri = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
            with closing(sqlite3.connect(uri, uri=True)) as connection:
                (format_,) = connection.execute("SELECT format FROM archive").fetchone()
                if format_ != FORMAT:
                    raise Archived(file, f"whose format {format_} a later version wrote")
                yield connection
        except (sqlite3.DatabaseError, TypeError) as error:
            raise Archived(file, f"which can't be read: {error}") from error
