"""The hot paths between frames and sockets, in Python: the twin of `wire/`, which is in C.

What is queued is written by each connection itself, to its transport. `wire/` has the same
interface, and passes the same tests.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from service.edge.wire.interface import Failed, Flushed, Q, Queued, Transport

_SOON, _AT_TICK = 1, 2


class SendQueue:
    """The frames that wait to be written to one socket."""

    __slots__ = ("due", "frames", "is_slow", "is_withheld", "transport", "written")

    def __init__(self, transport: Transport) -> None:
        """Write to `transport`."""
        self.transport = transport
        self.frames: list[bytes] = []
        self.is_slow = False
        self.is_withheld = False
        self.written = 0
        self.due = 0


class Output:
    """What is queued for all sockets of a node, and how it leaves."""

    method: str = "transport"

    def __init__(
        self,
        failed: Failed,
        schedule: Callable[[], object],
        flushed: Flushed,
        may_write: Callable[[], bool] | None,
    ) -> None:
        """Call `failed` with what costs a connection its frames."""
        self.is_stopped = False
        self.is_reading = False
        self._failed = failed
        self._schedule = schedule
        self._flushed = flushed
        self._may_write = may_write
        self._soon: list[Queued] = []
        self._at_tick: list[Queued] = []

    @property
    def is_due(self) -> bool:
        """Whether something waits for the next flush."""
        return bool(self._soon)

    def attach(self, queue: SendQueue, fd: int) -> None:
        """Nothing is written to the descriptor itself."""

    def detach(self, queue: SendQueue) -> None:
        """See `attach`."""

    def stop(self) -> None:
        """Drop what is queued, from now on."""
        self.is_stopped = True

    def queue(
        self,
        frame: bytes,
        connections: Iterable[Q],
        *,
        may_miss: bool = False,
        at_tick: bool = False,
    ) -> list[Q]:
        """Queue a frame for each connection; return those that are slow and may miss it."""
        slow: list[Q] = []
        flag, due = self._due(at_tick=at_tick)
        for connection in connections:
            queue = connection.send_queue
            if may_miss and queue.is_slow:
                slow.append(connection)
            else:
                queue.frames.append(frame)
            marked = queue.due
            if not marked & flag:
                queue.due = marked | flag
                due.append(connection)
        return slow

    def mark(self, connections: Iterable[Queued], *, at_tick: bool = False) -> None:
        """Flush these connections with the next flush."""
        flag, due = self._due(at_tick=at_tick)
        for connection in connections:
            queue = connection.send_queue
            if not queue.due & flag:
                queue.due |= flag
                due.append(connection)

    def _due(self, *, at_tick: bool) -> tuple[int, list[Queued]]:
        """Return the flag and the list of what is due, after scheduling its flush."""
        if at_tick:
            return _AT_TICK, self._at_tick
        if not (self.is_reading or self._soon):
            self._schedule()
        return _SOON, self._soon

    def discard(self, connection: Queued) -> None:
        """Let nothing be due for a connection that has ended."""
        connection.send_queue.due = 0

    def flush(self, *, at_tick: bool = False) -> int:
        """Let each connection that is due write its frames; return how many bytes that were."""
        flag, due = (_AT_TICK, self._at_tick) if at_tick else (_SOON, self._soon)
        if not due or (self._may_write is not None and not self._may_write()):
            return 0
        if at_tick:
            self._at_tick = []
        else:
            self._soon = []
        began_s = time.perf_counter()
        written = self._flush(due, flag)
        self._flushed(written, time.perf_counter() - began_s)
        return written

    def _flush(self, due: list[Queued], flag: int) -> int:
        written = 0
        for connection in due:
            queue = connection.send_queue
            marked = queue.due
            if not marked & flag:
                continue
            queue.due = marked ^ flag
            if self.is_stopped:
                queue.frames.clear()
                continue
            try:
                written += connection.flush()
            except Exception as error:  # noqa: BLE001 - it costs this connection alone
                self._failed(connection, error)
        return written
