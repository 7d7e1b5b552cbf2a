"""Read-only checks of a data directory before anything is written to it.

The database is opened read-only. If it has no WAL, not even a shared-memory file is created.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import quote

from service.errors import ConfigurationError
from service.eventstore.records import GENESIS, Head
from service.eventstore.side_file import LAST_EVENT, DamagedSideFile, LostTail, SideFile, check_end
from service.settings.secrets import SEAL_SECRET_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEADER = b"SQLite format 3\0"

REQUIRED_TABLES = frozenset({"events", "log_head"})
"""Tables that a log has in every schema version."""

ALEMBIC = "alembic_version"


class LogMissing(ConfigurationError):
    """Files that belong to a log are there, but its database is missing or empty."""

    error_code = "LOG_MISSING"


class NotOurDatabase(ConfigurationError):
    """The database belongs to another application."""

    error_code = "NOT_OUR_DATABASE"


class DataUnusable(ConfigurationError):
    """The data directory or its files can't be used."""

    error_code = "DATA_UNUSABLE"


class LogFiles:
    """Paths of a log's database and of the files that belong to it."""

    def __init__(self, path: Path) -> None:
        """Derive all paths from that of the database."""
        self.given = path
        # Resolved, so that a log reached by a symbolic link has the same lock.
        self.database = path.resolve()
        self.lock = self.database.with_suffix(".lock")
        self.side_file = self.database.with_suffix(".head")
        self.wal, self.journal, self.memory = (
            self.database.with_name(f"{self.database.name}-{suffix}")
            for suffix in ("wal", "journal", "shm")
        )
        self.seal_secret = self.database.with_name(SEAL_SECRET_FILE)

    def traces(self) -> list[Path]:
        """Return the files that exist only if there was a log with events."""
        files = [path for path in (self.wal, self.lock) if _size(path)]
        return [*files, *(path for path in (self.side_file, self.seal_secret) if path.exists())]


def inspect(path: Path, *, accept_lost_tail: bool | None = None) -> str | None:
    """Return the schema revision of the database at `path`, or None if a new one may be created.

    Raises `DataUnusable`, `NotOurDatabase`, `LogMissing` when files of a log are there without its
    database, and `LostTail` unless `accept_lost_tail`; with None the tail is not checked.
    """
    files = LogFiles(path)
    _check_directory(files)
    if not _size(files.database):
        _check_new(files)
        return None
    _check_rights(files)
    with files.database.open("rb") as file:
        if file.read(len(HEADER)) != HEADER:
            raise DataUnusable(f"the database {path} can't be used: file is not a database")
    try:
        revision = _look_inside(files, accept_lost_tail=accept_lost_tail)
    except sqlite3.DatabaseError as error:
        raise DataUnusable(
            f"the database {path} can't be used: {error}; if it is damaged, restore a backup"
        ) from error
    if revision is None:
        _check_new(files)
    return revision


def revision_of(connection: sqlite3.Connection, path: Path) -> str | None:
    """Return the schema revision of an open database, or None if it has no tables.

    Raises `NotOurDatabase` if its tables are not those of a log.
    """
    tables = {
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if not name.startswith("sqlite_")
    }
    rows = connection.execute(f"SELECT version_num FROM {ALEMBIC}") if ALEMBIC in tables else ()  # noqa: S608 - a name of ours
    revision: str | None = next((row[0] for row in rows), None)
    others = tables - {ALEMBIC}
    if not others and revision is None:
        return None
    if revision is not None and others >= REQUIRED_TABLES:
        return revision
    raise NotOurDatabase(
        f"the database {path} does not belong to ws-service: it has "
        f"{'the tables ' + ', '.join(sorted(others)[:5]) if others else 'no tables'} and "
        f"{'no schema version' if revision is None else f'the schema {revision}'}. Set WS_DATA_DIR "
        "or WS_DATABASE_URL to another place, or restore the log from a backup"
    )


def _look_inside(files: LogFiles, *, accept_lost_tail: bool | None) -> str | None:
    # A WAL can only be read with shared memory; without one, `immutable` creates no file.
    immutable = "" if _size(files.wal) else "&immutable=1"
    if _size(files.journal):
        # A hot rollback journal: only a writer can roll the transaction back.
        mode = "rw"
        immutable = ""
    else:
        mode = "ro"
    uri = f"file:{quote(str(files.database))}?mode={mode}{immutable}"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        revision = revision_of(connection, files.given)
        if accept_lost_tail is None:
            return revision
        try:
            _check_tail(files, connection, revision)
        except LostTail:
            if not accept_lost_tail:
                raise
    return revision


def _check_tail(files: LogFiles, connection: sqlite3.Connection, revision: str | None) -> None:
    """Raise `LostTail` when the side file says that the log was longer."""
    row = None
    if revision is not None:
        row = connection.execute("SELECT position, hash, epoch FROM log_head").fetchone()
        check_end(None if row is None else Head(*row), connection.execute(LAST_EVENT).fetchone())

    def hash_at(position: int) -> bytes | None:
        if position == 0:
            return GENESIS
        found = connection.execute("SELECT hash FROM events WHERE position = ?", (position,))
        return next((one[0] for one in found), None) if revision is not None else None

    try:
        side = SideFile(files.side_file).read()
    except DamagedSideFile:
        # Opening the log warns of it.
        return
    if side is not None:
        side.check(Head(0, GENESIS, "") if row is None else Head(*row), hash_at(side.position))


def _check_directory(files: LogFiles) -> None:
    for path in (files.given, files.given.parent):
        if path.is_symlink() and not path.exists():
            raise LogMissing(
                f"{path} is a symbolic link to {path.readlink()}, which does not exist: is its "
                "target mounted?"
            )
    directory = files.database.parent
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    if not existing.is_dir():
        raise DataUnusable(f"{directory} can't be used for data: {existing} is not a directory")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise DataUnusable(f"{existing} is not writable, so no data can be stored in {directory}")
    if files.database.exists() and not files.database.is_file():
        raise DataUnusable(f"the database {files.given} can't be used: it is not a file")


def _check_new(files: LogFiles) -> None:
    traces = files.traces()
    if not files.database.exists():
        traces += [path for path in (files.journal, files.memory) if path.exists()]
    if not traces:
        return
    what = "is empty" if files.database.exists() else "is missing"
    raise LogMissing(
        f"the database {files.given} {what}, but {', '.join(map(str, traces))} belong to an "
        "earlier log. Put its database back, or restore a backup; to start with an empty log, "
        "move these files away or set WS_DATA_DIR to another directory"
    )


def _check_rights(files: LogFiles) -> None:
    for path in _existing(files):
        if not os.access(path, os.R_OK | os.W_OK):
            status = path.stat()
            raise DataUnusable(
                f"{path} belongs to user {status.st_uid} and can't be read and written by user "
                f"{os.geteuid()}, who runs ws-service: change its owner (chown) or its mode (chmod)"
            )


def _existing(files: LogFiles) -> Iterator[Path]:
    for path in (
        files.database,
        files.wal,
        files.memory,
        files.journal,
        files.side_file,
        files.lock,
        files.seal_secret,
    ):
        if path.exists():
            yield path


def _size(path: Path) -> int:
    """Return the size of a file in bytes; 0 if it does not exist."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise DataUnusable(f"{path} can't be accessed: {error.strerror}") from error
