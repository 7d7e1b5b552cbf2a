"""All places of the page: what they show of the log, their sizes, and that all can use them."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

import service as service_package
from service.client import Client, connect
from tests.acceptance.axe import serious_findings
from tests.acceptance.page_people import (
    DESK,
    PHONE,
    Person,
    chromium,
    play_pong,
    signing_in,
    token_of,
)
from tests.acceptance.service_process import PATIENCE_S, Running, StartService

pytestmark = pytest.mark.browser

BYTES_MAX = 100_000
"""Scripts and style sheets of a page, uncompressed."""

LOADED = """
async () => {
  const urls = performance.getEntriesByType("resource").map(({ name }) => name);
  const files = new Set(urls.filter((url) => /\\.(js|css)$/.test(new URL(url).pathname)));
  const bodies = await Promise.all([...files].map(async (url) => (await fetch(url)).arrayBuffer()));
  return bodies.map(({ byteLength }) => byteLength);
}
"""
"""The sizes of the files that a page has loaded, also of those from the cache of the browser."""


WEB = Path(service_package.__file__).parent / "web"

IN_FORCE = """
() => [...document.querySelectorAll("link[rel=stylesheet]")]
  .filter(({ media }) => media !== "not all")
  .map(({ href }) => new URL(href).pathname)
