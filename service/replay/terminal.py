"""A match as a terminal shows it: a state becomes lines of text; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.games.pong import (
    BALL_HEIGHT,
    BALL_WIDTH,
    FIELD,
    PADDLE_HEIGHT,
    PADDLE_WIDTH,
    PongView,
)

if TYPE_CHECKING:
    from service.replay.core import Replay

WIDTH_MIN, HEIGHT_MIN = 24, 8


def draw(replay: Replay, tick: int, names: list[str], width: int, height: int) -> str:
    """Draw the state before `tick`, within so many columns and lines."""
    state = replay.at(tick)
    return draw_state(replay, state, tick, names, width, height)


def draw_state(  # noqa: PLR0913, PLR0917 - what a picture needs
    replay: Replay, state: object, tick: int, names: list[str], width: int, height: int
) -> str:
    """Draw a state that is at hand."""
    view = replay.game.view(state, None)
    seconds = tick / replay.game.tick_hz if replay.game.tick_hz else tick
    scores = " : ".join(map(str, replay.game.scores(state)))
    title = f"{names[0]}   {scores}   {names[-1]}".center(width).rstrip()
    clock = f"{seconds:6.1f} s   tick {tick} of {replay.ticks}".center(width).rstrip()
    if isinstance(view, PongView):
        field = draw_pong(view, max(width, WIDTH_MIN), max(height - 2, HEIGHT_MIN))
    else:
        field = msgspec.json.format(msgspec.json.encode(view)).decode()
    return f"{title}\n{field}\n{clock}"


def draw_pong(view: PongView, width: int, height: int) -> str:
    """Draw a field of Pong; half blocks give two rows of dots to a line."""
    columns, rows = width - 2, (height - 2) * 2
    dots = [[False] * columns for _ in range(rows)]
    _fill(dots, 0.0, view.p1_y, PADDLE_WIDTH, PADDLE_HEIGHT)
    _fill(dots, FIELD - PADDLE_WIDTH, view.p2_y, PADDLE_WIDTH, PADDLE_HEIGHT)
    if isinstance(view.ball_x, float) and isinstance(view.ball_y, float):
        _fill(dots, view.ball_x, view.ball_y, BALL_WIDTH, BALL_HEIGHT)
    lines = [
        "".join(_BLOCKS[above, below] for above, below in zip(*pair, strict=True))
        for pair in zip(dots[::2], dots[1::2], strict=True)
    ]
    edge = "─" * columns
    return "\n".join((f"┌{edge}┐", *(f"│{line}│" for line in lines), f"└{edge}┘"))


_BLOCKS = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def _fill(dots: list[list[bool]], x: float, y: float, width: float, height: float) -> None:
    """Set the dots of a box that is given in per cent of the field; at least one of them."""
    rows, columns = len(dots), len(dots[0])
    left, top = round(x / FIELD * columns), round(y / FIELD * rows)
    right = max(left + 1, round((x + width) / FIELD * columns))
    bottom = max(top + 1, round((y + height) / FIELD * rows))
    for row in dots[max(top, 0) : min(bottom, rows)]:
        for column in range(max(left, 0), min(right, columns)):
            row[column] = True
