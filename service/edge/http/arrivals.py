"""Spread the first requests of many new connections, which would keep the event loop busy at once.

The kernel hands over all connections that are waiting in one iteration of the loop, and what was
read from them in the next one. A head to parse, and a request to handle, cost far more than that.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

ARRIVALS_PER_S = 4000.0
"""New connections whose requests are handled in a second."""

BURST = 8
"""New connections whose requests are handled at once: they take less than two milliseconds."""

PERIOD_S = 0.002
"""Time between two groups of connections, while any wait."""


class Arrival(Protocol):
    """A new connection."""

    def go_on(self) -> None:
        """Handle what was read, since it is its turn."""

    @property
    def is_lost(self) -> bool:
        """Whether it is closed."""


class Arrivals:
    """Lets new connections above a rate wait, and go on in order of arrival."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._tokens = float(BURST)
        self._updated_at = 0.0
        self._waiting: deque[Arrival] = deque()

    def may_go_on(self, arrival: Arrival) -> bool:
        """Tell whether a connection may go on now; else it is told when it is its turn."""
        loop = asyncio.get_running_loop()
        self._refill(loop.time())
        if not self._waiting and self._tokens >= 1:
            self._tokens -= 1
            return True
        if not self._waiting:
            loop.call_later(PERIOD_S, self._next)
        self._waiting.append(arrival)
        return False

    def _refill(self, now: float) -> None:
        self._tokens = min(BURST, self._tokens + (now - self._updated_at) * ARRIVALS_PER_S)
        self._updated_at = now

    def _next(self) -> None:
        loop = asyncio.get_running_loop()
        self._refill(loop.time())
        while self._waiting and self._tokens >= 1:
            arrival = self._waiting.popleft()
            if not arrival.is_lost:
                self._tokens -= 1
                arrival.go_on()
        if self._waiting:
            loop.call_later(PERIOD_S, self._next)
