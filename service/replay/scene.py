"""Pictures of a match as shapes, which SVG and GIF draw alike; pure.

Lengths are pixels of the picture: the stage of the page with the names and the score above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

from service.games.connect_four import COLUMNS, ROWS, ConnectFourView
from service.games.pong import (
    BALL_HEIGHT,
    BALL_WIDTH,
    FIELD,
    PADDLE_HEIGHT,
    PADDLE_WIDTH,
    PongView,
)
from service.replay.colours import LINE, MUTED, PLATE, RIM, SEATS, STAGE, TEXT
from service.replay.terminal import REWIND_SHOWN_S, REWOUND, last_move

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.replay.replay import Replay

WIDTH = 600
HEADER = 56
"""The height above the stage, for names and score."""
FOOTER = 24
"""The height below the stage, for the bar of time and a note."""

PONG_HEIGHT = 400
CELL = 80
"""The width and height of a hole of connect four, in a stage of 560 by 480."""
HOLE, DISC, MARK = 31, 32, 16
"""Radius of a hole and of a disc, and the side of the square on the second player's discs."""

TEXT_HEIGHT = 400
TEXT_LINES, TEXT_COLUMNS = 20, 68
"""How much text fits on the stage of a game that has no picture."""

NAME_LENGTH_MAX = 20


class Box(NamedTuple):
    """A rectangle; `key` tells what it is in all frames."""

    key: str
    x: float
    y: float
    width: float
    height: float
    colour: str


class Disc(NamedTuple):
    """A circle around a point; with `rim` it is a ring of that width instead."""

    key: str
    x: float
    y: float
    radius: float
    colour: str
    rim: float = 0


class Label(NamedTuple):
    """A line of text; `x` is its left end, middle or right end, `y` its base line."""

    key: str
    x: float
    y: float
    text: str
    size: int
    colour: str
    anchor: str = "start"
    mono: bool = False


Shape: TypeAlias = Box | Disc | Label


class Frame(NamedTuple):
    """What is drawn at one moment, above the ground; `at_s` is the time in the picture."""

    at_s: float
    tick: int
    shapes: list[Shape]