"""

RULES = """
async (url) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(await (await fetch(url)).text());
  const said = (rules) => [...rules].map((rule) =>
    rule.cssRules?.length && !rule.selectorText
      ? [rule.constructor.name, rule.conditionText ?? rule.name ?? "", said(rule.cssRules)]
      : rule.cssText.replaceAll("*:", ":").replace(/([,:(]) +/g, "$1"));
  return said(sheet.cssRules);
}
"""
"""What a style sheet says, as the browser has understood it, whatever the white space."""


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


async def opened(browser: Browser, service: Running, token: str, path: str = "/") -> Person:
    # Without transitions, which would show colours between two themes.
    context = await browser.new_context(
        viewport=DESK, color_scheme="light", reduced_motion="reduce"
    )
    person = Person(await context.new_page(), service)
    joint = "&" if "?" in path else "?"
    await person.goes_to(f"{path}{joint}token={token}")
    return person


async def test_the_history_is_filtered_shared_and_leads_to_players(
    start_service: StartService, browser: Browser
) -> None:
    service = start_service(dev=True, WS_MATCH_DURATION_S="1")
    (ana_id, ana), (_, ben) = token_of("Ana"), token_of("Ben")
    await play_pong(service, ana, ben)
    person = await opened(browser, service, ana, "/matches")
    rows = person.page.locator(".history [data-match-id]")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("Ben")
    await expect(rows.locator(".cover")).to_have_attribute("href", re.compile("^/replay/"))
    await expect(rows.locator("svg[role=img]")).to_have_attribute("aria-label", "Score over time")
    await person.page.get_by_text("Connect four").first.click()
    await expect(person.page).to_have_url(f"{service.url}/matches?game=connect_four")
    await expect(rows).to_have_count(0)
    await person.sees("text=No match fits these filters")
    await person.page.reload()
    await person.sees("text=Nothing was played in Connect four, so far.")
    await person.page.locator("[data-part=all]").click()
    await expect(rows).to_have_count(1)
    await person.page.go_back()
    await expect(rows).to_have_count(0)
    await person.goes_to(f"/player/{ana_id}")
    await expect(person.page.locator("h1")).to_have_text("Ana")
    await expect(person.page.locator("dl > div").first).to_have_text("Matches1")
    await person.page.locator("[data-part=opponents] a", has_text="Ben").click()
    await expect(person.page.locator("h1")).to_have_text("Ben")
    await expect(person.page.locator("[data-part=versus]")).to_be_visible()
    await person.goes_to("/player/nobody")
    await person.sees("text=There is nothing here")
    # What a browser says of an answer 404 is no fault of the page.
    assert [one for one in person.complaints if "404" not in one] == []


async def test_every_place_fits_a_phone_and_has_no_barriers_in_either_theme(
    start_service: StartService, browser: Browser
) -> None:
    service = start_service(dev=True, WS_MATCH_DURATION_S="1")
    # A name as long as it may be, without a place to break it.
    (ana_id, ana), (ben_id, ben) = token_of("Ana"), token_of("W" * 64)
    room = await play_pong(service, ana, ben)
    replay = f"/replay/{room}-1"
    sign_in = signing_in(browser)
    guest = await sign_in(service, "Ben", viewport=DESK)
    person = await opened(browser, service, ana)
    await guest.invite("Ana")
    await person.sees("#invites .accept")
    for path in (
        "/",
        "/live",
        "/matches",
        f"/player/{ana_id}",
        f"/player/{ben_id}",
        replay,
        "/nowhere",
    ):
        if path == "/nowhere":
            await person.page.evaluate("history.pushState(null, '', '/room/a/b')")
            await person.page.evaluate("dispatchEvent(new PopStateEvent('popstate'))")
        else:
            await person.goes_to(path)
            await expect(person.page.locator("main h1")).to_have_count(1)
        for viewport, scheme in ((DESK, "light"), (PHONE, "dark")):
            await person.page.set_viewport_size(viewport)
            await person.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # a literal
            assert await serious_findings(person.page) == [], (path, scheme)
            width = await person.page.evaluate("document.documentElement.scrollWidth")
            assert width <= viewport["width"], path
    assert person.complaints == []


async def test_the_style_sheets_of_a_place_are_in_force_there_alone(
    start_service: StartService, browser: Browser
) -> None:
    service = start_service(dev=True, WS_MATCH_DURATION_S="1")
    (ana_id, ana), (_, ben) = token_of("Ana"), token_of("Ben")
    room = await play_pong(service, ana, ben)
    paths = ("/", "/room/gone", "/live", "/matches", f"/replay/{room}-1", f"/player/{ana_id}")
    person = await opened(browser, service, ana)
    alone: dict[str, set[str]] = {}
    for path in paths:
        await person.goes_to(path)
        await expect(person.page.locator("main :is(h1, h2)").first).to_be_attached()
        alone[path] = set(await person.page.evaluate(IN_FORCE))
    assert "/app/play/game.css" in alone["/room/gone"] - alone["/"]
    # The same, one after the other in one document.
    for path in (*paths, *reversed(paths)):
        await person.page.evaluate("(path) => history.pushState(null, '', path)", path)
        await person.page.evaluate("dispatchEvent(new PopStateEvent('popstate'))")
        async with asyncio.timeout(PATIENCE_S):
            while set(await person.page.evaluate(IN_FORCE)) != alone[path]:
                await person.page.evaluate("new Promise(requestAnimationFrame)")
        await expect(person.page.locator("main :is(h1, h2)").first).to_be_attached()
        width = await person.page.evaluate("document.documentElement.scrollWidth")
        assert width <= DESK["width"], path


async def test_style_sheets_say_the_same_as_they_are_served_and_as_they_are_written(
    service: Running, browser: Browser
) -> None:
    page = await browser.new_page()
    await page.goto(f"{service.url}/healthz")
    paths = [path.relative_to(WEB).as_posix() for path in WEB.rglob("*.css")]
    assert len(paths) > 10
    for path in paths:
        served = await page.evaluate(RULES, f"/app/{path}")
        assert served == await page.evaluate(RULES, f"/web/{path}"), path
        assert served


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/replay/nothing-1", "There is no such match, or you may not see it."),
        ("/player/nobody", "The link may be old, or mistyped."),
        ("/room/nothing", "This room is closed."),
        ("/room/%3Cb%3E", "There is no such room."),
    ],
)
async def test_a_link_to_something_that_is_not_there_leads_to_the_lobby(
    service: Running, browser: Browser, path: str, words: str
) -> None:
    person = await opened(browser, service, token_of("Ana")[1], path)
    await expect(person.page.get_by_text(words)).to_be_visible()
    # Nothing stands around that has no sense without it.
    await expect(person.page.locator("main h2:visible, main input:visible")).to_have_count(0)
    back = person.page.locator("main").get_by_role("link", name="To the lobby")
    await back.or_(person.page.get_by_role("button", name="Back to lobby")).click()
    await person.is_at("lobby")


async def test_the_sign_in_form_has_no_barriers(
    start_service: StartService, browser: Browser
) -> None:
    service = start_service(dev=True)
    for scheme in ("dark", "light"):
        context = await browser.new_context(viewport=PHONE, color_scheme=scheme)
        person = Person(await context.new_page(), service)
        await person.page.goto(f"{service.url}/room/some-room")
        await person.sees("#signin")
        assert await serious_findings(person.page) == []
        assert person.complaints == []


async def begin_connect_four(first: Client, second: Client) -> tuple[str, str]:
    """Begin a match; return its room and its id."""
    room: str = (await first.command("room:create", game="connect_four"))["roomId"]
    await second.command("room:join", roomId=room)
    for one in (first, second):
        await one.command("room:ready", roomId=room)
    started = await anext(one async for one in first if one["type"] == "game:start")
    return room, started["matchId"]


async def test_each_place_with_a_live_match_is_small_and_has_no_barriers(
    start_service: StartService, browser: Browser
) -> None:
    service = start_service(dev=True, WS_MATCH_DURATION_S="30")
    sign_in = signing_in(browser)
    ana, ben = await sign_in(service, "Ana"), await sign_in(service, "Ben")
    await ana.invite("Ben")
    await ben.page.locator("#invites .accept").click()
    await ana.page.locator("#start").click()
    await ana.phase("countdown", "playing")
    eve = await sign_in(service, "Eve")
    await eve.sees(".live .stage svg:not(.glyph)")
    room = ana.page.url.removeprefix(service.url)
    (_, cleo), (_, dan) = token_of("Cleo"), token_of("Dan")
    sizes: dict[str, int] = {}
    async with connect(service.url, cleo) as first, connect(service.url, dan) as second:
        over, match = await begin_connect_four(first, second)
        await second.command("room:leave", roomId=over)
        await first.command("room:leave", roomId=over)
        four = f"/room/{(await begin_connect_four(first, second))[0]}"
        shown = dict.fromkeys(("/", "/live"), ".live .stage svg:not(.glyph)")
        shown |= {"/matches?of=all": "main", "/player/me": "main", room: "#field"}
        shown |= {four: "#board", f"/replay/{match}": "ws-replay .stage"}
        for path, selector in shown.items():
            await eve.goes_to(path)
            await eve.page.wait_for_load_state("networkidle")
            await expect(eve.page.locator(selector).first).to_be_visible()
            assert await serious_findings(eve.page) == [], path
            sizes[path.partition("?")[0]] = sum(await eve.page.evaluate(LOADED))
    assert {path: size for path, size in sizes.items() if size >= BYTES_MAX} == {}
