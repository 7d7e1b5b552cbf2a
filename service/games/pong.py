"""Pong: two paddles, a ball, and a clock; `docs/pong.md` has the rules and the order of a step.

Lengths are per cent of the field both ways, speeds are per step, `y` grows downwards. The
numbers are those of the contract with existing clients ("Pong as the frontend draws it"),
unless their comment says that they are ours. Seat 0 plays on the left, seat 1 on the right.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from service.games.chance import Chance
from service.games.figures import Course, Figure, pong_figures
from service.games.pong_bot import PongBots
from service.games.protocol import (
    GameEvent,
    InvalidMove,
    Key,
    NoTurnClock,
    OpenToAll,
    Result,
)

TICK_HZ = 60

DURATION_DEFAULT_S = 30.0
DURATION_MAX_S = 3600
"""Our limit, not of the contract: one hour."""

LEFT, RIGHT = 0, 1

UP, DOWN = "up", "down"
"""The keys of a player, by which way the paddle goes."""

FIELD = 100.0
PADDLE_WIDTH = 3.3
PADDLE_HEIGHT = 25.0
BALL_WIDTH = 3.3
BALL_HEIGHT = 5.0

PADDLE_START_Y = 37.5
PADDLE_Y_MAX = FIELD - PADDLE_HEIGHT
PADDLE_ACCELERATION = 0.8
PADDLE_SPEED_MAX = 3.0
PADDLE_FRICTION = 0.9
PADDLE_REST_SPEED = 0.001
"""Ours: a slower paddle stops; its remaining way is below the resolution of the wire."""

SERVE_X = (FIELD - BALL_WIDTH) / 2
SERVE_Y = (FIELD - BALL_HEIGHT) / 2
SERVE_SPEED_X = 0.6 * 2.5
SERVE_SPEED_Y = 0.4 * 2.5
SERVE_DELAY_TICKS = 45
"""Ours: the ball is out of play for 0.75 s after a point."""

BALL_Y_MAX = FIELD - BALL_HEIGHT
BALL_SPEED_UP = 1.05
BALL_SPEED_MAX = 3.0
"""Ours, for both directions: below a paddle's width a step, and no faster than a paddle."""

LEFT_FACE_X = PADDLE_WIDTH
"""Where the ball's left top is when it touches the face of the left paddle."""
RIGHT_FACE_X = FIELD - PADDLE_WIDTH - BALL_WIDTH
"""Where the ball's left top is when it touches the face of the right paddle."""
LEFT_GOAL_X = -BALL_WIDTH / 2
"""Left of it, the ball's middle is out of the field."""
RIGHT_GOAL_X = FIELD - BALL_WIDTH / 2
"""Right of it, the ball's middle is out of the field."""

WIRE_DECIMALS = 2


class UnknownKey(InvalidMove):
    """The `direction` of a move must be one of: w, s, ArrowUp, ArrowDown."""


class UnknownAction(InvalidMove):
    """The `action` of a move must be one of: down, up."""


class KeysHeld(GameEvent, frozen=True, tag="keys_held"):
    """An input: from now on `seat` holds exactly these keys."""

    seat: int
    up: bool
    down: bool


class Served(GameEvent, frozen=True, tag="served"):
    """An outcome: the ball came into play, flying towards the seat `side`, up or down."""

    side: int
    up: bool


class Scored(GameEvent, frozen=True, tag="scored"):
    """An outcome: `seat` made a point, and `scores` is the new score."""

    seat: int
    scores: tuple[int, int]


PongEvent: TypeAlias = KeysHeld | Served | Scored


class PongOptions(msgspec.Struct, frozen=True):
    """The options of Pong."""

    duration_s: Annotated[
        float,
        msgspec.Meta(gt=0, le=DURATION_MAX_S, description="How long a match takes, in seconds."),
    ] = DURATION_DEFAULT_S


class Paddle(msgspec.Struct, gc=False):
    """A paddle: its top, its speed, and the keys that its player holds."""

    y: float = PADDLE_START_Y
    speed: float = 0.0
    up: bool = False
    down: bool = False


class Ball(msgspec.Struct, gc=False):
    """A ball in play: its left top and its speed."""

    x: float
    y: float
    speed_x: float
    speed_y: float


class PongState(msgspec.Struct, gc=False):
    """The whole state of a match."""

    ticks_left: int
    chance: Chance
    serve_side: int
    """The seat towards which the next serve flies."""
    paddles: tuple[Paddle, Paddle]
    scores: list[int]
    tick: int = 0
    """How many steps have been made."""
    ball: Ball | None = None
    """None while it is out of play."""
    serve_in_ticks: int = 1
    """Which of the coming steps serves, while the ball is out of play: 1 is the next one."""


