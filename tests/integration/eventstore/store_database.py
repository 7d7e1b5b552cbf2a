"""A log on SQLite or PostgreSQL for the tests of the stores, and faults of its connection."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import psycopg

from service.eventstore import migrate
from service.eventstore.integrity import ChainCheck
from service.eventstore.plan import Append, Committed
from service.eventstore.postgres import PostgresStore
from service.eventstore.postgres_schema import conninfo
from service.eventstore.reader import Reader, open_database
from service.eventstore.sqlite import SqliteStore
from service.eventstore.store import Store
from tests.integration.log_file import BUSY_MS, NODE

_PUT_NODE = """
    INSERT INTO nodes (node, incarnation, lost, expires_at, renewed_at, server_started, renewals,
        locked_since, level, fingerprint, report)
    VALUES (%s, %s, false, now() + interval '1 hour', now(), pg_postmaster_start_time(), 2,
        pg_postmaster_start_time(), 1, '{}', '{}')
    ON CONFLICT (node) DO UPDATE SET incarnation = excluded.incarnation, lost = false,
        expires_at = excluded.expires_at, renewed_at = excluded.renewed_at
"""


class Database:
    """An empty log on one of the databases."""

    def __init__(self, url: str, *, is_migrated: bool = True) -> None:
        self.url = url
        self._stores: list[SqliteStore | PostgresStore] = []
        if is_migrated:
            migrate.upgrade(url)

    @property
    def conninfo(self) -> str:
        """The address for the driver of PostgreSQL."""
        return conninfo(self.url)

    def opened(self) -> SqliteStore | PostgresStore:
        """Open the store as a process does that starts; the one before is closed."""
        self.close()
        if self.url.startswith("sqlite"):
            store: SqliteStore | PostgresStore = SqliteStore(
                migrate.database_path(self.url), NODE, BUSY_MS
            )
        else:
            store = PostgresStore(conninfo(self.url), NODE, 2000)
        self._stores.append(store)
        return store

    def node(self, name: str, incarnation: int = 1, busy_ms: int = 5000) -> PostgresStore:
        """Open the store of one of several nodes, whose incarnation has begun."""
        with psycopg.connect(conninfo(self.url), autocommit=True) as connection:
            connection.execute(_PUT_NODE, (name, incarnation))
        store = PostgresStore(conninfo(self.url), name, busy_ms, is_shared=True)
        store.begin_incarnation(incarnation)
        self._stores.append(store)
        return store

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement on a connection of its own."""
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(migrate.database_path(self.url))) as database, database:
                return database.execute(statement).fetchall()
        with psycopg.connect(conninfo(self.url), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def read(self, call: Callable[[Reader], Any]) -> Any:
        """Run a method of the reader."""

        async def opened() -> Any:
            reader = Reader(open_database(self.url))
            try:
                return await call(reader)
            finally:
                await reader.close()

        return asyncio.run(opened())

    def verify(self) -> int:
        """Check the chain of hashes; return the position of the head."""

        async def chained(reader: Reader) -> int:
            check = ChainCheck()
            async for page in reader.rows():
                for row in page:
                    check.check(row)
            check.finish(await reader.head())
            return check.position

        found: int = self.read(chained)
        return found

    def close(self) -> None:
        """Close the stores."""
        for store in self._stores:
            store.close()
        self._stores.clear()


def committed(store: Store, *appends: Append) -> list[Committed]:
    """Commit appends of which none fails."""
    results = store.commit(appends)
    assert [result for result in results if not isinstance(result, Committed)] == []
    return [result for result in results if isinstance(result, Committed)]


def declare_early(database: Database, after_s: int = 0) -> None:
    """Set how long after the start of the server nodes may be declared lost."""
    ((source,),) = database.query(
        "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = 'ws_node_may_declare'"
    )
    head, _, tail = source.partition("interval '")
    database.query(f"{head}interval '{after_s}{tail[tail.index(' ') :]}")


class LostAnswer:
    """A connection that is cut once: before its next statement, or before the answer."""

    def __init__(self, store: PostgresStore, *, is_before: bool) -> None:
        self.is_used = False
        self._connection = store._connection  # noqa: SLF001 - the fault comes from outside
        self._is_before = is_before

    @property
    def closed(self) -> bool:
        """Whether it was cut."""
        return self._connection.closed

    def fileno(self) -> int:
        """Return the descriptor of its socket."""
        return self._connection.fileno()

    def execute(self, statement: str | bytes, parameters: Any = None) -> Any:
        """Run a statement, and lose the answer."""
        self.is_used = True
        if not self._is_before:
            self._connection.execute(
                statement if isinstance(statement, bytes) else statement.encode(), parameters
            )
        self._connection.close()
        raise psycopg.OperationalError("the connection was lost")

    def close(self) -> None:
        """Close it."""
        with suppress(psycopg.Error):
            self._connection.close()
