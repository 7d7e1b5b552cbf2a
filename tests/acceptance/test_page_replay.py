"""The page of a recorded match in a browser, and of one that is still being played."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, expect

from service.client import Client, connect
from tests.acceptance.axe import serious_findings
from tests.acceptance.page_people import quiet_page
from tests.acceptance.service_process import PATIENCE_S, Running, fresh_id, token
from tests.acceptance.test_operators import of_type

pytestmark = pytest.mark.browser


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A page whose complaints fail the test."""
    async with quiet_page(lambda one: one.type == "error") as page:
        yield page


async def begun(first: Client, second: Client, game: str, **options: float) -> str:
    """Begin a match of two, and return its room."""
    room: str = (await first.command("room:create", game=game, options=options))["roomId"]
    await second.command("room:join", roomId=room)
    for client in (first, second):
        await client.command("room:ready", roomId=room, ready=True)
    return room


async def tick_of(page: Page) -> int:
    tick: int = await page.evaluate("document.querySelector('ws-replay').tick")
    return tick


async def shows(page: Page, condition: str) -> None:
    """Wait until the replay is as the condition says; the CSP forbids `eval`."""
    code = (
        "async () => { for (;;) {"
        " const replay = document.querySelector('ws-replay');"
        f" if (replay && ({condition})) return;"
        " await new Promise(requestAnimationFrame);"
        " } }"
    )
    async with asyncio.timeout(PATIENCE_S):
        await page.evaluate(code)


async def test_a_match_is_scrubbed_stepped_and_shared(service: Running, page: Page) -> None:
    user = fresh_id()
    async with (
        connect(service.ws_url, token(user, "Ana")) as ana,
        connect(service.ws_url, token(fresh_id(), "Ben")) as ben,
    ):
        room = await begun(ana, ben, "pong", duration_s=4)
        await of_type(ana, "game:over")
    match = f"{room}-1"
    await page.goto(f"{service.url}/replay/{match}?token={token(user, 'Ana')}#t=1.5")
    await shows(page, "replay.tick === 90")
    await expect(page.locator("h1")).to_have_text("Ana against Ben")
    await expect(page.locator(".events li").last).to_contain_text("0:04.0")
    assert await serious_findings(page) == []

    replay = page.locator("ws-replay")
    await replay.focus()
    await page.keyboard.press("ArrowRight")
    assert await tick_of(page) == 91
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("ArrowLeft")
    assert await tick_of(page) == 89
    await page.keyboard.press("End")
    assert await tick_of(page) == 240
    await page.keyboard.press("Home")
    await page.keyboard.press(" ")
    await shows(page, "replay.isPlaying && replay.tick > 10")
    await page.keyboard.press(" ")
    await shows(page, "!replay.isPlaying")
    points = [mark async for mark in marks(page)]
    await page.keyboard.press("Home")
    await page.keyboard.press("l")
    assert await tick_of(page) == points[0]

    # The picture is that of the tick: what the service says, as the page draws it.
    await page.evaluate("document.querySelector('ws-replay').dataset.kept = ''")
    await page.locator(".events a").last.click()
    await expect(page.locator(".events .is-now")).to_contain_text("0:04.0")
    # Another moment of the same match is shown without reading it again, as by Back.
    await page.evaluate("location.hash = 't=3'")
    await shows(page, "replay.tick === 180")
    await page.go_back()
    await shows(page, "replay.tick === 90 && 'kept' in replay.dataset")
    await page.get_by_label("Time", exact=True).fill("120")
    await page.get_by_role("button", name="Share this moment").click()
    await expect(page).to_have_url(f"{service.url}/replay/{match}#t=2")
    await page.reload()
    await shows(page, "replay.tick === 120")

    await page.set_viewport_size({"width": 360, "height": 740})
    assert await page.evaluate("document.documentElement.scrollWidth") == 360


async def marks(page: Page) -> AsyncIterator[int]:
    """Yield the ticks of the points, and of the end if there are none."""
    found: list[int] = await page.evaluate(
        """() => {
          const { summary } = document.querySelector("ws-replay");
          const points = summary.timeline.filter(({ kind }) => kind === "point");
          return [...points.map(({ tick }) => tick), summary.ticks];
        }"""
    )
    for tick in found:
        yield tick


async def test_a_late_spectator_goes_back_to_the_start_and_to_live_again(
    service: Running, page: Page
) -> None:
    watcher = fresh_id()
    async with (
        connect(service.ws_url, token(fresh_id(), "Ana")) as ana,
        connect(service.ws_url, token(fresh_id(), "Ben")) as ben,
        connect(service.ws_url, token(watcher, "Cleo")) as cleo,
    ):
        room = await begun(ana, ben, "connect_four", turn_s=300)
        first = (await of_type(ana, "game:update"))["state"]["turn"]
        players = [ana, ben]
        for column in (3, 4):
            mover = players[first]
            await mover.command("game:move", roomId=room, move={"column": column})
            first = 1 - first
        await cleo.command("room:join", roomId=room, role="spectator")
        url = f"{service.url}/replay/{room}-1?live=1&token={token(watcher, 'Cleo')}#move=0"
        await page.goto(url)
        await shows(page, "replay.summary?.ticks === 2 && replay.tick === 0")
        await players[first].command("game:move", roomId=room, move={"column": 3})
        await shows(page, "replay.summary.ticks === 3 && replay.tick === 0")
        await expect(page.locator(".events li")).to_have_count(4)
        await page.locator("ws-replay").focus()
        await page.keyboard.press("End")
        assert await tick_of(page) == 3
        await page.get_by_role("button", name="Go to live").click()
        await expect(page).to_have_url(f"{service.url}/room/{room}")
        await expect(page.locator("#stage")).to_be_visible()
