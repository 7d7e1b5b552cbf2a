"""The classic contract, over the wire."""

from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.acceptance.crash import logged
from tests.acceptance.service_process import (
    Client,
    Running,
    StartService,
    fresh_id,
    make_token,
    of_type,
    subprotocols,
    token,
)

TYPES_AT_ONCE = ["welcome", "session:state", "user:list"]


async def two(service: Running, *names: str) -> tuple[Client, Client]:
    first, second = names or ("Ana", "Ben")
    return await service.connect(fresh_id(), first), await service.connect(fresh_id(), second)


async def in_room(ana: Client, ben: Client) -> str:
    """Let ana invite ben, and return the room, which is not joined yet."""
    await ana.send("invite", to=ben.id)
    await ben.expect("invite:received")
    await ben.send("invite:accepted", **{"from": ana.id})
    await ben.expect("room:start")
    room: str = (await ana.expect("room:start"))["roomId"]
    return room


async def in_match(ana: Client, ben: Client) -> str:
    room = await in_room(ana, ben)
    for client in (ana, ben):
        await client.send("game:join", roomId=room)
    for client in (ana, ben):
        await client.expect("room:players")
    await ana.send("game:begin", roomId=room)
    for client in (ana, ben):
        await client.expect("game:start", roomId=room)
    return room


async def state(client: Client) -> dict[str, float]:
    found: dict[str, float] = (await client.expect("game:update"))["state"]
    return found


# Connecting


@pytest.mark.parametrize("path", ["/", "/ws"])
async def test_both_paths_accept_connections_and_greet_in_order(
    service: Running, path: str
) -> None:
    user = fresh_id()
    client = await service.connect(user, "Ana", path=path, greeted=False)
    await client.expect("user:list")
    assert [message["type"] for message in client.received[:3]] == TYPES_AT_ONCE
    assert client.received[0] == {"type": "welcome", "user": {"id": user, "name": "Ana"}}
    assert client.received[1] == {"type": "session:state", "inRoom": False, "roomId": None}
    assert {"id": user, "name": "Ana"} in client.received[2]["users"]


async def test_the_token_may_be_in_the_authorization_header(service: Running) -> None:
    headers = {"Authorization": f"Bearer {token(fresh_id(), 'Ana')}"}
    client = await service.connect(additional_headers=headers)
    assert client.user["name"] == "Ana"


async def test_the_token_may_be_a_subprotocol_and_is_never_echoed(service: Running) -> None:
    bearer = f"bearer.{token(fresh_id(), 'Ana')}"
    client = await service.connect(subprotocols=subprotocols("ws-service.classic", bearer))
    assert client.user["name"] == "Ana"
    assert client.connection.subprotocol == "ws-service.classic"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "Missing token"),
        ("?token=", "Missing token"),
        ("?token=nonsense", "Invalid or expired token"),
        (f"?token={make_token({'id': 1}, ttl_s=-60)}", "Invalid or expired token"),
        (f"?token={make_token({'id': 1}, secret='x' * 40)}", "Invalid or expired token"),
        (f"?token={make_token({'name': 'Nobody'})}", "Invalid token payload"),
    ],
)
async def test_a_bad_token_closes_with_1008_and_a_reason(
    service: Running, query: str, reason: str
) -> None:
    client = Client(await connect(f"{service.ws_url}/{query}", proxy=None))
    assert await client.closed() == (1008, reason)


@pytest.mark.parametrize(
    ("claims", "user"),
    [
        ({"id": 7}, 7),
        ({"id": "8"}, 8),
        ({"id": "09"}, "09"),
        ({"id": "9007199254740993"}, "9007199254740993"),
        ({"userId": 10, "sub": "11"}, 10),
        ({"userID": "ana"}, "ana"),
        ({"sub": "12"}, 12),
    ],
)
async def test_the_user_is_the_first_claim_that_names_one(
    service: Running, claims: dict[str, Any], user: int | str
) -> None:
    client = await service.connect(token_=make_token(claims))
    assert client.user == {"id": user, "name": f"User#{user}"}


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"name": "Ana", "email": "a@example.org"}, "Ana"),
        ({"name": " ", "username": "ana1", "email": "a@example.org"}, "ana1"),
    ],
)
async def test_the_name_is_the_first_name_claim_with_a_value(
    service: Running, claims: dict[str, Any], name: str
) -> None:
    client = await service.connect(token_=make_token({"id": fresh_id(), **claims}))
    assert client.user["name"] == name


