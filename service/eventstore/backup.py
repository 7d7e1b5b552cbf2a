"""Back up and restore a log and its side files, verified."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from service.domain.events.access import SessionsRevoked
from service.domain.personal_data import NO_PERSONAL_DATA
from service.errors import ConfigurationError
from service.eventstore import migrate
from service.eventstore.durable_files import make_directory, move, sync
from service.eventstore.inspection import LogFiles
from service.eventstore.lock import LogLock
from service.eventstore.plan import Append
from service.eventstore.read_models.rebuild import (
    check_file,
    open_read_only,
    recorded_of,
    rows_after,
    sqlite_errors_named,
    walk,
)
from service.eventstore.records import ANY, Head, Origin, propose
from service.eventstore.side_file import SideFile
from service.eventstore.sqlite import SqliteStore
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from service.domain.events.base import Position
    from service.domain.ids import UserId
    from service.eventstore.records import Row

    Progress = Callable[[int, int], None]

logger = get_logger(__name__)

DATABASE = "ws-service.db"
"""The file name of the database in a backup."""

SECRETS = ("seal-secret", "command-secret")
"""Files of the data directory that are needed to use the database, so they are part of a backup."""

ORIGIN = Origin("restore")


_TRANSIENT = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
}


class Backup(NamedTuple):
    """A finished, verified backup."""

    folder: Path
    position: Position


class LostEvents(NamedTuple):
    """The range of events that a restore dropped, since the backup does not have them."""

    first: Position
    last: Position
    since: int
    """When the first one was recorded, in microseconds since 1970."""


class Restored(NamedTuple):
    """The outcome of a restore."""

    head: Head
    replaced: Path | None
    """The directory that the former log was moved to."""
    lost: LostEvents | None
    revoked: list[UserId]
    """Users whose sessions were revoked after the backup; the restored log revokes them again."""


class BackupError(ConfigurationError):
    """The backup can't be made or restored."""


