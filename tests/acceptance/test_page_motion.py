"""Pong on the page over a slow link: what is drawn, picture by picture.

The figures of docs/pong.md are those that PAGE_FIGURES=1 prints:

    PAGE_FIGURES=1 .venv/bin/python -m pytest -s -p no:xdist tests/acceptance/test_page_motion.py
"""

import asyncio
import json
import math
import os
import sys
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from service.client import Client, connect
from tests.acceptance.page_people import chromium
from tests.acceptance.service_process import PATIENCE_S, Running, StartService, fresh_id, token
from tests.proxy import Proxy

pytestmark = pytest.mark.browser

DELAY_S = 0.1
"""How much longer every byte takes, each way."""
PICTURES_MAX = 2
"""Own keys are seen in one of so many next pictures."""
PIXEL = 0.3
"""More than half a pixel of the field, in per cent."""
GLIDE_MAX = 0.5
"""How far a paddle at rest is corrected from one picture to the next, in per cent."""
TICK_MS = 1000 / 60
SPEED_SHARE_MAX = 1.2
"""The most that the ball is faster than in the match, while its playback catches up."""
NEW_RALLY = 20
"""A ball that has gone further than this has been served anew."""

RECORD = """
window.recorded = { pictures: [], states: [], keys: [] };
const { clearRect, fillRect } = CanvasRenderingContext2D.prototype;
CanvasRenderingContext2D.prototype.clearRect = function (...rect) {
  recorded.pictures.push({ at: performance.now(), rects: [] });
  return clearRect.apply(this, rect);
};
CanvasRenderingContext2D.prototype.fillRect = function (x, y, width, height) {
  const share = (length, whole) => (100 * length) / whole;
  recorded.pictures.at(-1)?.rects.push({
    x: share(x, this.canvas.width), y: share(y, this.canvas.height),
    width: share(width, this.canvas.width), height: share(height, this.canvas.height),
    isFaint: this.globalAlpha < 1,
  });
  return fillRect.call(this, x, y, width, height);
};
for (const type of ["keydown", "keyup"]) {
  addEventListener(type, (event) => {
    if (!event.repeat) recorded.keys.push({ at: performance.now(), type, key: event.key });
  }, true);
}
const Socket = WebSocket;
window.WebSocket = class extends Socket {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", ({ data }) => {
      const message = JSON.parse(data);
      if (message.type !== "game:update") return;
      recorded.states.push({ at: performance.now(), tick: message.tick, ...message.state });
    });
  }
};
"""


KEYS = (("w", 0.1), ("s", 0.12), ("w", 0.05))
"""What Ana presses, and for how long in seconds."""
REST_S = 1.4
"""Until the paddle rests, and the service has shown so: it coasts for a second."""


@dataclass
class Picture:
    """What was drawn of the field: the top of the right paddle, and the ball's place, if any."""

    at: float
    own: float
    ball: tuple[float, float] | None


@dataclass
class Figures:
    """What is seen of the motion; lengths in per cent of the field, times in milliseconds."""

    pictures_to_own_move: list[int]
    ms_to_own_move: list[float]
    ms_to_state_of_service: list[float]
    back_while_held: float
    glide_at_rest: float
    speeds: list[float]
    """Of the ball, from picture to picture, as a share of its speed in the match."""
    pictures_per_s: float


def picture_of(drawn: dict[str, Any]) -> Picture | None:
    paddles = [rect for rect in drawn["rects"] if 20 < rect["height"] < 30]
    balls = [
        rect
        for rect in drawn["rects"]
        if 3 < rect["height"] < 7 and rect["width"] > 2.5 and not rect["isFaint"]
    ]
    if len(paddles) != 2:
        return None
    own = max(paddles, key=lambda rect: rect["x"])
    ball = (balls[-1]["x"], balls[-1]["y"]) if balls else None
    return Picture(drawn["at"], own["y"], ball)


async def play_over_the_proxy(service: Running, browser: Browser, delay_s: float) -> dict[str, Any]:
    """Let Ana, who is behind the proxy, move her paddle; Ben, on the left, does nothing."""
    port = int(service.url.rpartition(":")[2])
    async with Proxy(port) as proxy, connect(service.url, token(fresh_id(), "Ben")) as ben:
        room = (await ben.command("room:create", game="pong"))["roomId"]
        reading = asyncio.create_task(read(ben))
        proxy.to_client.latency_s = proxy.to_server.latency_s = delay_s
        page = await (await browser.new_context(viewport={"width": 1280, "height": 900})).new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        await page.add_init_script(RECORD)
        url = f"http://127.0.0.1:{proxy.port}"
        await page.goto(f"{url}/?token={token(fresh_id(), 'Ana')}")
        await expect(page.locator("body")).to_have_attribute("data-connection", "online")
        await page.goto(f"{url}/room/{room}")
        await page.locator("#sit").click()
        await page.locator("#start").click()
        await ben.command("room:ready", roomId=room)
        await expect(page.locator("#stage")).to_have_attribute("data-phase", "playing")
        for key, held_s in KEYS:
            await asyncio.sleep(REST_S)
            await page.keyboard.down(key)
            await asyncio.sleep(held_s)
            await page.keyboard.up(key)
        await asyncio.sleep(REST_S)
        recorded: dict[str, Any] = await page.evaluate("recorded")
        await page.context.close()
        reading.cancel()
        return recorded


