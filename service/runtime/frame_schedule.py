"""Decides at which ticks the state of a match is shown at each frame rate."""

from __future__ import annotations

from functools import cache
from math import lcm

from service.protocol.frame_rates import ALL_RATES, FRAME_HZ, FRAME_HZ_MAX

PHASES = lcm(*(FRAME_HZ_MAX // hz for hz in FRAME_HZ))
"""How many ticks pass until the frames of all rates coincide again."""


class FrameSchedule:
    """The frames of one match; pure.

    A frame rate shows the first state after each of its due ticks, so that it neither misses nor
    repeats a frame when several ticks are caught up at once. Which ticks are due differs by the
    phase of a match, so that matches that run at the same time do not all send on the same tick.
    """

    __slots__ = ("_due", "_phase", "_tick", "behind")

    def __init__(self, tick_hz: int, phase: int, tick: int) -> None:
        """Begin at `tick`; a game without ticks (`tick_hz` 0) shows each state at all rates."""
        self._due = _due_rates(tick_hz)
        self._phase = phase
        self._tick = tick
        self.behind: frozenset[int] = frozenset()
        """The rates that were not shown the newest state."""

    def advance(self, tick: int) -> frozenset[int]:
        """Note that the match was stepped up to `tick`; return the rates that show its state."""
        due, first = self._due, self._tick + 1
        self._tick = tick
        at = tick + self._phase
        rates = due[at % len(due)]
        if first < tick:
            passed = range(first + self._phase, at)
            rates = rates.union(*(due[one % len(due)] for one in passed))
        self.behind = ALL_RATES - rates
        return rates

    def show_all(self, tick: int) -> None:
        """Note that the state before `tick` is shown at all rates."""
        self._tick = tick
        self.behind = frozenset()


@cache
def _due_rates(tick_hz: int) -> tuple[frozenset[int], ...]:
    """Return the rates that are due at each tick of a second."""
    return tuple(
        frozenset(hz for hz in FRAME_HZ if tick * hz // tick_hz != (tick - 1) * hz // tick_hz)
        for tick in range(tick_hz)
    ) or (ALL_RATES,)
