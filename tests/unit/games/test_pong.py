from collections.abc import Iterator, Sequence
from itertools import cycle, islice, pairwise, repeat
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.games.chance import Chance
from service.games.options import check_options, set_up
from service.games.pong import (
    BALL_SPEED_MAX,
    LEFT,
    LEFT_FACE_X,
    PADDLE_WIDTH,
    PONG,
    RIGHT,
    RIGHT_FACE_X,
    SERVE_DELAY_TICKS,
    SERVE_X,
    SERVE_Y,
    Ball,
    KeysHeld,
    Paddle,
    PongState,
    Scored,
    Served,
)
from service.games.protocol import GameEvent, InvalidMove, InvalidOptions, Key, Result
from tests.effort import effort

UP = {"direction": "w", "action": "down"}
DOWN = {"direction": "s", "action": "down"}

MANY_STEPS = 3_000

Holds = Sequence[tuple[int, bool, bool, int]]
"""Who holds which keys, and how many steps pass until the next one."""

SEEDS = st.integers(0, 2**64 - 1)
HOLDS = st.lists(
    st.tuples(st.sampled_from([LEFT, RIGHT]), st.booleans(), st.booleans(), st.integers(0, 90)),
    max_size=20,
)


def beginning(seed: int = 1, **options: Any) -> PongState:
    state: PongState = set_up(PONG, seed, options, 2)
    return state


def playing(ball: Ball | None, left: float = 37.5, right: float = 37.5) -> PongState:
    """Return a state with the ball wherever a test wants it."""
    return PongState(
        ticks_left=MANY_STEPS,
        chance=Chance(1),
        serve_side=LEFT,
        paddles=(Paddle(left), Paddle(right)),
        scores=[0, 0],
        ball=ball,
    )


def stepped(state: PongState) -> Ball:
    """Step once and return the ball, which must still be in play."""
    assert list(PONG.step(state)) == []
    assert state.ball is not None
    return state.ball


def held(seat: int, *, up: bool = False, down: bool = False) -> PongState:
    """Return a beginning where `seat` holds these keys."""
    state = beginning()
    PONG.apply(state, KeysHeld(seat, up, down))
    return state


def motion(state: PongState, seat: int, steps: int) -> list[tuple[float, float]]:
    """Step and return the place and the speed of a paddle after each step."""
    seen = []
    for _ in range(steps):
        PONG.step(state)
        seen.append((state.paddles[seat].y, state.paddles[seat].speed))
    return seen


def in_turn(holds: Holds) -> Iterator[list[KeysHeld]]:
    """Yield the inputs of each step, for ever."""
    for seat, up, down, wait in cycle(holds or [(LEFT, False, False, 0)]):
        yield [KeysHeld(seat, up, down)]
        yield from repeat([], wait)


def run_on(state: PongState, inputs: Iterator[list[KeysHeld]], steps: int) -> list[GameEvent]:
    outcomes: list[GameEvent] = []
    for _, events in zip(range(steps), inputs, strict=False):
        for event in events:
            PONG.apply(state, event)
        outcomes += PONG.step(state)
    return outcomes


def encoded(state: PongState) -> bytes:
    return msgspec.json.encode(state)


# Paddles


def test_paddles_start_centered_and_at_rest() -> None:
    state = beginning()
    assert motion(state, LEFT, 10) == [(37.5, 0.0)] * 10
    assert state.paddles[RIGHT] == Paddle(y=37.5)


@pytest.mark.parametrize(("keys", "sign"), [({"up": True}, -1), ({"down": True}, 1)])
@pytest.mark.parametrize("seat", [LEFT, RIGHT])
def test_a_held_key_accelerates_by_0_8_a_step_up_to_3(
    seat: int, keys: dict[str, bool], sign: int
) -> None:
    steps = motion(held(seat, **keys), seat, 6)
    speeds = [0.8, 1.6, 2.4, 3.0, 3.0, 3.0]
    assert [speed for _, speed in steps] == pytest.approx([sign * speed for speed in speeds])
    assert [y for y, _ in steps] == pytest.approx(
        [37.5 + sign * sum(speeds[: step + 1]) for step in range(6)]
    )


