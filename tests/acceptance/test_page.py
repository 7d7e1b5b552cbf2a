"""The page in two browsers.

With PAGE_SCREENSHOTS set to a directory, pictures of the lobby and of a match are left there.
"""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, WebSocketRoute, async_playwright, expect

from tests.acceptance.service_process import (
    PATIENCE_S,
    Running,
    StartService,
    fresh_id,
    make_token,
)

pytestmark = pytest.mark.browser

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

PADDLE_TOP = """
() => {
  const canvas = document.getElementById("field");
  const { width, height } = canvas;
  const pixels = canvas.getContext("2d").getImageData(SIDE, 0, 1, height).data;
  const isPaddle = (y) => pixels[4 * y + 3] > 200;
  for (let y = 0; y < height; y++) {
    // A paddle is a quarter of the field high, a ball only a twentieth.
    if (isPaddle(y) && isPaddle(Math.min(y + Math.round(height / 5), height - 1))) {
      return (100 * y) / height;
    }
  }
  return null;
}
"""
LEFT = PADDLE_TOP.replace("SIDE", "Math.round(0.016 * width)")
RIGHT = PADDLE_TOP.replace("SIDE", "Math.round(0.984 * width)")

SignIn = Callable[[Running, str], Awaitable["Person"]]


class Person:
    """A user of the page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda one: self._note(one.type, one.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    async def enter(self, url: str, name: str) -> None:
        await self.page.goto(url)
        await self.page.locator("#name").fill(name)
        await self.page.locator("#signin button[type=submit]").click()
        await self.sees('body[data-view="lobby"][data-connection="online"]')

    async def sees(self, selector: str) -> None:
        await expect(self.page.locator(selector)).to_be_visible()

    async def phase(self, *phases: str) -> None:
        await expect(self.page.locator("#stage")).to_have_attribute(
            "data-phase", re.compile("|".join(phases))
        )

    async def score(self) -> str:
        return await self.page.locator("#score").inner_text()

    async def scored(self) -> None:
        """Wait for a point."""
        await expect(self.page.locator("#score")).not_to_have_text(re.compile(r"0\s*:\s*0"))

    async def watches(self, condition: str) -> None:
        """Check the condition in each animation frame until it holds; the CSP forbids `eval`."""
        frames = f"while (!({condition})) await new Promise(requestAnimationFrame)"
        async with asyncio.timeout(PATIENCE_S):
            await self.page.evaluate(f"async () => {{ {frames} }}")

    async def result(self) -> str:
        await self.phase("result")
        await self.sees("#result")
        return await self.page.locator("#result").inner_text()

    def _note(self, type_: str, text: str) -> None:
        # Browsers warn of reading pixels, as this test does.
        if type_ == "error":
            self.complaints.append(text)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    path = shutil.which("chromium")
    assert path is not None, "chromium is missing: apt-get install chromium"
    expect.set_options(timeout=PATIENCE_S * 1000)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
def sign_in(browser: Browser) -> SignIn:
    async def sign_in(service: Running, name: str) -> Person:
        context = await browser.new_context(viewport={"width": 1000, "height": 800})
        context.set_default_timeout(PATIENCE_S * 1000)
        person = Person(await context.new_page())
        await person.enter(service.url, name)
        return person

    return sign_in


async def invite(ana: Person, ben: Person, name: str, game: str = "Pong") -> None:
    """Let Ana ask Ben, and both come to the match."""
    await ana.page.locator("#games label", has_text=game).click()
    row = ana.page.locator("#online li[data-user-id]", has_text=name)
    await row.locator("button[data-invite]").click()
    await ben.page.locator("#invites .accept").click()
    for person in (ana, ben):
        await person.sees('body[data-view="game"]')
        await person.phase("ready")


async def watch(eve: Person, name: str) -> None:
    """Let Eve watch the match of somebody."""
    row = eve.page.locator("#live li", has_text=name)
    await row.locator("button[data-watch]").click()
    await eve.sees('#view-game[data-role="spectator"]')


async def say(person: Person, text: str) -> None:
    await person.page.locator("#chat-text").fill(text)
    await person.page.locator("#chat-text").press("Enter")


async def picture(person: Person, name: str) -> None:
    directory = os.environ.get("PAGE_SCREENSHOTS")
    if directory:
        await person.page.screenshot(path=Path(directory) / name)


async def scores_of(service: Running) -> list[tuple[str, list[int]]]:
    return [
        (event.data["reason"], event.data["scores"])
        for event in service.events()
        if event.type == "match.ended"
    ]


def numbers(text: str) -> list[int]:
    return [int(found) for found in re.findall(r"\d+", text)]


async def test_two_tabs_of_one_browser_can_be_two_users(
    start_service: StartService, sign_in: SignIn
) -> None:
    service = start_service(dev=True)
    ana = await sign_in(service, "Ana")
    ben = Person(await ana.page.context.new_page())
    await ben.enter(service.url, "Ben")
    await invite(ana, ben, "Ben")
    for person, name in ((ana, "Ana"), (ben, "Ben")):
        await person.page.reload()
        await person.phase("ready")
        await expect(person.page.locator("#who")).to_have_text(name)
    assert ana.complaints + ben.complaints == []


async def test_the_matchmaking_button_pairs_two_users(
    start_service: StartService, sign_in: SignIn
) -> None:
    service = start_service(dev=True)
    ana, ben = await sign_in(service, "Ana"), await sign_in(service, "Ben")
    await ana.page.locator("#queue").click()
    await expect(ana.page.locator("#queue")).to_have_text("Stop searching")
    await ana.page.locator("#queue").click()
    await expect(ana.page.locator("#queue")).to_have_text("Find a match")
    for person in (ana, ben):
        await person.page.locator("#queue").click()
    for person in (ana, ben):
        await person.sees('body[data-view="game"]')
        await person.phase("ready")
    assert ana.complaints + ben.complaints == []


async def test_sent_invites_are_shown_after_a_reload(
    start_service: StartService, sign_in: SignIn
) -> None:
    service = start_service(dev=True)
    ana, ben = await sign_in(service, "Ana"), await sign_in(service, "Ben")
    row = ana.page.locator("#online li[data-user-id]", has_text="Ben").locator("button")
    await row.click()
    await ben.sees("#invites .accept")
    await ana.page.reload()
    await ana.sees('body[data-view="lobby"][data-connection="online"]')
    await expect(row).to_have_text("Invited")
    await expect(row).to_be_disabled()
    await picture(ana, "page-invited.png")
    await ben.page.locator("#invites .decline").click()
    await expect(row).to_have_text("Invite")
    assert ana.complaints + ben.complaints == []


async def test_an_interrupted_greeting_does_not_leave_a_blank_page(
    start_service: StartService, sign_in: SignIn
) -> None:
    service = start_service(dev=True)
    ana, ben = await sign_in(service, "Ana"), await sign_in(service, "Ben")
    row = ana.page.locator("#online li[data-user-id]", has_text="Ben").locator("button")
    await row.click()
    await ben.sees("#invites .accept")
    cuts = 2

    async def cut(socket: WebSocketRoute) -> None:
        nonlocal cuts
        if not cuts:
            socket.connect_to_server()
            return
        cuts -= 1
        server = socket.connect_to_server()

        async def pass_on(message: str | bytes) -> None:
            socket.send(message)
            if '"user:list"' in str(message):
                await socket.close(code=4999)

        server.on_message(pass_on)

    await ben.page.route_web_socket(re.compile("/ws"), cut)
    await ben.page.reload()
    await ben.sees('body[data-view="lobby"][data-connection="online"]')
    await ben.sees("#invites .accept")
    await expect(ben.page.locator("#invites .accept")).to_have_count(1)
    assert cuts == 0


async def test_a_stale_token_leads_to_the_sign_in_form(
    start_service: StartService, browser: Browser
) -> None:
    service = start_service(dev=True)
    person = Person(await (await browser.new_context()).new_page())
    stale = make_token({"id": fresh_id(), "name": "Ana"}, ttl_s=-3600)
    await person.page.goto(f"{service.url}/?token={stale}")
    await person.sees('body[data-view="signin"]')
    await expect(person.page.locator("#signin-error")).to_contain_text("sign in again")
    await person.page.locator("#name").fill("Ana")
    await person.page.locator("#signin button[type=submit]").click()
    await person.sees('body[data-view="lobby"][data-connection="online"]')
    await expect(person.page.locator("#signin-error")).to_have_text("")


async def test_a_stuck_connection_attempt_can_be_restarted_by_hand(
    start_service: StartService, sign_in: SignIn
) -> None:
    service = start_service(dev=True)
    ana = await sign_in(service, "Ana")
    tries = 0

    def hang_once(socket: WebSocketRoute) -> None:
        nonlocal tries
        tries += 1
        if tries > 1:
            socket.connect_to_server()

    await ana.page.route_web_socket(re.compile("/ws"), hang_once)
    await ana.page.reload()
    await ana.sees('body[data-connection="connecting"]')
    await expect(ana.page.locator("#reconnect")).to_be_hidden()
    await ana.page.locator("#reconnect").click()
    await ana.sees('body[data-view="lobby"][data-connection="online"]')
    assert tries == 2
