"""A session of PostgreSQL that is used from the event loop, and opened again when it breaks."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import psycopg

from service.eventstore.postgres_session import END_SESSION, KEEPALIVE, SESSION, shut_down

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

ANSWER_S: Final = 1.0
"""How long an answer may take. After it the session is cut: the network may have lost its peer."""

CONNECT_TIMEOUT_S: Final = 2
"""How long a new connection may take."""


class Session:
    """One session at a time; statements are run one after the other."""

    def __init__(self, conninfo: str, prepare: Callable[[], Awaitable[None]]) -> None:
        """Take the address; `prepare` is called when a new session begins."""
        self._conninfo = conninfo
        self._prepare = prepare
        self._connection: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._former: tuple[Any, ...] | None = None
        """Process id and start of the server's side of the last session."""

    @property
    def is_open(self) -> bool:
        """Whether there is a session, as far as is known."""
        return self._connection is not None and not self._connection.closed

    async def open(self) -> None:
        """Open a session, unless there is one; raise `psycopg.Error`."""
        if self.is_open:
            return
        connection = await psycopg.AsyncConnection.connect(
            self._conninfo,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name="ws-service lease",
        )
        self._connection = connection
        await self.run(KEEPALIVE)
        if self._former is not None:
            # The server may not have noticed its end, and keep its locks.
            await self.run(END_SESSION, self._former)
        self._former = (await self.run(SESSION))[0]
        await self._prepare()

    async def run(
        self, statement: str, parameters: Sequence[object] | Mapping[str, object] = ()
    ) -> list[tuple[Any, ...]]:
        """Run a statement; return its rows. Raises `psycopg.Error`, and then the session is closed.

        Without an answer in time the socket is shut down: a cancelled statement would wait for the
        server.
        """
        await self.open()
        connection = self._connection
        if connection is None:
            raise psycopg.OperationalError("the session is closed")
        timer = asyncio.get_running_loop().call_later(ANSWER_S, shut_down, connection.pgconn.socket)
        try:
            cursor = await connection.execute(statement.encode(), parameters)
            return await cursor.fetchall() if cursor.description else []
        except psycopg.Error:
            await self.close()
            raise
        finally:
            timer.cancel()

    async def close(self) -> None:
        """Close the session, which releases its locks."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                await connection.close()