def back_up(database: Path, data_dir: Path, directory: Path, progress: Progress) -> Backup:
    """Copy the log into a new folder of `directory`, readable by its owner only, and verify it.

    Raises `BackupError` when `directory` can't be written, and what `verify_copy` raises.
    """
    folder = directory / f"ws-service-{_now()}"
    draft = directory / f".{folder.name}.partial"
    try:
        make_directory(directory, 0o700)
        draft.mkdir(mode=0o700)
        _copy_database(database, draft / DATABASE)
        for name in SECRETS:
            if (data_dir / name).exists():
                _copy_private(data_dir / name, draft / name)
        head = verify_copy(draft / DATABASE, progress)
        move(draft, folder)
    except (OSError, sqlite3.DatabaseError) as error:
        raise BackupError(f"the backup can't be written: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Backup(folder, head.position)


def verify_copy(database: Path, progress: Progress) -> Head:
    """Check the database file and the hash chain of a copy; return its head.

    Raises `BackupError` when the file is missing, `DamagedDatabase` or `BrokenChain`.
    """
    if not database.is_file():
        raise BackupError(f"there is no backup at {database}")
    check_file(database)
    with sqlite_errors_named(database), open_read_only(database) as connection:
        return walk(connection, progress)


def restore(
    source: Path, database: Path, data_dir: Path, progress: Progress, *, replace: bool
) -> Restored:
    """Replace the log by a backup, under a new epoch.

    With `replace` an existing log is moved aside, and the session revocations that the backup
    lacks are appended to the restored log; otherwise revoked tokens would become valid again. All
    files are prepared in a draft directory and then renamed, the database last. If that is
    interrupted, the service refuses to start (`LogMissing`) and the restore can be repeated.
    Raises `BackupError`, `LogInUse` and what `verify_copy` raises.
    """
    folder, copy = (source, source / DATABASE) if source.is_dir() else (source.parent, source)
    backup = verify_copy(copy, progress)
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = database.parent / f".restoring-{database.name}"
    lock = LogLock(LogFiles(database).lock)
    try:
        if database.exists() and not replace:
            raise BackupError(f"there is a log at {database}; move it aside by --replace")
        shutil.rmtree(draft, ignore_errors=True)
        lost, revoked = _missing_from(backup, _replaced_log(database))
        secrets = [name for name in SECRETS if (folder / name).exists()]
        head = _prepare(copy, [folder / name for name in secrets], draft / database.name, revoked)
        # From here on an interrupted restore must be noticed by the next start.
        lock.mark()
        replaced = _move_aside(database, [data_dir / name for name in secrets])
        for name in secrets:
            (draft / name).replace(data_dir / name)
        side_file = database.with_suffix(".head")
        (draft / side_file.name).replace(side_file)
        (draft / database.name).replace(database)
        sync(database.parent)
    except (OSError, sqlite3.DatabaseError) as error:
        raise BackupError(f"the backup can't be restored: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        lock.release()
    return Restored(head, replaced, lost, [event.user for event in revoked])


def _prepare(
    copy: Path, secrets: list[Path], database: Path, revoked: list[SessionsRevoked]
) -> Head:
    """Prepare the new log in a draft directory; return its head."""
    database.parent.mkdir(mode=0o700)
    _copy_private(copy, database)
    for secret in secrets:
        _copy_private(secret, database.with_name(secret.name))
    migrate.upgrade(f"sqlite+aiosqlite:///{database}")
    head = _begin_epoch(database, revoked)
    with database.open("rb") as file:
        os.fsync(file.fileno())
    return head


def _copy_database(database: Path, target: Path) -> None:
    """Copy a consistent snapshot of a database that may be written to meanwhile."""
    target.touch(mode=0o600)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("VACUUM INTO ?", (str(target),))
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _copy_private(source: Path, target: Path) -> None:
    """Copy a file with mode 0600, and sync it to the disk."""
    target.unlink(missing_ok=True)
    target.touch(mode=0o600)
    with source.open("rb") as reading, target.open("wb") as writing:
        shutil.copyfileobj(reading, writing)
        writing.flush()
        os.fsync(writing.fileno())


def _replaced_log(database: Path) -> Path:
    """Return the log that is replaced; an interrupted restore may have moved it aside already."""
    folder = None if database.exists() else _last_aside(database)
    return database if folder is None else folder / database.name


def _last_aside(database: Path) -> Path | None:
    """Return the newest directory that holds a replaced log, or None."""
    folders = sorted(database.parent.glob("replaced-*"), reverse=True)
    return next((folder for folder in folders if (folder / database.name).exists()), None)


def _missing_from(backup: Head, database: Path) -> tuple[LostEvents | None, list[SessionsRevoked]]:
    """Return the events that `database` has after the head of a backup, and their revocations.

    From a damaged log only what can be read is returned. Raises `BackupError` when the log can't
    be read for a transient reason.
    """
    revoked: list[SessionsRevoked] = []
    first: Row | None = None
    last = backup.position
    if not database.exists():
        return None, []
    try:
        with open_read_only(database) as connection:
            while page := rows_after(connection, last):
                first, last = first or page[0], page[-1].position
                revoked += [_revocation(row) for row in page if row.type == SessionsRevoked.type]
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in _TRANSIENT:
            raise BackupError(
                f"the session revocations in the log to be replaced can't be read: {error}. Try "
                f"again, or move {database} away to restore without them"
            ) from error
        logger.warning("the log that is replaced can't be read to its end")
    return None if first is None else LostEvents(first.position, last, first.recorded_at), revoked


def _move_aside(database: Path, secrets: list[Path]) -> Path | None:
    """Move the files of a log, and the secrets to be replaced, into a directory of their own.

    The database is moved first, so that the service can't start on an incomplete log. Before that
    its WAL is checkpointed if possible.
    """
    names = [database.name + suffix for suffix in ("", "-wal", "-shm")]
    files = [database.parent / name for name in (*names, database.with_suffix(".head").name)]
    if database.exists():
        _checkpoint(database)
    files = [file for file in (*files, *secrets) if file.exists()]
    unfinished = None if database.exists() else _last_aside(database)
    if not files:
        return unfinished
    if unfinished is not None and not any((unfinished / file.name).exists() for file in files):
        aside = unfinished
    else:
        aside = database.parent / f"replaced-{_now()}"
        aside.mkdir(mode=0o700)
    for file in files:
        file.rename(aside / file.name)
    sync(aside)
    return aside


def _checkpoint(database: Path) -> None:
    """Checkpoint the WAL into the database; a damaged one is left as it is."""
    with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _begin_epoch(database: Path, revoked: list[SessionsRevoked]) -> Head:
    """Begin a new epoch and append the revocations; return the new head."""
    store = SqliteStore(database, "restore", busy_ms=0)
    try:
        store.begin_epoch()
        if revoked:
            store.commit([Append(propose(revoked, ORIGIN), ANY, NO_PERSONAL_DATA)])
        SideFile(database.with_suffix(".head")).write(store.head)
        return store.head
    finally:
        store.close()


def _revocation(row: Row) -> SessionsRevoked:
    event = recorded_of(row).event
    if not isinstance(event, SessionsRevoked):
        raise TypeError(event)
    return event


def _now() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
