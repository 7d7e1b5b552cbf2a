"""Measure turn and pause times of a live match by a monotonic clock.

Commands and folds read no clock. The service measures here what is left of a turn and how long
each player has been away, and the events carry it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.domain.projections.matches import Match


class MatchClock:
    """The times of one live match; every `now` is in seconds of the same monotonic clock."""

    __slots__ = ("_away_at", "_away_ms", "_match", "_turn_at", "_turn_left_ms")

    def __init__(self, match: Match) -> None:
        """Begin with what the log says of `match`: nothing runs before it goes on."""
        self._match = match
        self._turn_left_ms = match.turn_left_ms
        self._turn_at: float | None = None
        """When the turn began or went on; None while it stands still."""
        self._away_at: dict[int, float] = {}
        """Since when a player is away, as far as it is not in `_away_ms`."""
        self._away_ms: dict[int, int] = {}
        """How long each player was away in this pause, in stretches that are over."""

    def begin_turn(self, now: float) -> None:
        """Let the turn run: a new one, or what the log says is left of it."""
        self._turn_left_ms, self._turn_at = self._match.turn_left_ms, now

    def go_on(self, now: float) -> None:
        """Let the match run: a pause is over, if there was one."""
        self.begin_turn(now)
        self._away_at.clear()
        self._away_ms.clear()

    def pause(self, now: float) -> None:
        """Let the turn stand still; what was spent up to now stands in the log."""
        self._turn_left_ms, self._turn_at = self._match.turn_left_ms, None
        self._away_ms.clear()
        self._away_at = dict.fromkeys(self._away_at, now)

    def went_away(self, seat: int, now: float) -> None:
        """Begin to count that a player has no tab in the match, unless that is counted already."""
        self._away_at.setdefault(seat, now)

    def came_back(self, seat: int, now: float) -> None:
        """Stop counting it."""
        since = self._away_at.pop(seat, None)
        if since is not None and self._match.paused:
            self._away_ms[seat] = self._away_ms.get(seat, 0) + _ms(now - since)

    def turn_left_ms(self, now: float) -> int | None:
        """Return how long the present turn may still take, or None where no clock runs for it."""
        left_ms = self._turn_left_ms
        if left_ms is None or self._turn_at is None:
            return left_ms
        return max(0, left_ms - math.floor((now - self._turn_at) * 1000))

    def spent_ms(self, now: float) -> list[int]:
        """Return how much pause each player has used up in this match."""
        return [
            spent + self._away_ms.get(seat, 0) + self._away_now_ms(seat, now)
            for seat, spent in enumerate(self._match.spent_ms)
        ]

    def _away_now_ms(self, seat: int, now: float) -> int:
        since = self._away_at.get(seat)
        return 0 if since is None or not self._match.paused else _ms(now - since)


def _ms(duration_s: float) -> int:
    """Return milliseconds, at least one: whoever was away has been so for some time."""
    return max(1, math.ceil(duration_s * 1000))
