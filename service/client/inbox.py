"""Bounded queue of received messages that the application has not consumed yet."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.client.memory import Message

MESSAGES_MAX = 10_000


class Inbox:
    """A queue with an end; the one who fills it is asked to wait while it is full."""

    def __init__(self) -> None:
        """Begin empty."""
        self._messages: deque[Message] = deque()
        self._is_over = False
        self._something = asyncio.Event()
        self._space = asyncio.Event()
        self._space.set()

    def put(self, message: Message) -> None:
        """Add a message, however many there are."""
        self._messages.append(message)
        self._something.set()
        if len(self._messages) >= MESSAGES_MAX:
            self._space.clear()

    async def space(self) -> None:
        """Wait until it is not full."""
        await self._space.wait()

    async def take(self) -> Message | None:
        """Return the next message, or None when there will be none."""
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
        """Let nobody wait for more."""
        self._is_over = True
        self._something.set()
