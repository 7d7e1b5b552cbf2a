"""Ends of connections to PostgreSQL that one of both sides does not notice."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

KEEPALIVE: Final = (
    "SELECT set_config('tcp_keepalives_idle', '2', false), "
    "set_config('tcp_keepalives_interval', '1', false), "
    "set_config('tcp_keepalives_count', '3', false)"
)
"""Lets the server notice after about five seconds that the machine of a client is out of reach.

It would keep the locks of its session for hours.
"""

APPLICATION: Final = "ws-service"
"""The name by which the server lists the sessions of a writer."""


def application_of(node: str) -> str:
    """Return that name for one of several nodes; the server cuts it at 63 bytes."""
    return f"{APPLICATION} {node}"[:63]


SESSION: Final = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
"""Returns process id and start of the server's side of a connection."""

END_SESSION: Final = """
    SELECT pg_terminate_backend(pid, 500) FROM pg_stat_activity
    WHERE pid = %s AND backend_start = %s
"""
"""Ends such a side, which may have kept the locks of its connection."""


LOCK_WAIT_S: Final = 0.5
"""How long a lock is waited for: the server may notice the end of its holder a little later."""

LOCK_PAUSE_S: Final = 0.02


def take_lock(connection: Connection[tuple[Any, ...]], statement: str) -> bool:
    """Try to take a lock by `statement`, which returns whether it is held; return that."""
    until = time.monotonic() + LOCK_WAIT_S
    while True:
        row = connection.execute(statement.encode()).fetchone()
        if row is not None and row[0]:
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(LOCK_PAUSE_S)


def shut_down(descriptor: int) -> None:
    """Shut a connected socket down, so that whoever waits for it is woken."""
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as found:
        found.shutdown(socket.SHUT_RDWR)


class AnswerWatch:
    """Shuts a connection down whose server does not answer: a blocked thread can't do it itself."""

    def __init__(self, limit_s: float) -> None:
        """Start a thread; an answer may take `limit_s`, and a quarter of that more."""
        self._limit_s = limit_s
        self._descriptor = -1
        self._until = float("inf")
        self._lock = threading.Lock()
        self._is_closed = threading.Event()
        threading.Thread(target=self._watch, name="log-answers", daemon=True).start()

    @contextmanager
    def over(self, descriptor: int) -> Iterator[None]:
        """Expect an answer on a socket, which stays open as long as the block runs."""
        with self._lock:
            self._descriptor, self._until = descriptor, time.monotonic() + self._limit_s
        try:
            yield
        finally:
            with self._lock:
                self._until = float("inf")

    def close(self) -> None:
        """End the thread."""
        self._is_closed.set()

    def _watch(self) -> None:
        while not self._is_closed.wait(self._limit_s / 4):
            with self._lock:
                if time.monotonic() >= self._until:
                    self._until = float("inf")
                    shut_down(self._descriptor)
