"""`ws-service replay`: replay a match in the terminal."""

from __future__ import annotations

import os
import re
import select
import shutil
import sys
import termios
import time
import tty
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
import typer
from rich.live import Live
from rich.text import Text

from service.cli.common import console, known_games, opened_log, opened_output, run
from service.domain.names import placeholder_name
from service.errors import ServiceError
from service.eventstore.integrity import broken_match
from service.eventstore.read_models.match_history import find_match, match_events
from service.eventstore.stored import UnreadableEvent
from service.replay.export import clocks, ndjson
from service.replay.replay import Replay
from service.replay.terminal import draw, draw_state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FRAME_HZ = 30
SEEK_S = 5
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)

LEFT, RIGHT = "\x1b[D", "\x1b[C"
KEYS_BYTES_MAX = 1024

KEYS = "space pause, left/right 5 s, +/- speed, q quit"

_KEY = re.compile(r"\x1b\[.|.", re.DOTALL)
_PLACE = re.compile(r"(\d+(?:\.\d+)?)(s|t)?")


class VerificationFailed(ServiceError):
    """The recording does not agree with the rules."""


def verify_match(match: str) -> None:
    """Check the hashes of the match in the log, and every outcome and state of it."""
    run(_verify(match))


def export_frames(match: str, hz: float | None, output: Path | None) -> None:
    """Write frames as NDJSON: `hz` a second, or every tick."""
    replay, names = run(_load(match))
    _export(replay, names, hz, output)


def show_match(match: str, speed: float, at: str | None, *, as_json: bool) -> None:
    """Play a match on a terminal; print one state for `at`, or the last one to a pipe."""
    replay, names = run(_load(match))
    if at is not None:
        _print_state(replay, names, _tick_of(at, replay), as_json=as_json)
    elif sys.stdout.isatty():
        _play(replay, names, speed)
    else:
        _print_state(replay, names, replay.ticks, as_json=as_json)


async def _load(start: str) -> tuple[Replay, list[str]]:
    async with opened_log() as reader:
        match = await find_match(reader, start)
        replay = Replay(await match_events(reader, match), known_games())
        users = [str(user) for user in replay.started.players]
        known = await reader.names(users)
    return replay, [known.get(user, placeholder_name(user)) for user in users]


async def _verify(start: str) -> None:
    async with opened_log() as reader:
        match = await find_match(reader, start)
        broken = await broken_match(reader, match)
        try:
            replay = Replay(await match_events(reader, match), known_games())
        except (UnreadableEvent, ValueError) as error:
            raise broken or VerificationFailed(f"match {match} can't be read: {error}") from error
    difference = replay.verify()
    if difference is not None:
        raise VerificationFailed(
            f"match {match} differs from its replay at tick {difference.tick}: {difference.what}"
        )
    if broken is not None:
        raise broken
    rewound = ", ".join(map(str, replay.rewinds))
    print(
        f"ok: match {match}, {replay.ticks} ticks, {len(replay.inputs)} inputs"
        f"{f', rewound to tick {rewound} after a restart' if rewound else ''}"
    )


def _export(replay: Replay, names: list[str], hz: float | None, output: Path | None) -> None:
    with opened_output(output) as file:
        for line in ndjson(replay, names, hz):
            file.write(line)


def _print_state(replay: Replay, names: list[str], tick: int, *, as_json: bool) -> None:
    if as_json:
        view = replay.view(replay.at(tick))
        print(msgspec.json.encode({"tick": tick, "state": view, **clocks(replay, tick)}).decode())
    else:
        width, height = _size()
        print(draw(replay, tick, names, width, height))


def _tick_of(place: str, replay: Replay) -> int:
    found = _PLACE.fullmatch(place)
    if not found:
        raise typer.BadParameter(
            "give a time like 12s or 12.5s, or a tick like 720t", param_hint="--at"
        )
    number = float(found[1])
    tick = round(number if found[2] == "t" else number * replay.tick_hz)
    return min(tick, replay.ticks)


def _size() -> tuple[int, int]:
    """Return the columns and lines of a picture; the field is twice as wide as high."""
    columns, lines = shutil.get_terminal_size()
    height = min(lines - 3, columns // 3)
    return min(columns, height * 3), height


class _Playback:
    """The position and the speed of the playback."""

    def __init__(self, replay: Replay, speed: float) -> None:
        self.replay = replay
        self.speed = speed
        self.paused = False
        self.quit = False
        self.tick = 0.0

    def press(self, key: str) -> None:
        """Handle a key."""
        seek = SEEK_S * self.replay.tick_hz
        if key == "q":
            self.quit = True
        elif key == " ":
            self.paused = not self.paused
        elif key in {"+", "="}:
            self.speed = next((speed for speed in SPEEDS if speed > self.speed), self.speed)
        elif key == "-":
            slower = [speed for speed in SPEEDS if speed < self.speed]
            self.speed = slower[-1] if slower else self.speed
        elif key in {RIGHT, LEFT}:
            to = self.tick + (seek if key == RIGHT else -seek)
            self.tick = max(0.0, min(to, float(self.replay.ticks)))

    def advance(self, seconds: float) -> None:
        """Advance by this many seconds of real time."""
        if not self.paused:
            self.tick += seconds * self.speed * self.replay.tick_hz

    @property
    def over(self) -> bool:
        """Whether the playback has ended."""
        return self.quit or (self.tick > self.replay.ticks and not self.paused)


def _play(replay: Replay, names: list[str], speed: float) -> None:
    playback = _Playback(replay, speed)
    shown = replay.frames()
    tick, state = next(shown)
    last = time.monotonic()
    with (
        _keys() as keys,
        Live(console=console(), auto_refresh=False, transient=False) as live,
    ):
        while True:
            wanted = min(int(playback.tick), replay.ticks)
            if wanted < tick:
                shown = replay.frames(start=wanted)
                tick, state = next(shown)
            while tick < wanted:
                tick, state = next(shown)
            picture = draw_state(replay, state, tick, names, *_size())
            status = f"{playback.speed:g}x{'  paused' if playback.paused else ''}   {KEYS}"
            live.update(Text(f"{picture}\n{status}"), refresh=True)
            if playback.over:
                return
            for key in keys(1 / FRAME_HZ):
                playback.press(key)
            now = time.monotonic()
            playback.advance(now - last)
            last = now


class _Keyboard:
    """Reads pressed keys if standard input is a terminal."""

    def __call__(self, wait_s: float) -> Iterator[str]:
        if not sys.stdin.isatty():
            time.sleep(wait_s)
            return
        if select.select([sys.stdin], [], [], wait_s)[0]:
            # Not by `sys.stdin`: `select` does not see what is in its buffer.
            pressed = os.read(sys.stdin.fileno(), KEYS_BYTES_MAX)
            yield from _KEY.findall(pressed.decode(errors="replace"))


@contextmanager
def _keys() -> Iterator[_Keyboard]:
    """Read single keys without echo, and restore the terminal afterwards."""
    if not sys.stdin.isatty():
        yield _Keyboard()
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield _Keyboard()
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
