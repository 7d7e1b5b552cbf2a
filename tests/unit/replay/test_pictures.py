"""SVG, GIF and asciicast show what the frames of a match have."""

from __future__ import annotations

import io
import json
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops
from PIL.GifImagePlugin import GifImageFile

from service.games.catalogue import GAMES
from service.games.connect_four import COLUMNS, ROWS
from service.games.pong import PADDLE_WIDTH, TICK_HZ, PongView
from service.games.relay import RELAY, Relayed
from service.replay import gif
from service.replay.cast import HEIGHT, WIDTH, cast
from service.replay.colours import SEATS, STAGE, TEXT
from service.replay.gif import write_gif
from service.replay.replay import Replay
from service.replay.scene import HEADER, Scene
from service.replay.svg import PAUSE_S, simplified, svg
from service.replay.terminal import draw
from tests.unit.replay.recordings import an_input, raw, started
from tests.unit.replay.test_summary import connect_four, pong

NAMES = ["Zoë", "Ben & <Co>"]
SVG = "{http://www.w3.org/2000/svg}"
ONE_PIXEL = 1.0

PONG = pong()
FOUR = connect_four(1, 7, 3, 2, 4, 1, 1)
"""Seven moves of a match in two columns; whoever begins wins."""


class Played:
    """An animated SVG at any time, as a browser computes it."""

    def __init__(self, replay: Replay, names: list[str]) -> None:
        scene = Scene(replay, names)
        self.root = ET.fromstring("\n".join(svg(scene, scene.frames(None), "A & B")))  # noqa: S314 - our own

    def shapes(self, at_s: float) -> list[tuple[str, dict[str, Any], str]]:
        """Return the tag, attributes and text of what can be seen."""
        found = []
        for element in self.root:
            attributes = dict(element.attrib)
            for one in element.findall(f"{SVG}animate"):
                attributes[one.attrib["attributeName"]] = value_at(one.attrib, at_s)
            if attributes.get("visibility") != "hidden":
                tag = element.tag.removeprefix(SVG)
                found.append((tag, attributes, "".join(element.itertext())))
        return found

    def box(self, at_s: float, colour: str) -> dict[str, float] | None:
        """Return the place of the only rectangle of a colour."""
        found = [
            {name: float(attributes[name]) for name in ("x", "y", "width", "height")}
            for tag, attributes, _ in self.shapes(at_s)
            if tag == "rect" and attributes["fill"] == colour
        ]
        assert len(found) <= 1
        return found[0] if found else None

    def texts(self, at_s: float) -> list[str]:
        return [text for tag, _, text in self.shapes(at_s) if tag == "text"]


def value_at(animation: dict[str, str], at_s: float) -> str:
    """Return the value of an animation by SMIL."""
    part = at_s / float(animation["dur"].removesuffix("s"))
    times = [float(time) for time in animation["keyTimes"].split(";")]
    values = animation["values"].split(";")
    assert times[0] == 0
    assert times == sorted(times)
    after = max(index for index, time in enumerate(times) if time <= part + 1e-7)
    if animation.get("calcMode") == "discrete" or after + 1 == len(times):
        return values[after]
    low, high = float(values[after]), float(values[after + 1])
    return str(low + (high - low) * (part - times[after]) / (times[after + 1] - times[after]))


def view_at(replay: Replay, tick: int) -> PongView:
    view = replay.view(replay.at(tick))
    assert isinstance(view, PongView)
    return view


def expected(view: PongView, colour: str) -> tuple[float, float] | None:
    """Return where the page draws a paddle or the ball, on a stage of 600 by 400."""
    if colour == TEXT:
        if not isinstance(view.ball_x, float) or not isinstance(view.ball_y, float):
            return None
        return view.ball_x * 6, HEADER + view.ball_y * 4
    y = view.p1_y if colour == SEATS[0] else view.p2_y
    return (0 if colour == SEATS[0] else (100 - PADDLE_WIDTH) * 6), HEADER + y * 4


