"""The contract documents as served to programs, and the pages that show them."""

import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from playwright.async_api import Page, expect

from tests.acceptance.axe import serious_findings
from tests.acceptance.page_people import chromium
from tests.acceptance.service_process import PATIENCE_S, Running, token

CONTRACT = Path(__file__).parents[2] / "service" / "web" / "docs" / "contract"
DOCUMENTS = {"v1": "asyncapi-v1.json", "classic": "asyncapi-classic.json"}


def committed(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((CONTRACT / name).read_text())
    return document


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with chromium() as browser:
        page = await browser.new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        yield page


async def test_the_committed_documents_are_served(service: Running) -> None:
    async with aiohttp.ClientSession(service.url) as http:
        for name in (*DOCUMENTS.values(), "messages.schema.json"):
            async with http.get(f"/docs/{name}") as response:
                assert response.content_type == "application/json"
                assert await response.json() == committed(name)
        for path in ("/docs/none.json", "/docs/..%2Fdocs.js", "/docs/../client.py"):
            async with http.get(path) as response:
                assert response.status == 404


@pytest.mark.browser
@pytest.mark.parametrize("dialect", DOCUMENTS)
async def test_the_page_shows_each_message_of_a_dialect_with_help_and_example(
    service: Running, page: Page, dialect: str
) -> None:
    requested: list[str] = []
    errors: list[str] = []
    page.on("request", lambda one: requested.append(one.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda one: errors.append(one.text) if "Policy" in one.text else None)
    await page.goto(f"{service.url}/docs#{dialect}")
    document = committed(DOCUMENTS[dialect])
    for name, message in document["components"]["messages"].items():
        shown = page.locator(f'[id="{dialect}/{name}"]')
        await expect(shown.locator("h3")).to_contain_text(message["name"])
        await expect(shown).to_contain_text(message["summary"].replace("`", ""))
        example = await shown.locator("pre").inner_text()
        assert json.loads(example) == message["examples"][0]["payload"]
    codes = await page.locator(f'[id="{dialect}/closes"] td code').all_inner_texts()
    assert {str(one["code"]) for one in document["x-close-codes"]} <= {*codes}
    assert errors == []
    assert {urlsplit(url).netloc for url in requested} == {urlsplit(service.url).netloc}


@pytest.mark.browser
async def test_the_page_shows_each_operation_of_the_api(service: Running, page: Page) -> None:
    await page.goto(f"{service.url}/docs#rest")
    document = committed("openapi.json")
    operations = [(path, verb) for path, item in document["paths"].items() for verb in item]
    shown = page.locator('[id="rest/operations"] article h3')
    await expect(shown).to_have_text([f"{verb.upper()}{path}" for path, verb in operations])


@pytest.mark.browser
async def test_search_filters_by_all_words_and_anchors_link_to_entries(
    service: Running, page: Page
) -> None:
    await page.goto(f"{service.url}/docs#v1/GameOver")
    await expect(page.locator('[id="v1/GameOver"]')).to_be_in_viewport()
    await page.keyboard.press("/")
    await page.keyboard.type("room cursor")
    await expect(page.locator("article:visible h3")).to_have_text(["room:list", "room:list"])
    await expect(page.locator("#contents .coded:visible")).to_have_count(2)
    await page.locator("#search").fill("TOO_MANY_SOCKETS")
    await expect(page.locator("main section:visible h2")).to_have_text(["Error codes"])
    await page.locator("#search").fill("")
    await page.locator("#documents a", has_text="Classic").click()
    await expect(page.locator("h1")).to_have_text("ws-service: the classic contract")
    await expect(page.locator('[id="classic/UserOnline"]')).to_be_visible()


@pytest.mark.browser
async def test_messages_can_be_tried_in_both_dialects(service: Running, page: Page) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda one: errors.append(one.text) if one.type == "error" else None)
    await page.goto(f"{service.url}/docs#v1")
    await page.locator('[id="v1/RoomCreate"]').get_by_role("link", name="Try it").click()
    button, frames = partial(page.get_by_role, "button"), page.locator(".try-frames")
    await page.get_by_label("Who").fill("a.b.c")
    await button(name="Connect", exact=True).click()
    await expect(page.locator("main")).to_contain_text("Not connected: closed with 1008")
    await page.get_by_label("Who").fill(token(4711))
    await button(name="Connect", exact=True).click()
    await expect(frames).to_contain_text("welcome")
    await page.get_by_label("game optional").fill("pong")
    await page.get_by_label("options optional").fill("{}")
    await button(name="Send").click()
    await expect(frames).to_contain_text("ack")
    await button(name="Cut the connection").click()
    await button(name="Connect again and resume").click()
    await expect(frames).to_contain_text("resumed")
    # What is not in the schema is answered by an error.
    await page.get_by_label("As it is sent").fill('{"type": "room:lock", "roomid": "x"}')
    await button(name="Send").click()
    await expect(frames).to_contain_text("UNKNOWN_FIELD")
    await button(name="Disconnect").click()
    await page.get_by_label("Dialect").select_option("classic")
    await page.goto(f"{service.url}/docs#try/classic/LobbyJoin")
    await button(name="Connect", exact=True).click()
    await button(name="Send").click()
    await expect(frames).to_contain_text("lobby:list")
    assert errors == []


@pytest.mark.browser
async def test_the_page_follows_the_scheme_of_the_system_and_the_theme_that_was_chosen(
    service: Running, page: Page
) -> None:
    grounds = {"dark": "rgb(13, 15, 18)", "light": "rgb(246, 244, 239)"}
    await page.goto(f"{service.url}/docs#try")
    await expect(page.locator(".try-frames")).to_be_attached()
    for scheme in ("dark", "light"):
        await page.emulate_media(color_scheme=scheme)
        await expect(page.locator("body")).to_have_css("background-color", grounds[scheme])
        assert await serious_findings(page) == []
    await page.evaluate("localStorage.setItem('ws-service.theme', 'dark')")
    for path in ("/docs", "/admin"):
        await page.goto(f"{service.url}{path}")
        await expect(page.locator("body")).to_have_css("background-color", grounds["dark"])