async def read(client: Client) -> None:
    async for _message in client:
        pass


def figures_of(recorded: dict[str, Any]) -> Figures:
    pictures = [found for one in recorded["pictures"] if (found := picture_of(one))]
    states = recorded["states"]
    keys = recorded["keys"]
    figures = Figures([], [], [], 0, 0, [], 0)
    for index, (pressed, released) in enumerate(zip(keys[::2], keys[1::2], strict=True)):
        sign = -1 if pressed["key"] == "w" else 1
        after = [one for one in pictures if one.at >= pressed["at"]]
        before = next(one for one in reversed(pictures) if one.at < pressed["at"])
        moved = next(at for at, one in enumerate(after) if sign * (one.own - before.own) > PIXEL)
        figures.pictures_to_own_move.append(moved + 1)
        figures.ms_to_own_move.append(after[moved].at - pressed["at"])
        rest = next(one for one in reversed(states) if one["at"] < pressed["at"])["p2Y"]
        shown = next(
            one
            for one in states
            if one["at"] > pressed["at"] and sign * (one["p2Y"] - rest) > PIXEL
        )
        figures.ms_to_state_of_service.append(shown["at"] - pressed["at"])
        held = [one.own for one in pictures if pressed["at"] <= one.at <= released["at"]]
        back = max((sign * (one - two) for one, two in pairwise(held)), default=0)
        figures.back_while_held = max(figures.back_while_held, back)
        # The paddle coasts on in the same direction; what goes back is a correction.
        until = keys[2 * index + 2]["at"] if 2 * index + 2 < len(keys) else math.inf
        coasting = [one.own for one in pictures if released["at"] <= one.at < until]
        glide = max((sign * (one - two) for one, two in pairwise(coasting)), default=0)
        figures.glide_at_rest = max(figures.glide_at_rest, glide)
    figures.speeds = ball_speeds(pictures, states, keys[0]["at"])
    span_ms = pictures[-1].at - pictures[0].at
    figures.pictures_per_s = 1000 * len(pictures) / span_ms
    return figures


def ball_speeds(pictures: list[Picture], states: list[dict[str, Any]], since: float) -> list[float]:
    """Return how fast the ball went sideways between pictures, as a share of its speed then."""
    speeds = []
    for one, two in pairwise(picture for picture in pictures if picture.at > since):
        ticks = (two.at - one.at) / TICK_MS
        if one.ball is None or two.ball is None or ticks <= 0:
            continue
        way = abs(two.ball[0] - one.ball[0])
        if way > NEW_RALLY:
            continue
        near = [state for state in states if abs(state["at"] - one.at) < 300]
        ways = [
            abs(after["ballX"] - before["ballX"]) / (after["tick"] - before["tick"])
            for before, after in pairwise(near)
            if "ballX" in before and "ballX" in after and after["tick"] > before["tick"]
        ]
        usual = max((way for way in ways if way < 3.1), default=0)
        if usual:
            speeds.append(max(0, way - PIXEL) / ticks / usual)
    return speeds


async def test_pong_feels_immediate_over_a_slow_link(start_service: StartService) -> None:
    service = start_service(WS_MATCH_DURATION_S="60")
    async with chromium() as browser:
        figures = figures_of(await play_over_the_proxy(service, browser, DELAY_S))
    report(figures)
    assert max(figures.pictures_to_own_move) <= PICTURES_MAX
    assert min(figures.ms_to_state_of_service) > 2000 * DELAY_S
    assert figures.back_while_held <= PIXEL
    assert figures.glide_at_rest <= GLIDE_MAX
    assert max(figures.speeds) <= SPEED_SHARE_MAX


def report(figures: Figures) -> None:
    if not os.environ.get("PAGE_FIGURES"):
        return
    found = {
        "pictures until the own paddle moves": figures.pictures_to_own_move,
        "ms until the own paddle moves, median": round(median(figures.ms_to_own_move), 1),
        "ms until the service shows it, median": round(median(figures.ms_to_state_of_service)),
        "back while a key is held, % of the field": round(figures.back_while_held, 2),
        "glide back per picture at rest, % of the field": round(figures.glide_at_rest, 2),
        "largest speed of the ball, share of its own": round(max(figures.speeds), 2),
        "pictures per s": round(figures.pictures_per_s, 1),
    }
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
