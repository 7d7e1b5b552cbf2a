"""Transport interface shared by WebSockets and Socket.IO sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from typing import TypeAlias

    Handle: TypeAlias = Callable[[str | None], bool]
    Count: TypeAlias = Callable[[], bool]


class Channel(Protocol):
    """The incoming side of a connection: a WebSocket, or a Socket.IO session."""

    @property
    def close_code(self) -> int | None:
        """The close code; None while it is open, or if it ended without a close."""

    def exception(self) -> BaseException | None:
        """Return the error that closed it; `TimeoutError` if the client did not answer a ping."""

    async def answers(self, within_s: float) -> bool:
        """Ping the client; return whether any data is received in time."""

    async def close(self, *, code: int, message: bytes) -> bool:
        """Close it with a code and a reason; return False if it was closed already."""

    def set_message_handler(self, handle: Handle, count: Count) -> None:
        """Call `handle` with each frame as it is read, unless earlier ones are kept.

        It gets None for a binary frame. A frame for which it returns False is kept for `texts`, as
        are those that follow until it is taken from there; when they are too many, nothing more is
        read from the client. `count` is called for each control frame, and tells whether it is
        allowed.
        """

    def texts(self) -> AsyncIterator[str | None]:
        """Iterate over the frames that were kept, to the end of the channel; None is binary."""
