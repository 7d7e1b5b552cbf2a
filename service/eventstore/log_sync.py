"""Wait until this node has folded what the log has now."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from service.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from service.eventstore.records import Head
    from service.eventstore.replication import Replication

READ_TIMEOUT_S = 1.0
"""How long the head may take to be read; then callers go on with what is folded."""


class LogSync:
    """Reads the head of the log for those who wait; one read serves all who came before it."""

    def __init__(self, head: Callable[[], Awaitable[Head]], replication: Replication) -> None:
        """Read by `head`; `replication` folds up to it."""
        self._head = head
        self._replication = replication
        self._callers: list[Callable[[], None]] = []
        self._tasks = Tasks()
        self._is_reading = False

    def request(self, done: Callable[[], None]) -> None:
        """Call `done` once all is folded that is in the log now, or if that can't be found out."""
        self._callers.append(done)
        if not self._is_reading:
            self._is_reading = True
            self._tasks.spawn(self._read())

    async def stop(self) -> None:
        """Read no more."""
        await self._tasks.stop()

    async def _read(self) -> None:
        try:
            while self._callers:
                callers, self._callers = self._callers, []
                until = await self._position()
                for done in callers:
                    self._replication.when_folded(until, done)
        finally:
            self._is_reading = False

    async def _position(self) -> int:
        """Return the position of the head; 0 if it can't be read."""
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                head = await self._head()
        except Exception:  # noqa: BLE001 - whoever reads the log for the fold tells of the outage
            return 0
        self._replication.note_head(head.position)
        return head.position