async def test_an_email_claim_is_a_name_only_when_configured(
    service: Running, start_service: StartService
) -> None:
    claims = {"id": fresh_id(), "email": "a@example.org"}
    client = await service.connect(token_=make_token(claims))
    assert client.user["name"] == f"User#{claims['id']}"
    named = start_service(JWT_NAME_CLAIMS="name,email")
    client = await named.connect(token_=make_token(claims))
    assert client.user["name"] == "a@example.org"


# Presence


async def test_tabs_count_as_one_user_and_only_the_first_and_last_are_announced(
    start_service: StartService,
) -> None:
    service = start_service(WS_PRESENCE_GRACE_S="0")
    ana = await service.connect(1, "Ana")
    first = await service.connect(2, "Ben")
    await ana.expect("user:online", userId=2)
    second = await service.connect(2, "Ben")
    await ana.send("user:list:request")
    users = (await ana.expect("user:list"))["users"]
    assert sorted(user["id"] for user in users) == [1, 2]
    await first.close()
    await second.sync()
    assert of_type(await ana.sync(), "user:offline", "user:online") == []
    await second.close()
    await ana.expect("user:offline", userId=2)


async def test_a_broken_socket_gets_a_grace_and_a_clean_close_does_not(
    start_service: StartService,
) -> None:
    service = start_service(WS_PRESENCE_GRACE_S="60")
    ana = await service.connect(1, "Ana")
    ben = await service.connect(2, "Ben")
    await ana.expect("user:online", userId=2)
    await ben.drop()
    ben = await service.connect(2, "Ben")
    assert of_type(await ana.sync(), "user:offline", "user:online") == []
    await ben.close(1000)
    await ana.expect("user:offline", userId=2)


