"""Checks of the bots of a game: their moves are legal, and the same each time."""

from __future__ import annotations

from copy import deepcopy

from service.games.bots import BOT_HZ, Memory, bot_chance
from service.games.protocol import InvalidMove, Move, Sight
from service.games.testing.playing import Subject, Table, ask, encoded, fail, shortened


def check_bots(subject: Subject) -> None:
    """Bots of each level play matches to their ends, by legal moves, the same ones each time."""
    levels = range(1, subject.game.bot_levels + 1)
    for number, level in enumerate(levels):
        start = subject.starts[number % len(subject.starts)]
        table = Table(subject.game, start, subject.pick)
        memories = [Memory() for _ in range(start.players)]
        while not table.is_over and table.run.tick < subject.ticks_max:
            if not _take_turns(table, memories, level) and not subject.game.tick_hz:
                break
        if not table.is_over:
            fail(
                f"A match between bots of level {level} does not end: after {table.run.tick} ticks "
                f"the state is {shortened(table.run.state)}."
            )


def _take_turns(table: Table, memories: list[Memory], level: int) -> bool:
    """Let each bot move, and take one tick; return whether any has moved."""
    game, has_moved = table.game, False
    every = max(1, game.tick_hz // BOT_HZ)
    for seat, memory in enumerate(memories):
        if table.is_over or (table.run.tick % every and game.tick_hz):
            continue
        for move in _moves_of(table, memory, seat, level):
            _make(table, seat, level, move)
            has_moved = True
    if game.tick_hz:
        table.step()
    return has_moved


def _moves_of(table: Table, memory: Memory, seat: int, level: int) -> list[Move]:
    """Ask a bot twice for its moves."""
    game, tick = table.game, table.run.tick
    state = ask("apply()", table.run.ahead)
    sight = ask("view()", lambda: memory.look(game, state, seat, tick))
    if not game.tick_hz and not sight.moves:
        return []

    def once(sight: Sight) -> list[Move]:
        chance = bot_chance(table.played.start.seed, seat, tick)
        return ask(f"bot() of level {level}", lambda: list(game.bot(sight, level, chance)))

    before = encoded("the view", sight.view)
    moves = once(deepcopy(sight))
    if encoded("the moves of bot()", moves) != encoded("the moves of bot()", once(sight)):
        fail(
            f"bot() of level {level} made other moves by the same chance: {shortened(moves)} the "
            "first time. Use nothing but `sight`, `level` and `chance`: no `random`, no clock, and "
            "nothing kept between calls."
        )
    if encoded("the view", sight.view) != before:
        fail(f"bot() of level {level} changed the view that it was given: make a copy of it.")
    return moves


def _make(table: Table, seat: int, level: int, move: Move) -> None:
    try:
        table.move(seat, move)
    except InvalidMove as error:
        fail(
            f"bot() of level {level} made the move {shortened(move)} in seat {seat}, which "
            f"decide() refused ({error.message}); sight.moves are those that it takes. The state "
            f"was {shortened(table.run.state)}."
        )
