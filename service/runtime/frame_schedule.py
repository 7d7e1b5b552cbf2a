"""Decides at which ticks the state of a match is shown at each frame rate."""

from __future__ import annotations

from functools import cache
from math import lcm

from service.protocol.frame_rates import ALL_RATES, FRAME_HZ, FRAME_HZ_MAX

PHASES = lcm(*(FRAME_HZ_MAX // hz for hz in FRAME_HZ))
"""How many ticks pass until the frames of all rates coincide again."""

LOWEST_RATE = frozenset({min(FRAME_HZ)})
"""The rate at which a match is stepped whose states nobody is shown."""


class FrameSchedule:
    """The frames of one match; pure.

    A frame rate shows the first state after each of its due ticks, so that it neither misses nor
    repeats a frame when several ticks are caught up at once. Which ticks are due differs by the
    phase of a match, so that matches that run at the same time do not all send on the same tick.
    """

    __slots__ = ("_phase", "_tick", "_tick_hz", "behind")

    def __init__(self, tick_hz: int, phase: int, tick: int) -> None:
        """Begin at `tick`; a game without ticks (`tick_hz` 0) shows each state at all rates."""
        self._tick_hz = tick_hz
        self._phase = phase
        self._tick = tick
        self.behind: frozenset[int] = frozenset()
        """The rates that were not shown the newest state."""

    def align(self, tick: int, phase: int) -> None:
        """Let the state after `tick` be a frame of those rates that show the tick `phase`."""
        self._phase = phase - tick - 1

    def advance(self, tick: int) -> frozenset[int]:
        """Note that the match was stepped up to `tick`; return the rates that show its state."""
        shown = _shown(self._tick_hz, max(1, tick - self._tick))
        self._tick = tick
        rates, self.behind = shown[(tick + self._phase) % len(shown)]
        return rates

    def ticks_until(self, tick: int, wanted: frozenset[int]) -> int:
        """Return how many steps after `tick` the next state is shown at one of these rates.

        Without any it is the lowest one.
        """
        distances = _distances(self._tick_hz, wanted or LOWEST_RATE)
        return distances[(tick + self._phase) % len(distances)]

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


@cache
def _shown(tick_hz: int, steps: int) -> tuple[tuple[frozenset[int], frozenset[int]], ...]:
    """Return the rates that show the state after so many steps at once, and the other ones.

    That is for each tick of a second that the last step may lead to.
    """
    due = _due_rates(tick_hz)
    return tuple(
        (rates, ALL_RATES - rates)
        for tick in range(len(due))
        for rates in [frozenset().union(*(due[(tick - back) % len(due)] for back in range(steps)))]
    )


@cache
def _distances(tick_hz: int, wanted: frozenset[int]) -> tuple[int, ...]:
    """Return for each tick of a second after how many steps one of these rates is due."""
    due = _due_rates(tick_hz)
    return tuple(
        next(
            (steps for steps in range(1, len(due)) if due[(tick + steps) % len(due)] & wanted),
            len(due),
        )
        for tick in range(len(due))
    )