def test_the_paddle_of_the_other_seat_does_not_move() -> None:
    state = held(LEFT, up=True)
    assert motion(state, RIGHT, 10) == [(37.5, 0.0)] * 10


def test_without_a_key_the_speed_decays_by_0_9_a_step() -> None:
    state = playing(None)
    state.paddles[LEFT].speed = 3.0
    steps = motion(state, LEFT, 3)
    assert [speed for _, speed in steps] == pytest.approx([2.7, 2.43, 2.187])
    assert [y for y, _ in steps] == pytest.approx([40.2, 42.63, 44.817])


def test_a_decaying_paddle_speed_reaches_zero() -> None:
    state = playing(None)
    state.paddles[LEFT].speed = -3.0
    steps = motion(state, LEFT, 100)
    assert steps[-1][1] == 0.0
    assert steps[-1] == steps[-2]


def test_both_keys_held_cancel_each_other() -> None:
    assert motion(held(LEFT, up=True, down=True), LEFT, 5) == [(37.5, 0.0)] * 5
    state = held(LEFT, down=True)
    motion(state, LEFT, 4)
    PONG.apply(state, KeysHeld(LEFT, up=True, down=True))
    assert motion(state, LEFT, 1)[0][1] == pytest.approx(2.7)


@pytest.mark.parametrize(("keys", "edge"), [({"up": True}, 0.0), ({"down": True}, 75.0)])
def test_a_paddle_stops_at_the_edge_and_keeps_no_speed(keys: dict[str, bool], edge: float) -> None:
    steps = motion(held(LEFT, **keys), LEFT, 40)
    assert steps[-1] == (edge, 0.0)


def test_a_paddle_leaves_the_edge_at_once() -> None:
    state = held(LEFT, up=True)
    motion(state, LEFT, 40)
    PONG.apply(state, KeysHeld(LEFT, up=False, down=True))
    assert motion(state, LEFT, 1) == [(0.8, 0.8)]


# Serves


@pytest.mark.parametrize("seed", range(8))
def test_the_first_step_serves_from_the_middle_at_1_5_and_1(seed: int) -> None:
    state = beginning(seed)
    (served,) = PONG.step(state)
    assert isinstance(served, Served)
    assert state.ball is not None
    assert state.ball.x == pytest.approx(48.35)
    assert state.ball.y == 47.5
    assert state.ball.speed_x == (1.5 if served.side == RIGHT else -1.5)
    assert state.ball.speed_y == (-1.0 if served.up else 1.0)


def test_the_seed_decides_the_first_side_and_direction() -> None:
    first = [PONG.step(beginning(seed))[0] for seed in range(64)]
    assert {(one.side, one.up) for one in first if isinstance(one, Served)} == {
        (side, up) for side in (LEFT, RIGHT) for up in (True, False)
    }


@pytest.mark.parametrize("seed", range(4))
def test_the_side_of_the_serve_alternates_whoever_scores(seed: int) -> None:
    outcomes = run_on(beginning(seed), in_turn([]), 1_800)
    sides = [one.side for one in outcomes if isinstance(one, Served)]
    assert len(sides) > 10
    assert all(one != other for one, other in pairwise(sides))


def test_the_direction_of_later_serves_is_random() -> None:
    outcomes = run_on(beginning(3), in_turn([]), 1_800)
    assert {one.up for one in outcomes if isinstance(one, Served)} == {True, False}


# The ball


def test_a_ball_moves_by_its_speed() -> None:
    ball = stepped(playing(Ball(50.0, 40.0, 1.5, -1.0)))
    assert ball == Ball(51.5, 39.0, 1.5, -1.0)


def test_the_ball_bounces_off_the_top() -> None:
    assert stepped(playing(Ball(50.0, 0.25, 1.5, -1.0))) == Ball(51.5, 0.75, 1.5, 1.0)


def test_the_ball_bounces_off_the_bottom() -> None:
    assert stepped(playing(Ball(50.0, 94.75, 1.5, 1.0))) == Ball(51.5, 94.25, 1.5, -1.0)


