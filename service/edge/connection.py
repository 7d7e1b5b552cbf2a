"""Outgoing side of a socket: send queue, backpressure and slow-consumer policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.edge.close_codes import CloseCode
from service.edge.dialect import V1, Dialect
from service.edge.slow_consumer import conflation_key_in, is_discardable
from service.edge.wire.python import SendQueue as PythonSendQueue
from service.protocol.frame_rates import FRAME_HZ_MAX
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.domain.events.base import Position
    from service.domain.ids import RoomId, SocketId, UserId
    from service.edge.session.actions import ResumeFrom
    from service.edge.slow_consumer import ConflationKey
    from service.edge.wire.interface import SendQueue, Transport
    from service.errors import ClientError
    from service.settings.sections.connections import SlowLimits

logger = get_logger(__name__)


HELD_MAX = 64
"""Maximum number of conflated frames kept for a slow client; further ones are dropped."""


def _spend_nothing(_units: float) -> None:
    """Charge nothing; the default of `Connection.spend`."""


class Connection:
    """The send queue of one socket, flushed to its transport in one write.

    A client that reads too slowly is a slow consumer: broadcasts are conflated for it, then frames
    are dropped where that is allowed, and in the end the connection is aborted.
    """

    # There are thousands, and a broadcast touches each: slots save memory and cache misses.
    __slots__ = (
        "_held",
        "_limits",
        "_marks",
        "_progress",
        "_resume_end",
        "aborted",
        "dialect",
        "frame_hz",
        "friends",
        "greeting_bytes",
        "is_v1",
        "on_first_message",
        "opened_at",
        "refused",
        "resume",
        "resume_bytes",
        "send_queue",
        "socket",
        "spend",
        "state_room",
        "user",
    )

    def __init__(  # noqa: PLR0913 - what a connection is
        self,
        socket: SocketId,
        user: UserId,
        dialect: Dialect,
        *,
        transport: Transport,
        limits: SlowLimits,
        resume: ResumeFrom | None = None,
        frame_hz: int = FRAME_HZ_MAX,
        new_queue: Callable[[Transport], SendQueue] = PythonSendQueue,
    ) -> None:
        """Write to `transport`, whose opening handshake is completed, by a queue of this kind."""
        self.socket = socket
        self.user = user
        self.dialect = dialect
        self.resume = resume
        self.frame_hz = frame_hz
        self.refused: ClientError | None = None
        """What is wrong with its URL, to be sent after the greeting."""
        self.state_room: RoomId | None = None
        """The room of the match whose state it was sent last."""
        self.resume_bytes = self.greeting_bytes = 0
        """Bytes of the greeting: of a client that resumes, and of any other one."""
        self.spend: Callable[[float], None] = _spend_nothing
        """Charges the user for what they are sent, in units of the rate limit."""
        self.on_first_message: Callable[[], object] | None = None
        """Called at the first message of the client, which proves that it read the greeting."""
        self.opened_at: Position = 0
        """The position of its `SocketOpened`: later events reach it live."""
        self.friends: frozenset[UserId] = frozenset()
        self.send_queue = new_queue(transport)
        """The frames that the next flush writes, and what the wire has to know of them."""
        self.aborted = False
        self.is_v1 = dialect is V1
        self._limits = limits
        self._held: dict[ConflationKey, bytes] | None = None
        """The newest frame of each conflation key, queued when the client has caught up."""
        self._marks: list[int] = []
        """For each hold, the number of queued frames that are before it."""
        self._resume_end = 0
        self._progress = (0, 0.0)

    @property
    def transport(self) -> Transport:
        """Where frames are written to."""
        transport: Transport = self.send_queue.transport
        return transport

    @transport.setter
    def transport(self, transport: Transport) -> None:
        self.send_queue.transport = transport

    @property
    def frames(self) -> list[bytes]:
        """The frames that the next flush writes."""
        return self.send_queue.frames

    @property
    def is_slow(self) -> bool:
        """Whether so much is unread that broadcasts are conflated or dropped."""
        return self.send_queue.is_slow

    def on_message(self) -> None:
        """Note that the client has sent something."""
        if self.on_first_message is not None:
            self.on_first_message()
            self.on_first_message = None

    def may_join_states(self, room: RoomId) -> bool:
        """Note a state of a match; return whether it may wait for those of other matches.

        It may if the client has a lower frame rate and gets states of several matches.
        """
        before, self.state_room = self.state_room, room
        return self.frame_hz < FRAME_HZ_MAX and before is not None and before != room

    def retain(self, kind: ConflationKey | None, frame: bytes) -> None:
        """Keep a broadcast until the client has caught up, instead of an older one of the same key.

        Without a key it is dropped.
        """
        if kind is None:
            return
        held = self._held
        if held is None:
            held = self._held = {}
        held.pop(kind, None)
        if len(held) < HELD_MAX:
            held[kind] = frame

    @property
    def is_resuming(self) -> bool:
        """Whether the answer to its last resume is not read yet, or it is slow."""
        unread = self.transport.get_write_buffer_size()
        return self.is_slow or self.send_queue.written - unread < self._resume_end

    def begin_resume(self) -> None:
        """Mark the end of what is queued now as the end of the answer to a resume."""
        self._resume_end = self.send_queue.written + sum(map(len, self.frames))

    def begin_hold(self) -> None:
        """Hold back the frames that are queued from now on, until `end_hold`.

        Holds may overlap; they end in the order in which they began.
        """
        self._marks.append(len(self.frames))
        self.send_queue.is_withheld = True

    def insert(self, frame: bytes) -> None:
        """Queue a frame before those that the first hold keeps back."""
        self.frames.insert(self._marks[0], frame)
        self._marks = [mark + 1 for mark in self._marks]

    def end_hold(self) -> None:
        """End the first hold."""
        del self._marks[0]
        self.send_queue.is_withheld = bool(self._marks)

    def drop_queued(self) -> None:
        """Drop all frames that have not been written."""
        self.frames.clear()
        self._held = None
        self._marks = [0] * len(self._marks)

    def drop_withheld(self) -> None:
        """Drop the frames that the first hold keeps back."""
        del self.frames[self._marks[0] :]
        self._marks = [len(self.frames)] * len(self._marks)

    def _flush_part(self) -> int:
        """Write what is not held back; too much that is held back aborts the connection."""
        ready, marks = self._marks[0], self._marks
        waiting, self._marks = self.frames[ready:], []
        del self.frames[ready:]
        written = self.flush()
        self.frames.extend(waiting)
        self._marks = [mark - ready for mark in marks]
        if sum(map(len, waiting)) > self._limits.bytes_max:
            self.frames.clear()
            self._marks = [0] * len(marks)
            self.abort("too much waits")
        return written

    def flush(self) -> int:
        """Write the send queue in one write; return the number of bytes.

        If the client has too much unread, discardable frames are dropped; if that does not help,
        the connection is aborted.
        """
        # Not by the properties: this is done for each recipient of each broadcast.
        queue = self.send_queue
        frames, transport = queue.frames, queue.transport
        if transport.is_closing():
            frames.clear()
            self._marks = [0] * len(self._marks)
            return 0
        if self._marks:
            return self._flush_part()
        buffered = transport.get_write_buffer_size()
        if buffered or queue.is_slow:
            self._slow_down(buffered)
        if not frames:
            return 0
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        size = len(data)
        if buffered + size > self._limits.bytes_max:
            data = b"".join(self._without_losses())
            size = len(data)
        frames.clear()
        if not size:
            return 0
        if buffered and buffered + size > self._limits.bytes_max:
            self.abort("too much unread")
            return 0
        queue.written += size
        transport.write(data)
        return size

    def _without_losses(self) -> list[bytes]:
        """Return the queued frames that must be sent; the others are conflated or dropped."""
        kept: list[bytes] = []
        for frame in self.frames:
            if is_discardable(frame):
                self.send_queue.is_slow = True
                self.retain(conflation_key_in(frame), frame)
            else:
                kept.append(frame)
        return kept

    def _slow_down(self, buffered: int) -> None:
        """Update `is_slow`; queue the conflated frames when the client has caught up."""
        self.send_queue.is_slow = buffered > self._limits.bytes_newest_only
        if self._held is not None and not self.is_slow:
            self.frames.extend(self._held.values())
            self._held = None

    def check_progress(self, now: float) -> None:
        """Abort the connection if the client has read nothing for `stall_s`."""
        buffered = self.transport.get_write_buffer_size()
        read = self.send_queue.written - buffered
        if not buffered or read > self._progress[0]:
            self._progress = (read, now)
            self.flush()
        elif now - self._progress[1] > self._limits.stall_s:
            self.abort("nothing read")

    def abort(self, reason: str) -> None:
        """Abort the connection; a close frame could not be sent behind what is unread."""
        self.aborted = True
        logger.warning(
            "slow client dropped",
            error_type="websocket_error",
            error_code=str(int(CloseCode.TOO_SLOW)),
            metadata={"socket": self.socket, "reason": reason},
        )
        self.transport.abort()
