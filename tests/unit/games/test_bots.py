"""Bots of games: levels differ, decisions follow from what a bot sees, and moves are legal."""

from __future__ import annotations

import pytest

from service.games.bots import Memory, bot_chance, make_moves, play_bots
from service.games.chance import Chance
from service.games.connect_four_2 import CONNECT_FOUR_2, ConnectFourOptions
from service.games.pong import PONG, PongOptions
from service.games.protocol import Game

SEEDS = range(8)


@pytest.mark.parametrize("game", [PONG, CONNECT_FOUR_2], ids=lambda game: game.name)
@pytest.mark.parametrize(("stronger", "weaker"), [(3, 1), (2, 1), (3, 2)])
def test_a_higher_level_wins_most_matches(game: Game, stronger: int, weaker: int) -> None:
    won = lost = 0
    for seed in SEEDS:
        seat = seed % 2
        levels = (stronger, weaker) if seat == 0 else (weaker, stronger)
        result, _ = play_bots(game, levels, seed, {})
        assert result is not None
        won += result.winner == seat
        lost += result.winner == 1 - seat
    assert won >= 6
    assert lost <= 1


@pytest.mark.parametrize("game", [PONG, CONNECT_FOUR_2], ids=lambda game: game.name)
@pytest.mark.parametrize("level", [1, 2, 3])
def test_the_same_seed_gives_the_same_match(game: Game, level: int) -> None:
    matches = [play_bots(game, (level, level), 7, {}) for _ in range(2)]
    assert matches[0] == matches[1]


@pytest.mark.parametrize("level", [1, 2, 3])
def test_every_move_of_connect_four_is_legal(level: int) -> None:
    state = CONNECT_FOUR_2.setup(3, ConnectFourOptions(), 2)
    for tick in range(42):
        if CONNECT_FOUR_2.result(state) is not None:
            break
        seat = state.turn
        assert seat is not None
        sight = Memory().look(CONNECT_FOUR_2, state, seat, tick)
        moves = CONNECT_FOUR_2.bot(sight, level, bot_chance(3, seat, tick))
        assert len(moves) == 1
        assert moves[0] in sight.moves
        make_moves(CONNECT_FOUR_2, state, seat, moves)


@pytest.mark.parametrize("seat", [0, 1])
@pytest.mark.parametrize("column", range(7))
def test_a_bot_of_connect_four_takes_and_blocks_a_win(seat: int, column: int) -> None:
    state = CONNECT_FOUR_2.setup(3, ConnectFourOptions(), 2)
    state.columns[column] = [0, 0, 0]
    state.turn = seat
    sight = Memory().look(CONNECT_FOUR_2, state, seat, 0)
    for level in (2, 3):
        assert CONNECT_FOUR_2.bot(sight, level, Chance(1)) == [{"column": column}]


def test_a_bot_sees_what_its_seat_sees_and_its_previous_view() -> None:
    state, memory = PONG.setup(5, PongOptions(), 2), Memory()
    first = memory.look(PONG, state, 0, 0)
    assert (first.seat, first.before) == (0, None)
    for _ in range(6):
        PONG.step(state)
    second = memory.look(PONG, state, 0, 6)
    assert (second.before, second.ticks) == (first.view, 6)
    assert second.view == PONG.view(state, 0)


def test_the_chance_of_a_decision_depends_on_match_seat_and_tick_alone() -> None:
    wanted = {(1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1), (12, 0, 1), (1, 20, 1)}
    chances = {bot_chance(*one).state for one in wanted}
    assert len(chances) == len(wanted)
    assert bot_chance(1, 0, 0) == bot_chance(1, 0, 0)


def test_a_choice_is_one_of_the_items_each_as_often() -> None:
    chance, counts = Chance(4), [0] * 5
    for _ in range(5000):
        counts[chance.choice(range(5))] += 1
    assert min(counts) > 900