@pytest.mark.parametrize(
    ("ball", "after"),
    [
        (Ball(LEFT_FACE_X + 0.5, 50.0, -1.5, 1.0), Ball(LEFT_FACE_X + 1.0, 51.0, 1.575, 1.05)),
        (Ball(RIGHT_FACE_X - 0.5, 50.0, 1.5, -1.0), Ball(RIGHT_FACE_X - 1.0, 49.0, -1.575, -1.05)),
    ],
)
def test_a_paddle_returns_the_ball_5_percent_faster(ball: Ball, after: Ball) -> None:
    sent = stepped(playing(ball))
    assert msgspec.structs.astuple(sent) == pytest.approx(msgspec.structs.astuple(after))


@pytest.mark.parametrize(
    ("face_x", "speed_x"), [(LEFT_FACE_X, -1.5), (RIGHT_FACE_X, 1.5)], ids=["left", "right"]
)
def test_a_ball_that_ends_a_step_on_the_face_is_returned_by_the_next_step(
    face_x: float, speed_x: float
) -> None:
    state = playing(Ball(face_x - speed_x, 50.0, speed_x, 0.0))
    on_face = stepped(state)
    assert (on_face.x, on_face.speed_x) == (face_x, speed_x)
    assert stepped(state).speed_x == pytest.approx(-1.05 * speed_x)


def test_ball_speeds_are_capped_at_3() -> None:
    sent = stepped(playing(Ball(LEFT_FACE_X + 0.5, 50.0, -2.9, 2.9)))
    assert (sent.speed_x, sent.speed_y) == (3.0, 3.0)
    sent = stepped(playing(Ball(RIGHT_FACE_X - 0.5, 50.0, 3.0, -3.0)))
    assert (sent.speed_x, sent.speed_y) == (-3.0, -3.0)


def test_the_speed_cap_is_below_the_paddle_width() -> None:
    assert BALL_SPEED_MAX == 3.0
    assert BALL_SPEED_MAX < PADDLE_WIDTH


@pytest.mark.parametrize(("y", "meets"), [(32.4, False), (32.6, True), (62.4, True), (62.6, False)])
def test_any_overlap_with_the_paddle_returns_the_ball(y: float, meets: bool) -> None:  # noqa: FBT001 - a parameter of the table
    left = stepped(playing(Ball(LEFT_FACE_X + 0.5, y, -1.5, 0.0)))
    right = stepped(playing(Ball(RIGHT_FACE_X - 0.5, y, 1.5, 0.0)))
    assert (left.speed_x > 0) is meets
    assert (right.speed_x < 0) is meets


def test_a_ball_that_crosses_the_paddle_within_a_step_is_returned() -> None:
    ball = stepped(playing(Ball(LEFT_FACE_X + 0.8, 60.0, -3.0, 3.0)))
    assert ball.y == pytest.approx(63.0)
    assert ball.speed_x > 0


def test_a_ball_behind_the_face_is_not_returned_by_the_side() -> None:
    ball = stepped(playing(Ball(LEFT_FACE_X + 0.8, 31.0, -3.0, 3.0)))
    assert ball.y == pytest.approx(34.0)
    assert ball.speed_x == -3.0


def test_a_ball_can_bounce_off_the_top_and_a_paddle_in_one_step() -> None:
    ball = stepped(playing(Ball(LEFT_FACE_X + 1.0, 0.5, -2.0, -2.0), left=0.0))
    assert msgspec.structs.astuple(ball) == pytest.approx((LEFT_FACE_X + 1.0, 1.5, 2.1, 2.1))


def test_the_paddle_is_hit_at_the_height_after_the_bounce() -> None:
    # It comes to the face at 95 - 0.5, after it was at 95: the paddle covers that, just so.
    ball = stepped(playing(Ball(RIGHT_FACE_X - 2.0, 94.0, 3.0, 2.25), right=70.0))
    assert ball.speed_x < 0
    assert ball.speed_y < 0
    # A paddle that ends above it does not.
    assert stepped(playing(Ball(RIGHT_FACE_X - 2.0, 94.0, 3.0, 2.25), right=69.0)).speed_x == 3.0


