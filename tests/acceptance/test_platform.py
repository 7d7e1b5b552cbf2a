"""The example platform, started as in its README, with two users."""

import asyncio
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, Page, expect

from examples.platform import Platform
from tests.acceptance.page_people import chromium
from tests.acceptance.service_process import PATIENCE_S, clean_environment

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """Start the platform, and end it as Ctrl-C does."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.platform", "--data", str(tmp_path)),
        cwd=ROOT,
        env=clean_environment({}),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(2 * PATIENCE_S):
        said = (await process.stdout.readline()).decode()
    found = re.search(r"http://127\.0\.0\.1:\d+", said)
    assert found is not None, said
    yield found[0]
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(PATIENCE_S):
        await process.communicate()
    assert process.returncode == 0


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


async def sign_up(browser: Browser, url: str, name: str, complaints: list[str]) -> Page:
    page = await (await browser.new_context()).new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(url)
    await page.fill("#name", name)
    await page.fill("#password", "correct horse")
    await page.click("button[value=sign-up]")
    await expect(page.locator("body")).to_have_attribute("data-view", "lobby")
    # The token has no name: the user service provides it a moment later.
    await expect(page.locator("#me")).to_have_text(name)
    return page


async def test_two_users_sign_up_befriend_play_and_see_their_match_saved(
    browser: Browser, url: str
) -> None:
    complaints: list[str] = []
    ana = await sign_up(browser, url, "Ana", complaints)
    ben = await sign_up(browser, url, "Ben", complaints)

    line = ana.locator("#players li", has_text="Ben")
    await line.get_by_role("button", name="Friend").click()
    await expect(ana.locator("#friends")).to_have_text("Ben is here")

    await line.get_by_role("button", name="Invite").click()
    await expect(ben.locator("#invite-text")).to_have_text("Ana wants to play.")
    await ben.click("#accept")
    for page in (ana, ben):
        await expect(page.locator("#names")).to_have_text("Ana : Ben")
    await expect(ana.locator("#notice")).to_contain_text("begin")
    await ana.click("#begin")
    await expect(ben.locator("#clock")).to_contain_text("s")
    await ben.keyboard.press("ArrowUp")
    await ben.click("#leave")
    await expect(ana.locator("#notice")).to_contain_text("you win")

    await expect(ben.locator("body")).to_have_attribute("data-view", "lobby")
    saved = ben.locator("#matches li")
    async with asyncio.timeout(PATIENCE_S):
        while not await saved.count():
            await ben.reload()
            await expect(ben.locator("#me")).to_have_text("Ben")
            await ben.wait_for_load_state("networkidle")
    await expect(saved).to_have_text(re.compile(r"\d+ : \d+ against Ana"))
    assert complaints == []


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    """The same, with its parts at hand."""
    platform = Platform(tmp_path)
    try:
        await platform.start()
        yield platform
    finally:
        await platform.stop()


def connections_of(page: Page) -> list[str]:
    """Collect the URLs of the WebSockets that a page opens from now on."""
    urls: list[str] = []
    page.on("websocket", lambda socket: urls.append(socket.url))
    return urls


def saved_matches(data: Path) -> list[tuple[int, int]]:
    """Read who played whom from the database of the user service."""
    uri = f"file:{data / 'user_service.db'}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as database:
        return database.execute("SELECT player1, player2 FROM matches").fetchall()


async def results_wait(platform: Platform, count: int) -> None:
    """Wait until so many results wait for the user service."""
    async with asyncio.timeout(2 * PATIENCE_S), aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{platform.ws_url}/metrics") as answer:
                if f"ws_outbox_backlog {count}.0" in await answer.text():
                    return


async def test_a_result_is_saved_once_despite_a_consumer_outage_and_a_kill(
    browser: Browser, platform: Platform, tmp_path: Path
) -> None:
    complaints: list[str] = []
    ana = await sign_up(browser, f"{platform.url}/?transport=socketio", "Ana", complaints)
    ben = await sign_up(browser, platform.url, "Ben", complaints)
    of_ana, of_ben = connections_of(ana), connections_of(ben)
    await platform.kill("user_service")

    line = ana.locator("#players li", has_text="Ben")
    await line.get_by_role("button", name="Invite").click()
    await ben.click("#accept")
    await expect(ana.locator("#notice")).to_contain_text("begin")
    await ben.click("#begin")
    for page in (ana, ben):
        await expect(page.locator("#clock")).to_contain_text("s")

    await platform.kill("ws-service")
    for page in (ana, ben):
        await expect(page.locator("#notice")).to_contain_text("broke")
    await platform.start_again("ws-service")
    for page in (ana, ben):
        await expect(page.locator("#notice")).to_have_text("")
        await expect(page.locator("#clock")).to_contain_text("s")
    assert {"/socket.io/" in url for url in of_ana} == {True}
    assert {"/socket.io/" in url for url in of_ben} == {False}

    await ben.click("#leave")
    await expect(ana.locator("#notice")).to_contain_text("you win")
    await results_wait(platform, 1)
    await platform.kill("ws-service")
    await platform.start_again("ws-service")
    await results_wait(platform, 1)
    assert saved_matches(tmp_path) == []

    await platform.start_again("user_service")
    await results_wait(platform, 0)
    assert saved_matches(tmp_path) == [(2, 1)]
    assert complaints == []
