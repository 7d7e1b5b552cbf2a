"""Render the state of a match as lines of text; pure."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

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
from service.games.relay import RelayView
from service.replay.colours import LINE, MUTED, SEATS, TEXT
from service.replay.columns import centred, cut, cut_pair, width_of
from service.replay.times import left_as_text, seconds_as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.replay.replay import Replay

FULL = "█"

WIDTH_MIN, HEIGHT_MIN = 24, 8

REWOUND = "rewound to here after a restart"
REWIND_SHOWN_S = 2
"""How long the notice of a rewind is shown, in seconds of the match."""

STATUS_NAME_MAX = 24
"""The columns of a name in the line below a board."""

DISCS = "●○"
DISCS_IN_LINE = "◉◎"
"""The discs of the winning line."""


class Span(NamedTuple):
    """Some characters of a line, with the colours of the text and of its ground, as `#rrggbb`."""

    text: str
    colour: str | None = None
    ground: str | None = None


Line: TypeAlias = list[Span]


def draw(replay: Replay, tick: int, names: list[str], width: int, height: int) -> str:
    """Draw the state before `tick` without colours, at most `width` columns by `height` lines."""
    state = replay.at(tick)
    return draw_state(replay, state, tick, names, width, height)


def draw_state(  # noqa: PLR0913, PLR0917 - what a picture needs
    replay: Replay, state: object, tick: int, names: list[str], width: int, height: int
) -> str:
    """Draw a state that was computed before."""
    return plain(paint(replay, state, tick, names, width, height))


def plain(lines: list[Line]) -> str:
    """Return the text of a picture without its colours."""
    return "\n".join(
        # Where a ground is coloured, both halves of a block are.
        "".join(FULL * len(text) if ground else text for text, _, ground in line).rstrip()
        for line in lines
    )


def paint(  # noqa: PLR0913, PLR0917 - as above
    replay: Replay, state: object, tick: int, names: list[str], width: int, height: int
) -> list[Line]:
    """Draw a state in colours."""
    view, scores = replay.view(state), replay.scores(state)
    return [
        *_painted(replay, view, scores, tick, names, width, height),
        [Span(_centered(_clock(replay, tick), width), MUTED)],
    ]


def paint_view(
    view: msgspec.Struct, scores: list[int], names: list[str], width: int, height: int
) -> list[Line]:
    """Draw what is shown of a match that is played elsewhere."""
    match view:
        case PongView():
            field = paint_pong(view, max(width, WIDTH_MIN), max(height - 2, HEIGHT_MIN))
            return [_title(names, scores, width, ("", "")), *field]
        case ConnectFourView():
            field = _middle(paint_connect_four(view, names), width)
            return [_title(names, scores, width, (DISCS[0], DISCS[1])), *field]
        case _:
            text = msgspec.json.format(msgspec.json.encode(view)).decode()
            return [_title(names, scores, width, ("", "")), *_lines(text)]


def _painted(  # noqa: PLR0913, PLR0917 - as above
    replay: Replay,
    view: msgspec.Struct,
    scores: list[int],
    tick: int,
    names: list[str],
    width: int,
    height: int,
) -> list[Line]:
    if isinstance(view, RelayView):
        text = _draw_last_move(
            replay, tick, names, max(width, WIDTH_MIN), max(height - 2, HEIGHT_MIN)
        )
        return [[Span(_centered(cut(", ".join(names), width), width))], *_lines(text)]
    return paint_view(view, scores, names, width, height)


def _title(names: list[str], scores: list[int], width: int, marks: tuple[str, str]) -> Line:
    """Return the names in the colours of their seats, with the score between them.

    They are cut where they are too long for the line. Other than two have each their score behind.
    """
    if len(names) != len(SEATS):
        points: list[object] = [*scores] or [""] * len(names)
        each = (f"{name} {score}".strip() for name, score in zip(names, points, strict=False))
        return [Span(_centered(cut(", ".join(each), width), width))]
    score = f"   {' : '.join(map(str, scores))}   "
    around = width_of(score) + sum(1 + width_of(mark) for mark in marks if mark)
    first, second = cut_pair(names[0], names[1], max(2, width - around))
    left, right = f"{marks[0]} {first}".strip(), f"{second} {marks[1]}".strip()
    before = " " * centred(left + score + right, width)
    return [Span(before), Span(left, SEATS[0]), Span(score, TEXT), Span(right, SEATS[1])]


def _lines(text: str) -> list[Line]:
    return [[Span(line)] for line in text.split("\n")]


def _middle(lines: list[Line], width: int) -> list[Line]:
    """Centre each line."""
    return [
        [Span(" " * centred("".join(span.text for span in line), width)), *line] for line in lines
    ]


def _clock(replay: Replay, tick: int) -> str:
    if not replay.game.tick_hz:
        running = replay.clock(tick)
        left_ms = [] if running is None else running.clocks_ms
        clocks = " : ".join(map(left_as_text, left_ms))
        return f"move {tick} of {replay.ticks}{clocks and f'   {clocks}'}"
    time = seconds_as_text(tick / replay.game.tick_hz)
    clock = f"{time:>8}   tick {tick} of {replay.ticks}"
    shown = range(tick - REWIND_SHOWN_S * replay.game.tick_hz, tick + 1)
    rewound = any(rewind in shown for rewind in replay.rewinds)
    return f"{clock}   {REWOUND}" if rewound else clock


def _centered(text: str, width: int) -> str:
    lines = text.split("\n")
    return "\n".join(f"{' ' * centred(line, width)}{line}".rstrip() for line in lines)


def paint_pong(view: PongView, width: int, height: int) -> list[Line]:
    """Draw a Pong field; half blocks show two rows of dots in each line."""
    columns, rows = width - 2, (height - 2) * 2
    dots: Dots = [[None] * columns for _ in range(rows)]
    _fill(dots, SEATS[0], (0.0, view.p1_y), (PADDLE_WIDTH, PADDLE_HEIGHT))
    _fill(dots, SEATS[1], (FIELD - PADDLE_WIDTH, view.p2_y), (PADDLE_WIDTH, PADDLE_HEIGHT))
    if isinstance(view.ball_x, float) and isinstance(view.ball_y, float):
        _fill(dots, TEXT, (view.ball_x, view.ball_y), (BALL_WIDTH, BALL_HEIGHT))
    lines = [
        [Span("│", LINE), *_blocks(above, below), Span("│", LINE)]
        for above, below in zip(dots[::2], dots[1::2], strict=True)
    ]
    edge = "─" * columns
    return [[Span(f"┌{edge}┐", LINE)], *lines, [Span(f"└{edge}┘", LINE)]]


Dots: TypeAlias = list[list[str | None]]
"""Rows of dots, each of a colour or none."""


def _blocks(above: list[str | None], below: list[str | None]) -> Iterator[Span]:
    """Yield spans of half blocks of the same colours."""
    for (upper, lower), run in groupby(zip(above, below, strict=True)):
        length = len(list(run))
        if upper == lower:
            yield Span((" " if upper is None else FULL) * length, upper)
        elif upper is None:
            yield Span("▄" * length, lower)
        else:
            yield Span("▀" * length, upper, lower)


def _fill(dots: Dots, colour: str, at: tuple[float, float], size: tuple[float, float]) -> None:
    """Set the dots of a box given in per cent of the field; at least one dot is set."""
    rows, columns = len(dots), len(dots[0])
    (x, y), (width, height) = at, size
    left, top = round(x / FIELD * columns), round(y / FIELD * rows)
    right = max(left + 1, round((x + width) / FIELD * columns))
    bottom = max(top + 1, round((y + height) / FIELD * rows))
    for row in dots[max(top, 0) : min(bottom, rows)]:
        for column in range(max(left, 0), min(right, columns)):
            row[column] = colour


def paint_connect_four(view: ConnectFourView, names: list[str]) -> list[Line]:
    """Draw a Connect Four board, with a mark above the last disc and a status line below."""
    line = set(view.line)
    mark = ["▼" if column == view.last_column else " " for column in range(len(view.board[0]))]
    rows = [
        [
            Span("│ ", LINE),
            *(
                Span(*part)
                for column, seat in enumerate(seats)
                for part in (_disc(seat, in_line=(row, column) in line), (" ", None))
            ),
            Span("│", LINE),
        ]
        for row, seats in enumerate(view.board)
    ]
    return [
        [Span(f"  {' '.join(mark)}  ", MUTED)],
        *rows,
        [Span(f"└{'─' * (2 * len(mark) + 1)}┘", LINE)],
        [Span(f"  {' '.join(map(str, range(len(mark))))}  ", MUTED)],
        [Span(_status(view, [cut(name, STATUS_NAME_MAX) for name in names]))],
    ]


def _disc(seat: int | None, *, in_line: bool) -> tuple[str, str]:
    if seat is None:
        return "·", LINE
    return (DISCS_IN_LINE if in_line else DISCS)[seat], SEATS[seat]


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
    text = last_move(replay, tick, names) or "no moves yet"
    lines = [text[start : start + width] for start in range(0, len(text), width)]
    return "\n".join(lines[:height])


def last_move(replay: Replay, tick: int, names: list[str]) -> str:
    """Return who made the last move before `tick`, and the move; empty if there is none."""
    last = None if replay.game.tick_hz else replay.last_input(tick)
    if last is None:
        return ""
    shown = msgspec.json.decode(replay.shown(last))
    move = msgspec.json.encode(shown["move"]) if "move" in shown else bytes(replay.shown(last))
    # Moves are sent by clients: escape sequences must not reach the terminal.
    text = f"{names[last.seat]}: {move.decode()}"
    return "".join(character if character.isprintable() else "�" for character in text)
