"""The reading side of a log on PostgreSQL, which is searched for any text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from psycopg.types.string import StrDumperUnknown
from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg.abc import Buffer
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.ext.asyncio import AsyncEngine


def open_postgres(url: str) -> AsyncEngine:
    """Open the database at `url` read-only."""
    engine = create_async_engine(
        url,
        isolation_level="AUTOCOMMIT",
        # Connections do not survive a restart of the server.
        pool_pre_ping=True,
        connect_args={"options": "-c default_transaction_read_only=on"},
    )
    event.listen(engine.sync_engine, "connect", _search_for_any_text)
    return engine


class _SearchDumper(StrDumperUnknown):
    """Sends a text that is searched for.

    PostgreSQL refuses a NUL, and no text in it has one: another control character, which no id and
    no name may have either, takes its place, so that such a text is not found.
    """

    def dump(self, obj: str) -> Buffer | None:
        """Return the text as bytes."""
        return super().dump(obj.replace("\0", "\x01"))


def _search_for_any_text(connection: DBAPIConnection, _record: object) -> None:
    driver = cast("AsyncConnection[Any]", connection.driver_connection)
    driver.adapters.register_dumper(str, _SearchDumper)
