"""Locks of streams: at most one command decides on a stream at a time."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.domain.commands.base import Command
    from service.domain.projections.world import World


class StreamLocks:
    """One lock for each stream that somebody decides on."""

    def __init__(self) -> None:
        """Begin without any; a lock exists only while somebody uses it."""
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: dict[str, int] = {}

    @asynccontextmanager
    async def of(self, command: Command, world: World) -> AsyncIterator[set[str]]:
        """Hold the locks of all streams of `command`, taken in sorted order.

        Which streams these are may change while waiting for them; then begin again.
        """
        while True:
            streams = command.streams(world)
            async with AsyncExitStack() as stack:
                for stream in sorted(streams):
                    await stack.enter_async_context(self._held(stream))
                if command.streams(world) <= streams:
                    yield streams
                    return

    @asynccontextmanager
    async def _held(self, stream: str) -> AsyncIterator[None]:
        lock = self._locks.setdefault(stream, asyncio.Lock())
        self._users[stream] = self._users.get(stream, 0) + 1
        try:
            async with lock:
                yield
        finally:
            self._users[stream] -= 1
            if not self._users[stream]:
                del self._users[stream], self._locks[stream]
