"""The example platform, started as its README says, with two people in front of its page."""

import asyncio
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.acceptance.service_process import PATIENCE_S, clean_environment

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parent.parent.parent
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


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
    path = shutil.which("chromium")
    assert path is not None, "chromium is missing: apt-get install chromium"
    expect.set_options(timeout=PATIENCE_S * 1000)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        await browser.close()


async def sign_up(browser: Browser, url: str, name: str, complaints: list[str]) -> Page:
    page = await (await browser.new_context()).new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(url)
    await page.fill("#name", name)
    await page.fill("#password", "correct horse")
    await page.click("button[value=sign-up]")
    await expect(page.locator("body")).to_have_attribute("data-view", "lobby")
    # The token says no name: it comes from the user service, a moment later.
    await expect(page.locator("#me")).to_have_text(name)
    return page


async def test_two_people_sign_up_become_friends_play_and_find_their_match_saved(
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
