"""Transport interface shared by WebSockets and Socket.IO sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from typing import TypeAlias

    from aiohttp import WSMessage

    Take: TypeAlias = Callable[[WSMessage], WSMessage | None]
    Count: TypeAlias = Callable[[], bool]


class Channel(Protocol):
    """The part of `aiohttp.web.WebSocketResponse` that connections are served by."""

    @property
    def close_code(self) -> int | None:
        """How it was closed; None while it is open, or when there was no close."""

    def exception(self) -> BaseException | None:
        """Return what broke it; `TimeoutError` when the client did not answer a ping."""

    async def answers(self, within_s: float) -> bool:
        """Ping the client, and tell whether anything comes from it in time."""

    async def close(self, *, code: int, message: bytes) -> bool:
        """Close it, with a code and a reason."""

    def set_message_handler(self, take: Take, count: Count) -> None:
        """Let `take` have each message as it comes; what it returns waits for the iteration.

        `count` is called for each control frame, and says whether it is allowed.
        """

    def __aiter__(self) -> AsyncIterator[WSMessage]:
        """Iterate over the messages of the client, to the end."""