def test_the_svg_agrees_with_every_frame_within_a_pixel() -> None:
    played = Played(PONG, NAMES)
    for tick in range(0, PONG.ticks + 1, 7):
        view = view_at(PONG, tick)
        for colour in (*SEATS, TEXT):
            wanted, box = expected(view, colour), played.box(tick / TICK_HZ, colour)
            assert (wanted is None) == (box is None), (tick, colour)
            if wanted is not None and box is not None:
                assert box["x"] == pytest.approx(wanted[0], abs=ONE_PIXEL), tick
                assert box["y"] == pytest.approx(wanted[1], abs=ONE_PIXEL), tick
        assert f"{view.s1} : {view.s2}" in played.texts(tick / TICK_HZ)


def pixels(image: Image.Image, colour: str) -> tuple[int, int, int, int] | None:
    """Return the box of the pixels of a colour on the stage."""
    stage = image.crop((0, HEADER, image.width, image.height - 24))
    difference = ImageChops.difference(stage, Image.new("RGB", stage.size, colour)).convert("L")
    return difference.point(lambda value: 255 * (value == 0)).getbbox()


def test_the_gif_agrees_with_its_frames_within_a_pixel() -> None:
    scene, file = Scene(PONG, NAMES), io.BytesIO()
    write_gif(scene, scene.frames(gif.HZ), file)
    file.seek(0)
    animation = GifImageFile(file)
    shown_ms, frames = 0, {}
    for number in range(animation.n_frames):
        animation.seek(number)
        frames[shown_ms] = animation.convert("RGB") if number % 25 == 0 else None
        shown_ms += animation.info["duration"]
    assert shown_ms == PONG.ticks * 1000 // TICK_HZ + gif.LAST_MS
    for at_ms, image in frames.items():
        if image is None:
            continue
        view = view_at(PONG, round(at_ms * TICK_HZ / 1000))
        for colour in SEATS:
            wanted, box = expected(view, colour), pixels(image, colour)
            assert wanted is not None
            assert box is not None
            assert box[:2] == pytest.approx((wanted[0], wanted[1] - HEADER), abs=ONE_PIXEL)
        wanted, ball = expected(view, TEXT), pixels(image, TEXT)
        assert (wanted is None) == (ball is None)
        if wanted is not None and ball is not None:
            assert ball[:2] == pytest.approx((wanted[0], wanted[1] - HEADER), abs=ONE_PIXEL)


def test_the_svg_shows_names_and_discs_and_the_winning_line() -> None:
    played = Played(FOUR, NAMES)
    board = FOUR.view(FOUR.at(FOUR.ticks)).board  # type: ignore[attr-defined]  # of connect four
    circles = [
        (shape["cx"], shape["cy"], shape["fill"])
        for tag, shape, _ in played.shapes(FOUR.ticks)
        if tag == "circle" and shape["fill"] in SEATS
    ]
    assert len(circles) == sum(seat is not None for row in board for seat in row) == 7
    for row in range(ROWS):
        for column in range(COLUMNS):
            x, y = str(column * 80 + 40), str(HEADER + row * 80 + 40)
            seats = [colour for cx, cy, colour in circles if (cx, cy) == (x, y)]
            assert seats == [SEATS[one] for one in (board[row][column],) if one is not None]
    assert played.texts(0)[:2] == NAMES
    rings = [shape for tag, shape, _ in played.shapes(FOUR.ticks) if shape.get("stroke") == TEXT]
    assert len(rings) == 4
    assert not [shape for _, shape, _ in played.shapes(0) if shape.get("stroke") == TEXT]


def test_a_part_of_a_match_begins_at_zero_seconds() -> None:
    scene = Scene(PONG, NAMES)
    frames = list(scene.frames(10, start=120, to=240, speed=2))
    assert [frame.tick for frame in frames] == list(range(120, 241, 6))
    assert [frame.at_s for frame in frames] == pytest.approx([i * 0.05 for i in range(21)])