class PongView(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """What everybody sees, named as on the wire: `p1Y`, `p2Y`, `s1`, `s2`, `ballX`, `ballY`."""

    p1_y: float
    p2_y: float
    s1: int
    s2: int
    ball_x: float | UnsetType = UNSET
    ball_y: float | UnsetType = UNSET


class Pong(OpenToAll, PongBots, NoTurnClock):
    """The rules of Pong; see `service.games.protocol.Game`."""

    name = "pong"
    title = "Pong"
    rules_version = 1
    seats = range(2, 3)
    tick_hz = TICK_HZ
    options_type: type[msgspec.Struct] = PongOptions
    ordered = False
    state_type: type[msgspec.Struct] = PongState
    event_type: Any = PongEvent

    def setup(self, seed: int, options: PongOptions, players: int) -> PongState:  # noqa: ARG002 - always two
        """Return the state before the first step."""
        chance = Chance(seed)
        return PongState(
            ticks_left=max(1, round(options.duration_s * TICK_HZ)),
            serve_side=LEFT if chance.flip() else RIGHT,
            chance=chance,
            paddles=(Paddle(), Paddle()),
            scores=[0, 0],
        )

    def decide(self, state: PongState, seat: int, move: Mapping[str, Any]) -> list[GameEvent]:
        """Return the keys held after a key went down or up; none if nothing changes.

        Clients repeat `down` while a key is held. Raises `UnknownKey` or `UnknownAction`.
        """
        paddle = state.paddles[seat]
        key = self.key_in(move)
        held = {UP: paddle.up, DOWN: paddle.down, key.name: key.down}
        unchanged = held == {UP: paddle.up, DOWN: paddle.down}
        return [] if unchanged else [self.hold(seat, [name for name in held if held[name]])]

    def key_in(self, move: Mapping[str, Any]) -> Key:
        """Return `up` or `down`; raise `UnknownKey` or `UnknownAction`."""
        pressed = _is_pressed(move)
        return Key(UP if _is_up_key(move) else DOWN, pressed)

    def hold(self, seat: int, keys: Collection[str]) -> KeysHeld:
        """Return the input after which `seat` holds exactly these keys, of `up` and `down`."""
        return KeysHeld(seat, up=UP in keys, down=DOWN in keys)

    def apply(self, state: PongState, event: GameEvent) -> None:
        """Apply held keys to `state`; outcomes are in it already, by the step that made them."""
        if isinstance(event, KeysHeld):
            paddle = state.paddles[event.seat]
            paddle.up = event.up
            paddle.down = event.down

    def step(self, state: PongState) -> Sequence[GameEvent]:
        """Advance by one tick and return a serve or a point; nothing moves once time is up."""
        if not state.ticks_left:
            return ()
        state.tick += 1
        state.ticks_left -= 1
        left, right = state.paddles
        # The two commonest cases are decided here: most steps move no paddle, or only a ball in
        # free flight, and thousands are made a second.
        if left.speed or left.up != left.down:
            _move_paddle(left)
        if right.speed or right.up != right.down:
            _move_paddle(right)
        ball = state.ball
        if ball is None:
            return _await_serve(state)
        x = ball.x + ball.speed_x
        y = ball.y + ball.speed_y
        if LEFT_FACE_X <= x <= RIGHT_FACE_X and 0.0 <= y <= BALL_Y_MAX:
            ball.x = x
            ball.y = y
            return ()
        _move_ball(ball, left, right)
        if ball.x < LEFT_GOAL_X:
            return _score(state, RIGHT)
        if ball.x > RIGHT_GOAL_X:
            return _score(state, LEFT)
        return ()

    def result(self, state: PongState) -> Result | None:
        """Return who has more points once time is up; equal points are a draw."""
        if state.ticks_left:
            return None
        left, right = state.scores
        if left == right:
            return Result(None)
        return Result(LEFT if left > right else RIGHT)

    def scores(self, state: PongState) -> list[int]:
        """Return the points by seat."""
        return list(state.scores)

    def remaining_ticks(self, state: PongState) -> int:
        """Return the ticks left on the clock."""
        return state.ticks_left

    def view(self, state: PongState, viewer: int | None) -> PongView:  # noqa: ARG002 - no secrets
        """Return what everybody sees."""
        left, right = state.paddles
        ball = state.ball
        return PongView(
            p1_y=round(left.y, WIRE_DECIMALS),
            p2_y=round(right.y, WIRE_DECIMALS),
            s1=state.scores[LEFT],
            s2=state.scores[RIGHT],
            ball_x=UNSET if ball is None else round(ball.x, WIRE_DECIMALS),
            ball_y=UNSET if ball is None else round(ball.y, WIRE_DECIMALS),
        )

    def figures(self, course: Course) -> list[Figure]:
        """Return the longest rally and the fastest ball."""
        return pong_figures(course, TICK_HZ)


def _is_up_key(move: Mapping[str, Any]) -> bool:
    # Every player sits at their own keyboard: either pair of keys is good for either seat.
    match move.get("direction"):
        case "w" | "ArrowUp":
            return True
        case "s" | "ArrowDown":
            return False
        case _:
            raise UnknownKey


def _is_pressed(move: Mapping[str, Any]) -> bool:
    match move.get("action"):
        case "down":
            return True
        case "up":
            return False
        case _:
            raise UnknownAction


def _move_paddle(paddle: Paddle) -> None:
    speed = paddle.speed
    if paddle.up == paddle.down:
        if not speed:
            return
        speed *= PADDLE_FRICTION
        if -PADDLE_REST_SPEED < speed < PADDLE_REST_SPEED:
            speed = 0.0
    elif paddle.up:
        speed = max(speed - PADDLE_ACCELERATION, -PADDLE_SPEED_MAX)
    else:
        speed = min(speed + PADDLE_ACCELERATION, PADDLE_SPEED_MAX)
    y = paddle.y + speed
    if y < 0.0:
        y = speed = 0.0
    elif y > PADDLE_Y_MAX:
        y, speed = PADDLE_Y_MAX, 0.0
    paddle.y = y
    paddle.speed = speed


def _await_serve(state: PongState) -> Sequence[GameEvent]:
    state.serve_in_ticks -= 1
    if state.serve_in_ticks:
        return ()
    side = state.serve_side
    up = state.chance.flip()
    state.ball = Ball(
        SERVE_X,
        SERVE_Y,
        -SERVE_SPEED_X if side == LEFT else SERVE_SPEED_X,
        -SERVE_SPEED_Y if up else SERVE_SPEED_Y,
    )
    state.serve_side = RIGHT if side == LEFT else LEFT
    return (Served(side, up),)


def _move_ball(ball: Ball, left: Paddle, right: Paddle) -> None:
    x = ball.x + ball.speed_x
    y = ball.y + ball.speed_y
    # Each comparison is true only in the one step that goes through the face from the front,
    # so a ball is never hit twice, nor from behind.
    if x < LEFT_FACE_X <= ball.x:
        if _meets(ball, left, LEFT_FACE_X):
            x = LEFT_FACE_X + (LEFT_FACE_X - x)
            _send_back(ball)
    elif ball.x <= RIGHT_FACE_X < x and _meets(ball, right, RIGHT_FACE_X):
        x = RIGHT_FACE_X - (x - RIGHT_FACE_X)
        _send_back(ball)
    if not 0.0 <= y <= BALL_Y_MAX:
        y = _bounced(y)
        ball.speed_y = -ball.speed_y
    ball.x = x
    ball.y = y


def _meets(ball: Ball, paddle: Paddle, face_x: float) -> bool:
    """Return whether the ball is at the height of `paddle` when it reaches its face."""
    part_of_step = (face_x - ball.x) / ball.speed_x
    y = _bounced(ball.y + ball.speed_y * part_of_step)
    return paddle.y - BALL_HEIGHT < y < paddle.y + PADDLE_HEIGHT


def _bounced(y: float) -> float:
    """Mirror a height beyond the top or the bottom back into the field."""
    if y < 0.0:
        return -y
    if y > BALL_Y_MAX:
        return BALL_Y_MAX - (y - BALL_Y_MAX)
    return y


def _send_back(ball: Ball) -> None:
    ball.speed_x = -_faster(ball.speed_x)
    ball.speed_y = _faster(ball.speed_y)


def _faster(speed: float) -> float:
    return max(-BALL_SPEED_MAX, min(speed * BALL_SPEED_UP, BALL_SPEED_MAX))


def _score(state: PongState, seat: int) -> Sequence[GameEvent]:
    state.scores[seat] += 1
    state.ball = None
    state.serve_in_ticks = SERVE_DELAY_TICKS
    left, right = state.scores
    return (Scored(seat, (left, right)),)


PONG = Pong()
"""The rules hold no state of their own, so one value is enough for all matches."""
