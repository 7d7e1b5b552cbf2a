"""Transport for long polling: buffers frames until the client fetches them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from service.edge.frames import texts_of
from service.edge.socketio.packets import SEPARATOR, Engine

if TYPE_CHECKING:
    from collections.abc import Callable

RELEASE_S = 0.1
"""How long a poll waits while its client goes over to a WebSocket."""


class Polling:
    """Frames for one client, written like to a transport; how many, `Connection` bounds."""

    def __init__(self, lost: Callable[[], None]) -> None:
        """Call `lost` when the client is given up."""
        self._lost = lost
        self._chunks: list[bytes] = []
        self._bytes = 0
        self._news = asyncio.Event()
        self._closed = False
        self._released = False
        self.is_polled = False
        """Whether a poll waits just now."""

    # As a transport

    def write(self, data: bytes) -> None:
        """Keep frames for the next poll."""
        self._chunks.append(data)
        self._bytes += len(data)
        self._news.set()

    def get_write_buffer_size(self) -> int:
        """Tell how much waits."""
        return self._bytes

    def is_closing(self) -> bool:
        """Tell whether nothing is fetched any more."""
        return self._closed

    def abort(self) -> None:
        """Give the client up."""
        self.take()
        self._lost()

    # As what is polled

    async def poll(self) -> str:
        """Return what waits, as soon as something does; in the end, that there is nothing."""
        self.is_polled = True
        try:
            async with asyncio.timeout(RELEASE_S if self._released else None):
                await self._news.wait()
        except TimeoutError:
            pass
        finally:
            self.is_polled = False
        texts = [text.decode() for text in texts_of(self.take())]
        return SEPARATOR.join(texts) or Engine.NOOP

    def take(self) -> bytes:
        """Take the frames that wait."""
        frames = b"".join(self._chunks)
        self._chunks.clear()
        self._bytes = 0
        if not self._closed:
            self._news.clear()
        return frames

    def release(self) -> None:
        """Let no poll wait for long: the client ends polling before it goes over."""
        self._released = True
        self._news.set()

    def hold(self) -> None:
        """Let polls wait again: the client stays."""
        self._released = False

    def close(self) -> None:
        """End the poll that waits."""
        self._closed = True
        self._news.set()
