"""Write the send queues of connections, each in one write.

They are flushed at the end of the loop's turn, at the end of the read callback that filled them, or
at the next frame tick where that is allowed.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from service.telemetry import note_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    from service.edge.connection import Connection
    from service.edge.wire.interface import Wire
    from service.telemetry import Metrics


SUSPENDED_CHECK_S = 0.02
"""How often it is checked whether the output of a node goes on."""


def never_suspended() -> bool:
    """Return that output is never suspended: there is no other node."""
    return False


class FlushScope:
    """When output is flushed; as a context manager, it flushes on exit.

    A reader enters it for each chunk that it reads. That saves the loop a callback, since what the
    chunk causes needs no flush of its own. Scopes are not nested.

    This is the one place where output starts. A node of a cluster whose lease has run out may be
    taken for lost by the others: until it knows, nothing leaves, and the sockets stay open.
    """

    def __init__(
        self, wire: Wire, metrics: Metrics, is_suspended: Callable[[], bool] | None = None
    ) -> None:
        """Write by `wire`, unless `is_suspended`; count writes and their time in `metrics`."""
        self.wire = wire
        may_write = None if is_suspended is None else self._may_write
        self.output = wire.new_output(self._failed, self._schedule, metrics.flushed, may_write)
        self.new_reader = partial(wire.new_reader, self.output)
        """Makes a reader that flushes at the end of each read callback."""
        self.is_suspended = is_suspended or never_suspended
        """Whether nothing may leave now."""
        self._metrics = metrics
        metrics.wire(wire.name, self.output.method)
        self._is_tick_due = False
        """Whether a frame tick is scheduled."""
        self._is_lost = False
        """Whether the node has lost its lease, and only says farewell."""
        self._is_waiting = False
        """Whether it is checked from time to time if output goes on."""

    def __enter__(self) -> None:
        """Schedule no flush from now on; the exit will do it."""
        self.output.is_reading = True

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Flush, also after an error."""
        self.output.is_reading = False
        if self.output.is_due:
            self.output.flush()

    def queue(
        self,
        frame: bytes,
        connections: Sequence[Connection],
        *,
        may_miss: bool = False,
        frame_ms: float = 0,
    ) -> Sequence[Connection]:
        """Queue a frame; return the connections that are slow and do not get it, if they may not.

        It is flushed when the scope is left, or at the end of the loop's turn; with `frame_ms` at
        the next frame tick, at most so long from now. While output is suspended, all connections
        count as slow: nothing may follow a frame that they would miss.
        """
        if may_miss and self.is_suspended():
            for connection in connections:
                connection.send_queue.is_slow = True
            # So that they catch up when output goes on.
            self.output.mark(connections)
            return connections
        if not frame_ms:
            return self.output.queue(frame, connections, may_miss=may_miss)
        if not self._is_tick_due:
            self._is_tick_due = True
            asyncio.get_running_loop().call_later(frame_ms / 1000, self._tick)
        return self.output.queue(frame, connections, may_miss=may_miss, at_tick=True)

    def flush_soon(self, connections: Iterable[Connection]) -> None:
        """Flush these connections when the scope is left, or at the end of the loop's turn."""
        self.output.mark(connections)

    def flush(self) -> None:
        """Write the queued frames of every connection, but for those that wait for a tick."""
        self.output.flush()

    def discard(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        self.output.discard(connection)

    def _failed(self, connection: Connection | None, error: Exception) -> None:
        """Take note of what costs one connection its frames; that one resumes.

        Without a connection it is the output that has changed its method: no frame is lost.
        """
        if connection is None:
            note_fault(self._metrics, "delivery", error)
            self._metrics.wire(self.wire.name, self.output.method)
            return
        note_fault(self._metrics, "delivery", error, socket=connection.socket)
        connection.abort("not written")

    def _schedule(self) -> None:
        asyncio.get_running_loop().call_soon(self.output.flush)

    def _tick(self) -> None:
        self._is_tick_due = False
        self.output.flush(at_tick=True)

    async def released(self) -> bool:
        """Wait while output is suspended; return whether it goes on, or the node is lost."""
        while self.is_suspended():  # noqa: ASYNC110 - a clock says so, which sets no event
            await asyncio.sleep(SUSPENDED_CHECK_S)
        return not self._is_lost

    def begin_farewell(self, connections: Iterable[Connection]) -> None:
        """Drop what is queued, and let output go on for the last that a lost node sends.

        Other nodes may have sent something else meanwhile.
        """
        for connection in connections:
            connection.drop_queued()
        self._is_lost = True
        self.is_suspended = never_suspended

    def _may_write(self) -> bool:
        """Tell whether output may go on; else it is tried again, until it may."""
        # Before each write: the process may have been stopped for long, with this already due.
        if not self.is_suspended():
            return True
        self._wait()
        return False

    def _wait(self) -> None:
        """Flush everything as soon as output goes on."""
        if not self._is_waiting:
            self._is_waiting = True
            asyncio.get_running_loop().call_later(SUSPENDED_CHECK_S, self._go_on)

    def _go_on(self) -> None:
        self._is_waiting = False
        self.output.flush()
        self.output.flush(at_tick=True)
