"""Export a match as an asciicast of version 2, which asciinema and its players show; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.replay.colours import STAGE, TEXT
from service.replay.terminal import paint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.replay.replay import Replay
    from service.replay.terminal import Line, Span

WIDTH, HEIGHT = 80, 27
HZ = 30

_HIDE_CURSOR, _SHOW_CURSOR, _CLEAR = "\x1b[?25l", "\x1b[?25h", "\x1b[2J"
_RESET, _TO_THE_END = "\x1b[0m", "\x1b[K"


def cast(  # noqa: PLR0913 - what an export has
    replay: Replay,
    names: list[str],
    *,
    hz: float | None = HZ,
    start: int = 0,
    to: int | None = None,
    speed: float = 1,
    timestamp: int | None = None,
) -> Iterator[bytes]:
    """Yield the lines of the file; `timestamp` is when the match began, in seconds since 1970."""
    header = {
        "version": 2,
        "width": WIDTH,
        "height": HEIGHT,
        "title": f"{replay.started.game}: {', '.join(names)}",
        "env": {"TERM": "xterm-256color"},
    }
    if timestamp is not None:
        header["timestamp"] = timestamp
    yield msgspec.json.encode(header) + b"\n"
    shown: list[str] = []
    at_s = 0.0
    for tick, state in replay.frames(hz, start):
        if to is not None and tick > to:
            break
        at_s = round((tick - start) / replay.tick_hz / speed, 6)
        lines = [_coloured(line) for line in paint(replay, state, tick, names, WIDTH, HEIGHT - 1)]
        changed = _changes(shown, lines)
        before = f"{_HIDE_CURSOR}{_RESET}{_CLEAR}" if not shown else ""
        shown = lines
        if before or changed:
            yield msgspec.json.encode([at_s, "o", before + changed]) + b"\n"
    yield msgspec.json.encode([at_s, "o", f"\x1b[{HEIGHT};1H{_SHOW_CURSOR}"]) + b"\n"


def _changes(before: list[str], lines: list[str]) -> str:
    """Return what replaces the lines that differ."""
    rows = range(max(len(before), len(lines)))
    old, new = ([*some, *[""] * (len(rows) - len(some))] for some in (before, lines))
    return "".join(
        f"\x1b[{row + 1};1H{new[row]}{_TO_THE_END}" for row in rows if old[row] != new[row]
    )


def _coloured(line: Line) -> str:
    return "".join(map(_span, line)) + f"{_RESET}{_sgr(STAGE, 48)}"


def _span(span: Span) -> str:
    ground = _sgr(span.ground or STAGE, 48)
    return f"{_sgr(span.colour or TEXT, 38)}{ground}{span.text}"


def _sgr(colour: str, layer: int) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"\x1b[{layer};2;{red};{green};{blue}m"
