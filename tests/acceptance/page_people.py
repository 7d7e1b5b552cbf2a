"""Users of the page in browsers, and what their browsers complain of."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    ViewportSize,
    async_playwright,
    expect,
)

from service.client import connect
from tests.acceptance.service_process import PATIENCE_S, Running, fresh_id, token

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

PHONE: ViewportSize = {"width": 360, "height": 740}
DESK: ViewportSize = {"width": 1280, "height": 900}


class Person:
    """A user of the page."""

    def __init__(self, page: Page, service: Running) -> None:
        self.page = page
        self.service = service
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_S * 1000)
        page.on("console", lambda one: self._note(one.type, one.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("requestfailed", lambda one: self._failed(one.url, one.failure or ""))
        page.on("request", lambda one: self._check_origin(one.url))

    async def enter(self, name: str, path: str = "/") -> None:
        """Open a path, and choose a name there."""
        await self.page.goto(f"{self.service.url}{path}")
        await self.page.locator("#name").fill(name)
        await self.page.locator("#signin button[type=submit]").click()
        await self.sees('body[data-connection="online"]')

    async def goes_to(self, path: str) -> None:
        await self.page.goto(f"{self.service.url}{path}")
        await self.sees('body[data-connection="online"]')

    async def sees(self, selector: str) -> None:
        await expect(self.page.locator(selector)).to_be_visible()

    async def is_at(self, place: str) -> None:
        await self.sees(f'body[data-place="{place}"][data-connection="online"]')

    async def phase(self, *phases: str) -> None:
        await expect(self.page.locator("#stage")).to_have_attribute(
            "data-phase", re.compile("|".join(phases))
        )

    def row(self, name: str) -> Locator:
        """Find the row of somebody who is online."""
        return self.page.locator("[data-part=people] li", has_text=name)

    def chat(self, label: str) -> Locator:
        return self.page.get_by_label(label, exact=True)

    async def invite(self, name: str, game: str = "pong") -> None:
        await self.row(name).locator("[data-part=invite]").click()
        await self.row(name).locator(f'[data-invite="{game}"]').click()

    async def say(self, chat: str, text: str) -> None:
        field = self.chat(chat).locator("input")
        await field.fill(text)
        await field.press("Enter")

    def _note(self, type_: str, text: str) -> None:
        # A violation of the Content-Security-Policy is an error as well.
        if type_ == "error":
            self.complaints.append(text)

    def _failed(self, url: str, why: str) -> None:
        # A page that is left aborts what it has asked for.
        if why != "net::ERR_ABORTED":
            self.complaints.append(f"{url}: {why}")

    def _check_origin(self, url: str) -> None:
        if urlsplit(url).netloc != urlsplit(self.service.url).netloc:
            self.complaints.append(f"{url} is somewhere else")


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start Debian's Chromium."""
    path = shutil.which("chromium")
    assert path is not None, "chromium is missing: apt-get install chromium"
    expect.set_options(timeout=PATIENCE_S * 1000)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        await browser.close()


@asynccontextmanager
async def quiet_page(is_bad: Callable[[ConsoleMessage], bool]) -> AsyncIterator[Page]:
    """Open a page, and fail unless it has had no uncaught error and no bad line on its console."""
    complaints: list[str] = []
    async with chromium() as browser:
        page = await browser.new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda one: complaints.append(one.text) if is_bad(one) else None)
        yield page
    assert complaints == []


SignIn = Callable[..., Awaitable[Person]]


def signing_in(browser: Browser) -> SignIn:
    """Return a function that opens the page for somebody, who has chosen a name."""

    async def sign_in(service: Running, name: str, path: str = "/", **options: Any) -> Person:
        options = {"viewport": {"width": 1000, "height": 800}, **options}
        context = await browser.new_context(**options)
        person = Person(await context.new_page(), service)
        await person.enter(name, path)
        return person

    return sign_in


async def play_pong(service: Running, ana: str, ben: str) -> str:
    """Let two users play Pong until its time is up, and return the room."""
    async with (
        connect(service.url, ana) as first,
        connect(service.url, ben) as second,
        asyncio.timeout(PATIENCE_S),
    ):
        room: str = (await first.command("room:create", game="pong"))["roomId"]
        await second.command("room:join", roomId=room)
        for one in (first, second):
            await one.command("room:ready", roomId=room)
        async for message in first:
            if message["type"] == "game:over":
                break
    return room


def token_of(name: str) -> tuple[int, str]:
    """Return a user of this name, and a token."""
    user = fresh_id()
    return user, token(user, name)
