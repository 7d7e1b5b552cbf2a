"""What commands of an operator write to, and read from, a log on PostgreSQL beside its service."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
import psycopg

from service.eventstore.erasure import Erased
from service.eventstore.lock import LogInUse
from service.eventstore.postgres_schema import TRY_LOCK
from service.eventstore.postgres_session import take_lock
from service.eventstore.records import GENESIS, Head
from service.eventstore.side_file import LAST_EVENT, check_end

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from service.domain.ids import MatchId, UserId
    from service.eventstore.read_models.outbox import Entry
    from service.eventstore.skips import Skip

_RETRY = "UPDATE outbox SET next_at = 0 WHERE consumer = %s AND match = %s"


@contextmanager
def locked(conninfo: str) -> Iterator[None]:
    """Hold the lock of the log; raise `LogInUse` while a service runs on it."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        if not take_lock(connection, TRY_LOCK):
            raise LogInUse("another ws-service is using the log of this database; stop it first")
        yield


def write_skip(conninfo: str, skip: Skip) -> None:
    """Skip an event; the caller must hold the lock of the log."""
    with psycopg.connect(conninfo) as connection:
        connection.execute(
            "INSERT INTO skipped (position, reason, actor, skipped_at) VALUES (%s, %s, %s, %s)",
            msgspec.structs.astuple(skip),
        )


def retry_now(conninfo: str, entries: Iterable[Entry]) -> set[MatchId]:
    """Make these deliveries due; return the matches with a stored token."""
    with psycopg.connect(conninfo) as connection:
        for entry in entries:
            connection.execute(_RETRY, (entry.consumer, entry.match))
        return {row[0] for row in connection.execute("SELECT match FROM bearers")}


def erase(conninfo: str, user: UserId | None, chats: Sequence[str]) -> Erased:
    """Erase the name of a user and these texts; a later VACUUM overwrites them."""
    with psycopg.connect(conninfo) as connection:
        name = connection.execute('DELETE FROM profiles WHERE "user" = %s', (str(user),))
        text = connection.execute("DELETE FROM texts WHERE chat = ANY(%s)", (list(chats),))
        return Erased(name.rowcount, text.rowcount)


def size(conninfo: str) -> int:
    """Return the size of the database in bytes."""
    with psycopg.connect(conninfo) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        return 0 if row is None else int(row[0])


def copy_tables(
    conninfo: str, tables: Mapping[str, tuple[str, ...]], target: sqlite3.Connection
) -> Head:
    """Copy these columns of tables to the schema `kept` of `target`; return the head of the log.

    All are read at one moment. Raises `LostTail` or `DamagedHead`.
    """
    with psycopg.connect(conninfo) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        row = connection.execute("SELECT position, hash, epoch FROM log_head").fetchone()
        head = Head(0, GENESIS, "") if row is None else Head(*row)
        check_end(head, connection.execute(LAST_EVENT).fetchone())
        for table, columns in tables.items():
            names = ", ".join(f'"{column}"' for column in columns)
            target.execute(f"CREATE TABLE kept.{table} ({names})")
            rows = connection.execute(f"SELECT {names} FROM {table}".encode())  # noqa: S608 - names of ours
            marks = ", ".join("?" * len(columns))
            target.executemany(f"INSERT INTO kept.{table} VALUES ({marks})", rows)  # noqa: S608 - the same
    return head
