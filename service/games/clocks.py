"""Clocks of turns and players, as part of the state of a match.

Rules read no clock. The service measures how long the clocks of a match run between two inputs,
records that with the later one (`spent_ms`), and gives it to `Game.elapse` before it applies the
input. What a player has left is therefore a sum over recorded times.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from service.games.protocol import State, TurnClock

CLOCK_MS_MAX = 2**53 - 1
"""What a client can read as an integer."""


class Clocks(msgspec.Struct, gc=False):
    """A limit for each turn, a clock for each player with an increment for each move, or both."""

    turn_ms: int | None = None
    """The limit of each turn; None without one."""
    increment_ms: int = 0
    """What a player gets back for each move (Fischer)."""
    left_ms: list[int] = []
    """What each seat has left; empty without clocks per player."""
    running: list[int] = []
    """The seats whose turn it is."""
    spent_ms: int = 0
    """How long this turn has taken so far."""

    def begin(self, seats: Iterable[int]) -> None:
        """Begin the turn of these seats."""
        self.running = list(seats)
        self.spent_ms = 0

    def elapse(self, ms: int) -> None:
        """Let the running clocks run for `ms`; a clock stops at 0."""
        self.spent_ms += ms
        if self.left_ms:
            for seat in self.running:
                self.left_ms[seat] = max(0, self.left_ms[seat] - ms)

    def moved(self, seat: int) -> None:
        """Stop the clock of `seat`, which has moved, and add the increment."""
        if seat in self.running:
            self.running.remove(seat)
            if self.left_ms:
                self.left_ms[seat] += self.increment_ms

    def stop(self) -> None:
        """Stop all clocks, as at the end of a match."""
        self.running = []

    def show(self) -> TurnClock | None:
        """Return what runs, for `Game.clock`; None when nothing does."""
        ends_in_ms = self._ends_in_ms()
        if ends_in_ms is None:
            return None
        return TurnClock(ends_in_ms, tuple(self.left_ms), tuple(self.running))

    def next_out_of_time(self) -> list[int]:
        """Return the seats whose time is up first if nobody moves, for `Game.timeout`."""
        ends_in_ms = self._ends_in_ms()
        if ends_in_ms is None:
            return []
        if self.turn_ms is not None and self.turn_ms - self.spent_ms <= ends_in_ms:
            return list(self.running)
        return [seat for seat in self.running if self.left_ms[seat] <= ends_in_ms]

    def _ends_in_ms(self) -> int | None:
        ends = [self.left_ms[seat] for seat in self.running] if self.left_ms else []
        if self.running and self.turn_ms is not None:
            ends.append(max(0, self.turn_ms - self.spent_ms))
        return min(ends, default=None)


class FixedTurn:
    """Mixin for games whose every turn has the same limit, which `turn_s` returns."""

    has_clocks = True

    def turn_s(self, state: State, options: Any) -> float | None:
        """Return the limit of a turn in seconds, or None when nobody has to move."""
        raise NotImplementedError

    def clock(self, state: State, options: Any) -> TurnClock | None:
        """Return the whole turn: each begins with an input."""
        turn_s = self.turn_s(state, options)
        return None if turn_s is None else TurnClock(_ms(turn_s))

    def elapse(self, state: State, ms: int) -> None:
        """Do nothing: what was left of a turn is not kept."""


def clocks_of(
    players: int,
    *,
    turn_s: float | None = None,
    clock_s: float | None = None,
    increment_s: float = 0,
) -> Clocks:
    """Return the clocks of a match with these limits in seconds; none of them runs yet."""
    return Clocks(
        turn_ms=None if turn_s is None else _ms(turn_s),
        increment_ms=_ms(increment_s),
        left_ms=[] if clock_s is None else [_ms(clock_s)] * players,
    )


def is_clock(clock: TurnClock, players: int) -> bool:
    """Return whether the clocks of a state can be, in a match of so many players."""
    return (
        all(_is_ms(ms) for ms in (clock.ends_in_ms, *clock.clocks_ms))
        and len(clock.clocks_ms) in {0, players}
        and all(seat in range(players) for seat in clock.running)
    )


def _is_ms(value: object) -> bool:
    return type(value) is int and 0 <= value <= CLOCK_MS_MAX


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
