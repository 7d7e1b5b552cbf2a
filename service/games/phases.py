"""Phases in which several seats move at once, hidden from each other until all moves are in.

A game keeps a `Phase` in its state:

    class HandsState(msgspec.Struct):
        phase: Phase[Hand]

`apply` calls `make`; once the phase `is_complete`, `reveal` returns all moves and the next phase
may `begin`. `view` shows a viewer no more than `own`. With a limit, `Game.clock` returns `clock()`,
`Game.elapse` calls `elapse`, and `Game.timeout` returns an event whose `apply` fills in what is
missing, by `fill`. A phase shows no clock per seat: one that stops would tell who has moved. For
the same reason `timeout` names the same seat always, and not one of those that are `owing`.
"""

from collections.abc import Iterable
from typing import Generic, TypeVar

import msgspec

from service.games.protocol import InvalidMove, TurnClock

Chosen = TypeVar("Chosen")
"""What a seat moves in a phase."""


class AlreadyMoved(InvalidMove):
    """You have moved already; wait until everybody has."""


class NotAsked(InvalidMove):
    """You have no move to make now."""


class Phase(msgspec.Struct, Generic[Chosen]):
    """Who still owes a move, and the moves that are in."""

    owing: list[int] = []
    """The seats that still owe a move, in ascending order."""
    moves: dict[int, Chosen] = {}
    """The moves that are in, by seat."""
    limit_ms: int | None = None
    """How long each phase may take, in ms; None without a limit."""
    spent_ms: int = 0
    """How long this phase has taken so far."""

    def begin(self, seats: Iterable[int]) -> None:
        """Begin a phase in which each of these seats owes a move."""
        self.owing = sorted(seats)
        self.moves = {}
        self.spent_ms = 0

    def owes(self, seat: int) -> bool:
        """Return whether a seat still owes a move."""
        return seat in self.owing

    def check(self, seat: int) -> None:
        """Raise `AlreadyMoved` or `NotAsked` unless a seat owes a move."""
        if seat in self.moves:
            raise AlreadyMoved
        if seat not in self.owing:
            raise NotAsked

    def make(self, seat: int, move: Chosen) -> None:
        """Record the move of a seat; raise `AlreadyMoved` or `NotAsked` and change nothing."""
        self.check(seat)
        self.owing.remove(seat)
        self.moves[seat] = move

    def fill(self, move: Chosen) -> None:
        """Record `move` for each seat that still owes one, as when its time is up."""
        for seat in list(self.owing):
            self.make(seat, move)

    def drop(self, seat: int) -> None:
        """Wait no longer for a seat, which has left the game."""
        if seat in self.owing:
            self.owing.remove(seat)

    @property
    def is_complete(self) -> bool:
        """Whether all moves are in."""
        return not self.owing

    def reveal(self) -> dict[int, Chosen]:
        """Return all moves by seat, in ascending order, and forget them; raise while one is due."""
        if self.owing:
            raise ValueError(self.owing)
        moves, self.moves = self.moves, {}
        return dict(sorted(moves.items()))

    def own(self, viewer: int | None) -> Chosen | None:
        """Return the move that a viewer has made in this phase, or None."""
        return None if viewer is None else self.moves.get(viewer)

    def elapse(self, ms: int) -> None:
        """Let the clock of the phase run for `ms`."""
        self.spent_ms += ms

    def clock(self) -> TurnClock | None:
        """Return the clock of the phase; None without a limit, or when all moves are in."""
        if self.limit_ms is None or not self.owing:
            return None
        return TurnClock(max(0, self.limit_ms - self.spent_ms))
