"""A step takes shortcuts for what is commonest, with exactly the results of the whole step."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from service.games import pong
from service.games.chance import Chance
from service.games.pong import PONG, Ball, Paddle, PongState
from service.games.protocol import GameEvent

FACES = (pong.LEFT_FACE_X, pong.RIGHT_FACE_X, pong.LEFT_GOAL_X, pong.RIGHT_GOAL_X)
WALLS = (0.0, -0.0, pong.BALL_Y_MAX)

SPEEDS = st.one_of(
    st.sampled_from([0.0, -0.0, pong.SERVE_SPEED_X, -pong.SERVE_SPEED_Y, pong.BALL_SPEED_MAX]),
    st.floats(-pong.BALL_SPEED_MAX, pong.BALL_SPEED_MAX),
)
BALLS = st.builds(
    Ball,
    x=st.one_of(st.sampled_from(FACES), st.floats(pong.LEFT_GOAL_X, pong.RIGHT_GOAL_X)),
    y=st.one_of(st.sampled_from(WALLS), st.floats(0.0, pong.BALL_Y_MAX)),
    speed_x=SPEEDS.filter(bool),
    speed_y=SPEEDS,
)
PADDLES = st.builds(
    Paddle,
    y=st.one_of(st.sampled_from([0.0, pong.PADDLE_Y_MAX]), st.floats(0.0, pong.PADDLE_Y_MAX)),
    speed=SPEEDS,
    up=st.booleans(),
    down=st.booleans(),
)


def whole_step(state: PongState) -> Sequence[GameEvent]:
    """Step as `docs/pong.md` says it, without a shortcut."""
    if not state.ticks_left:
        return ()
    state.tick += 1
    state.ticks_left -= 1
    left, right = state.paddles
    pong._move_paddle(left)  # noqa: SLF001 - the parts of a step
    pong._move_paddle(right)  # noqa: SLF001 - the same
    ball = state.ball
    if ball is None:
        return pong._await_serve(state)  # noqa: SLF001 - the same
    pong._move_ball(ball, left, right)  # noqa: SLF001 - the same
    if ball.x < pong.LEFT_GOAL_X:
        return pong._score(state, pong.RIGHT)  # noqa: SLF001 - the same
    if ball.x > pong.RIGHT_GOAL_X:
        return pong._score(state, pong.LEFT)  # noqa: SLF001 - the same
    return ()


@given(st.none() | BALLS, PADDLES, PADDLES, st.integers(0, 300), st.integers(0, 2**53 - 1))
def test_shortcuts_change_no_result(
    ball: Ball | None, left: Paddle, right: Paddle, ticks: int, seed: int
) -> None:
    state = PongState(
        ticks_left=ticks,
        chance=Chance(seed),
        serve_side=pong.LEFT,
        paddles=(left, right),
        scores=[0, 0],
        ball=ball,
    )
    whole = copy.deepcopy(state)
    for _ in range(80):
        assert PONG.step(state) == whole_step(whole)
        assert msgspec.json.encode(state) == msgspec.json.encode(whole)