def test_the_paddle_moves_before_the_collision_check() -> None:
    state = playing(Ball(LEFT_FACE_X + 0.5, 63.0, -1.5, 0.0))
    PONG.apply(state, KeysHeld(LEFT, up=False, down=True))
    assert stepped(state).speed_x > 0


@pytest.mark.parametrize(
    "ball",
    [Ball(LEFT_FACE_X - 1.0, 50.0, 1.5, 0.0), Ball(RIGHT_FACE_X + 1.0, 50.0, -1.5, 0.0)],
)
def test_a_ball_from_behind_a_paddle_is_not_returned(ball: Ball) -> None:
    speed_x = ball.speed_x
    assert stepped(playing(ball)).speed_x == speed_x


@pytest.mark.parametrize(
    "ball",
    [Ball(LEFT_FACE_X - 0.1, 50.0, -1.5, 0.0), Ball(RIGHT_FACE_X + 0.1, 50.0, 1.5, 0.0)],
)
def test_a_late_paddle_does_not_return_the_ball(ball: Ball) -> None:
    speed_x = ball.speed_x
    assert stepped(playing(ball)).speed_x == speed_x


@given(
    distance=st.floats(0.0, 2.9),
    y=st.floats(0.0, 95.0),
    speed_x=st.floats(2.91, BALL_SPEED_MAX),
    speed_y=st.floats(-BALL_SPEED_MAX, BALL_SPEED_MAX),
    at=st.floats(-1.0, 21.0),
)
@effort()
def test_a_fast_ball_never_tunnels_through_a_paddle(
    distance: float, y: float, speed_x: float, speed_y: float, at: float
) -> None:
    # The paddle covers the whole way of the ball in this step, wherever on it that is.
    paddle = min(max(y - at, 0.0), 75.0)
    left = stepped(playing(Ball(LEFT_FACE_X + distance, y, -speed_x, speed_y), left=paddle))
    right = stepped(playing(Ball(RIGHT_FACE_X - distance, y, speed_x, speed_y), right=paddle))
    assert left.speed_x > 0
    assert left.x >= LEFT_FACE_X
    assert right.speed_x < 0
    assert right.x <= RIGHT_FACE_X


# Points


@pytest.mark.parametrize(
    ("ball", "seat", "scores"),
    [
        (Ball(-1.0, 10.0, -1.5, 0.0), RIGHT, (0, 1)),
        (Ball(97.7, 10.0, 1.5, 0.0), LEFT, (1, 0)),
    ],
)
def test_a_ball_whose_center_leaves_the_field_scores(
    ball: Ball, seat: int, scores: tuple[int, int]
) -> None:
    state = playing(ball)
    assert list(PONG.step(state)) == [Scored(seat, scores)]
    assert PONG.scores(state) == list(scores)
    assert state.ball is None


@pytest.mark.parametrize("ball", [Ball(0.0, 10.0, -1.5, 0.0), Ball(96.7, 10.0, 1.5, 0.0)])
def test_a_ball_whose_center_is_on_the_field_does_not_score(ball: Ball) -> None:
    stepped(playing(ball))


def test_the_recorded_scores_do_not_change_afterwards() -> None:
    state = playing(Ball(-1.0, 10.0, -1.5, 0.0))
    (scored,) = PONG.step(state)
    state.scores[RIGHT] = 9
    assert scored == Scored(RIGHT, (0, 1))


def test_after_a_point_there_is_no_ball_for_the_serve_delay() -> None:
    state = playing(Ball(-1.0, 10.0, -1.5, 0.0))
    PONG.step(state)
    for _ in range(SERVE_DELAY_TICKS - 1):
        assert {"ballX", "ballY"}.isdisjoint(msgspec.to_builtins(PONG.view(state, None)))
        assert list(PONG.step(state)) == []
    (served,) = PONG.step(state)
    assert isinstance(served, Served)
    assert state.ball is not None
    assert (state.ball.x, state.ball.y) == (SERVE_X, SERVE_Y)


