"""A log on PostgreSQL for tests: opened by the service's code, and tampered with by SQL."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg

from service.eventstore.postgres import PostgresStore
from service.eventstore.postgres_schema import conninfo
from service.eventstore.records import GENESIS, Row, chain
from tests.integration.log_file import NODE, Rows

BUSY_MS = 2000


class PostgresLog:
    """A migrated database; what `LogFile` is for a file."""

    def __init__(self, url: str) -> None:
        self.url = url

    def store(self) -> PostgresStore:
        """Open the writing side alone."""
        return PostgresStore(conninfo(self.url), NODE, BUSY_MS)

    def query(self, statement: str, *parameters: object) -> Rows:
        """Ask the database."""
        with psycopg.connect(conninfo(self.url)) as database:
            return database.execute(statement.replace("?", "%s").encode(), parameters).fetchall()

    def change(self, *statements: str) -> None:
        """Change what the triggers protect."""
        with psycopg.connect(conninfo(self.url)) as database:
            database.execute("SET session_replication_role = replica")
            for statement in statements:
                database.execute(statement.encode())

    @staticmethod
    def blob(data: bytes) -> str:
        """Return bytes as they are written in a statement."""
        return f"'\\x{data.hex()}'::bytea"

    def chain_anew(self) -> None:
        """Recompute the hashes from the rows, as a capable attacker would."""
        hash_ = GENESIS
        rows = self.query(f"SELECT {', '.join(Row._fields)} FROM events ORDER BY position")  # noqa: S608 - our own names
        with closing(psycopg.connect(conninfo(self.url))) as database:
            database.execute("SET session_replication_role = replica")
            for row in map(Row._make, rows):
                hash_ = chain(hash_, tuple(row[:-1]))
                changed: tuple[Any, ...] = (hash_, row.position)
                database.execute("UPDATE events SET hash = %s WHERE position = %s", changed)
            database.execute("UPDATE log_head SET hash = %s", (hash_,))
            database.commit()
