"""Spread the first reads of many new connections, which would keep the event loop busy at once.

The kernel hands over all connections that are waiting in one iteration of the loop. What is read
of them, a head to parse and a request to handle, costs more than their acceptance.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

ARRIVALS_PER_S = 4000.0
"""New connections that are read from in a second; 16 of them cost some milliseconds."""

BURST = 16
"""New connections that are read from at once."""

PERIOD_S = 0.004
"""Time between two groups of connections, while any wait."""


class Readable(Protocol):
    """The part of `asyncio.Transport` that is used here."""

    def pause_reading(self) -> None:
        """Read nothing for now."""

    def resume_reading(self) -> None:
        """Read on."""

    def is_closing(self) -> bool:
        """Tell whether it is closed, or being closed."""


class Arrivals:
    """Pauses new connections above a rate, and lets them go on in order of arrival."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._tokens = float(BURST)
        self._updated_at = 0.0
        self._paused: deque[Readable] = deque()

    def arrived(self, transport: Readable) -> None:
        """Read from a new connection now, or when it is its turn."""
        loop = asyncio.get_running_loop()
        self._refill(loop.time())
        if not self._paused and self._tokens >= 1:
            self._tokens -= 1
            return
        if not self._paused:
            loop.call_later(PERIOD_S, self._resume)
        transport.pause_reading()
        self._paused.append(transport)

    def _refill(self, now: float) -> None:
        self._tokens = min(BURST, self._tokens + (now - self._updated_at) * ARRIVALS_PER_S)
        self._updated_at = now

    def _resume(self) -> None:
        loop = asyncio.get_running_loop()
        self._refill(loop.time())
        while self._paused and self._tokens >= 1:
            transport = self._paused.popleft()
            if not transport.is_closing():
                self._tokens -= 1
                transport.resume_reading()
        if self._paused:
            loop.call_later(PERIOD_S, self._resume)
