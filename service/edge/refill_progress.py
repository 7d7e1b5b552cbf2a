"""How far the backlog is refilled after a start, for resumes that need a part not there yet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.domain.events.base import Position
    from service.edge.backlog import Backlog


class RefillProgress:
    """The progress of a refill, which goes from the newest events to the oldest."""

    def __init__(self, backlog: Backlog) -> None:
        """Begin with nothing to refill."""
        self._backlog = backlog
        self._is_under_way = False
        self._is_complete = True
        self._waiting: list[tuple[Position, asyncio.Future[None]]] = []
        self._lowest: Position = 0

    def needed_from(self) -> Position:
        """Return the position from which the next start, or this refill, reads the log."""
        start = self._backlog.start
        return start if self._is_complete else min(self._lowest, start)

    def begin(self) -> None:
        """Note that a refill begins; it is not known yet how far back it will go."""
        self._is_under_way, self._is_complete, self._lowest = True, False, 0

    def aim(self, lowest: Position) -> None:
        """Note that the events after `lowest` will be refilled, unless there are too many."""
        self._lowest = lowest
        self.advance()

    def is_awaited(self, after: Position) -> bool:
        """Return whether the events after a position are still to be refilled."""
        return self._is_under_way and self._lowest <= after < self._backlog.start

    async def reached(self, after: Position) -> None:
        """Wait until the events after a position are there, or are known not to come."""
        if self.is_awaited(after):
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((after, future))
            await future

    def advance(self) -> None:
        """Wake those whose events are there, or will not come."""
        waiting, self._waiting = self._waiting, []
        for after, future in waiting:
            if self.is_awaited(after):
                self._waiting.append((after, future))
            elif not future.done():
                future.set_result(None)

    def end(self, *, is_complete: bool) -> None:
        """Note that nothing more will be refilled; an interrupted refill is not complete."""
        self._is_under_way, self._is_complete = False, is_complete
        self.advance()
