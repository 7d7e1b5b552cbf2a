"""Migrate the database to the schema of this version, in one transaction."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import DBAPIError

from service.errors import ConfigurationError
from service.eventstore import postgres_schema
from service.eventstore.inspection import LogFiles, inspect
from service.eventstore.lock import LogLock
from service.eventstore.postgres_schema import is_postgres

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from sqlalchemy import Connection

_PACKAGE = Path(__file__).parent.parent


class SqliteOnly(ConfigurationError):
    """The command works with the files of SQLite, and the log is on PostgreSQL."""

    error_code = "SQLITE_ONLY"


class WrongSchema(ConfigurationError):
    """The schema of the database is not that of this version."""

    error_code = "WRONG_SCHEMA"


def alembic_config() -> Config:
    """Return the configuration from alembic.ini, in the installed package or the checkout."""
    inside = _PACKAGE / "alembic.ini"
    return Config(inside if inside.exists() else _PACKAGE.parent / "alembic.ini")


def database_path(url: str) -> Path:
    """Return the file of an SQLite URL; raise `SqliteOnly` for another one."""
    if is_postgres(url):
        raise SqliteOnly(
            "this command works with SQLite only, and WS_DATABASE_URL names PostgreSQL: use the "
            "tools of PostgreSQL (see docs/operations.md), or copy the log by `ws-service db copy`"
        )
    return Path(make_url(url).database or "")


def read_only(url: str) -> str:
    """Return a URL that opens the database read-only; its WAL is not changed either."""
    file = f"file:{quote(str(database_path(url)))}"
    read = make_url(url).set(database=file, query={"mode": "ro", "uri": "true"})
    return read.render_as_string(hide_password=False)


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Hold the lock of a log, after a check that its files can be used.

    Creates the directory if needed. Raises `ConfigurationError` before anything is written. On
    PostgreSQL the transaction of the migration takes a lock itself.
    """
    if is_postgres(url):
        yield
        return
    lock = _take_lock(url)
    try:
        yield
    finally:
        lock.release()


def claim(url: str, path: Path, *, migrates: bool, accept_lost_tail: bool) -> LogLock:
    """Take the lock of a log, and migrate its schema, or check it if not `migrates`.

    `path` is its file on SQLite; on PostgreSQL it only gives the lock its name. Raises
    `ConfigurationError` before anything is written.
    """
    if is_postgres(url):
        return _claim_postgres(url, path, migrates=migrates)
    inspect(path, accept_lost_tail=accept_lost_tail)
    if not migrates:
        check(url)
    lock = _take_lock(url)
    try:
        # Again, since another process may have changed it before the lock was taken.
        inspect(path, accept_lost_tail=accept_lost_tail)
        if migrates:
            _upgrade(url)
        else:
            check(url)
    except BaseException:
        lock.release()
        raise
    return lock


def upgrade(url: str) -> None:
    """Migrate the database to the newest schema; create it if it does not exist.

    Raises `ConfigurationError` for a database that can't be used, is in use, or has the schema of
    a later version.
    """
    with locked(url):
        _upgrade(url)


def current(url: str) -> str | None:
    """Return the schema revision of the database, or None; nothing is written.

    Raises `ConfigurationError` for a database that can't be used.
    """
    if is_postgres(url):
        return postgres_schema.current(url)
    return inspect(database_path(url))


def newest() -> str | None:
    """Return the schema revision of this version."""
    return _revisions().get_current_head()


def knows(revision: str) -> bool:
    """Return whether this version knows a schema revision; if not, a later version made it."""
    return revision in {script.revision for script in _revisions().walk_revisions()}


def check(url: str) -> None:
    """Raise `ConfigurationError` unless the database has the newest schema."""
    found, wanted = current(url), newest()
    if not is_postgres(url) and not database_path(url).exists():
        raise WrongSchema(
            f"there is no event log at {database_path(url)}: check WS_DATA_DIR and "
            "WS_DATABASE_URL; `ws-service serve` and `ws-service db upgrade` make a new, empty one"
        )
    _refuse_later(found)
    if found != wanted:
        raise WrongSchema(
            f"the database has schema {found or 'none'}, this version needs {wanted}: "
            "run `ws-service db upgrade`"
        )


@contextmanager
def transaction(url: str) -> Iterator[Connection]:
    """Open the database and begin one transaction, which also covers schema changes.

    By default the driver commits before each schema change. Raises `ConfigurationError` when the
    database can't be used; then nothing has changed.
    """
    if is_postgres(url):
        with postgres_schema.transaction(url) as connection:
            yield connection
        return
    engine = create_engine(make_url(url).set(drivername="sqlite"))

    @event.listens_for(engine, "connect")
    def _by_hand(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        path = database_path(url)
        raise ConfigurationError(
            f"the database {path} can't be used: {error.orig}; if it is damaged, restore a backup"
        ) from error
    finally:
        engine.dispose()


def _claim_postgres(url: str, path: Path, *, migrates: bool) -> LogLock:
    _refuse_later(current(url))
    lock = _lock_of(LogFiles(path))
    try:
        if migrates:
            _upgrade(url)
        check(url)
    except BaseException:
        lock.release()
        raise
    return lock


def _take_lock(url: str) -> LogLock:
    path = database_path(url)
    _refuse_later(inspect(path))
    return _lock_of(LogFiles(path))


def _lock_of(files: LogFiles) -> LogLock:
    try:
        files.database.parent.mkdir(parents=True, exist_ok=True)
        return LogLock(files.lock)
    except OSError as error:
        raise ConfigurationError(
            f"no data can be stored in {files.database.parent}: {error.strerror}"
        ) from error


def _upgrade(url: str) -> None:
    """Run the pending migrations; the caller holds the lock."""
    found = current(url)
    if found == newest():
        return
    _refuse_later(found)
    with transaction(url) as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _revisions() -> ScriptDirectory:
    return ScriptDirectory.from_config(alembic_config())


def _refuse_later(found: str | None) -> None:
    if found is not None and not knows(found):
        raise WrongSchema(
            f"the database has schema {found}, which only a later version knows: use that version"
        )
