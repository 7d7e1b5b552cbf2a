"""Transport for long polling: buffers frames until the client fetches them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from service.edge.frames import texts_of
from service.edge.socketio.packets import SEPARATOR, EngineType

if TYPE_CHECKING:
    from collections.abc import Callable

RELEASE_S = 0.1
"""How long a poll waits while its client upgrades to a WebSocket, in seconds."""


class Polling:
    """A transport whose frames are fetched by polls; `Connection` limits its buffer."""

    def __init__(self, lost: Callable[[], None]) -> None:
        """Call `lost` when it is aborted."""
        self._lost = lost
        self._chunks: list[bytes] = []
        self._bytes = 0
        self._news = asyncio.Event()
        self._closed = False
        self._released = False
        self.is_polled = False
        """Whether a poll is waiting."""

    # Transport

    def write(self, data: bytes) -> None:
        """Buffer frames for the next poll."""
        self._chunks.append(data)
        self._bytes += len(data)
        self._news.set()

    def get_write_buffer_size(self) -> int:
        """Return the number of buffered bytes."""
        return self._bytes

    def is_closing(self) -> bool:
        """Tell whether it is closed."""
        return self._closed

    def abort(self) -> None:
        """Close it, and drop the buffer."""
        self.drain()
        self._lost()

    # Polls

    async def poll(self) -> str:
        """Wait for frames, and return them as a body; NOOP if there are none at the end."""
        self.is_polled = True
        try:
            async with asyncio.timeout(RELEASE_S if self._released else None):
                await self._news.wait()
        except TimeoutError:
            pass
        finally:
            self.is_polled = False
        texts = [text.decode() for text in texts_of(self.drain())]
        return SEPARATOR.join(texts) or EngineType.NOOP

    def drain(self) -> bytes:
        """Return the buffered frames, and empty the buffer."""
        frames = b"".join(self._chunks)
        self._chunks.clear()
        self._bytes = 0
        if not self._closed:
            self._news.clear()
        return frames

    def release(self) -> None:
        """End polls soon, since the client waits for their end before it upgrades."""
        self._released = True
        self._news.set()

    def hold(self) -> None:
        """Let polls wait again: the client did not upgrade."""
        self._released = False

    def close(self) -> None:
        """End the waiting poll, and close."""
        self._closed = True
        # The link, which refers to this.
        self._lost = _ignore
        self._news.set()


def _ignore() -> None:
    """Do nothing: it is closed already."""
