"""The schema of a log on PostgreSQL: its revision, and the transaction of a migration."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, inspect, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from service.errors import ConfigurationError
from service.eventstore.inspection import ALEMBIC, REQUIRED_TABLES, NotOurDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

TRY_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('ws-service:' || current_schema(), 0))"
"""Takes the lock of the log, which a connection holds until it is closed."""

UNLOCK = TRY_LOCK.replace("pg_try_advisory_lock(", "pg_advisory_unlock(")
"""Gives it back before the connection is closed."""

TRY_SHARED_LOCK = TRY_LOCK.replace("_lock(", "_lock_shared(")
"""Takes it together with the other nodes of a cluster."""

TRY_SHARED_TRANSACTION_LOCK = TRY_SHARED_LOCK.replace("advisory_lock", "advisory_xact_lock")
"""Takes it in the same way until the end of the transaction."""

_LOCK = (
    "SELECT pg_advisory_xact_lock(hashtextextended('ws-service-migrate:' || current_schema(), 0))"
)
_ENCODING = (
    "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()"
)


class DatabaseUnreachable(ConfigurationError):
    """The database server can't be reached, or refuses the connection."""

    error_code = "DATABASE_UNREACHABLE"
    exit_code = 1


def is_postgres(url: str) -> bool:
    """Return whether `url` names a database of PostgreSQL."""
    return url.startswith("postgresql+psycopg:")


def conninfo(url: str) -> str:
    """Return the URL that the driver itself takes; it contains the password."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def driver_url(url: str) -> str | None:
    """Return the URL that the driver itself takes, or None for SQLite."""
    return conninfo(url) if is_postgres(url) else None


def name_of(url: str) -> str:
    """Return the URL without its password and options, for messages."""
    return make_url(url).set(query={}).render_as_string(hide_password=True)


def current(url: str) -> str | None:
    """Return the schema revision of the database, or None for an empty one.

    Raises `DatabaseUnreachable`, or `NotOurDatabase` if its tables are not those of a log.
    """
    with _connected(url) as connection:
        return _revision(connection, url)


@contextmanager
def transaction(url: str) -> Iterator[Connection]:
    """Begin a transaction that other migrations of the same schema wait for."""
    with _connected(url) as connection:
        connection.exec_driver_sql(_LOCK)
        encoding = connection.exec_driver_sql(_ENCODING).scalar_one()
        if encoding != "UTF8":
            raise ConfigurationError(
                f"the database {name_of(url)} has the encoding {encoding}: create it with UTF8"
            )
        _revision(connection, url)
        yield connection


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = create_engine(url, poolclass=NullPool)
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        reason = next(iter(str(error.orig).splitlines()), "")
        raise DatabaseUnreachable(
            f"the database {name_of(url)} can't be used: {reason}. Check WS_DATABASE_URL, and "
            "whether the server runs"
        ) from error


def _revision(connection: Connection, url: str) -> str | None:
    tables = set(inspect(connection).get_table_names())
    if ALEMBIC not in tables:
        if tables & REQUIRED_TABLES:
            raise NotOurDatabase(
                f"the database {name_of(url)} does not belong to ws-service: it has the tables "
                f"{', '.join(sorted(tables)[:5])} and no schema version"
            )
        return None
    found: str | None = connection.exec_driver_sql(
        f"SELECT version_num FROM {ALEMBIC}"  # noqa: S608 - a name of ours
    ).scalar_one_or_none()
    return found