def test_moves_of_a_game_without_a_picture_are_shown_as_text_that_cannot_break_out() -> None:
    move = Relayed(0, raw({"text": "\x1b[2J</text><script>"}))
    replay = Replay([started(RELAY, 1, {}, 3), an_input(0, 0, move)], GAMES)
    names = ["Ana", "Ben", "Cid"]
    played = Played(replay, names)
    texts = played.texts(1)
    assert "Ana, Ben, Cid" in texts
    assert any("</text><script>" in text for text in texts)
    assert played.root.findall(f".//{SVG}script") == []
    file = io.BytesIO()
    scene = Scene(replay, names)
    write_gif(scene, scene.frames(None), file)
    file.seek(0)
    assert GifImageFile(file).n_frames == 2


@pytest.mark.parametrize("replay", [PONG, FOUR])
def test_a_terminal_that_plays_the_cast_shows_what_the_command_draws(replay: Replay) -> None:
    header, *events = (json.loads(line) for line in cast(replay, NAMES))
    assert (header["version"], header["width"], header["height"]) == (2, WIDTH, HEIGHT)
    screen = pyte.Screen(WIDTH, HEIGHT)
    stream = pyte.Stream(screen)
    assert [one[0] for one in events] == sorted(one[0] for one in events)
    checked = 0
    for (at_s, kind, text), after in pairwise([*events, events[-1]]):
        assert kind == "o"
        stream.feed(text)
        if after[0] > at_s and checked < 20:
            tick = round(at_s * replay.tick_hz)
            drawn = draw(replay, tick, NAMES, WIDTH, HEIGHT - 1).split("\n")
            shown = [line.rstrip() for line in screen.display]
            assert shown[: len(drawn)] == [line.rstrip() for line in drawn]
            checked += 1
    colours = {cell.fg for row in screen.buffer.values() for cell in row.values()}
    assert {SEATS[0].lstrip("#"), SEATS[1].lstrip("#")} <= colours
    assert screen.buffer[0][0].bg == STAGE.lstrip("#")


def test_a_font_without_accents_writes_letters_without_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gif, "FONTS", ())
    gif._font.cache_clear()  # noqa: SLF001 - the fonts of the system are looked up once
    scene, file = Scene(FOUR, ["Zoë 🎈", "李"]), io.BytesIO()
    write_gif(scene, scene.frames(None, to=1), file)
    file.seek(0)
    gif._font.cache_clear()  # noqa: SLF001 - as above
    assert GifImageFile(file).n_frames == 2


POINTS = st.lists(
    st.tuples(st.integers(0, 2), st.floats(-100, 100, allow_nan=False)), min_size=1, max_size=60
)


@given(POINTS)
def test_what_is_left_out_of_a_line_is_on_it_within_the_tolerance(
    steps: list[tuple[int, float]],
) -> None:
    points: list[tuple[float, float]] = []
    at = 0
    for step, value in steps:
        if len(points) > 1 and step == 0 and points[-2][0] == at:
            continue
        at += step
        points.append((float(at), value))
    kept = simplified(points, 0.25)
    assert kept[0] == points[0]
    assert kept[-1] == points[-1]
    for at_s, value in points:
        around = [
            low[1]
            if low[0] == high[0]
            else low[1] + (high[1] - low[1]) * (at_s - low[0]) / (high[0] - low[0])
            for low, high in pairwise([*kept, kept[-1]])
            if low[0] <= at_s <= high[0]
        ]
        assert min(abs(one - value) for one in around) <= 0.25 + 1e-6


def test_an_animation_pauses_at_its_end() -> None:
    played = Played(FOUR, NAMES)
    last = FOUR.ticks
    assert played.texts(last) == played.texts(last + PAUSE_S - 0.1)
    assert msgspec.json.encode(played.shapes(last)) == msgspec.json.encode(played.shapes(last + 1))