def test_paddles_move_while_the_ball_is_out_of_play() -> None:
    state = playing(Ball(-1.0, 10.0, -1.5, 0.0))
    PONG.step(state)
    PONG.apply(state, KeysHeld(RIGHT, up=True, down=False))
    assert motion(state, RIGHT, 1) == [(37.5 - 0.8, -0.8)]


# The view


def test_the_view_has_wire_names_and_two_decimals() -> None:
    state = playing(Ball(12.3456, 7.891, 1.0, 1.0), left=1.23456, right=75.0)
    state.scores = [2, 3]
    assert msgspec.to_builtins(PONG.view(state, None)) == {
        "p1Y": 1.23,
        "p2Y": 75.0,
        "s1": 2,
        "s2": 3,
        "ballX": 12.35,
        "ballY": 7.89,
    }


def test_every_viewer_gets_the_same_view() -> None:
    state = playing(Ball(50.0, 50.0, 1.0, 1.0))
    assert PONG.view(state, None) == PONG.view(state, LEFT) == PONG.view(state, RIGHT)


# The clock and the result


@pytest.mark.parametrize(
    ("options", "ticks"),
    [
        ({}, 1_800),
        ({"duration_s": 1}, 60),
        ({"duration_s": 0.5}, 30),
        ({"duration_s": 3600}, 216_000),
    ],
)
def test_the_clock_has_60_ticks_a_second_and_30_seconds_by_default(
    options: dict[str, Any], ticks: int
) -> None:
    assert PONG.remaining_ticks(beginning(**options)) == ticks


def test_the_shortest_match_has_one_tick() -> None:
    assert PONG.remaining_ticks(beginning(duration_s=0.0001)) == 1


def test_each_step_takes_one_tick_off_the_clock() -> None:
    state = beginning(duration_s=1)
    for left in range(59, -1, -1):
        assert PONG.result(state) is None
        PONG.step(state)
        assert PONG.remaining_ticks(state) == left
    assert PONG.result(state) is not None
    assert state.tick == 60


def test_the_state_is_final_when_the_time_is_up() -> None:
    state = beginning(duration_s=1)
    run_on(state, in_turn([(LEFT, True, False, 5)]), 60)
    before = encoded(state)
    assert list(PONG.step(state)) == []
    assert encoded(state) == before


@pytest.mark.parametrize(
    ("scores", "winner"), [([0, 0], None), ([3, 3], None), ([2, 1], LEFT), ([1, 2], RIGHT)]
)
def test_the_higher_score_wins_and_equal_scores_are_a_draw(
    scores: list[int], winner: int | None
) -> None:
    state = beginning()
    state.scores = scores
    assert PONG.result(state) is None
    state.ticks_left = 0
    assert PONG.result(state) == Result(winner)


def test_the_scores_are_a_copy() -> None:
    state = beginning()
    PONG.scores(state)[LEFT] = 9
    assert PONG.scores(state) == [0, 0]


@pytest.mark.parametrize(
    "duration",
    [0, -1, 3600.5, float("nan"), float("inf"), -float("inf"), "30", None, [30], {}, True],
)
def test_an_invalid_duration_is_refused_with_a_message(duration: object) -> None:
    with pytest.raises(InvalidOptions, match=r"`duration_s`.* 3600") as caught:
        check_options(PONG, {"duration_s": duration})
    assert caught.value.code == "INVALID_OPTIONS"


def test_options_of_other_games_are_ignored() -> None:
    assert PONG.remaining_ticks(beginning(duration_s=1, colour="green")) == 60


# Moves


@pytest.mark.parametrize("seat", [LEFT, RIGHT])
@pytest.mark.parametrize("key", ["w", "ArrowUp"])
def test_either_key_for_up_works_for_either_seat(seat: int, key: str) -> None:
    move = {"direction": key, "action": "down"}
    assert PONG.decide(beginning(), seat, move) == [KeysHeld(seat, up=True, down=False)]


