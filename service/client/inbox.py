"""Bounded queue of received messages that the application has not consumed yet."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.client.state import Message

MESSAGES_MAX = 10_000


class Inbox:
    """A queue that can be ended; the reader of the socket waits while it is full (backpressure)."""

    def __init__(self) -> None:
        """Start empty."""
        self._messages: deque[Message] = deque()
        self._is_over = False
        self._something = asyncio.Event()
        self._space = asyncio.Event()
        self._space.set()

    def put(self, message: Message) -> None:
        """Add a message, even above `MESSAGES_MAX`."""
        self._messages.append(message)
        self._something.set()
        if len(self._messages) >= MESSAGES_MAX:
            self._space.clear()

    async def space(self) -> None:
        """Wait until there is space."""
        await self._space.wait()

    async def take(self) -> Message | None:
        """Wait for the next message; return None when the queue has ended."""
        while not self._messages:
            if self._is_over:
                return None
            self._something.clear()
            await self._something.wait()
        message = self._messages.popleft()
        if len(self._messages) < MESSAGES_MAX:
            self._space.set()
        return message

    def end(self) -> None:
        """End the queue; messages in it can still be taken."""
        self._is_over = True
        self._something.set()
