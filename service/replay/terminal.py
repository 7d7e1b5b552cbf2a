"""Render the state of a match as lines of text; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.games.connect_four import ConnectFourView
from service.games.pong import (
    BALL_HEIGHT,
    BALL_WIDTH,
    FIELD,
    PADDLE_HEIGHT,
    PADDLE_WIDTH,
    PongView,
)
from service.games.relay import Relayed, RelayView

if TYPE_CHECKING:
    from service.replay.replay import Replay

WIDTH_MIN, HEIGHT_MIN = 24, 8

REWOUND = "rewound to here after a restart"
REWIND_SHOWN_S = 2
"""How long the notice of a rewind is shown, in seconds of the match."""

DISCS = "●○"
DISCS_IN_LINE = "◉◎"
"""The discs of the winning line."""


def draw(replay: Replay, tick: int, names: list[str], width: int, height: int) -> str:
    """Draw the state before `tick`, at most `width` columns by `height` lines."""
    state = replay.at(tick)
    return draw_state(replay, state, tick, names, width, height)


def draw_state(  # noqa: PLR0913, PLR0917 - what a picture needs
    replay: Replay, state: object, tick: int, names: list[str], width: int, height: int
) -> str:
    """Draw a state that was computed before."""
    view = replay.view(state)
    scores = " : ".join(map(str, replay.scores(state)))
    title = f"{names[0]}   {scores}   {names[-1]}"
    match view:
        case PongView():
            field = draw_pong(view, max(width, WIDTH_MIN), max(height - 2, HEIGHT_MIN))
        case ConnectFourView():
            title = f"{DISCS[0]} {title} {DISCS[1]}"
            field = _centered(draw_connect_four(view, names), width)
        case RelayView():
            title = ", ".join(names)
            field = _draw_last_move(
                replay, tick, names, max(width, WIDTH_MIN), max(height - 2, HEIGHT_MIN)
            )
        case _:
            field = msgspec.json.format(msgspec.json.encode(view)).decode()
    return f"{_centered(title, width)}\n{field}\n{_centered(_clock(replay, tick), width)}"


def _clock(replay: Replay, tick: int) -> str:
    if not replay.game.tick_hz:
        return f"move {tick} of {replay.ticks}"
    clock = f"{tick / replay.game.tick_hz:6.1f} s   tick {tick} of {replay.ticks}"
    shown = range(tick - REWIND_SHOWN_S * replay.game.tick_hz, tick + 1)
    rewound = any(rewind in shown for rewind in replay.rewinds)
    return f"{clock}   {REWOUND}" if rewound else clock


def _centered(text: str, width: int) -> str:
    return "\n".join(line.center(width).rstrip() for line in text.split("\n"))


def draw_pong(view: PongView, width: int, height: int) -> str:
    """Draw a Pong field; half blocks show two rows of dots in each line."""
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
    """Set the dots of a box given in per cent of the field; at least one dot is set."""
    rows, columns = len(dots), len(dots[0])
    left, top = round(x / FIELD * columns), round(y / FIELD * rows)
    right = max(left + 1, round((x + width) / FIELD * columns))
    bottom = max(top + 1, round((y + height) / FIELD * rows))
    for row in dots[max(top, 0) : min(bottom, rows)]:
        for column in range(max(left, 0), min(right, columns)):
            row[column] = True


def draw_connect_four(view: ConnectFourView, names: list[str]) -> str:
    """Draw a Connect Four board, with a mark above the last disc and a status line below."""
    line = set(view.line)
    mark = ["▼" if column == view.last_column else " " for column in range(len(view.board[0]))]
    rows = [
        [_disc(seat, in_line=(row, column) in line) for column, seat in enumerate(seats)]
        for row, seats in enumerate(view.board)
    ]
    return "\n".join(
        (
            f"  {' '.join(mark)}  ",
            *(f"│ {' '.join(row)} │" for row in rows),
            f"└{'─' * (2 * len(mark) + 1)}┘",
            f"  {' '.join(map(str, range(len(mark))))}  ",
            _status(view, names),
        )
    )


def _disc(seat: int | None, *, in_line: bool) -> str:
    if seat is None:
        return "·"
    return (DISCS_IN_LINE if in_line else DISCS)[seat]


def _status(view: ConnectFourView, names: list[str]) -> str:
    if view.turn is not None:
        return f"{names[view.turn]} to move"
    if view.winner is None:
        return "a draw"
    if view.timed_out is not None:
        return f"{names[view.winner]} has won: {names[view.timed_out]} took too long"
    return f"{names[view.winner]} has won"


def _draw_last_move(replay: Replay, tick: int, names: list[str], width: int, height: int) -> str:
    """Show the last move as text, cut to the room there is; only its clients can interpret it."""
    last = replay.last_input(tick)
    if last is None:
        return "no moves yet"
    relayed = msgspec.json.decode(last.input, type=Relayed)
    text = f"{names[relayed.seat]}: {bytes(relayed.move).decode()}"
    # Moves are sent by clients: escape sequences must not reach the terminal.
    text = "".join(character if character.isprintable() else "�" for character in text)
    lines = [text[start : start + width] for start in range(0, len(text), width)]
    return "\n".join(lines[:height])
