"""The numbers of each game, at their bounds, and the defaults of the mixins."""

from __future__ import annotations

from typing import Any

import pytest

from service.games.catalogue import GAMES
from service.games.chance import Chance
from service.games.connect_four import CONNECT_FOUR, ConnectFourOptions
from service.games.options import check_options, option_names, set_up
from service.games.pong import PONG, Ball, PongState
from service.games.protocol import Game, InvalidOptions
from service.games.relay import RELAY

ROLLS_OUT_TO_A_THOUSANDTH = 0.0011111111111111111
"""A speed which friction brings to 0.001 exactly."""


@pytest.mark.parametrize(
    ("game", "seats"), [(PONG, range(2, 3)), (CONNECT_FOUR, range(2, 3)), (RELAY, range(1, 17))]
)
def test_each_game_has_its_range_of_seats(game: Game, seats: range) -> None:
    assert game.seats == seats


@pytest.mark.parametrize(
    ("game", "tick_hz", "ordered", "options"),
    [
        (PONG, 60, False, ("duration_s",)),
        (CONNECT_FOUR, 0, True, ("turn_s",)),
        (RELAY, 0, False, ()),
    ],
)
def test_a_game_advances_by_ticks_turns_or_free_moves(
    game: Game, tick_hz: int, options: tuple[str, ...], *, ordered: bool
) -> None:
    assert (game.tick_hz, game.ordered, option_names(game)) == (tick_hz, ordered, options)
    assert game.rules_version == 1


@pytest.mark.parametrize("turn_s", [1, 1.0, 3600, 3600.0])
def test_a_turn_may_take_from_a_second_to_an_hour(turn_s: float) -> None:
    state = set_up(CONNECT_FOUR, 7, {"turn_s": turn_s}, 2)
    options = check_options(CONNECT_FOUR, {"turn_s": turn_s})
    assert CONNECT_FOUR.turn_s(state, options) == turn_s


@pytest.mark.parametrize("turn_s", [0.999, 0, -1, 3600.001, True, "20", None])
def test_an_out_of_range_turn_time_is_refused(turn_s: object) -> None:
    with pytest.raises(InvalidOptions, match=r"`turn_s` must be a number from 1 to 3600"):
        check_options(CONNECT_FOUR, {"turn_s": turn_s})


def test_the_turn_time_defaults_to_30_seconds() -> None:
    assert CONNECT_FOUR.turn_s(set_up(CONNECT_FOUR, 7, {}, 2), ConnectFourOptions()) == 30


@pytest.mark.parametrize(
    ("duration_s", "ticks"),
    [(0.001, 1), (1 / 60, 1), (0.02, 1), (0.03, 2), (1, 60), (3600, 216_000)],
)
def test_the_duration_of_pong_is_rounded_up_to_at_least_one_tick(
    duration_s: float, ticks: int
) -> None:
    state = set_up(PONG, 7, {"duration_s": duration_s}, 2)
    assert PONG.remaining_ticks(state) == ticks


@pytest.mark.parametrize("duration_s", [0, -1, 3600.001, True, "30", None])
def test_an_out_of_range_duration_of_pong_is_refused(duration_s: object) -> None:
    with pytest.raises(InvalidOptions, match=r"`duration_s` must be a number above 0 and at most"):
        check_options(PONG, {"duration_s": duration_s})


@pytest.mark.parametrize(("seed", "state"), [(5, 5), (2**64 + 5, 5), (-1, 2**64 - 1)])
def test_a_generator_keeps_64_bits_of_its_seed(seed: int, state: int) -> None:
    assert Chance(seed).state == state


def test_the_catalogue_has_all_games_once() -> None:
    assert sorted(GAMES) == ["connect_four", "pong", "relay"]
    assert len(GAMES) == 3


@pytest.mark.parametrize("game", [CONNECT_FOUR, RELAY])
def test_a_game_without_ticks_has_no_keys_steps_or_clock(game: Game) -> None:
    state: Any = set_up(game, 7, {}, 2)
    before = game.view(state, None)
    assert game.key_in({"direction": "w", "action": "down"}) is None
    assert list(game.step(state)) == []
    assert game.view(state, None) == before
    assert game.remaining_ticks(state) is None
    with pytest.raises(NotImplementedError):
        game.hold(0, ["up"])


@pytest.mark.parametrize("game", [PONG, RELAY])
def test_a_game_without_turns_has_no_turn_clock(game: Game) -> None:
    state = set_up(game, 7, {}, 2)
    assert game.clock(state, game.options_type()) is None
    with pytest.raises(NotImplementedError):
        game.timeout(state)


def rolling(**ball: float) -> PongState:
    """Return a match of Pong with a ball in play."""
    state: PongState = set_up(PONG, 7, {}, 2)
    state.ball = Ball(**({"x": 50.0, "y": 50.0, "speed_x": 1.0, "speed_y": 1.0} | ball))
    return state


@pytest.mark.parametrize(("y", "speed_y"), [(94.0, 1.0), (1.0, -1.0)])
def test_a_ball_that_touches_the_edge_exactly_has_not_bounced_yet(y: float, speed_y: float) -> None:
    state = rolling(y=y, speed_y=speed_y)
    PONG.step(state)
    assert state.ball is not None
    assert (state.ball.y, state.ball.speed_y) == (y + speed_y, speed_y)


@pytest.mark.parametrize(("y", "speed_y", "after"), [(94.0, 1.5, 94.5), (1.0, -1.5, 0.5)])
def test_a_ball_beyond_the_edge_is_mirrored(y: float, speed_y: float, after: float) -> None:
    state = rolling(y=y, speed_y=speed_y)
    PONG.step(state)
    assert state.ball is not None
    assert (state.ball.y, state.ball.speed_y) == (after, -speed_y)


@pytest.mark.parametrize(("paddle_y", "is_met"), [(5.4, True), (5.6, False)])
def test_a_ball_near_the_top_meets_a_paddle_that_it_overlaps(
    paddle_y: float, *, is_met: bool
) -> None:
    state = rolling(x=3.5, y=0.5, speed_x=-1.0, speed_y=0.0)
    state.paddles[0].y = paddle_y
    PONG.step(state)
    assert state.ball is not None
    assert (state.ball.speed_x > 0) is is_met


def test_a_paddle_stops_below_a_thousandth_of_a_step() -> None:
    state = set_up(PONG, 7, {}, 2)
    paddle = state.paddles[0]
    paddle.speed = ROLLS_OUT_TO_A_THOUSANDTH
    PONG.step(state)
    assert paddle.speed == 0.001
    PONG.step(state)
    assert paddle.speed == 0.0


@pytest.mark.parametrize("seed", range(8))
def test_the_seed_decides_the_first_serve(seed: int) -> None:
    assert set_up(PONG, seed, {}, 2).serve_side == (0 if Chance(seed).flip() else 1)
