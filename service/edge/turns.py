"""Spread work that comes for many connections at once over several turns of the event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

AT_ONCE = 16
"""Pieces of work in one turn; the end of a connection takes about a tenth of a millisecond."""


class Turns:
    """Does pieces of work in order, a few in each turn of the loop."""

    def __init__(self) -> None:
        """Begin with no work."""
        self._work: deque[Callable[[], object]] = deque()

    def add(self, work: Callable[[], object]) -> None:
        """Do `work` in one of the next turns; it must not raise."""
        if not self._work:
            asyncio.get_running_loop().call_soon(self._next)
        self._work.append(work)

    def _next(self) -> None:
        for _ in range(min(AT_ONCE, len(self._work))):
            self._work.popleft()()
        if self._work:
            # A timer, even at once: callbacks that are due soon would come before input and timers.
            asyncio.get_running_loop().call_later(0, self._next)
