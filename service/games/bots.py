"""Bots of the service: what they are given, their chance, and matches between them.

A bot is given no state, only a `Sight`, and a chance that follows from the seed of its match, its
seat and the tick that this is shown. So a decision depends on nothing that the node which runs the
match would have to hand over, and tells nothing about what is hidden from the bot, or about what
the chance of the match will do.
"""

from __future__ import annotations

import hashlib
from copy import deepcopy
from typing import TYPE_CHECKING

from service.games.chance import Chance
from service.games.options import set_up
from service.games.protocol import Sight

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    import msgspec

    from service.games.protocol import Game, Move, Result, State

BOT_HZ = 10
"""How often a bot decides in a game with ticks, per second."""

MOVES_MAX = 16
"""Maximum number of moves that a bot makes at once."""

INPUTS_MAX = 1000
"""Maximum number of inputs of `play_bots` in a game without ticks."""


def bot_chance(seed: int, seat: int, tick: int) -> Chance:
    """Return the chance of a bot's decision."""
    # Hashed, so that no bot can work the generator of the match out.
    digest = hashlib.sha256(b"bot:%d:%d:%d" % (seed, seat, tick)).digest()
    return Chance(int.from_bytes(digest[:8]))


class Memory:
    """What one bot keeps between its decisions: the view at the last one."""

    __slots__ = ("_before", "_seen", "_tick")

    def __init__(self) -> None:
        """Begin without any."""
        self._before: msgspec.Struct | None = None
        self._seen: msgspec.Struct | None = None
        self._tick = 0

    def look(self, game: Game, state: State, seat: int, tick: int) -> Sight:
        """Return what a seat sees at `tick`, and remember it; raise what the rules raise.

        `tick` is the one that the seat is shown. Without ticks, who looks twice at the same has
        decided nothing in between, and sees the same: else it would tell of a hidden input.
        """
        # A copy: the view may share lists with the state, which changes while the bot decides.
        view = deepcopy(game.view(state, seat))
        # Without ticks, each input takes one.
        ticks = tick - self._tick if game.tick_hz else 0
        if game.tick_hz or tick != self._tick or view != self._seen:
            self._before, self._seen, self._tick = self._seen, view, tick
        return Sight(seat, view, game.legal_moves(state, seat), self._before, ticks)


def play_bots(
    game: Game, levels: Sequence[int], seed: int, options: Mapping[str, Any]
) -> tuple[Result | None, State]:
    """Play a whole match between bots, by the rules alone; return the result and the last state.

    The result is None for a match without an end: one that no bot moves on.
    """
    state = set_up(game, seed, options, len(levels))
    memories = [Memory() for _ in levels]
    every = max(1, game.tick_hz // BOT_HZ)
    tick = 0
    while (result := game.result(state)) is None and (game.tick_hz or tick < INPUTS_MAX):
        if tick % every == 0 or not game.tick_hz:
            for seat, level in enumerate(levels):
                sight = memories[seat].look(game, state, seat, tick)
                if game.tick_hz or sight.moves:
                    moves = game.bot(sight, level, bot_chance(seed, seat, tick))
                    make_moves(game, state, seat, moves)
        game.step(state)
        tick += 1
    return result, state


def make_moves(game: Game, state: State, seat: int, moves: Sequence[Move]) -> None:
    """Decide moves and apply their inputs to `state`; raise what the rules raise."""
    for move in moves[:MOVES_MAX]:
        for event in game.decide(state, seat, move):
            game.apply(state, event)
