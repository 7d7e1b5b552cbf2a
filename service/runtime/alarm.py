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

        It returns up to a millisecond late, which is how precise timers of the loop are.
        """
        now = self._clock()
        if at <= now or self._has_rung:
            self._has_rung = False
            await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        self._waiter = waiter = loop.create_future()
        timer = None if at == math.inf else loop.call_later(delay_s(now, at), self._wake)
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


def delay_s(now: float, at: float) -> float:
    """Return the delay of a timer that fires at `at`, or less than a millisecond later.

    uvloop counts whole milliseconds from the one that `now` is in; with the plain difference the
    timer might fire a millisecond early.
    """
    return (math.ceil(at * 1000) - math.floor(now * 1000)) / 1000
