"""An exported SVG as a browser plays it: at each moment it shows what the frame has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from service.games.pong import TICK_HZ
from service.replay.colours import SEATS, TEXT
from service.replay.scene import HEADER, Scene
from service.replay.svg import svg
from tests.acceptance.page_people import chromium
from tests.unit.replay.test_summary import pong

pytestmark = pytest.mark.browser

TICKS = (0, 30, 61, 149, 151, 400, 777, 1200)

SHOWN = """([at, colours]) => {
  const svg = document.documentElement;
  svg.pauseAnimations();
  svg.setCurrentTime(at);
  const seen = (one) => getComputedStyle(one).visibility === "visible";
  const boxes = colours.map((colour) => [...document.querySelectorAll("rect")]
    .filter((one) => one.getAttribute("fill") === colour && seen(one))
    .map((one) => { const box = one.getBoundingClientRect(); return [box.x, box.y]; }));
  const texts = [...document.querySelectorAll("text")].filter(seen);
  return { boxes, texts: texts.map((one) => one.textContent) };
}"""


async def test_a_browser_shows_the_frames_of_the_svg_within_a_pixel(tmp_path: Path) -> None:
    replay = pong()
    scene = Scene(replay, ["Ana", "Ben"])
    file = tmp_path / "match.svg"
    file.write_text("\n".join(svg(scene, scene.frames(None), "Ana : Ben")))
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": scene.width, "height": scene.height})
        await page.goto(file.as_uri())
        for tick in TICKS:
            view: Any = replay.view(replay.at(tick))
            shown = await page.evaluate(SHOWN, [tick / TICK_HZ, [*SEATS, TEXT]])
            left, right, ball = shown["boxes"]
            assert left == [pytest.approx([0, HEADER + view.p1_y * 4], abs=1)]
            assert right == [pytest.approx([96.7 * 6, HEADER + view.p2_y * 4], abs=1)]
            if isinstance(view.ball_x, float):
                place = [view.ball_x * 6, HEADER + view.ball_y * 4]
                assert ball == [pytest.approx(place, abs=1)], tick
            else:
                assert ball == []
            assert f"{view.s1} : {view.s2}" in shown["texts"]