@pytest.mark.parametrize("seat", [LEFT, RIGHT])
@pytest.mark.parametrize("key", ["s", "ArrowDown"])
def test_either_key_for_down_works_for_either_seat(seat: int, key: str) -> None:
    move = {"direction": key, "action": "down"}
    assert PONG.decide(beginning(), seat, move) == [KeysHeld(seat, up=False, down=True)]


def test_decide_does_not_change_the_state_and_apply_does() -> None:
    state = beginning()
    before = encoded(state)
    (event,) = PONG.decide(state, RIGHT, UP)
    assert encoded(state) == before
    PONG.apply(state, event)
    assert state.paddles[RIGHT].up
    assert not state.paddles[LEFT].up


def test_a_second_key_is_held_beside_the_first() -> None:
    assert PONG.decide(held(LEFT, up=True), LEFT, DOWN) == [KeysHeld(LEFT, up=True, down=True)]


def test_a_released_key_leaves_the_other_one_held() -> None:
    move = {"direction": "w", "action": "up"}
    state = held(LEFT, up=True, down=True)
    assert PONG.decide(state, LEFT, move) == [KeysHeld(LEFT, up=False, down=True)]


def test_a_repeated_key_makes_no_event() -> None:
    assert PONG.decide(held(LEFT, up=True), LEFT, UP) == []
    assert PONG.decide(held(LEFT, up=True), LEFT, {**UP, "direction": "ArrowUp"}) == []


def test_releasing_an_unheld_key_makes_no_event() -> None:
    assert PONG.decide(beginning(), LEFT, {"direction": "s", "action": "up"}) == []


def test_holding_no_keys_releases_both() -> None:
    state = held(RIGHT, up=True, down=True)
    event = PONG.hold(RIGHT, ())
    assert event == KeysHeld(RIGHT, up=False, down=False)
    PONG.apply(state, event)
    assert PONG.decide(state, RIGHT, {**UP, "action": "up"}) == []


@pytest.mark.parametrize(
    ("direction", "action", "key"),
    [
        ("w", "down", Key("up", down=True)),
        ("ArrowUp", "up", Key("up", down=False)),
        ("s", "up", Key("down", down=False)),
        ("ArrowDown", "down", Key("down", down=True)),
    ],
)
def test_a_move_presses_or_releases_a_key(direction: str, action: str, key: Key) -> None:
    assert PONG.key_in({"direction": direction, "action": action}) == key


@pytest.mark.parametrize("key", ["left", "W", "", None, 1, ["w"], {"w": 1}])
def test_the_error_for_an_unknown_key_lists_the_keys(key: object) -> None:
    with pytest.raises(InvalidMove, match=r"`direction`.* w, s, ArrowUp, ArrowDown\.") as caught:
        PONG.decide(beginning(), LEFT, {"direction": key, "action": "down"})
    assert caught.value.code == "INVALID_MOVE"


@pytest.mark.parametrize("action", ["press", "DOWN", "", None, True, ["up"], {"up": 1}])
def test_the_error_for_an_unknown_action_lists_the_actions(action: object) -> None:
    with pytest.raises(InvalidMove, match=r"`action`.* down, up\.") as caught:
        PONG.decide(beginning(), LEFT, {"direction": "w", "action": action})
    assert caught.value.code == "INVALID_MOVE"


@pytest.mark.parametrize("move", [{}, {"direction": "w"}, {"action": "down"}])
def test_a_move_needs_a_key_and_an_action(move: dict[str, str]) -> None:
    with pytest.raises(InvalidMove):
        PONG.decide(beginning(), LEFT, move)


# Whole matches


@given(SEEDS, HOLDS)
@effort(30)
def test_the_state_stays_within_bounds_for_any_input(seed: int, holds: Holds) -> None:
    state = beginning(seed, duration_s=60)
    points = [0, 0]
    for _, events in zip(range(MANY_STEPS), in_turn(holds), strict=False):
        for event in events:
            PONG.apply(state, event)
        for outcome in PONG.step(state):
            if isinstance(outcome, Scored):
                points[outcome.seat] += 1
                assert list(outcome.scores) == points
        assert state.scores == points
        for paddle in state.paddles:
            assert 0.0 <= paddle.y <= 75.0
            assert -3.0 <= paddle.speed <= 3.0
        if state.ball is None:
            assert 0 < state.serve_in_ticks <= SERVE_DELAY_TICKS
        else:
            assert 0.0 <= state.ball.y <= 95.0
            assert 0.0 <= state.ball.x + 1.65 <= 100.0
            assert 1.5 <= abs(state.ball.speed_x) <= BALL_SPEED_MAX
            assert 1.0 <= abs(state.ball.speed_y) <= BALL_SPEED_MAX
    assert sum(points) > 0


