"""The hot paths between frames and sockets, in Python: the twin of `wire/`, which is in C.

What is queued is written by each connection itself, to its transport. `wire/` has the same
interface, and passes the same tests.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from service.edge.wire.interface import Failed, Flushed, Incoming, Q, Queued, Transport

_SOON, _AT_TICK = 1, 2

_TEXT, _MASKED = 0x81, 0x80
_HEADER = 6
"""Size of the header of a short frame, with its mask."""
_SHORT_MAX = 125
"""The longest payload of a frame with such a header, in bytes."""


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


class Reader:
    """Takes the place of a connection's protocol, and handles texts that come alone and are short.

    Most do and are. All others are left to aiohttp's parser, which unmasks long ones in less time.
    """

    __slots__ = (
        "_connection",
        "_handle",
        "_incoming",
        "_output",
        "_size_max",
        "heard_at_s",
        "is_plain",
    )

    def __init__(
        self,
        output: Output,
        connection: Any,
        incoming: Incoming,
        handle: Callable[[str], bool],
        size_max: int,
    ) -> None:
        """See `Wire.new_reader`."""
        self.is_plain = True
        self.heard_at_s = 0.0
        self._output = output
        self._connection = connection
        self._incoming = incoming
        self._handle = handle
        self._size_max = min(size_max, _SHORT_MAX)

    def data_received(self, data: bytes) -> None:
        """Read what the client has sent, and flush what it causes."""
        self.heard_at_s = time.monotonic()
        output = self._output
        output.is_reading = True
        try:
            text = self._text_in(data) if self.is_plain else None
            if text is None:
                self.is_plain = self._incoming.read(data)
            else:
                try:
                    if not self._handle(text):
                        self.is_plain = False
                        self._incoming.keep(text)
                except Exception as error:  # noqa: BLE001 - it ends this connection alone
                    self._incoming.fail(error)
        finally:
            output.is_reading = False
            if output.is_due:
                output.flush()

    def _text_in(self, data: bytes) -> str | None:
        """Return the text if the data is one frame with a text that is short; None otherwise."""
        size = len(data) - _HEADER
        if not 0 <= size <= self._size_max or data[0] != _TEXT or data[1] != _MASKED | size:
            return None
        mask = data[2:_HEADER] * (size // 4 + 1)
        masked, key = int.from_bytes(data[_HEADER:]), int.from_bytes(mask[:size])
        try:
            return (masked ^ key).to_bytes(size).decode()
        except UnicodeDecodeError:
            return None

    def connection_lost(self, error: Exception | None) -> None:
        """Pass it on."""
        self._connection.connection_lost(error)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        answer: bool | None = self._connection.eof_received()
        return answer

    def pause_writing(self) -> None:
        """Pass it on."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._connection.resume_writing()


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
        self._flushed(written, time.perf_counter() - began_s)
        return written
