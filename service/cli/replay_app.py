"""The terminal of `ws-service replay`, by textual."""

from __future__ import annotations

import asyncio
import signal
import sys
from bisect import bisect_left, bisect_right
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.widgets import Static

from service.cli.common import INTERRUPTED
from service.cli.match_source import picture_size
from service.cli.match_summary import describe
from service.replay.colours import MUTED, SEATS, STAGE, TEXT
from service.replay.summary import summarise
from service.replay.terminal import draw, paint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.timer import Timer

    from service.replay.replay import Replay
    from service.replay.summary import Mark
    from service.replay.terminal import Line

FRAME_HZ = 30
SEEK_S = 5
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)

KEYS = "space pause, ←/→ 5 s, ,/. step, p/n points, +/- speed, q quit"

LINES_BELOW = 3
"""The lines below the picture: keys, timeline, and what happened last."""

PAUSE, REWIND, HERE = "‖", "↺", "┃"
_ON_TRACK = {"paused": PAUSE, "rewound": REWIND}


class ReplayApp(App[None]):
    """Plays a match; it stays open at the end, so that one can go back."""

    TITLE = "ws-service replay"
    CSS = f"Screen {{ background: {STAGE}; color: {TEXT}; }}"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause"),
        Binding("left", f"seek(-{SEEK_S})"),
        Binding("right", f"seek({SEEK_S})"),
        Binding("comma", "step(-1)"),
        Binding("full_stop", "step(1)"),
        Binding("p", "mark(-1)"),
        Binding("n", "mark(1)"),
        Binding("minus", "speed(-1)"),
        Binding("plus,equals_sign", "speed(1)"),
        Binding("home", "go(0)"),
        Binding("end", "go(1)"),
        Binding("q", "quit"),
        Binding("ctrl+c", "interrupt", priority=True),
    ]

    tick: reactive[float] = reactive(0.0)
    paused: reactive[bool] = reactive(False)  # noqa: FBT003 - the value of a property
    speed: reactive[float] = reactive(1.0)

    def __init__(self, replay: Replay, names: list[str], speed: float = 1.0) -> None:
        """Play from the start at `speed` times the real time."""
        super().__init__()
        self._replay = replay
        self._names = names
        self._marks = summarise(replay).timeline
        self._stops = sorted({mark.tick for mark in self._marks if _is_stop(mark, replay)})
        self._clock: Timer | None = None
        self.set_reactive(ReplayApp.speed, speed)

    def compose(self) -> ComposeResult:
        """Lay the picture above the timeline."""
        yield Static()

    def on_mount(self) -> None:
        """Start to play."""
        with suppress(ValueError):  # Signals only reach the main thread.
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self.action_interrupt)
        self._clock = self.set_interval(1 / FRAME_HZ, self._advance)
        self._show()

    def on_resize(self) -> None:
        """Draw for the new size of the terminal."""
        self._show()

    def watch_tick(self) -> None:
        """Show another tick."""
        self._show()

    def watch_paused(self) -> None:
        """Show whether it is paused."""
        self._show()

    def watch_speed(self) -> None:
        """Show the speed."""
        self._show()

    def action_pause(self) -> None:
        """Pause, play on, or play again from the start when it is over."""
        if self.tick >= self._replay.ticks:
            self.tick = 0.0
            self.paused = False
        else:
            self.paused = not self.paused

    def action_seek(self, seconds: int) -> None:
        """Go back or forth by seconds of the match."""
        self._go(self.tick + seconds * self._replay.tick_hz)

    def action_step(self, ticks: int) -> None:
        """Pause, and go one tick back or forth."""
        self.paused = True
        self._go(int(self.tick) + ticks)

    def action_mark(self, way: int) -> None:
        """Go to the next point or move, or to the one before."""
        tick = int(self.tick)
        after = bisect_right(self._stops, tick) if way > 0 else bisect_left(self._stops, tick) - 1
        if 0 <= after < len(self._stops):
            self._go(self._stops[after])
        else:
            self._go(self._replay.ticks if way > 0 else 0)

    def action_speed(self, way: int) -> None:
        """Play faster or slower."""
        slower = [speed for speed in SPEEDS if speed < self.speed]
        faster = [speed for speed in SPEEDS if speed > self.speed]
        if way > 0 and faster:
            self.speed = faster[0]
        elif way < 0 and slower:
            self.speed = slower[-1]

    def action_go(self, part: int) -> None:
        """Go to the start or to the end."""
        self._go(part * self._replay.ticks)

    def action_interrupt(self) -> None:
        """End as Ctrl-C does elsewhere."""
        self.exit(return_code=INTERRUPTED)

    def last_picture(self) -> str:
        """Return the present state, to stay on the terminal when the screen is left."""
        width, height = picture_size()
        return draw(self._replay, int(self.tick), self._names, width, height)

    def _go(self, tick: float) -> None:
        self.tick = float(max(0, min(tick, self._replay.ticks)))

    def _advance(self) -> None:
        if not self.paused and self.tick < self._replay.ticks:
            self._go(self.tick + self.speed * self._replay.tick_hz / FRAME_HZ)

    def _show(self) -> None:
        if self._clock is None:
            return
        replay, tick = self._replay, int(self.tick)
        columns, lines = self.size
        height = max(1, min(lines - LINES_BELOW, columns // 3))
        width = min(columns, height * 3)
        picture = paint(replay, replay.at(tick), tick, self._names, width, height)
        before = [mark for mark in self._marks if mark.tick <= tick]
        text = as_text(picture).append(f"\n{self._status(tick)}\n").append(self._track(columns))
        text.append(f"\n{describe(before[-1], self._names) if before else ''}", MUTED)
        # All in one, so that no part of the screen is ahead of another.
        self.query_one(Static).update(text)

    def _status(self, tick: int) -> str:
        over = tick >= self._replay.ticks
        state = "  over" if over else "  paused" if self.paused else ""
        return f"{self.speed:g}x{state}   {KEYS}"

    def _track(self, width: int) -> Text:
        """Return the timeline: points and moves in the colour of their seat, pauses, rewinds."""
        ticks = max(1, self._replay.ticks)
        cells = [("─", MUTED)] * max(1, width)
        last = len(cells) - 1
        for mark in self._marks:
            at = round(mark.tick / ticks * last)
            if mark.kind in _ON_TRACK:
                cells[at] = (_ON_TRACK[mark.kind], TEXT)
            elif _is_stop(mark, self._replay) and cells[at][0] == "─":
                seat = 0 if mark.seat is None else mark.seat
                cells[at] = ("●■"[seat % 2], SEATS[seat % 2])
        cells[round(min(self.tick, ticks) / ticks * last)] = (HERE, TEXT)
        text = Text(no_wrap=True)
        for sign, colour in cells:
            text.append(sign, colour)
        return text


def as_text(lines: Sequence[Line]) -> Text:
    """Convert a picture to a text of rich."""
    text = Text(no_wrap=True)
    for number, line in enumerate(lines):
        text.append("\n" if number else "")
        for part, colour, ground in line:
            style = f"{colour or TEXT}{f' on {ground}' if ground else ''}"
            text.append(part, style)
    return text


def play(replay: Replay, names: list[str], speed: float) -> None:
    """Play a match until the user quits."""
    app = ReplayApp(replay, names, speed)
    app.run()
    print(app.last_picture())
    if app.return_code:
        sys.exit(app.return_code)


def _is_stop(mark: Mark, replay: Replay) -> bool:
    """Return whether the keys for points stop here: at moves where points are rare."""
    return mark.kind == "point" or (mark.kind == "move" and not replay.game.tick_hz)
