"""Write the send queues of connections, each in one write.

They are flushed at the end of the loop's turn, at the end of the read callback that filled them, or
at the next frame tick where that is allowed.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from service.telemetry import note_fault

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from service.edge.connection import Connection
    from service.telemetry import Metrics


class FlushScope:
    """The connections with queued frames; as a context manager, it flushes them on exit.

    A reader enters it for each chunk that it reads. That saves the loop a callback, since what the
    chunk causes needs no flush of its own. Scopes are not nested.
    """

    def __init__(self, metrics: Metrics) -> None:
        """Count writes and their time in `metrics`."""
        self._metrics = metrics
        self._unflushed: set[Connection] = set()
        self._is_entered = False
        self._waiting: set[Connection] = set()
        """Connections whose frames may wait for the next frame tick."""

    def __enter__(self) -> None:
        """Schedule no flush from now on; the exit will do it."""
        self._is_entered = True

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Flush, also after an error."""
        self._is_entered = False
        if self._unflushed:
            self.flush()

    def flush(self) -> None:
        """Write the queued frames of every connection, but for those that wait for a tick."""
        unflushed = self._unflushed
        if unflushed:
            self._unflushed = set()
            self._write(unflushed)

    def flush_soon(self, connections: Iterable[Connection]) -> None:
        """Flush these connections when the scope is left, or at the end of the loop's turn."""
        if not self._unflushed and not self._is_entered:
            asyncio.get_running_loop().call_soon(self.flush)
        self._unflushed.update(connections)

    def flush_at_tick(self, connections: Iterable[Connection], frame_ms: float) -> None:
        """Flush these connections at the next frame tick, at most `frame_ms` from now."""
        if not self._waiting:
            asyncio.get_running_loop().call_later(frame_ms / 1000, self._flush_waiting)
        self._waiting.update(connections)

    def discard(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        self._unflushed.discard(connection)
        self._waiting.discard(connection)

    def _flush_waiting(self) -> None:
        waiting, self._waiting = self._waiting, set()
        self._write(waiting)

    def _write(self, connections: Iterable[Connection]) -> None:
        started_at = time.perf_counter()
        written = 0
        for connection in connections:
            try:
                written += connection.flush()
            except Exception as error:  # noqa: BLE001 - it costs this socket alone, which resumes
                note_fault(self._metrics, "delivery", error, socket=connection.socket)
                connection.abort("not written")
        self._metrics.flushed(written, time.perf_counter() - started_at)
