"""Measure elapsed time by both the wall clock and the monotonic clock (sleep, clock changes)."""

from __future__ import annotations

import time


class Clock:
    """The wall clock and the monotonic one, in seconds."""

    def wall(self) -> float:
        """Return the time of day, which may be set."""
        return time.time()

    def steady(self) -> float:
        """Return the monotonic time, which may stop while the machine sleeps."""
        return time.monotonic()


class Stopwatch:
    """Measures the time since its creation."""

    def __init__(self, clock: Clock) -> None:
        """Start now."""
        self._clock = clock
        self._wall = clock.wall()
        self._steady = clock.steady()

    @property
    def elapsed_s(self) -> float:
        """The elapsed seconds: the larger value of both clocks."""
        clock = self._clock
        return max(clock.wall() - self._wall, clock.steady() - self._steady)
