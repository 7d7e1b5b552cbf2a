"""Rows of the log's database for checks, of either kind."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from service.cli.doctor.database import CONNECT_TIMEOUT_S
from service.eventstore.postgres_schema import driver_url

if TYPE_CHECKING:
    from service.settings import Settings


def rows_of(settings: Settings, statement: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query; none without a log or its table, which other checks tell of."""
    postgres = driver_url(settings.storage.database_url)
    if postgres is None:
        path = settings.storage.log_file
        if not path.exists():
            return []
        try:
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
                return connection.execute(statement).fetchall()
        except sqlite3.Error:
            return []
    # The driver is slow to import.
    import psycopg  # noqa: PLC0415 - only where the log is on PostgreSQL

    try:
        with psycopg.connect(postgres, connect_timeout=CONNECT_TIMEOUT_S) as connection:
            return connection.execute(statement.encode()).fetchall()
    except psycopg.Error:
        return []
