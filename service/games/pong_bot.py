"""Bots of Pong: each steers its paddle by two views, the present one and that of its last decision.

Level 1 follows the ball when it is near, and often does nothing; level 2 follows it whenever it
comes; level 3 works out where it will arrive, bounces included.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from msgspec import UNSET

from service.games.protocol import Move, Sight, State

if TYPE_CHECKING:
    from msgspec import UnsetType

    from service.games.chance import Chance

PADDLE_MIDDLE = 12.5
BALL_MIDDLE = 2.5
BALL_Y_MAX = 95.0
FACES_X = 3.3, 93.4
"""Where the ball meets the left and the right paddle; like all numbers here as in `pong`."""
CENTRE_Y = 50.0

COASTING_TICKS = 9.0
"""How far a paddle goes on without a key, as a multiple of its speed: the sum of its friction."""

IDLE = 3
"""Of so many decisions at level 1, one is to do nothing."""

NEAR_X = 35.0
"""How near the ball is when level 1 begins to follow it."""

SLACK: tuple[float, ...] = (9.0, 7.0, 4.0)
"""By level, how far off its aim a paddle may stay."""

KEYS = "ArrowUp", "ArrowDown"


KEY_MOVES: Sequence[Move] = [
    {"direction": key, "action": action} for key in ("w", "s", *KEYS) for action in ("down", "up")
]
"""The moves of a player, whose left and right hand have keys of their own."""


class PongBots:
    """The bots of Pong, which are a part of its rules."""

    bot_levels = 3

    def legal_moves(self, state: State, seat: int) -> Sequence[Move]:  # noqa: ARG002 - at any time
        """Return every key, pressed and released."""
        return KEY_MOVES

    def bot(self, sight: Sight, level: int, chance: Chance) -> Sequence[Move]:
        """Return the keys to press and to release."""
        return steer(sight, level, chance)


class _View(Protocol):
    """The view of Pong, as far as bots use it."""

    p1_y: float
    p2_y: float
    ball_x: float | UnsetType
    ball_y: float | UnsetType


class _Seen(NamedTuple):
    """What two views say of the paddle and the ball, in units and units per tick."""

    paddle_y: float
    paddle_speed: float
    x: float
    y: float
    speed_x: float
    speed_y: float


def steer(sight: Sight, level: int, chance: Chance) -> Sequence[Move]:
    """Return the keys to press and to release."""
    if level == 1 and chance.below(IDLE) == 0:
        return []
    view: _View = sight.view
    before: _View | None = sight.before
    seen = _seen(view, before, sight)
    aim_y = CENTRE_Y if seen is None else _aim_y(seen, sight.seat, level)
    paddle_y = view.p1_y if sight.seat == 0 else view.p2_y
    speed = 0.0 if seen is None else seen.paddle_speed
    off = aim_y - (paddle_y + PADDLE_MIDDLE + speed * COASTING_TICKS)
    if abs(off) <= SLACK[level - 1]:
        return _keys()
    return _keys("ArrowUp" if off < 0 else "ArrowDown")


def _keys(held: str | None = None) -> list[Move]:
    """Return the moves after which this key alone is held."""
    released: list[Move] = [{"direction": key, "action": "up"} for key in KEYS if key != held]
    return released if held is None else [*released, {"direction": held, "action": "down"}]


def _seen(view: _View, before: _View | None, sight: Sight) -> _Seen | None:
    """Return what the views say, or None while the ball is out of play, or has just come."""
    if before is None or not sight.ticks:
        return None
    if view.ball_x is UNSET or view.ball_y is UNSET:
        return None
    if before.ball_x is UNSET or before.ball_y is UNSET:
        return None
    own_y, own_y_before = (view.p1_y, before.p1_y) if sight.seat == 0 else (view.p2_y, before.p2_y)
    return _Seen(
        paddle_y=own_y,
        paddle_speed=(own_y - own_y_before) / sight.ticks,
        x=view.ball_x,
        y=view.ball_y,
        speed_x=(view.ball_x - before.ball_x) / sight.ticks,
        speed_y=(view.ball_y - before.ball_y) / sight.ticks,
    )


def _aim_y(seen: _Seen, seat: int, level: int) -> float:
    """Return the height to which the middle of the paddle is to go."""
    distance = seen.x - FACES_X[0] if seat == 0 else FACES_X[1] - seen.x
    speed = -seen.speed_x if seat == 0 else seen.speed_x
    if level == 1:
        return seen.y + BALL_MIDDLE if distance < NEAR_X else _own_y(seen)
    if speed <= 0:
        return CENTRE_Y
    if level == 2:  # noqa: PLR2004 - the level
        return seen.y + BALL_MIDDLE
    return _bounced(seen.y + seen.speed_y * max(0.0, distance) / speed) + BALL_MIDDLE


def _own_y(seen: _Seen) -> float:
    return seen.paddle_y + PADDLE_MIDDLE


def _bounced(y: float) -> float:
    """Mirror a height beyond the top or the bottom back into the field, however often."""
    y %= 2 * BALL_Y_MAX
    return y if y <= BALL_Y_MAX else 2 * BALL_Y_MAX - y
