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
from service.eventstore.inspection import Files
from service.eventstore.lock import LogLock
from service.eventstore.plan import Append
from service.eventstore.read_models.rebuild import (
    check_file,
    damage_named,
    opened,
    recorded_of,
    rows_after,
    walk,
)
from service.eventstore.records import ANY, Head, Origin, propose
from service.eventstore.side_file import SideFile
from service.eventstore.sqlite import Store
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
"""The name of the database in a backup."""

SECRETS = ("seal-secret", "command-secret")
"""What else of the data directory is needed to read the database."""

ORIGIN = Origin("restore")


_TRY_AGAIN = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
}


class Backup(NamedTuple):
    """A backup that was made and verified."""

    folder: Path
    position: Position


class LostEvents(NamedTuple):
    """The events that a restore has given up."""

    first: Position
    last: Position
    since: int
    """When the first one was recorded, in microseconds since 1970."""


class Restored(NamedTuple):
    """What a restore has led to."""

    head: Head
    replaced: Path | None
    """Where the log is that stood there before."""
    lost: LostEvents | None
    revoked: list[UserId]
    """The users whose sessions were revoked after the backup; they are revoked again."""


class BackupError(ConfigurationError):
    """The backup can't be made or restored here."""


def back_up(database: Path, data_dir: Path, directory: Path, progress: Progress) -> Backup:
    """Copy the log into a new folder of `directory`, for its owner alone, and verify the copy.

    Raises `BackupError` when nothing can be written there, and what `verify_copy` raises.
    """
    folder = directory / f"ws-service-{_now()}"
    draft = directory / f".{folder.name}.partial"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.mkdir(mode=0o700)
        _copy_database(database, draft / DATABASE)
        for name in SECRETS:
            if (data_dir / name).exists():
                _copy_private(data_dir / name, draft / name)
        head = verify_copy(draft / DATABASE, progress)
        _sync(draft)
        draft.rename(folder)
        _sync(directory)
    except (OSError, sqlite3.DatabaseError) as error:
        raise BackupError(f"the backup can't be written: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Backup(folder, head.position)


def verify_copy(database: Path, progress: Progress) -> Head:
    """Check the file and the hash chain of a copy; return its head.

    Raises `BackupError` when there is none, `DamagedDatabase` or `BrokenChain`.
    """
    if not database.is_file():
        raise BackupError(f"there is no backup at {database}")
    check_file(database)
    with damage_named(database), opened(database) as connection:
        return walk(connection, progress)


def restore(
    source: Path, database: Path, data_dir: Path, progress: Progress, *, replace: bool
) -> Restored:
    """Put a backup in the place of the log, under a new epoch.

    With `replace` a log that is there is moved aside, and the revocations of sessions that the
    backup lacks are appended to the restored log: else a token that was taken from its bearer
    would be good again. Everything is made beside the log first; then files are only renamed, the
    database last. When that is interrupted the service refuses to start (`LogMissing`), and the
    restore can be repeated. Raises `BackupError`, `LogInUse` and what `verify_copy` raises.
    """
    folder, copy = (source, source / DATABASE) if source.is_dir() else (source.parent, source)
    backup = verify_copy(copy, progress)
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = database.parent / f".restoring-{database.name}"
    lock = LogLock(Files(database).lock)
    try:
        if database.exists() and not replace:
            raise BackupError(f"there is a log at {database}: with --replace it is moved aside")
        shutil.rmtree(draft, ignore_errors=True)
        lost, revoked = _missing_from(backup, _former(database))
        secrets = [name for name in SECRETS if (folder / name).exists()]
        head = _prepare(copy, [folder / name for name in secrets], draft / database.name, revoked)
        # So that a start knows that there was a log, whatever it finds from here on.
        lock.mark()
        replaced = _move_aside(database, [data_dir / name for name in secrets])
        for name in secrets:
            (draft / name).replace(data_dir / name)
        side_file = database.with_suffix(".head")
        (draft / side_file.name).replace(side_file)
        (draft / database.name).replace(database)
        _sync(database.parent)
    except (OSError, sqlite3.DatabaseError) as error:
        raise BackupError(f"the backup can't be restored: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        lock.release()
    return Restored(head, replaced, lost, [event.user for event in revoked])


def _prepare(
    copy: Path, secrets: list[Path], database: Path, revoked: list[SessionsRevoked]
) -> Head:
    """Make in a folder of its own what will be the log; return its head."""
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
    """Copy a database that may be written to meanwhile, as it is at one moment."""
    target.touch(mode=0o600)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("VACUUM INTO ?", (str(target),))
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _copy_private(source: Path, target: Path) -> None:
    """Copy a file that nobody but its owner may read, down to the disk."""
    target.unlink(missing_ok=True)
    target.touch(mode=0o600)
    with source.open("rb") as reading, target.open("wb") as writing:
        shutil.copyfileobj(reading, writing)
        writing.flush()
        os.fsync(writing.fileno())


def _former(database: Path) -> Path:
    """Return the log that is replaced; a restore that was interrupted has moved it aside."""
    folder = None if database.exists() else _last_aside(database)
    return database if folder is None else folder / database.name


def _last_aside(database: Path) -> Path | None:
    """Return the last folder with a log that was replaced."""
    folders = sorted(database.parent.glob("replaced-*"), reverse=True)
    return next((folder for folder in folders if (folder / database.name).exists()), None)


def _missing_from(backup: Head, database: Path) -> tuple[LostEvents | None, list[SessionsRevoked]]:
    """Say which events `database` has after the head of a backup, and which sessions they revoke.

    A log that is damaged can't say it; then nothing is known of what is lost. Raises
    `BackupError` when it only can't be read now.
    """
    revoked: list[SessionsRevoked] = []
    first: Row | None = None
    last = backup.position
    if not database.exists():
        return None, []
    try:
        with opened(database) as connection:
            while page := rows_after(connection, last):
                first, last = first or page[0], page[-1].position
                revoked += [_revocation(row) for row in page if row.type == SessionsRevoked.type]
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in _TRY_AGAIN:
            raise BackupError(
                f"the log that is replaced can't be read, nor the revocations in it: {error}. Try "
                f"again, or move {database} away to go on without them"
            ) from error
        logger.warning("the log that is replaced can't be read to its end")
    return None if first is None else LostEvents(first.position, last, first.recorded_at), revoked


def _move_aside(database: Path, secrets: list[Path]) -> Path | None:
    """Move the files of a log, and the secrets that get others, into a folder of their own.

    The database goes first, so that nothing starts on a log that lacks a part. Its WAL is moved
    into it before, as far as that can be done.
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
    _sync(aside)
    return aside


def _checkpoint(database: Path) -> None:
    """Move the WAL into the database; one that is damaged stays as it is."""
    with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _begin_epoch(database: Path, revoked: list[SessionsRevoked]) -> Head:
    """Let the log go on under a new epoch, and with the sessions revoked that it should."""
    store = Store(database, "restore", busy_ms=0)
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


def _sync(directory: Path) -> None:
    """Let the names in a directory reach the disk."""
    file = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
