"""Keep references to background tasks, and stop them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Tasks:
    """Background tasks: the event loop itself keeps only weak references to them."""

    def __init__(self) -> None:
        """Begin with none."""
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run `work` as a task, which is forgotten when it is done."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def cancel(self) -> None:
        """Cancel those that are not done."""
        for task in list(self._tasks):
            task.cancel()

    async def stop(self) -> None:
        """Cancel those that are not done, and wait for their end."""
        self.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
