"""The page's frame and the lobby, in several browsers."""

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, WebSocketRoute, expect

from tests.acceptance.page_people import Person, SignIn, chromium, signing_in
from tests.acceptance.service_process import Running, StartService, fresh_id, make_token

pytestmark = pytest.mark.browser


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
def sign_in(browser: Browser) -> SignIn:
    return signing_in(browser)


async def two(service: Running, sign_in: SignIn) -> tuple[Person, Person]:
    return await sign_in(service, "Ana"), await sign_in(service, "Ben")


async def test_two_tabs_of_one_browser_can_be_two_users(
    start_service: StartService, sign_in: SignIn
) -> None:
    service = start_service(dev=True)
    ana = await sign_in(service, "Ana")
    ben = Person(await ana.page.context.new_page(), service)
    await ben.enter("Ben")
    await ana.invite("Ben")
    await ben.page.locator("#invites .accept").click()
    for person, name in ((ana, "Ana"), (ben, "Ben")):
        await person.phase("ready")
        await person.page.reload()
        await person.phase("ready")
        await expect(person.page.locator("#who")).to_have_text(name)
    assert ana.complaints + ben.complaints == []


async def test_a_quick_game_pairs_two_users_and_can_be_stopped(
    start_service: StartService, sign_in: SignIn
) -> None:
    service = start_service(dev=True)
    ana, ben = await two(service, sign_in)
    tile, other = (
        one.page.locator('.tile[data-game="pong"][data-bot=false]') for one in (ana, ben)
    )
    await tile.click()
    await expect(tile).to_have_attribute("aria-pressed", "true")
    await expect(tile).to_contain_text("Press to stop")
    await expect(other).to_contain_text("1 waiting")
    await tile.click()
    await expect(tile).to_have_attribute("aria-pressed", "false")
    for one in (tile, other):
        await one.click()
    for person in (ana, ben):
        await person.is_at("room")
        await person.phase("ready")
    assert ana.complaints + ben.complaints == []


async def test_a_bot_plays_at_once(start_service: StartService, sign_in: SignIn) -> None:
    ana = await sign_in(start_service(dev=True), "Ana")
    await ana.page.locator('.tile[data-game="connect_four"][data-bot=true]').click()
    await ana.is_at("room")
    await expect(ana.page.locator("main")).to_contain_text("level 2")
    assert ana.complaints == []


async def test_an_invite_is_seen_at_every_place_and_leads_to_the_match(
    start_service: StartService, sign_in: SignIn
) -> None:
    service = start_service(dev=True)
    ana, ben = await two(service, sign_in)
    await ben.page.locator(".tabs a", has_text="Matches").click()
    await ben.is_at("matches")
    await ana.invite("Ben", "connect_four")
    card = ben.page.locator("#invites .invite")
    await expect(card).to_contain_text("Ana invites you to Connect four")
    await expect(card).to_contain_text(re.compile("Open for [0-9]+ s more"))
    await expect(ben.page).to_have_title("(1) Matches · Play")
    await ben.page.reload()
    await card.locator(".accept").click()
    for person in (ana, ben):
        await person.is_at("room")
        await person.phase("ready")
    await expect(card).to_have_count(0)
    await ben.goes_to("/matches")
    await ben.page.locator("#your-match-link").click()
    await ben.phase("ready")
    assert ana.complaints + ben.complaints == []


async def test_sent_invites_are_shown_after_a_reload(
    start_service: StartService, sign_in: SignIn
) -> None:
    service = start_service(dev=True)
    ana, ben = await two(service, sign_in)
    await ana.invite("Ben")
    await ben.sees("#invites .accept")
    await ana.page.reload()
    await ana.is_at("lobby")
    invite = ana.row("Ben").locator("[data-part=invite]")
    await expect(invite).to_have_text("Invited")
    await expect(invite).to_be_disabled()
    await ben.page.locator("#invites .decline").click()
    await expect(invite).to_have_text("Invite")
    assert ana.complaints + ben.complaints == []