@pytest.mark.parametrize("is_v1", [False, True])
async def test_a_close_without_a_code_is_a_clean_one(
    start_service: StartService,
    is_v1: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    service = start_service(WS_PRESENCE_GRACE_S="60")
    ana = await service.connect(1, "Ana")
    ben = await (service.connect_v1 if is_v1 else service.connect)(2, "Ben")
    await ana.expect("user:online", userId=2)
    # A masked close frame without a body, as a browser sends it for `ws.close()`.
    ben.connection.transport.write(b"\x88\x80\0\0\0\0")
    await ana.expect("user:offline", userId=2)


async def test_lobby_changes_are_sent_to_its_members(service: Running) -> None:
    ana, ben = await two(service)
    await ana.send("lobby:join")
    await ana.expect("lobby:list", where=lambda one: ana.user in one["users"])
    await ben.send("lobby:join")
    await ana.expect("lobby:list", where=lambda one: ben.user in one["users"])
    await ben.send("lobby:leave")
    await ana.expect("lobby:list", where=lambda one: ben.user not in one["users"])
    await ben.send("lobby:request")
    assert ana.user in (await ben.expect("lobby:list"))["users"]


async def test_status_changes_of_friends_are_sent(service: Running) -> None:
    ana, friend = await service.connect(fresh_id(), "Ana"), fresh_id()
    answer = await ana.watch(friend)
    assert answer["statuses"] == {str(friend): False}
    ben = await service.connect(friend, "Ben")
    await ana.expect("friends:status:update", userId=friend, isOnline=True)
    await ben.close(1000)
    await ana.expect("friends:status:update", userId=friend, isOnline=False)


# Invites and matchmaking


@pytest.mark.parametrize(("type_", "field"), [("invite", "to"), ("invite:send", "toUserId")])
async def test_an_invite_reaches_every_tab_and_may_be_declined(
    service: Running, type_: str, field: str
) -> None:
    ana, ben = await two(service)
    second = await service.connect(ben.id, "Ben")
    await ana.send(type_, **{field: ben.id})
    for tab in (ben, second):
        assert (await tab.expect("invite:received"))["from"] == ana.user
    await second.send("invite:declined", **{"from": ana.id})
    assert (await ana.expect("invite:declined"))["from"] == ben.id


async def test_a_new_tab_gets_pending_invites(service: Running) -> None:
    ana, ben = await two(service)
    await ana.send("invite", to=ben.id)
    await ben.expect("invite:received")
    tab = await service.connect(ben.id, "Ben")
    assert (await tab.expect("invite:received"))["from"] == ana.user


async def test_an_invite_expires_or_is_withdrawn_with_its_user(start_service: StartService) -> None:
    service = start_service(WS_INVITE_TTL_S="1")
    ana, ben = await two(service)
    await ana.send("invite", to=ben.id)
    await ben.expect("invite:received")
    await logged(service, "invite.expired")
    await ben.send("invite:accepted", **{"from": ana.id})
    await ben.expect("error", code="INVITE_NOT_FOUND")
    await ana.send("invite", to=ben.id)
    await ben.expect("invite:received")
    await ana.close(1000)
    await ben.expect("user:offline", userId=ana.id)
    await ben.send("invite:accepted", **{"from": ana.id})
    await ben.expect("error", code="INVITE_NOT_FOUND")


async def test_invites_can_be_restricted_to_the_lobby(start_service: StartService) -> None:
    service = start_service(WS_INVITE_NEEDS_LOBBY="true")
    ana, ben = await two(service)
    await ana.send("invite", to=ben.id)
    await ana.expect("error", code="USER_NOT_IN_LOBBY")
    await ben.send("lobby:join")
    await ben.expect("lobby:list")
    await ana.send("invite", to=ben.id)
    await ben.expect("invite:received")


async def test_matchmaking_pairs_waiting_users(start_service: StartService) -> None:
    service = start_service()
    ana, ben = await two(service)
    await ana.send("matchmaking:join")
    await ana.expect("matchmaking:searching")
    await ana.send("matchmaking:leave")
    await ana.expect("matchmaking:cancelled")
    await ana.send("matchmaking:leave")
    await ana.expect("matchmaking:cancelled")
    await ana.send("matchmaking:join")
    await ana.expect("matchmaking:searching")
    await ben.send("matchmaking:join")
    start = await ana.expect("room:start")
    assert start["players"] == [ana.user, ben.user]
    assert await ben.expect("room:start") == start


async def test_a_matchmaking_search_times_out(start_service: StartService) -> None:
    service = start_service(WS_MATCHMAKING_TIMEOUT_S="1")
    ana = await service.connect(1, "Ana")
    await ana.send("matchmaking:join")
    await ana.expect("matchmaking:searching")
    await ana.expect("matchmaking:cancelled")


# Rooms and matches


async def test_a_match_runs_from_room_to_time_up(
    start_service: StartService,
) -> None:
    service = start_service(WS_MATCH_DURATION_S="3")
    ana, ben = await two(service)
    room = await in_room(ana, ben)
    await ana.send("game:join", roomId=room)
    assert of_type(await ana.sync(), "game:ready") == []
    await ben.send("game:join", roomId=room)
    for index, client in enumerate((ana, ben)):
        await client.expect("game:ready", roomId=room)
        players = await client.expect("room:players", roomId=room)
        assert (players["youIndex"], players["players"]) == (index, [ana.user, ben.user])
    await ben.send("game:begin", roomId=room)
    for index, client in enumerate((ana, ben)):
        start = await client.expect("game:start", roomId=room)
        assert (start["duration"], start["playerIndex"]) == (3, index)
        assert start["players"] == [ana.user, ben.user]
    assert (await state(ana)) == {"p1Y": 37.5, "p2Y": 37.5, "s1": 0, "s2": 0}
    timeup = await ana.expect("game:timeup", roomId=room)
    assert [one["remaining"] for one in of_type(ana.received, "game:timer")] == [3, 2, 1, 0]
    assert await ben.expect("game:timeup") == timeup
    last = [one for one in ana.received if one["type"] == "game:update"][-1]["state"]
    assert timeup["scores"] == {"s1": last["s1"], "s2": last["s2"]}
    s1, s2 = last["s1"], last["s2"]
    assert timeup["winner"] == ("draw" if s1 == s2 else "p1" if s1 > s2 else "p2")


@pytest.mark.parametrize(("up", "down"), [("w", "s"), ("ArrowUp", "ArrowDown")])
@pytest.mark.parametrize("seat", [0, 1])
async def test_both_key_pairs_move_the_paddle(
    service: Running, up: str, down: str, seat: int
) -> None:
    players = await two(service)
    room = await in_match(*players)
    mine, other = ("p1Y", "p2Y") if seat == 0 else ("p2Y", "p1Y")
    await players[seat].send("game:move", roomId=room, direction=up, action="down")
    moved = await players[0].expect("game:update", where=lambda one: one["state"][mine] == 0)
    assert moved["state"][other] == 37.5
    await players[seat].send("game:move", roomId=room, direction=up, action="up")
    await players[seat].send("game:move", roomId=room, direction=down, action="down")
    await players[0].expect("game:update", where=lambda one: one["state"][mine] == 75)


async def test_key_repeats_are_ignored_silently(service: Running) -> None:
    ana, ben = await two(service)
    room = await in_match(ana, ben)
    for _ in range(20):
        await ana.send("game:move", roomId=room, direction="w", action="down")
    assert of_type(await ana.sync(), "error") == []
    await ana.expect("game:update", where=lambda one: one["state"]["p1Y"] < 30)
    stream = f"match:{room}-1"
    inputs = [one for one in service.events() if (one.stream, one.type) == (stream, "match.input")]
    assert len(inputs) == 1


async def test_leaving_a_match_loses_it(service: Running) -> None:
    ana, ben = await two(service)
    room = await in_match(ana, ben)
    await ana.send("game:leave", roomId=room)
    assert (await ben.expect("game:end", roomId=room))["winner"] == "you"
    await ana.sync()
    await ana.send("game:leave", roomId=room)
    assert of_type(await ana.sync(), "error") == []


async def test_tabs_of_a_player_share_their_seat(service: Running) -> None:
    ana, ben = await two(service)
    other_tab = await service.connect(ana.id, "Ana")
    room = await in_match(ana, ben)
    await other_tab.expect("room:start", roomId=room)
    game = [one for one in await other_tab.sync() if one["type"].startswith(("game:", "room:"))]
    assert game == []
    await other_tab.send("game:join", roomId=room)
    for type_ in ("game:ready", "room:players", "game:start", "game:timer", "game:update"):
        await other_tab.expect(type_, roomId=room)
    await ana.close(1001)
    assert of_type(await ben.sync(), "game:paused") == []
    await other_tab.expect("game:update")


async def test_a_reload_returns_to_the_match(service: Running) -> None:
    ana, ben = await two(service)
    room = await in_match(ana, ben)
    await ana.close(1001)
    paused = await ben.expect("game:paused", roomId=room)
    assert (paused["away"], paused["graceMs"]) == ([ana.id], 10_000)
    ana = await service.connect(ana.id, "Ana", greeted=False)
    assert (await ana.expect("session:state"))["inRoom"] is True
    await ana.expect("room:start", roomId=room)
    await ana.send("game:join", roomId=room)
    for type_ in ("game:ready", "room:players", "game:start", "game:timer", "game:update"):
        await ana.expect(type_, roomId=room)
    await ben.expect("game:resumed", roomId=room)
    await ben.expect("game:update", where=lambda one: "ballX" in one["state"])


async def test_a_player_who_does_not_return_forfeits_and_is_notified_once(
    start_service: StartService,
) -> None:
    service = start_service(WS_RECONNECT_GRACE_S="0.3")
    ana, ben = await two(service)
    room = await in_match(ana, ben)
    await ana.drop()
    assert (await ben.expect("game:end", roomId=room))["winner"] == "you"
    back = await service.connect(ana.id, "Ana")
    assert [one["type"] for one in back.received[:2]] == ["welcome", "session:kickIntro"]
    await back.close(1000)
    again = await service.connect(ana.id, "Ana")
    assert again.received[1] == {"type": "session:state", "inRoom": False, "roomId": None}


async def test_untaken_seats_close_the_room(start_service: StartService) -> None:
    service = start_service(WS_SEAT_TAKE_S="1")
    ana, ben = await two(service)
    room = await in_room(ana, ben)
    await ana.send("game:join", roomId=room)
    await ana.expect("game:end", roomId=room)
    await ben.send("game:join", roomId=room)
    await ben.expect("error", code="ROOM_NOT_FOUND")


async def test_a_rematch_starts_when_both_ask_for_it(start_service: StartService) -> None:
    service = start_service(WS_MATCH_DURATION_S="1")
    ana, ben = await two(service)
    room = await in_match(ana, ben)
    for client in (ana, ben):
        await client.expect("game:timeup")
    await ana.send("game:begin", roomId=room)
    assert of_type(await ana.sync(), "game:start", "error") == []
    await ben.send("game:begin", roomId=room)
    await ana.expect("game:start", roomId=room)
    await ana.expect("game:timeup")
    await ben.expect("game:timeup")
    await ben.send("game:leave", roomId=room)
    assert (await ana.expect("room:players", roomId=room))["players"] == [ana.user]


async def test_a_finished_room_does_not_bind_its_players(start_service: StartService) -> None:
    service = start_service(WS_MATCH_DURATION_S="1")
    ana, ben = await two(service)
    await in_match(ana, ben)
    await ana.expect("game:timeup")
    await ben.expect("game:timeup")
    assert await in_room(ben, ana)


# Limits


async def test_too_many_messages_are_refused_and_then_the_socket_is_closed(
    start_service: StartService,
) -> None:
    service = start_service(WS_MESSAGES_PER_S="1", WS_MESSAGES_BURST="5")
    ana = await service.connect(1, "Ana")
    for _ in range(20):
        await ana.send("lobby:leave")
    await ana.expect("error", code="RATE_LIMITED")
    assert (await ana.closed())[0] == 4013


async def test_a_new_socket_above_the_limit_replaces_the_oldest(
    start_service: StartService,
) -> None:
    service = start_service(WS_SOCKETS_PER_USER_MAX="2")
    first = await service.connect(1, "Ana")
    second = await service.connect(1, "Ana")
    third = await service.connect(1, "Ana")
    assert (await first.closed())[0] == 4504
    for tab in (second, third):
        await tab.sync()
    await logged(service, "socket.closed", user=1, code=4504)


async def test_a_silent_socket_is_replaced_before_an_older_responsive_one(
    start_service: StartService,
) -> None:
    service = start_service(WS_SOCKETS_PER_USER_MAX="2")
    first = await service.connect(1, "Ana")
    second = await service.connect(1, "Ana")
    second.connection.transport.pause_reading()
    third = await service.connect(1, "Ana")
    for tab in (first, third):
        await tab.sync()
    second.connection.transport.resume_reading()
    assert (await second.closed())[0] == 4504


async def test_a_page_of_another_origin_is_refused(start_service: StartService) -> None:
    service = start_service(WS_ALLOWED_ORIGINS="https://play.example.org")
    await service.connect(1, "Ana", origin="https://play.example.org")
    other = await service.connect(2, "Ben", origin="https://evil.example.org", greeted=False)
    assert (await other.closed())[0] == 1008
    await service.connect(3, "A bot without an origin")
