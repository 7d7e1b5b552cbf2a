"""The hot paths between frames and sockets, in Python: the twin of `wire/`, which is in C.

What is queued is written to the transports. `wire/` has the same interface, and passes the same
tests.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from service.edge.wire.interface import Failed, Flushed, Incoming, Q, Queued, Transport

_SOON, _AT_TICK = 1, 2

_GROUP_MIN = 16
"""How many connections a list must have for its frames to be kept together; for fewer there is
little to gain."""
_DIRECT_MAX = 65_536
"""The most that is written without asking the connection, in bytes."""

_TEXT, _MASKED = 0x81, 0x80
_HEADER = 6
"""Size of the header of a short frame, with its mask."""
_SHORT_MAX = 125
"""The longest payload of a frame with such a header, in bytes."""


class SendQueue:
    """The frames that wait to be written to one socket."""

    __slots__ = (
        "due",
        "is_attached",
        "is_slow",
        "is_withheld",
        "queued",
        "transport",
        "written",
    )

    grouping: ClassVar[Output | None] = None
    """The output that has a group, whose frames no queue has yet."""

    def __init__(self, transport: Transport) -> None:
        """Write to `transport`."""
        self.transport = transport
        self.queued: list[bytes] = []
        """As `frames`, but for those of a group."""
        self.is_slow = False
        self.is_withheld = False
        self.is_attached = False
        self.written = 0
        self.due = 0

    @property
    def frames(self) -> list[bytes]:
        """The frames, all of them."""
        if SendQueue.grouping is not None:
            SendQueue.grouping.settle()
        return self.queued


class _Group(NamedTuple):
    """Frames for the same list of connections, as in a room, which no queue has yet."""

    connections: list[Any]
    slow: list[Any]
    may_miss: bool
    at_tick: bool
    frames: list[bytes]


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
    """What is queued for all sockets of a node, and how it leaves.

    Frames for a long list of connections are a group: they are given to the queues only when
    anything else is queued, is flushed or asks for the frames of a queue. Otherwise they are joined
    once, and written to each transport.
    """

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
        self._group: _Group | None = None

    @property
    def is_due(self) -> bool:
        """Whether something waits for the next flush."""
        group = self._group
        return bool(self._soon) or (group is not None and not group.at_tick)

    def attach(self, queue: SendQueue, fd: int) -> None:
        """Write to the transport without asking the connection, as long as nothing is unread."""
        queue.is_attached = fd >= 0

    def detach(self, queue: SendQueue) -> None:
        """Leave it to the connection what is written."""
        queue.is_attached = False

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
        group = self._group
        if group is not None:
            if (
                group.connections is connections
                and group.may_miss is may_miss
                and group.at_tick is at_tick
            ):
                group.frames.append(frame)
                return group.slow
            self.settle()
        if type(connections) is list and len(connections) >= _GROUP_MIN:
            return self._begin_group(frame, connections, may_miss=may_miss, at_tick=at_tick)
        slow: list[Q] = []
        flag, due = self._due(at_tick=at_tick)
        for connection in connections:
            queue = connection.send_queue
            if may_miss and queue.is_slow:
                slow.append(connection)
            else:
                queue.queued.append(frame)
            marked = queue.due
            if not marked & flag:
                queue.due = marked | flag
                due.append(connection)
        return slow

    def _begin_group(
        self, frame: bytes, connections: list[Q], *, may_miss: bool, at_tick: bool
    ) -> list[Q]:
        """Keep a frame for a list of connections; return those of it that do not get it."""
        slow = [one for one in connections if one.send_queue.is_slow] if may_miss else []
        self._due(at_tick=at_tick)
        if SendQueue.grouping is not None:
            SendQueue.grouping.settle()
        SendQueue.grouping = self
        self._group = _Group(connections, slow, may_miss, at_tick, [frame])
        return slow

    def settle(self) -> None:
        """Give the frames of the group to its queues."""
        group, self._group = self._group, None
        if group is None:
            return
        SendQueue.grouping = None
        _, _, may_miss, at_tick, frames = group
        flag, due = (_AT_TICK, self._at_tick) if at_tick else (_SOON, self._soon)
        for connection in group.connections:
            queue = connection.send_queue
            if not (may_miss and queue.is_slow):
                queue.queued += frames
            marked = queue.due
            if not marked & flag:
                queue.due = marked | flag
                due.append(connection)

    def mark(self, connections: Iterable[Queued], *, at_tick: bool = False) -> None:
        """Flush these connections with the next flush."""
        self.settle()
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
        self.settle()
        connection.send_queue.due = 0

    def flush(self, *, at_tick: bool = False) -> int:
        """Write what is due, to each connection in one piece; return how many bytes that were."""
        due = self._at_tick if at_tick else self._soon
        group = self._group
        is_alone = group is not None and group.at_tick is at_tick and not due
        if not due and not is_alone:
            return 0
        if self._may_write is not None and not self._may_write():
            self.settle()
            return 0
        began_s = time.perf_counter()
        if is_alone and not self.is_stopped:
            written = self._write_group()
        else:
            written = self._write(at_tick=at_tick)
        self._flushed(written, time.perf_counter() - began_s)
        return written

    def _write_group(self) -> int:
        """Write the group, when nothing else is due; return how many bytes that were."""
        group, self._group, SendQueue.grouping = self._group, None, None
        if group is None:
            return 0
        frames, may_miss = group.frames, group.may_miss
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        size = len(data)
        written = 0
        for connection in group.connections:
            queue = connection.send_queue
            transport = queue.transport
            try:
                if (
                    queue.queued
                    or queue.is_slow
                    or queue.is_withheld
                    or not queue.is_attached
                    or size > _DIRECT_MAX
                    or transport.get_write_buffer_size()
                    or transport.is_closing()
                ):
                    if not (may_miss and queue.is_slow):
                        queue.queued += frames
                    written += connection.flush()
                else:
                    queue.written += size
                    transport.write(data)
                    written += size
            except Exception as error:  # noqa: BLE001 - it costs this connection alone
                self._failed(connection, error)
        return written

    def _write(self, *, at_tick: bool) -> int:
        """Write what is due to each connection; return how many bytes that were."""
        self.settle()
        if at_tick:
            flag, due, self._at_tick = _AT_TICK, self._at_tick, []
        else:
            flag, due, self._soon = _SOON, self._soon, []
        written = 0
        for connection in due:
            queue = connection.send_queue
            marked = queue.due
            if not marked & flag:
                continue
            queue.due = marked ^ flag
            frames = queue.queued
            if self.is_stopped:
                frames.clear()
                continue
            transport = queue.transport
            try:
                if (
                    not frames
                    or queue.is_slow
                    or queue.is_withheld
                    or not queue.is_attached
                    or transport.get_write_buffer_size()
                    or transport.is_closing()
                ):
                    written += connection.flush()
                    continue
                data = frames[0] if len(frames) == 1 else b"".join(frames)
                size = len(data)
                if size > _DIRECT_MAX:
                    written += connection.flush()
                    continue
                frames.clear()
                queue.written += size
                transport.write(data)
                written += size
            except Exception as error:  # noqa: BLE001 - it costs this connection alone
                self._failed(connection, error)
        return written
