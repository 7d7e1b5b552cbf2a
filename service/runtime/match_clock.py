"""Measure turn and pause times of a live match by a monotonic clock.

Commands and folds read no clock: what is left of a turn, and how long each player has been away, is
measured here and recorded in events.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

if TYPE_CHECKING:
    from service.domain.projections.matches import Match


class MatchClock:
    """The turn and pause times of one live match; each `now` is monotonic, in seconds."""

    __slots__ = ("_away_at", "_away_ms", "_ends_in_ms", "_match", "_turn_at", "_turn_left_ms")

    def __init__(self, match: Match) -> None:
        """Start from what is logged of `match`; no clock runs before `resume` or `begin_turn`."""
        self._match = match
        self._turn_left_ms = match.turn_left_ms
        self._turn_at: float | None = None
        """When the clock of the turn was started; None while it is stopped."""
        self._ends_in_ms: int | None = None
        """What the clock of the rules had left at the last input, before any pause."""
        self._away_at: dict[int, float] = {}
        """Since when each absent player is away, as far as `_away_ms` does not count it."""
        self._away_ms: dict[int, int] = {}
        """How long each player was away in this pause, in absences that are over."""

    def begin_turn(self, now: float) -> None:
        """Start the clock of a turn, with the time that is logged as left."""
        self._turn_left_ms, self._turn_at = self._match.turn_left_ms, now
        self._ends_in_ms = self._logged_end_ms()

    def take_input(self, spent_ms: int | UnsetType, now: float) -> None:
        """Start the clock after an input, before which the clocks of the rules ran for `spent_ms`.

        A turn that goes on, as a phase in which others have not moved yet, goes on from when the
        input was decided on: else who sees its clock could tell that an input was made which is
        hidden from them.
        """
        logged_ms = self._logged_end_ms()
        if (
            spent_ms is UNSET
            or logged_ms is None
            or self._turn_at is None
            or self._turn_left_ms is None
            or self._ends_in_ms is None
            or logged_ms != self._ends_in_ms - spent_ms
        ):
            self.begin_turn(now)
            return
        self._turn_at += (self._turn_left_ms - logged_ms) / 1000
        self._turn_left_ms = self._ends_in_ms = logged_ms

    def _logged_end_ms(self) -> int | None:
        return None if self._match.clock is None else self._match.clock.ends_in_ms

    def resume(self, now: float) -> None:
        """Start the clock of the turn after a pause, and stop measuring absences."""
        self.begin_turn(now)
        self._away_at.clear()
        self._away_ms.clear()

    def pause(self, now: float) -> None:
        """Stop the clock of the turn; absences up to now are in the pause event."""
        self._turn_left_ms, self._turn_at = self._match.turn_left_ms, None
        self._away_ms.clear()
        self._away_at = dict.fromkeys(self._away_at, now)

    def player_left(self, seat: int, now: float) -> None:
        """Start to measure the absence of a player, unless it is measured already."""
        self._away_at.setdefault(seat, now)

    def player_returned(self, seat: int, now: float) -> None:
        """Stop measuring the absence of a player; only the part in a pause counts."""
        since = self._away_at.pop(seat, None)
        if since is not None and self._match.paused:
            self._away_ms[seat] = self._away_ms.get(seat, 0) + _ms(now - since)

    def turn_left_ms(self, now: float) -> int | None:
        """Return the time left of the current turn, in ms; None without a turn clock."""
        left_ms = self._turn_left_ms
        if left_ms is None or self._turn_at is None:
            return left_ms
        return max(0, left_ms - _whole_ms(now - self._turn_at))

    def spent_ms(self, now: float) -> list[int]:
        """Return the pause that each player has used up in this match, in ms."""
        if not self._away_at and not self._away_ms:
            # Nearly always, and this is asked for each input of a player.
            return list(self._match.spent_ms)
        return [
            spent + self._away_ms.get(seat, 0) + self._away_now_ms(seat, now)
            for seat, spent in enumerate(self._match.spent_ms)
        ]

    def _away_now_ms(self, seat: int, now: float) -> int:
        since = self._away_at.get(seat)
        return 0 if since is None or not self._match.paused else _ms(now - since)


def _whole_ms(duration_s: float) -> int:
    """Round down to milliseconds, but for what is lost in sums of floats."""
    return math.floor(duration_s * 1000 + 1e-6)


def _ms(duration_s: float) -> int:
    """Round up to milliseconds, at least 1, so that no absence counts as none."""
    return max(1, math.ceil(duration_s * 1000))
