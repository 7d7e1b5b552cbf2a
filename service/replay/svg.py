"""Export a match as an animated SVG, which a browser plays without a script; pure."""

from __future__ import annotations

from collections import defaultdict
from html import escape
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING, TypeAlias

from service.replay.scene import Box, Disc, Label

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from service.replay.scene import Frame, Scene, Shape

TOLERANCE = 0.25
"""How far a shape may be from its place in a frame, in pixels, to save key frames."""

PAUSE_S = 2
"""How long the last frame is shown before the animation begins again, in seconds."""

_FONTS = {False: "system-ui,sans-serif", True: "ui-monospace,monospace"}

Point: TypeAlias = tuple[float, float]
"""A time in seconds, and a value from then on."""


def svg(scene: Scene, frames: Iterable[Frame], title: str) -> Iterator[str]:
    """Yield the lines of a document; the match is played in an endless loop."""
    film = _Film()
    for frame in frames:
        film.add(frame)
    duration_s = film.at_s + PAUSE_S
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {scene.width} {scene.height}" '
        f'width="{scene.width}" height="{scene.height}" role="img">'
    )
    yield f"<title>{escape(title)}</title>"
    for shape in scene.ground():
        yield _element(shape)
    for track in film.tracks.values():
        yield _element(track.shape, "".join(track.animations(duration_s)))
    yield "</svg>"


class _Film:
    """All shapes over time."""

    def __init__(self) -> None:
        self.tracks: dict[object, _Track] = {}
        self.at_s = 0.0
        self._present: set[object] = set()

    def add(self, frame: Frame) -> None:
        self.at_s = frame.at_s
        now: set[object] = set()
        for shape in frame.shapes:
            # A text is another element for each of its contents.
            key: object = (shape.key, shape.text) if isinstance(shape, Label) else shape.key
            now.add(key)
            track = self.tracks.setdefault(key, _Track(shape))
            track.show(shape, frame.at_s, is_new=key not in self._present)
        for key in self._present - now:
            self.tracks[key].visible.append((frame.at_s, 0))
        self._present = now


class _Track:
    """One shape over time."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.visible: list[Point] = []
        self.values: defaultdict[str, list[Point]] = defaultdict(list)

    def show(self, shape: Shape, at_s: float, *, is_new: bool) -> None:
        if is_new:
            self.visible.append((at_s, 1))
        if not isinstance(shape, Box):
            return
        for name in ("x", "y", "width", "height"):
            points, value = self.values[name], getattr(shape, name)
            if is_new and points:
                # It is not to be seen on its way to where it comes back.
                points.append((at_s, points[-1][1]))
            points.append((at_s, value))

    def animations(self, duration_s: float) -> Iterator[str]:
        for name, points in self.values.items():
            if any(value != points[0][1] for _, value in points):
                yield _animation(name, simplified(points), duration_s)
        if self.visible != [(0, 1)]:
            yield _visibility(self.visible, duration_s)


def simplified(points: Sequence[Point], tolerance: float = TOLERANCE) -> list[Point]:
    """Return those points between which the others are on a line, with a tolerance.

    Two points of the same time are a jump, and stay.
    """
    jumps = [index for index in range(1, len(points)) if points[index][0] == points[index - 1][0]]
    return [
        kept
        for start, end in pairwise([0, *jumps, len(points)])
        for kept in _without_line(points[start:end], tolerance)
    ]


def _without_line(points: Sequence[Point], tolerance: float) -> Iterator[Point]:
    """Yield the first and the last point, and those between them where the line has to bend.

    All slopes from the last one kept that pass every point since then within the tolerance are
    known: where the next point needs another slope, the one before it is kept.
    """
    base = before = points[0]
    yield base
    lowest, highest = -inf, inf
    for at, value in points[1:]:
        slope = (value - base[1]) / (at - base[0])
        if not lowest <= slope <= highest:
            yield before
            base = before
            slope = (value - base[1]) / (at - base[0])
            lowest, highest = -inf, inf
        room = tolerance / (at - base[0])
        lowest, highest = max(lowest, slope - room), min(highest, slope + room)
        before = (at, value)
    if before is not base:
        yield before


def _animation(name: str, points: Sequence[Point], duration_s: float) -> str:
    whole = [(0.0, points[0][1]), *points] if points[0][0] else list(points)
    whole.append((duration_s, points[-1][1]))
    return _animate(name, [(at, _number(value)) for at, value in whole], duration_s)


def _visibility(points: Sequence[Point], duration_s: float) -> str:
    words = [(at, "visible" if value else "hidden") for at, value in points]
    if points[0][0]:
        words.insert(0, (0.0, "hidden"))
    return _animate("visibility", words, duration_s, ' calcMode="discrete"')


def _animate(
    name: str, values: Sequence[tuple[float, str]], duration_s: float, mode: str = ""
) -> str:
    times = ";".join(_number(min(1.0, at / duration_s), 8) for at, _ in values)
    shown = ";".join(value for _, value in values)
    return (
        f'<animate attributeName="{name}" dur="{_number(duration_s, 3)}s"{mode} '
        f'repeatCount="indefinite" keyTimes="{times}" values="{shown}"/>'
    )


def _element(shape: Shape, inner: str = "") -> str:
    match shape:
        case Box(_, x, y, width, height, colour):
            sizes = f'width="{_number(width)}" height="{_number(height)}"'
            return f'<rect x="{_number(x)}" y="{_number(y)}" {sizes} fill="{colour}">{inner}</rect>'
        case Disc(_, x, y, radius, colour, rim):
            place = f'cx="{_number(x)}" cy="{_number(y)}" r="{_number(radius)}"'
            ring = f'fill="none" stroke="{colour}" stroke-width="{rim}"'
            return f"<circle {place} {ring if rim else f'fill={colour!r}'}>{inner}</circle>"
        case Label(_, x, y, text, size, colour, anchor, mono):
            font = f'font-family="{_FONTS[mono]}" font-size="{size}" text-anchor="{anchor}"'
            place = f'x="{_number(x)}" y="{_number(y)}" fill="{colour}" xml:space="preserve"'
            return f"<text {place} {font}>{escape(_printable(text))}{inner}</text>"


def _printable(text: str) -> str:
    """Replace characters that XML forbids."""
    return "".join(one if one.isprintable() else "�" for one in text)


def _number(value: float, decimals: int = 2) -> str:
    return f"{value:.{decimals}f}".rstrip("0").rstrip(".") or "0"
