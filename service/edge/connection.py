"""Outgoing side of a socket: send queue, backpressure and slow-consumer policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from service.edge.close_codes import CloseCode
from service.edge.dialect import V1, Dialect
from service.edge.loss import is_loss, kind_in
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.domain.events.base import Position
    from service.domain.ids import SocketId, UserId
    from service.edge.loss import Kind
    from service.edge.session.actions import ResumeFrom
    from service.settings.sections.connections import SlowLimits

logger = get_logger(__name__)


HELD_MAX = 64
"""Frames that a slow socket gets later; further ones are dropped."""


class Transport(Protocol):
    """The part of `asyncio.Transport` that frames leave by."""

    def write(self, data: bytes) -> None:
        """Send frames, without waiting."""

    def get_write_buffer_size(self) -> int:
        """Tell how many bytes have not left yet."""

    def is_closing(self) -> bool:
        """Tell whether nothing more can be sent."""

    def abort(self) -> None:
        """Close at once; what has not left is lost."""


def _spend_nothing(_units: float) -> None:
    """Charge nobody."""


class Connection:
    """One open socket."""

    # There are many, and each is looked at for each message that it gets.
    __slots__ = (
        "_held",
        "_limits",
        "_marks",
        "_progress",
        "_resume_end",
        "_written",
        "aborted",
        "dialect",
        "first_word",
        "frames",
        "friends",
        "greeting_bytes",
        "is_slow",
        "is_v1",
        "opened_at",
        "resume",
        "resume_bytes",
        "socket",
        "spend",
        "transport",
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
    ) -> None:
        """Write to `transport`, whose handshake is over."""
        self.socket = socket
        self.user = user
        self.dialect = dialect
        self.resume = resume
        self.resume_bytes = 0
        """How much was sent when the socket was opened to resume."""
        self.greeting_bytes = 0
        """How much was sent when it was opened to begin anew."""
        self.spend: Callable[[float], None] = _spend_nothing
        """Charges its user for what it is sent, in units of messages."""
        self.first_word: Callable[[], object] | None = None
        """Called once, when the client says something: it has read what it was greeted with."""
        self.opened_at: Position = 0
        """The position at which its live messages begin."""
        self.friends: frozenset[UserId] = frozenset()
        self.transport = transport
        self.aborted = False
        self.is_v1 = dialect is V1
        self.frames: list[bytes] = []
        """What leaves with the next flush."""
        self._limits = limits
        self.is_slow = False
        """Whether so much is unread that what may be missed is held back, or dropped."""
        self._held: dict[Kind, bytes] | None = None
        """What a slow socket gets when it has read what came before: the newest of each kind."""
        self._marks: list[int] = []
        """How many of the frames go before what they wait for, for each thing that is read."""
        self._resume_end = 0
        self._written = 0
        self._progress = (0, 0.0)

    def spoke(self) -> None:
        """Take note that the client has said something."""
        if self.first_word is not None:
            self.first_word()
            self.first_word = None

    def hold_back(self, kind: Kind | None, frame: bytes) -> None:
        """Keep a frame for later, in place of the one before of its kind; None is of no kind."""
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
        """Whether what the last resume sends is not yet read, or so much else is not."""
        unread = self.transport.get_write_buffer_size()
        return self.is_slow or self._written - unread < self._resume_end

    def begin_resume(self) -> None:
        """Take note that what is queued now answers a resume."""
        self._resume_end = self._written + sum(map(len, self.frames))

    def withhold(self) -> None:
        """Let the frames that are queued from now on wait for `insert` and `go_on`."""
        self._marks.append(len(self.frames))

    def insert(self, frame: bytes) -> None:
        """Queue a frame before those that wait for the first thing that is withheld for."""
        self.frames.insert(self._marks[0], frame)
        self._marks = [mark + 1 for mark in self._marks]

    def go_on(self) -> None:
        """Let go of what waits for the first thing that is withheld for."""
        del self._marks[0]

    def _flush_part(self) -> int:
        """Write what waits for nothing; too much that waits is as bad as too much unread."""
        ready, marks = self._marks[0], self._marks
        waiting, self._marks = self.frames[ready:], []
        del self.frames[ready:]
        written = self.flush()
        self.frames += waiting
        self._marks = [mark - ready for mark in marks]
        if sum(map(len, waiting)) > self._limits.bytes_max:
            self.frames.clear()
            self._marks = [0] * len(marks)
            self.abort("too much waits")
        return written

    def flush(self) -> int:
        """Write what is queued, at once, and return how many bytes that were.

        What does not fit is dropped, where a client may miss it; the rest has to be read: a socket
        that leaves too much of that unread is given up.
        """
        frames, transport = self.frames, self.transport
        if transport.is_closing():
            frames.clear()
            self._marks = [0] * len(self._marks)
            return 0
        if self._marks:
            return self._flush_part()
        buffered = transport.get_write_buffer_size()
        if buffered or self.is_slow:
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
        self._written += size
        transport.write(data)
        return size

    def _without_losses(self) -> list[bytes]:
        """Hold back what is too much to be written now and may be missed, and return the rest."""
        kept: list[bytes] = []
        for frame in self.frames:
            if is_loss(frame):
                self.is_slow = True
                self.hold_back(kind_in(frame), frame)
            else:
                kept.append(frame)
        return kept

    def _slow_down(self, buffered: int) -> None:
        """Hold back what may be missed while too much is unread; then its newest leaves as well."""
        self.is_slow = buffered > self._limits.bytes_newest_only
        if self._held is not None and not self.is_slow:
            self.frames += self._held.values()
            self._held = None

    def check_progress(self, now: float) -> None:
        """Give up a socket that has read nothing for too long."""
        buffered = self.transport.get_write_buffer_size()
        read = self._written - buffered
        if not buffered or read > self._progress[0]:
            self._progress = (read, now)
            self.flush()
        elif now - self._progress[1] > self._limits.stall_s:
            self.abort("nothing read")

    def abort(self, reason: str) -> None:
        """Drop the connection; a close frame could not reach the client any more."""
        self.aborted = True
        logger.warning(
            "slow client dropped",
            error_type="websocket_error",
            error_code=str(int(CloseCode.TOO_SLOW)),
            metadata={"socket": self.socket, "reason": reason},
        )
        self.transport.abort()
