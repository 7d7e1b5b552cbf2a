"""The page of a room in several browsers: to play and to watch, by keyboard and touch."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Literal

import pytest
from playwright.async_api import Browser, Page, Route, expect

from service.client import connect
from tests.acceptance.axe import serious_findings
from tests.acceptance.crash import check_data
from tests.acceptance.page_people import chromium
from tests.acceptance.service_process import (
    PATIENCE_S,
    Running,
    StartService,
    fresh_id,
    token,
)

pytestmark = pytest.mark.browser

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


class Person:
    """A user of the page, in a browser of their own."""

    def __init__(self, page: Page, user: int, name: str) -> None:
        self.page = page
        self.user = user
        self.token = token(user, name)
        self.complaints: list[str] = []
        page.on("console", lambda one: self._note(one.type, one.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    async def goes_to(self, service: Running, room: str) -> None:
        await self.page.goto(f"{service.url}/room/{room}")

    async def phase(self, *phases: str) -> None:
        await expect(self.page.locator("#stage")).to_have_attribute(
            "data-phase", re.compile(f"^({'|'.join(phases)})$")
        )

    async def sees(self, selector: str) -> None:
        await expect(self.page.locator(selector)).to_be_visible()

    async def reads(self, selector: str, text: str | re.Pattern[str]) -> None:
        await expect(self.page.locator(selector)).to_have_text(text)

    async def watches(self, condition: str) -> None:
        """Check the condition in each animation frame until it holds; the CSP forbids `eval`."""
        frames = f"while (!({condition})) await new Promise(requestAnimationFrame)"
        async with asyncio.timeout(PATIENCE_S):
            await self.page.evaluate(f"async () => {{ {frames} }}")

    async def presses(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)

    async def result(self) -> str:
        await self.phase("result")
        await self.sees("#result")
        return await self.page.locator("#result").inner_text()

    async def score(self) -> list[int]:
        return numbers(await self.page.locator("#score").inner_text())

    def _note(self, type_: str, text: str) -> None:
        if type_ == "error":
            self.complaints.append(text)


Come = Callable[..., Awaitable[Person]]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
def come(browser: Browser) -> Come:
    """Return a function that opens the page for somebody."""

    async def come(service: Running, name: str, **context: Any) -> Person:
        options: dict[str, Any] = {"viewport": {"width": 1000, "height": 800}, **context}
        page = await (await browser.new_context(**options)).new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        person = Person(page, fresh_id(), name)
        await page.goto(f"{service.url}/?token={person.token}")
        await expect(page.locator("body")).to_have_attribute("data-connection", "online")
        return person

    return come


def numbers(text: str) -> list[int]:
    return [int(found) for found in re.findall(r"\d+", text)]


async def results_of(service: Running) -> list[tuple[str, list[int]]]:
    return [
        (event.data["reason"], event.data["scores"])
        for event in service.events()
        if event.type == "match.ended"
    ]


async def room_of_ana(service: Running, come: Come, game: str, **fields: Any) -> tuple[Person, str]:
    """Let Ana create a room, and open it in her browser."""
    ana = await come(service, "Ana")
    async with connect(service.url, ana.token) as other_tab:
        room: str = (await other_tab.command("room:create", game=game, **fields))["roomId"]
        await ana.goes_to(service, room)
        await ana.phase("waiting")
    return ana, room


async def two_at(service: Running, come: Come, game: str, **fields: Any) -> tuple[Person, Person]:
    """Let Ana create a room, and Ben, who has its link, sit down; then both begin."""
    ana, room = await room_of_ana(service, come, game, **fields)
    ben = await come(service, "Ben")
    await ben.goes_to(service, room)
    await ben.page.locator("#sit").click()
    for person in (ana, ben):
        await person.phase("ready")
    for person in (ana, ben):
        await person.page.locator("#start").click()
    return ana, ben


async def test_two_users_play_pong_and_see_the_result(
    start_service: StartService, come: Come
) -> None:
    service = start_service(WS_MATCH_DURATION_S="4")
    ana, ben = await two_at(service, come, "pong")
    for person in (ana, ben):
        await person.phase("countdown")
        await person.sees("#overlay-count")
    for person in (ana, ben):
        await person.phase("playing")
    await ana.page.keyboard.down("w")
    await ben.page.keyboard.down("ArrowDown")
    for person in (ana, ben):
        await person.watches(f"({LEFT})() < 20 && ({RIGHT})() > 60")
        await person.reads("#clock", re.compile(r"^0:0[0-4]$"))
    await ana.page.keyboard.up("w")
    await ana.page.keyboard.down("s")
    await ana.watches(f"({LEFT})() > 25")
    mine, theirs = await ana.result(), await ben.result()
    ((reason, final),) = await results_of(service)
    assert reason == "timeup"
    assert await ana.score() == await ben.score() == final
    assert numbers(mine) == final
    assert numbers(theirs) == final[::-1]
    words = {1: ("You won", "You lost"), 0: ("A draw", "A draw"), -1: ("You lost", "You won")}
    sign = (final[0] > final[1]) - (final[0] < final[1])
    assert (mine.split(",")[0], theirs.split(",")[0]) == words[sign]
    assert await ana.page.locator("#watch-again").get_attribute("href") is not None
    await ana.page.locator("#leave").click()
    await expect(ana.page).to_have_url(f"{service.url}/")
    await expect(ben.page.locator("#again")).to_be_hidden()
    await ben.reads("#result-text", re.compile("Ana is gone"))
    assert ana.complaints + ben.complaints == []


async def test_a_spectator_watches_and_chats(start_service: StartService, come: Come) -> None:
    service = start_service(WS_MATCH_DURATION_S="6")
    ana, ben = await two_at(service, come, "pong")
    eve = await come(service, "Eve")
    await eve.page.goto(ana.page.url)
    await eve.phase("playing")
    assert await eve.page.locator("#sides .player").all_inner_texts() == ["Ana", "Ben"]
    await expect(eve.page.locator("#match")).to_have_attribute("data-role", "spectator")
    await ana.reads("#watching", "1 watching")
    for person, text in ((eve, "who wins?"), (ben, "sww")):
        field = person.page.locator("#room-side .say input")
        await field.fill(text)
        await field.press("Enter")
    for person in (ana, ben, eve):
        lines = person.page.locator("#room-side .chat li")
        await expect(lines).to_have_text([re.compile("Eve who wins"), re.compile("Ben sww")])
    # What is written in the chat moves no paddle.
    await ana.watches(f"({RIGHT})() == null || Math.abs(({RIGHT})() - 37.5) < 1")
    words = await eve.result()
    ((reason, final),) = await results_of(service)
    assert reason == "timeup"
    assert await eve.score() == final
    won = {1: "Ana won", 0: "A draw", -1: "Ben won"}[(final[0] > final[1]) - (final[0] < final[1])]
    assert words == f"{won}, {final[0]} to {final[1]}"
    await expect(eve.page.locator("#again")).to_be_hidden()
    await eve.page.locator("#leave").click()
    await ana.reads("#watching", "")
    assert ana.complaints + ben.complaints + eve.complaints == []


async def test_connect_four_is_played_by_keyboard_alone_and_again(
    start_service: StartService, come: Come
) -> None:
    service = start_service()
    ana, ben = await two_at(service, come, "connect_four", options={"turn_s": 6})
    first, second = await by_turn(ana, ben)
    for _ in range(2):
        await drop(first, "3")
        await drop(second, "5")
    await second.reads("#announce", f"{name_of(first, ana)} dropped in column 3.")
    assert await serious_findings(first.page) == []
    # Who comes back has all moves before them.
    await first.page.reload()
    await expect(first.page.locator("#moves li")).to_have_text(["c", "e", "c", "e"])
    # Aimed at by arrows: the first key goes to the middle, the others along the columns.
    await first.reads("#turn", "Your turn")
    await first.presses("ArrowLeft", "ArrowLeft", "ArrowRight", "ArrowLeft", "Enter")
    await drop(second, "5")
    await drop(first, "3")
    assert (await first.result(), await second.result()) == ("You won", "You lost")
    for person in (first, second):
        await expect(person.page.locator("#board .line")).to_have_count(4)
        await expect(person.page.locator("#overlay")).to_be_hidden()
        await expect(person.page.locator("#moves li")).to_have_count(7)
    assert await serious_findings(second.page) == []
    await second.page.locator("#again").press("Enter")
    await first.reads("#result-text", re.compile("wants to play again"))
    await first.page.locator("#again").press("Enter")
    for person in (ana, ben):
        await person.phase("playing")
        await expect(person.page.locator("#board :is(.you, .other)")).to_have_count(0)
    slow, quick = await by_turn(ana, ben)
    await slow.sees(".turn.mine.now.low")
    await slow.reads("#announce", re.compile("seconds left"))
    await slow.result()
    await slow.reads("#result-text", "You ran out of time.")
    await quick.reads("#result-text", re.compile("ran out of time"))
    await expect(ana.page.locator("#series")).to_have_text(re.compile(r"^Series \d : \d$"))
    assert [reason for reason, _ in await results_of(service)] == ["finished", "turn_timeout"]
    assert ana.complaints + ben.complaints == []


async def test_a_host_plays_against_a_bot(start_service: StartService, come: Come) -> None:
    service = start_service()
    ana, _room = await room_of_ana(service, come, "connect_four")
    await ana.page.get_by_role("button", name="Bot: easy").click()
    await ana.page.locator("#start").click()
    await ana.reads("#turn", "Your turn")
    await ana.presses("4")
    await ana.reads("#turn", "Your turn")
    await expect(ana.page.locator("#board .other")).not_to_have_count(0)
    await ana.reads("#announce", re.compile(r"dropped in column \d"))
    assert ana.complaints == []


async def by_turn(ana: Person, ben: Person) -> tuple[Person, Person]:
    await ana.reads("#turn", re.compile("turn$"))
    is_ana = await ana.page.locator("#turn").inner_text() == "Your turn"
    return (ana, ben) if is_ana else (ben, ana)


def name_of(person: Person, ana: Person) -> str:
    return "Ana" if person is ana else "Ben"


async def drop(person: Person, column: str) -> None:
    await person.reads("#turn", "Your turn")
    await person.presses(column)
    await expect(person.page.locator("#turn")).not_to_have_text("Your turn")


async def test_a_room_asks_for_its_password_and_giving_up_asks_first(
    start_service: StartService, come: Come
) -> None:
    service = start_service()
    ana, room = await room_of_ana(
        service, come, "connect_four", visibility="password", password="open sesame"
    )
    ben = await come(service, "Ben")
    # The keyboard does also when the room can be seen only after it has asked.
    has_asked = asyncio.Event()

    async def later(route: Route) -> None:
        await has_asked.wait()
        await route.continue_()

    await ben.page.route("**/game.css", later)
    await ben.page.goto(f"{service.url}/room/{room}", wait_until="commit")
    await ben.phase("password")
    has_asked.set()
    await expect(ben.page.locator("#room-password input")).to_be_focused()
    await expect(ben.page.get_by_role("button", name="Back to lobby")).to_be_visible()
    for password in ("wrong", "open sesame"):
        await ben.page.locator("#room-password input").fill(password)
        await ben.page.locator("#room-password button").click()
        if password == "wrong":
            await ben.reads("#overlay-text", "That is not the password of this room.")
    await ben.page.locator("#sit").click()
    for person in (ana, ben):
        await person.page.locator("#start").click()
    for person in (ana, ben):
        await person.phase("playing")
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        await ana.page.emulate_media(color_scheme=scheme)
        await ana.page.locator("#leave").click()
        assert await serious_findings(ana.page) == []
        await ana.page.locator("#keep").click()
    await ana.page.locator("#leave").click()
    await ana.reads("#confirm-text", "Give up? The match then goes to Ben.")
    await ana.presses("Escape")
    await expect(ana.page.locator("#confirm")).to_be_hidden()
    await ana.page.locator("#leave").click()
    await ana.page.locator("#give-up").click()
    await expect(ana.page).to_have_url(f"{service.url}/")
    assert await ben.result() == "You won"
    await ben.reads("#result-text", re.compile("Ana gave up"))
    assert ana.complaints + ben.complaints == []


async def test_pages_continue_by_themselves_after_kill_9_and_a_restart(
    start_service: StartService, come: Come
) -> None:
    service = start_service(WS_MATCH_DURATION_S="5", WS_RECONNECT_GRACE_S="20")
    ana, ben = await two_at(service, come, "pong")
    for person in (ana, ben):
        await person.phase("playing")
        await expect(person.page.locator("#score")).not_to_have_text(re.compile(r"0\s*:\s*0"))
    # A reload returns to the match.
    await ana.page.reload()
    await ana.phase("playing")
    before = await ana.score()
    service.kill()
    for person in (ana, ben):
        await person.phase("lost")
        await person.reads("#overlay-title", "Connecting again…")
    await asyncio.to_thread(service.restart, WS_PORT=service.url.rpartition(":")[2])
    for person in (ana, ben):
        await person.phase("playing", "result")
        await person.result()
    ((reason, final),) = await results_of(service)
    assert reason == "timeup"
    assert all(now >= then for now, then in zip(final, before, strict=True))
    for person in (ana, ben):
        assert await person.score() == final
        # That nobody answers for a while is what a browser itself complains of.
        refused = re.compile("WebSocket connection to .* failed|ERR_CONNECTION_REFUSED")
        assert [one for one in person.complaints if not refused.search(one)] == []
    await asyncio.to_thread(service.kill)
    await check_data(service)


async def test_a_phone_has_pads_and_a_game_without_a_view_has_the_plain_one(
    start_service: StartService, come: Come
) -> None:
    service = start_service()
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    ana, ben = await two_at(service, come, "relay", options={"seats": 2})
    for person in (ana, ben):
        await person.phase("playing")
    field = ana.page.locator(".plain-json input")
    await field.fill("[1")
    await field.press("Enter")
    await ana.reads(".plain-json [role=alert]", re.compile("JSON object"))
    await field.fill('{"say": "hello"}')
    await field.press("Enter")
    await ben.reads(".plain-log li", "Ana: say hello")
    assert await serious_findings(ben.page) == []
    eve, room = await room_of_ana(service, come, "pong")
    small = await come(service, "Fay", **phone)
    await small.goes_to(service, room)
    await small.page.locator("#sit").click()
    await small.page.locator("#start").click()
    await eve.page.locator("#start").click()
    await small.phase("playing")
    pad = await small.page.locator("#pad-up").bounding_box()
    assert pad is not None
    assert pad["width"] >= 44
    assert pad["height"] >= 44
    await small.page.mouse.move(pad["x"] + 20, pad["y"] + 20)
    await small.page.mouse.down()
    await eve.watches(f"({RIGHT})() < 20")
    await small.page.mouse.up()
    assert await serious_findings(small.page) == []
    width = await small.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 360
    assert ana.complaints + ben.complaints + eve.complaints + small.complaints == []
