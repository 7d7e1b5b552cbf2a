"""The interface of the hot paths between frames and sockets; both kinds pass the same tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


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


class SendQueue(Protocol):
    """The frames that wait to be written to one socket."""

    transport: Any
    is_slow: bool
    """Whether frames that may be missed are not queued."""
    is_withheld: bool
    """Whether some frames may not leave yet."""
    written: int
    """The bytes that were handed to the socket or its transport."""

    @property
    def frames(self) -> list[bytes]:
        """What waits; it may be changed."""


class Queued(Protocol):
    """A connection, as far as output is concerned."""

    @property
    def send_queue(self) -> Any:
        """What waits for it: a `SendQueue` of the same kind as the output."""

    def flush(self) -> int:
        """Write what is queued by the transport, and return how many bytes that were.

        This is asked for when the socket needs a decision: it is slow, closing or has unread
        bytes, some of its frames are withheld, or there are too many.
        """


Q = TypeVar("Q", bound=Queued)


class Output(Protocol):
    """What is queued for all sockets of a node, and how it leaves; for one thread."""

    @property
    def method(self) -> str:
        """How many frames leave at once: `ring`, `send`, or `transport`."""

    @property
    def is_stopped(self) -> bool:
        """Whether it was stopped."""

    is_reading: bool
    """Whether a read callback is under way, whose end flushes: then nothing is scheduled."""

    @property
    def is_due(self) -> bool:
        """Whether something was queued since the last flush, not for a frame tick."""

    def attach(self, queue: Any, fd: int) -> None:
        """Write to this descriptor, of the queue's transport, whenever that has nothing to write.

        It must be that of a plain TCP connection. -1 stands for none.
        """

    def detach(self, queue: Any) -> None:
        """Use the descriptor no more: to be called before it is closed."""

    def stop(self) -> None:
        """Write nothing any more to any socket: what is queued is dropped, now and later."""

    def queue(
        self,
        frame: bytes,
        connections: Iterable[Q],
        *,
        may_miss: bool = False,
        at_tick: bool = False,
    ) -> Sequence[Q]:
        """Queue a frame for many; return the connections that are slow and do not get it.

        These are the slow ones if they may miss it, else none. Everybody's queue is due at the
        next flush, of the frame tick if it is for that. A flush is scheduled if there is none, but
        not for a frame tick. A list of connections must not be changed before the next flush: what
        is queued for the same list again may be given to its queues together, later.
        """

    def mark(self, connections: Iterable[Queued], *, at_tick: bool = False) -> None:
        """Let what is queued for these be due, though nothing is added."""

    def discard(self, connection: Queued) -> None:
        """Let nothing be due for a connection that has ended."""

    def flush(self, *, at_tick: bool = False) -> int:
        """Write what is due, to each socket in one piece; return how many bytes that were."""


class Incoming(Protocol):
    """What a client sends, as far as its `Reader` leaves it to others."""

    def keep(self, text: str) -> None:
        """Keep a text that was not handled at once."""

    def fail(self, error: Exception) -> None:
        """Take note that a text has failed."""

    def read(self, data: bytes) -> bool:
        """Read what is no whole text frame; return whether the reader may read what follows."""


class Reader(Protocol):
    """Takes the place of a connection's protocol, and handles texts in its read callback.

    It reads text frames that stand whole at the beginning of what a client has sent, up to the
    first frame that is anything else, wrong, large or not there to its end; what follows is left to
    an `Incoming`. The reader in Python reads only what is one short frame. All other callbacks go
    to the protocol that it has replaced. What is queued in a read callback is flushed at its end.
    """

    is_plain: bool
    """Whether the next bytes begin a frame, and nothing is kept."""

    @property
    def heard_at_s(self) -> float:
        """When data was received last, by the monotonic clock; 0 if that never was."""


Failed: TypeAlias = "Callable[[Any, Exception], None]"
"""Called with a connection and what failed for it; None if the output has changed its method."""

Flushed: TypeAlias = "Callable[[int, float], None]"
"""Called after each flush with the bytes that were written, and the seconds that it took."""


class Wire(NamedTuple):
    """One kind."""

    name: str
    new_output: Callable[[Failed, Callable[[], object], Flushed, Callable[[], bool] | None], Output]
    """Makes an output. Its second function schedules a flush; its last one tells before each flush
    whether that may be: what is due stays due otherwise."""
    new_queue: Callable[[Any], SendQueue]
    """Makes the queue of a transport."""
    new_reader: Callable[[Any, Any, Incoming, Callable[[str], bool], int], Reader]
    """Makes the reader of a connection, from an output, the protocol that it replaces, what it
    leaves to others, what handles a text and tells whether that was possible, and the greatest size
    of a text in bytes."""