async def test_who_follows_a_link_chooses_a_name_and_lands_in_that_room(
    start_service: StartService, sign_in: SignIn
) -> None:
    service = start_service(dev=True)
    ana = await sign_in(service, "Ana")
    form = ana.page.locator("form.form")
    await form.get_by_text("Connect four").click()
    turn = form.get_by_label("Turn (s)")
    await expect(turn).to_have_attribute("max", re.compile("[0-9]+"))
    await turn.fill("45")
    await form.get_by_text("By link").click()
    await form.get_by_role("button", name="Create room").click()
    await ana.is_at("room")
    room = ana.page.url.removeprefix(service.url)
    ben = await sign_in(service, "Ben", room)
    await expect(ben.page).to_have_url(f"{service.url}{room}")
    await ben.page.locator("#sit").click()
    await ben.phase("ready")
    created = [one.data for one in service.events() if one.type == "room.created"]
    assert [(one["visibility"], one["options"]["turn_s"]) for one in created] == [("private", 45)]
    await ana.page.go_back()
    await ana.is_at("lobby")
    await ana.page.go_forward()
    await ana.is_at("room")
    for person in (ana, ben):
        await person.page.locator("#start").click()
    await ana.phase("playing")
    # Who looks around meanwhile is led back.
    await ana.page.go_back()
    await ana.sees("#your-match")
    await ana.page.locator("#your-match-link").click()
    await ana.phase("playing")
    assert ana.complaints + ben.complaints == []


async def test_a_room_with_a_password_stands_in_the_lobby(
    start_service: StartService, sign_in: SignIn
) -> None:
    service = start_service(dev=True)
    ana, ben = await two(service, sign_in)
    form = ana.page.locator("form.form")
    await form.get_by_text("Password", exact=True).first.click()
    await form.get_by_label("Name of the room").fill("Sunday cup")
    await form.locator("[name=password]").fill("blue door")
    await form.get_by_role("button", name="Create room").click()
    await ana.is_at("room")
    row = ben.page.locator(".rooms li", has_text="Sunday cup")
    await expect(row).to_contain_text("password")
    # However often it is shown anew.
    for name in ("Pong", "All"):
        await ben.page.locator("[data-part=filter-rooms]").get_by_text(name, exact=True).click()
    await expect(row.locator("[data-part=name] svg")).to_have_count(1)
    await row.get_by_text("Join").click()
    await ben.phase("password")
    assert ana.complaints + ben.complaints == []


async def test_the_lobby_has_a_chat_and_users_have_messages_and_mute_each_other(
    start_service: StartService, sign_in: SignIn
) -> None:
    service = start_service(dev=True)
    ana, ben = await two(service, sign_in)
    await ana.say("Lobby chat", "who plays?")
    await expect(ben.chat("Lobby chat").locator("li")).to_contain_text("Ana who plays?")
    await ben.page.reload()
    await expect(ben.chat("Lobby chat").locator("li")).to_contain_text("Ana who plays?")
    await ana.row("Ben").get_by_text("Message Ben").click(force=True)
    await ana.say("Messages with Ben", "a word?")
    await expect(ben.chat("Messages with Ana").locator("li")).to_contain_text("Ana a word?")
    await ben.chat("Messages with Ana").get_by_text("Mute").click()
    await expect(ben.page.locator("#toasts")).to_contain_text("no longer")
    await ana.say("Lobby chat", "again?")
    await ben.say("Lobby chat", "quiet here")
    await expect(ben.chat("Lobby chat").locator("li:visible")).to_have_count(1)
    await expect(ana.chat("Lobby chat").locator("li")).to_have_count(3)
    await ben.page.locator("[data-part=status]").select_option("away")
    await expect(ana.row("Ben")).to_contain_text("Away")
    assert ana.complaints + ben.complaints == []


async def test_an_interrupted_greeting_does_not_leave_a_blank_page(
    start_service: StartService, sign_in: SignIn
) -> None:
    service = start_service(dev=True)
    ana, ben = await two(service, sign_in)
    await ana.invite("Ben")
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
    await ben.is_at("lobby")
    await ben.sees("#invites .accept")
    await expect(ben.page.locator("#invites .accept")).to_have_count(1)
    assert cuts == 0


async def test_a_stale_token_leads_to_the_sign_in_form(
    start_service: StartService, browser: Browser
) -> None:
    service = start_service(dev=True)
    person = Person(await (await browser.new_context()).new_page(), service)
    stale = make_token({"id": fresh_id(), "name": "Ana"}, ttl_s=-3600)
    await person.page.goto(f"{service.url}/?token={stale}")
    await person.sees('body[data-place="signin"]')
    await expect(person.page.locator("#signin-error")).to_contain_text("sign in again")
    await person.page.locator("#name").fill("Ana")
    await person.page.locator("#signin button[type=submit]").click()
    await person.is_at("lobby")
    await expect(person.page.locator("#signin-error")).to_have_count(0)


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
    await ana.sees(".quick")  # The lobby is painted before there is a connection.
    await expect(ana.page.locator("#reconnect")).to_be_hidden()
    await ana.page.locator("#reconnect").click()
    await ana.is_at("lobby")
    assert tries == 2