class Scene:
    """The pictures of one match."""

    def __init__(self, replay: Replay, names: list[str]) -> None:
        """Draw a match whose players have these names, by seat."""
        self._replay = replay
        self._names = [_cut(name) for name in names]
        view = replay.view(replay.at(0))
        self._is_board = isinstance(view, ConnectFourView)
        self.stage_height = CELL * ROWS if self._is_board else PONG_HEIGHT
        self.width = CELL * COLUMNS if self._is_board else WIDTH
        self.height = HEADER + self.stage_height + FOOTER
        self._is_pong = isinstance(view, PongView)

    def ground(self) -> list[Shape]:
        """Return what is the same in all frames, and below them."""
        shapes: list[Shape] = [Box("page", 0, 0, self.width, self.height, STAGE)]
        middle = self.width / 2
        shapes += self._header()
        if self._is_pong:
            dash, gap = 12, 12
            shapes += [
                Box("line", middle - 1.5, HEADER + y, 3, dash, LINE)
                for y in range(0, PONG_HEIGHT, dash + gap)
            ]
        elif self._is_board:
            shapes.append(Box("plate", 0, HEADER, self.width, self.stage_height, PLATE))
            for column in range(COLUMNS):
                for row in range(ROWS):
                    x, y = _hole(row, column)
                    shapes += [Disc("hole", x, y, HOLE, STAGE), Disc("rim", x, y, HOLE, RIM, 2)]
        for y in (HEADER - 1, HEADER + self.stage_height):
            shapes.append(Box("edge", 0, y, self.width, 1, LINE))
        return shapes

    def frames(
        self, hz: float | None, start: int = 0, to: int | None = None, speed: float = 1
    ) -> Iterator[Frame]:
        """Yield frames from tick `start` to `to`, `hz` a second of the match, None for every tick.

        A turn-based game has a second for each move.
        """
        replay, last = self._replay, self._replay.ticks if to is None else to
        for tick, state in replay.frames(hz, start):
            if tick > last:
                return
            at_s = (tick - start) / replay.tick_hz / speed
            yield Frame(at_s, tick, [*self._shapes(state, tick), *self._bar(tick, start, last)])

    def _header(self) -> Iterator[Shape]:
        if len(self._names) == len(SEATS):
            ends = ((16.0, "start"), (self.width - 16.0, "end"))
            for name, (x, anchor), colour in zip(self._names, ends, SEATS, strict=True):
                yield Label("name", x, 36, name, 20, colour, anchor)
        else:
            text = _cut(", ".join(self._names), TEXT_COLUMNS)
            yield Label("name", self.width / 2, 36, text, 16, TEXT, "middle")

    def _bar(self, tick: int, start: int, last: int) -> Iterator[Shape]:
        part = (tick - start) / max(1, last - start)
        y = HEADER + self.stage_height + 1
        yield Box("time", 0, y, round(self.width * part, 2), 4, MUTED)
        replay = self._replay
        shown = range(tick - REWIND_SHOWN_S * replay.tick_hz, tick + 1)
        if replay.game.tick_hz and any(rewind in shown for rewind in replay.rewinds):
            yield Label("note", 16, self.height - 6, REWOUND, 13, MUTED)

    def _shapes(self, state: object, tick: int) -> Iterator[Shape]:
        view = self._replay.view(state)
        scores = self._replay.scores(state)
        if len(self._names) == len(SEATS):
            text = " : ".join(map(str, scores))
            yield Label("score", self.width / 2, 42, text, 36, TEXT, "middle", mono=True)
        if isinstance(view, PongView):
            yield from _pong(view, self.width, self.stage_height)
        elif isinstance(view, ConnectFourView):
            yield from _connect_four(view)
        else:
            yield from self._text(view, tick)

    def _text(self, view: msgspec.Struct, tick: int) -> Iterator[Shape]:
        """Show a game that has no picture by its last move, and what is seen of its state."""
        lines = msgspec.json.format(msgspec.json.encode(view)).decode().split("\n")
        moved = last_move(self._replay, tick, self._names)
        wrapped = [
            line[start : start + TEXT_COLUMNS]
            for line in ([moved, "", *lines] if moved else lines)
            for start in range(0, max(1, len(line)), TEXT_COLUMNS)
        ]
        for number, line in enumerate(wrapped[:TEXT_LINES]):
            y = HEADER + 24 + number * 19
            yield Label(f"text{number}", 16, y, line, 14, TEXT, mono=True)


def _pong(view: PongView, width: float, height: float) -> Iterator[Shape]:
    """Return the paddles and the ball: the field is 100 by 100, wherever it is drawn."""
    across, down = width / FIELD, height / FIELD
    paddle = PADDLE_WIDTH * across, PADDLE_HEIGHT * down
    right = (FIELD - PADDLE_WIDTH) * across
    yield Box("paddle0", 0, HEADER + view.p1_y * down, *paddle, SEATS[0])
    yield Box("paddle1", right, HEADER + view.p2_y * down, *paddle, SEATS[1])
    if isinstance(view.ball_x, float) and isinstance(view.ball_y, float):
        x, y = view.ball_x * across, HEADER + view.ball_y * down
        yield Box("ball", x, y, BALL_WIDTH * across, BALL_HEIGHT * down, TEXT)


def _connect_four(view: ConnectFourView) -> Iterator[Shape]:
    won = {(row, column) for row, column in view.line}
    for row, seats in enumerate(view.board):
        for column, seat in enumerate(seats):
            if seat is None:
                continue
            x, y = _hole(row, column)
            yield Disc(f"disc{row}.{column}", x, y, DISC, SEATS[seat])
            if seat:
                corner = x - MARK / 2, y - MARK / 2
                yield Box(f"mark{row}.{column}", *corner, MARK, MARK, LINE)
            if (row, column) in won:
                yield Disc(f"won{row}.{column}", x, y, DISC + 3, TEXT, 4)


def _hole(row: int, column: int) -> tuple[float, float]:
    return (column + 0.5) * CELL, HEADER + (row + 0.5) * CELL


def _cut(text: str, length: int = NAME_LENGTH_MAX) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