@given(SEEDS, st.lists(st.floats(-1.0, 21.0), min_size=1, max_size=20))
@effort(20)
def test_a_ball_always_returned_reaches_the_maximum_speed(seed: int, places: list[float]) -> None:
    state = beginning(seed, duration_s=60)
    PONG.step(state)
    for _, place in zip(range(MANY_STEPS), cycle(places), strict=False):
        assert state.ball is not None
        for paddle in state.paddles:
            paddle.y = min(max(state.ball.y - place, 0.0), 75.0)
        assert list(PONG.step(state)) == []
    assert state.scores == [0, 0]
    assert state.ball is not None
    assert abs(state.ball.speed_x) == abs(state.ball.speed_y) == BALL_SPEED_MAX


@given(SEEDS, HOLDS)
@effort(20)
def test_the_same_seed_and_inputs_give_the_same_states(seed: int, holds: Holds) -> None:
    one, other = beginning(seed, duration_s=60), beginning(seed, duration_s=60)
    for _ in range(10):
        assert run_on(one, in_turn(holds), 100) == run_on(other, in_turn(holds), 100)
        assert encoded(one) == encoded(other)


@given(SEEDS, HOLDS, st.integers(0, 1_800))
@effort(30)
def test_a_state_restored_from_json_at_any_tick_continues_identically(
    seed: int, holds: Holds, tick: int
) -> None:
    state = beginning(seed)
    inputs = in_turn(holds)
    run_on(state, inputs, tick)
    again = msgspec.json.decode(encoded(state), type=PongState)
    assert again == state
    assert encoded(again) == encoded(state)
    future = list(islice(inputs, 400))
    assert run_on(again, iter(future), 400) == run_on(state, iter(future), 400)
    assert encoded(again) == encoded(state)


@pytest.mark.parametrize(
    "event",
    [KeysHeld(LEFT, up=True, down=False), Served(RIGHT, up=True), Scored(LEFT, (1, 0))],
)
def test_every_event_survives_json(event: GameEvent) -> None:
    assert msgspec.json.decode(msgspec.json.encode(event), type=PONG.event_type) == event


@pytest.mark.parametrize("event", [Served(LEFT, up=True), Scored(LEFT, (1, 0))])
def test_applying_an_outcome_changes_nothing(event: GameEvent) -> None:
    state = beginning()
    before = encoded(state)
    PONG.apply(state, event)
    assert encoded(state) == before


def test_the_serve_delay_is_three_quarters_of_a_second() -> None:
    assert SERVE_DELAY_TICKS == 45


@pytest.mark.parametrize("seat", [LEFT, RIGHT])
@pytest.mark.parametrize("keys", [["up"], ["down"], ["up", "down"], []])
def test_exactly_the_given_keys_are_held(seat: int, keys: list[str]) -> None:
    assert PONG.hold(seat, keys) == KeysHeld(seat, up="up" in keys, down="down" in keys)


@pytest.mark.parametrize(
    ("y", "speed_y", "is_hit"), [(64.0, -3.0, False), (62.0, 3.0, False), (63.0, -3.0, True)]
)
def test_the_collision_uses_the_height_at_the_face(
    y: float, speed_y: float, *, is_hit: bool
) -> None:
    # Half a step before the left face; the paddle reaches from 37.5 to 62.5.
    state = set_up(PONG, 1, {}, 2)
    state.ball = ball = Ball(3.3 + 0.75, y, -1.5, speed_y)
    PONG.step(state)
    assert (ball.speed_x > 0) is is_hit
