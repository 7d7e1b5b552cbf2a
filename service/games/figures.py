"""Figures that sum a match up, as its game defines them; pure.

A game computes them from what a spectator saw, so they can't tell what was hidden.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import msgspec


class Moment(NamedTuple):
    """What was shown at one tick."""

    tick: int
    at_s: float
    """Seconds from the start: by the clock of the match, without ticks by the clock on the wall."""
    view: Any
    """The view of a spectator, a struct of the game."""


Course: TypeAlias = Iterable[Moment]
"""A whole match: a moment for each tick."""


class Figure(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A figure of a match: `name` is for programs, `title` for people."""

    name: str
    title: str
    value: float
    unit: str = ""
    seat: int | None = None
    """Whose figure it is; None for one of the whole match."""
    tick: int | None = None
    """The tick at which it was reached, if there is one."""


@runtime_checkable
class HasFigures(Protocol):
    """A game with figures of its own. They are optional: a game need not have any."""

    def figures(self, course: Course) -> Sequence[Figure]:
        """Return the figures of a match."""


def pong_figures(course: Course, tick_hz: int) -> list[Figure]:
    """Return the longest rally, in hits, and the fastest ball, in fields a second."""
    rally = Figure("longestRally", "Longest rally", 0, "hits")
    ball = Figure("fastestBall", "Fastest ball", 0, "fields/s")
    hits, speed = 0, 0.0
    x: float | None = None
    for tick, _, view in course:
        before, x = x, view.ball_x if isinstance(view.ball_x, float) else None
        if x is None or before is None:
            # Out of play, or just served.
            hits, speed = 0, 0.0
            continue
        last, speed = speed, x - before
        fields_a_second = round(abs(speed) * tick_hz / 100, 2)
        if fields_a_second > ball.value:
            ball = msgspec.structs.replace(ball, value=fields_a_second, tick=tick)
        hits += last * speed < 0
        if hits > rally.value:
            rally = msgspec.structs.replace(rally, value=hits, tick=tick)
    return [rally, ball]


def turn_figures(course: Course) -> list[Figure]:
    """Return the longest time that each seat took for a move, by whose `turn` it was."""
    longest: dict[int, Figure] = {}
    turn: int | None = None
    since = 0.0
    for tick, at_s, view in course:
        if turn is not None and tick:
            took = round(at_s - since, 1)
            if turn not in longest or took > longest[turn].value:
                longest[turn] = Figure("longestTurn", "Longest turn", took, "s", turn, tick)
        turn, since = view.turn, at_s
    return [longest[seat] for seat in sorted(longest)]
