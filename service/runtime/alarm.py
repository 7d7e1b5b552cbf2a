"""Wait until a time, or until something happens before it."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Alarm:
    """For one coroutine that waits; whoever has something for it rings."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Measure by `clock`, which is monotonic, in seconds."""
        self._clock = clock
        self._waiter: asyncio.Future[None] | None = None
        self._has_rung = False

    async def wait_until(self, at: float) -> None:
        """Wait until `at`, which may be infinite, or the next ring; let others run in any case.

        It returns up to a millisecond early or late, which is how precise timers of the loop are.
        """
        delay_s = at - self._clock()
        if delay_s <= 0 or self._has_rung:
            self._has_rung = False
            await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        self._waiter = waiter = loop.create_future()
        # Rounded up, since the loop may round down: it would fire early, to be set again.
        timer = (
            None
            if delay_s == math.inf
            else loop.call_later(math.ceil(delay_s * 1000) / 1000, self._wake)
        )
        try:
            await waiter
        finally:
            self._waiter = None
            self._has_rung = False
            if timer is not None:
                timer.cancel()

    def ring(self) -> None:
        """Let the coroutine go on, now or as soon as it waits."""
        self._has_rung = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
