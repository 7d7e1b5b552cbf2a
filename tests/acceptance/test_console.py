"""The operators' console in a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from playwright.async_api import ConsoleMessage, Page, expect

from service.client import Client, connect
from tests.acceptance.axe import serious_findings
from tests.acceptance.page_people import quiet_page
from tests.acceptance.service_process import Running, fresh_id, make_token, token
from tests.acceptance.test_operators import of_type

pytestmark = pytest.mark.browser

PLACES = ("", "/rooms", "/users", "/matches", "/log", "/outbox")


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A page whose complaints fail the test: errors, failed requests, violations of the CSP."""
    async with quiet_page(_is_bad) as page:
        yield page


def _is_bad(message: ConsoleMessage) -> bool:
    """Return whether the console tells of an error; a refused token is none."""
    return message.type == "error" and "403" not in message.text


async def sign_in(page: Page, service: Running, scope: str) -> None:
    await page.goto(f"{service.url}/admin")
    await page.get_by_label("Token").fill(make_token({"scope": scope, "id": 1000}))
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("heading", name="Overview")).to_be_visible()


async def playing(service: Running, stack: AsyncExitStack) -> tuple[str, list[Client]]:
    """Let two users play Pong."""
    clients = [
        await stack.enter_async_context(connect(service.ws_url, token(user, name)))
        for user, name in ((fresh_id(), "Ana"), (fresh_id(), "Ben"))
    ]
    room = (await clients[0].command("room:create", game="pong"))["roomId"]
    await clients[1].command("room:join", roomId=room)
    for client in clients:
        await client.command("room:ready", roomId=room, ready=True)
    return room, clients


async def test_an_operator_voids_a_match_kicks_and_reads_who_did_it(
    service: Running, page: Page
) -> None:
    async with AsyncExitStack() as stack:
        room, (ana, ben) = await playing(service, stack)
        await sign_in(page, service, "admin")
        await expect(page.locator("#figures")).to_contain_text("Live matches")
        await expect(page.locator("#nodes")).to_contain_text("Up, alone")

        await page.get_by_role("link", name="Rooms").click()
        row = page.locator(f'tr[data-key="{room}"]')
        await expect(row).to_contain_text("Playing")
        await row.get_by_role("link", name="match").click()
        await expect(page.locator(".sights")).to_contain_text("Ana")
        await expect(page.get_by_label("State", exact=True)).to_contain_text("ticks_left")
        await page.get_by_label("Tick", exact=True).focus()
        await page.keyboard.press("Home")
        await expect(page.locator("output")).to_contain_text("tick 0 of")
        await page.get_by_role("button", name="Void…").click()
        await page.get_by_role("button", name="Void: it ends without a result").click()
        assert (await of_type(ana, "game:over"))["reason"] == "void"

        await page.goto(f"{service.url}/admin/rooms?q={room}")
        await row.get_by_role("button", name="Kick Ben…").click()
        await page.get_by_label("Why").fill("rude")
        await page.get_by_role("button", name="Kick", exact=True).click()
        assert (await of_type(ben, "room:left"))["reason"] == "kicked"
        await expect(row.get_by_role("button", name="Kick Ben…")).to_have_count(0)

        await page.get_by_role("link", name="Log").click()
        await page.get_by_label("Type, as match.").fill("operator.acted")
        await page.get_by_role("button", name="Filter").click()
        first = page.locator("tbody tr").first
        await expect(first).to_contain_text("kick")
        await expect(first).to_contain_text("rude")
        assert "type=operator.acted" in page.url
        await first.locator("summary").click()
        await expect(first.locator("pre")).to_contain_text("correlationId")


async def test_who_only_looks_has_nothing_to_press(service: Running, page: Page) -> None:
    async with AsyncExitStack() as stack:
        room, _ = await playing(service, stack)
        await sign_in(page, service, "observe")
        await expect(page.locator("#nodes tbody tr")).to_have_count(1)
        await expect(page.get_by_text("Message to all")).to_be_hidden()
        await page.goto(f"{service.url}/admin/rooms?q={room}")
        await expect(page.locator("tbody tr")).to_have_count(1)
        await expect(page.locator("tbody button")).to_have_count(0)


async def test_the_console_fits_a_phone_and_is_accessible(service: Running, page: Page) -> None:
    async with AsyncExitStack() as stack:
        await playing(service, stack)
        await sign_in(page, service, "admin")
        for place in PLACES:
            await page.goto(f"{service.url}/admin{place}")
            await expect(page.locator("h1")).to_be_visible()
            assert await serious_findings(page) == [], place
        await page.set_viewport_size({"width": 360, "height": 740})
        for place in PLACES:
            await page.goto(f"{service.url}/admin{place}")
            await expect(page.locator("h1")).to_be_visible()
            width = await page.evaluate("document.documentElement.scrollWidth")
            assert width == 360, place


async def test_a_token_that_does_not_do_is_told(service: Running, page: Page) -> None:
    await page.goto(f"{service.url}/admin")
    await page.get_by_label("Token").fill(token(fresh_id()))
    async with page.expect_response("**/admin/figures"):
        await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("observe")
