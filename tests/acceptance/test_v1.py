"""Protocol v1 over the wire: acks, resume, presence, rooms, spectators, chat, tokens."""

import asyncio
import time
from typing import Any

import pytest

from tests.acceptance.service_process import (
    Client,
    Message,
    Running,
    StartService,
    fresh_id,
    make_token,
    of_type,
    subprotocols,
    token,
    without,
)


def durable(messages: list[Message]) -> list[tuple[int, str]]:
    """Keep what has a position of the log."""
    return [
        (one["position"], one["type"])
        for one in messages
        if "position" in one and one["type"] not in {"welcome", "ack", "heartbeat", "resync"}
    ]


async def two(service: Running) -> tuple[Client, Client]:
    return (
        await service.connect_v1(fresh_id(), "Ana"),
        await service.connect_v1(fresh_id(), "Ben"),
    )


async def room_of(host: Client, **fields: Any) -> str:
    ack = await host.command("room:create", **fields)
    assert ack["type"] == "ack", ack
    room: str = ack["roomId"]
    return room


async def joined(room: str, *clients: Client, **fields: Any) -> None:
    for client in clients:
        ack = await client.command("room:join", roomId=room, **fields)
        assert ack["type"] == "ack", ack


async def in_match(game: str, ana: Client, ben: Client, **fields: Any) -> str:
    room = await room_of(ana, game=game, **fields)
    await joined(room, ben)
    for client in (ana, ben):
        await client.command("room:ready", roomId=room)
    for client in (ana, ben):
        await client.expect("game:start", roomId=room)
    return room


# Acks


async def test_a_command_is_acknowledged_after_the_messages_of_its_events(service: Running) -> None:
    ana, _ = await two(service)
    ack = await ana.command("room:create", id_="once", game="relay")
    before = ana.received[: ana.received.index(ack)]
    (event,) = [one for one in service.events() if one.position == ack["position"]]
    assert event.stream == f"room:{ack['roomId']}"
    assert max(position for position, _ in durable(before)) <= ack["position"]
    assert ("room:joined") in [type_ for _, type_ in durable(before)]


async def test_the_ack_names_the_new_room_not_the_left_one(
    start_service: StartService,
) -> None:
    service = start_service(WS_MATCH_DURATION_S="1")
    ana = await service.connect_v1(1, "Ana")
    ben = await service.connect_v1(2, "Ben")
    finished = await in_match("pong", ana, ben)
    await ana.expect("game:over")
    ack = await ana.command("room:create", id_="next", game="relay", roomId="next")
    assert (finished != "next", ack["roomId"]) == (True, "next")
    service.restart()
    ana = await service.connect_v1(1, "Ana")
    assert await ana.command("room:create", id_="next", game="relay", roomId="next") == ack


@pytest.mark.parametrize("password", [None, "sesame"])
async def test_a_command_that_is_repeated_after_a_lost_connection_joins_the_room(
    start_service: StartService, password: str | None
) -> None:
    """Its answer was lost with the connection: without a socket no match would begin."""
    service = start_service(WS_PRESENCE_GRACE_S="30")
    ana, ben = await service.connect_v1(1, "Ana"), await service.connect_v1(2, "Ben")
    room = {"game": "relay", "options": {"seats": 2}, "roomId": "r"}
    room |= {} if password is None else {"password": password}
    ack = await ana.command("room:create", id_="a", **room)
    await ana.close()
    ana = await service.connect_v1(1, "Ana")
    assert await ana.command("room:create", id_="a", **room) == ack
    joining: Message = {"roomId": "r"} | ({} if password is None else {"password": password})
    await ben.command("room:join", id_="b", **joining)
    await ben.close()
    ben = await service.connect_v1(2, "Ben")
    await ben.command("room:join", id_="b", **joining)
    for player in (ana, ben):
        await player.command("room:ready", roomId="r")
    for player in (ana, ben):
        await player.expect("game:start", roomId="r")


async def test_an_error_carries_the_id_of_its_command(service: Running) -> None:
    ana, _ = await two(service)
    refused = await ana.command("room:join", roomId="nowhere")
    assert (refused["type"], refused["code"]) == ("error", "ROOM_NOT_FOUND")
    wrong = await ana.command("room:join", roomId=7)
    assert (wrong["type"], wrong["code"]) == ("error", "BAD_MESSAGE")
    unknown = await ana.command("no:such")
    assert (unknown["type"], unknown["code"]) == ("error", "UNKNOWN_TYPE")


@pytest.mark.parametrize("id_", ["", 7, ["x"]])
async def test_an_invalid_id_is_refused(service: Running, id_: object) -> None:
    ana = await service.connect_v1(fresh_id(), "Ana")
    await ana.send("lobby:join", id=id_)
    assert "id" not in await ana.expect("error", code="BAD_MESSAGE")


async def test_a_too_long_id_is_refused_and_returned(service: Running) -> None:
    ana = await service.connect_v1(fresh_id(), "Ana")
    await ana.send("lobby:join", id="x" * 65)
    assert (await ana.expect("error", code="BAD_MESSAGE"))["id"] == "x" * 65


async def test_a_repeated_id_gets_the_first_ack_and_changes_nothing(
    start_service: StartService,
) -> None:
    service = start_service()
    ana = await service.connect_v1(1, "Ana")
    ben = await service.connect_v1(2, "Ben")
    first = await ana.command("room:create", id_="once", game="relay")
    room = first["roomId"]
    said = await ana.command("chat:send", id_="said", roomId=room, text="hello")
    elsewhere = await service.connect_v1(1, "Ana")
    assert await elsewhere.command("room:create", id_="once", game="relay") == first
    for other in ("room:create", "room:list", "chat:send", "ping"):
        text = {"text": "hi", "to": 1} if other == "chat:send" else {}
        assert (await elsewhere.command(other, id_="once", **text))["code"] == "ID_REUSED"
    assert await elsewhere.command("chat:send", id_="said", roomId=room, text="hello") == said
    # An id is its user's own.
    assert (await ben.command("room:create", id_="once", game="relay"))["roomId"] != room
    service.restart()
    again = await service.connect_v1(1, "Ana")
    assert await again.command("room:create", id_="once", game="relay") == first
    assert (await again.command("room:create", id_="once", game="pong"))["code"] == "ID_REUSED"
    assert await again.command("chat:send", id_="said", roomId=room, text="hello") == said
    types = [event.type for event in service.events()]
    assert (types.count("room.created"), types.count("chat.said")) == (2, 1)


async def test_a_command_sent_twice_concurrently_happens_once(service: Running) -> None:
    user = fresh_id()
    tabs = [await service.connect_v1(user, "Ana") for _ in range(4)]
    answers = await asyncio.gather(
        *(tab.command("room:create", id_="race", game="relay") for tab in tabs)
    )
    assert answers == [answers[0]] * 4


async def test_a_refused_command_can_be_retried_with_the_same_id(service: Running) -> None:
    ana, ben = await two(service)
    room = f"later-{fresh_id()}"
    refused = await ben.command("room:join", id_="try", roomId=room)
    assert refused["code"] == "ROOM_NOT_FOUND"
    await room_of(ana, game="relay", roomId=room)
    assert (await ben.command("room:join", id_="try", roomId=room))["type"] == "ack"


# Resume


async def test_a_resuming_client_gets_missed_messages_once_and_in_order(
    start_service: StartService,
) -> None:
    service = start_service()
    ana = await service.connect_v1(1, "Ana")
    ben = await service.connect_v1(2, "Ben")
    room = await room_of(ana, game="relay")
    await joined(room, ben)
    since, epoch = ben.cursor, ben.welcome["epoch"]
    seen = durable(ben.received)
    await ben.drop()
    for number in range(5):
        await ana.command("chat:send", roomId=room, text=f"{number}")
    ben = await service.connect_v1(2, "Ben", since=since, epoch=epoch)
    resumed = await ben.expect("resumed")
    assert resumed["from"] == since
    assert [one["text"] for one in of_type(ben.received, "chat:message")] == list("01234")
    greeting = [one["type"] for one in without(ben.received, "user:diff")]
    assert greeting[:4] == ["welcome", "session:state", "user:list", "chat:message"]
    assert await ben.expect("room:state", roomId=room)

    # The same after a crash, and again from the very beginning.
    service.restart()
    again = await service.connect_v1(2, "Ben", since=since, epoch=epoch)
    await again.expect("resumed")
    assert durable(again.received) == durable(ben.received)[: len(durable(again.received))]
    whole = await service.connect_v1(2, "Ben", since=0, epoch=epoch)
    await whole.expect("resumed")
    assert durable(whole.received)[: len(seen)] == seen


async def test_resume_can_be_sent_as_a_message(service: Running) -> None:
    ana, ben = await two(service)
    room = await room_of(ana, game="relay")
    await joined(room, ben)
    since, epoch = ben.cursor, ben.welcome["epoch"]
    await ben.drop()
    await ana.command("chat:send", roomId=room, text="missed")
    ben = await service.connect_v1(ben.id, "Ben")
    await ana.command("chat:send", roomId=room, text="live")
    await ben.expect("chat:message", text="live")
    await ben.send("resume", position=since, epoch=epoch)
    await ben.expect("chat:message", text="missed")
    assert (await ben.expect("resumed"))["from"] == since
    assert len(of_type(ben.received, "chat:message")) == 2


async def test_a_resume_after_a_restart_has_all_names(
    start_service: StartService,
) -> None:
    service = start_service(WS_SNAPSHOT_EVENTS="10", WS_TAIL_EVENTS_MAX="10")
    ana, ben = await two(service)
    room = await room_of(ana, game="relay")
    await joined(room, ben)
    await ana.command("room:ready", roomId=room)
    # All that Ana did is older than what is folded again after the restart.
    for status in ("away", "busy") * 25:
        await ben.command("user:status", status=status)
    await ben.command("room:ready", roomId=room)
    start = await ben.expect("game:start")

    service.restart()

    since, epoch = start["position"] - 1, ben.welcome["epoch"]
    back = await service.connect_v1(ben.id, "Ben", since=since, epoch=epoch)
    assert await back.expect("game:start") == start


@pytest.mark.parametrize(
    ("since", "epoch", "reason"),
    [
        (0, "another", "wrong_epoch"),
        (10**9, None, "from_the_future"),
        ("nonsense", None, "too_old"),
        (-5, None, "too_old"),
    ],
)
async def test_a_client_that_cannot_resume_gets_a_resync(
    service: Running, since: Any, epoch: str | None, reason: str
) -> None:
    ana, ben = await two(service)
    room = await room_of(ana, game="relay")
    await ana.command("invite", to=ben.id)
    await ben.command("invite", to=ben.id)
    tab = await service.connect_v1(ana.id, "Ana", since=since, epoch=epoch or ana.welcome["epoch"])
    assert (await tab.expect("resync"))["reason"] == reason
    await tab.expect("user:list")
    await tab.expect("room:state", roomId=room)


async def test_a_cursor_before_the_tail_gets_a_resync(
    start_service: StartService,
) -> None:
    service = start_service(WS_TAIL_EVENTS_MAX="5")
    ana = await service.connect_v1(1, "Ana")
    epoch = ana.welcome["epoch"]
    # Only events with messages count.
    for _ in range(4):
        await ana.command("lobby:join")
        await ana.command("lobby:leave")
    tab = await service.connect_v1(1, "Ana", since=1, epoch=epoch)
    assert (await tab.expect("resumed"))["from"] == 1
    for number in range(6):
        assert (await ana.command("chat:send", to=1, text=f"{number}"))["type"] == "ack"
    tab = await service.connect_v1(1, "Ana", since=1, epoch=epoch)
    assert (await tab.expect("resync"))["reason"] == "too_old"
    # A heartbeat keeps the cursor of who has nothing to hear young.
    service.restart(WS_HEARTBEAT_S="1", WS_TAIL_EVENTS_MAX="5")
    tab = await service.connect_v1(1, "Ana")
    beat = await tab.expect("heartbeat")
    again = await service.connect_v1(1, "Ana", since=beat["position"], epoch=epoch)
    assert (await again.expect("resumed"))["from"] == beat["position"]


# Users


async def test_presence_is_sent_as_diffs_with_a_status(start_service: StartService) -> None:
    service = start_service(WS_PRESENCE_GRACE_S="0.1")
    ana = await service.connect_v1(1, "Ana")
    await ana.expect("user:diff", joins=[{"id": 1, "name": "Ana", "status": "online"}], v=1)
    ben = await service.connect_v1(2, "Ben")
    await ana.expect("user:diff", joins=[{"id": 2, "name": "Ben", "status": "online"}], v=2)
    await ben.send("lobby:join")
    await ana.expect("user:diff", updates=[{"id": 2, "name": "Ben", "status": "lobby"}], v=3)
    await ben.send("user:status", status="busy")
    await ana.expect("user:diff", updates=[{"id": 2, "name": "Ben", "status": "busy"}], v=4)
    await ben.close(1000)
    await ana.expect("user:diff", leaves=[2], v=5)
    await ana.send("user:sync")
    users = [{"id": 1, "name": "Ana", "status": "online"}]
    synced = await ana.expect("user:list")
    later = [one for one in await ana.sync() if one["type"] == "user:diff"]
    assert (synced["users"], synced["v"]) == (users, 5) or [one["v"] for one in later][-1] == 5
    assert of_type(ana.received, "user:online", "user:offline") == []


async def test_a_hidden_user_is_invisible_to_all_others(start_service: StartService) -> None:
    service = start_service(WS_PRESENCE_GRACE_S="0.1")
    ana = await service.connect_v1(1, "Ana")
    classic = await service.connect(3, "Cleo")
    ben = await service.connect_v1(2, "Ben")
    await classic.expect("user:online", userId=2)
    await ana.expect("user:diff", where=lambda one: 2 in [user["id"] for user in one["joins"]])
    await ben.send("lobby:join")
    await ben.send("user:status", hidden=True)
    await ana.expect("user:diff", leaves=[2])
    await classic.expect("user:offline", userId=2)
    assert (await classic.watch(2))["statuses"] == {"2": False}
    assert (await ana.command("invite", to=2))["code"] == "USER_OFFLINE"
    assert (await ana.command("signal", to=2, data={}))["code"] == "USER_OFFLINE"
    await classic.send("lobby:join")
    await classic.expect("lobby:list", users=[classic.user])
    fresh = await service.connect_v1(4, "Dan")
    known = {one["id"] for one in fresh.received[2]["users"]}
    assert 2 not in known
    room = await room_of(ana, game="relay")
    await joined(room, ben, role="spectator")
    assert (await ana.expect("room:state", spectators=1))["watching"] == []
    await ben.send("user:status", hidden=False)
    await classic.expect("user:online", userId=2)
    await classic.expect("friends:status:update", userId=2, isOnline=True)


# Rooms


async def test_a_room_has_a_host_seats_and_spectators(service: Running) -> None:
    ana, ben = await two(service)
    cleo = await service.connect_v1(fresh_id(), "Cleo")
    room = await room_of(ana, game="pong", metadata={"title": "Sunday"}, maxSpectators=1)
    await joined(room, ben)
    await joined(room, cleo, role="spectator")
    await ana.expect("room:joined", roomId=room, role="player", seat=1)
    state = await ana.expect("room:state", where=lambda one: one["spectators"] == 1)
    assert (state["host"], state["metadata"]) == (ana.id, {"title": "Sunday"})
    assert [seat["user"] for seat in state["seats"]] == [ana.user, ben.user]
    assert state["watching"] == [cleo.user]
    dan = await service.connect_v1(fresh_id(), "Dan")
    for role in ("player", "spectator"):
        full = await dan.command("room:join", roomId=room, role=role)
        assert full["code"] == "ROOM_FULL"
    await ana.command("room:leave", roomId=room)
    assert (await ben.expect("room:left", roomId=room))["userId"] == ana.id
    await ben.expect("room:state", host=ben.id)


async def test_only_the_host_kicks_and_locks(service: Running) -> None:
    ana, ben = await two(service)
    room = await room_of(ana, game="relay")
    await joined(room, ben)
    kick = await ben.command("room:kick", roomId=room, userId=ana.id)
    lock = await ben.command("room:lock", roomId=room)
    assert (kick["code"], lock["code"]) == ("NOT_HOST", "NOT_HOST")
    assert (await ana.command("room:kick", roomId=room, userId=ben.id))["type"] == "ack"
    await ben.expect("room:left", roomId=room, userId=ben.id, reason="kicked")
    assert (await ben.command("room:join", roomId=room))["code"] == "BANNED"
    await ana.command("room:lock", roomId=room)
    cleo = await service.connect_v1(fresh_id(), "Cleo")
    assert (await cleo.command("room:join", roomId=room))["code"] == "ROOM_LOCKED"
    await ana.command("room:lock", roomId=room, locked=False)
    await joined(room, cleo)


async def test_a_room_with_a_password_admits_those_who_know_it(service: Running) -> None:
    ana, ben = await two(service)
    room = await room_of(ana, game="relay", visibility="password", password="sesame")
    for password in ({}, {"password": "open"}):
        refused = await ben.command("room:join", roomId=room, **password)
        assert refused["code"] == "WRONG_PASSWORD"
    await joined(room, ben, password="sesame")
    assert not any("sesame" in str(event) for event in service.events())


async def test_rooms_are_listed_and_changes_are_pushed(start_service: StartService) -> None:
    service = start_service()
    ana = await service.connect_v1(1, "Ana")
    ben = await service.connect_v1(2, "Ben")
    cleo = await service.connect_v1(3, "Cleo")
    await cleo.command("room:subscribe", game="relay")
    await room_of(ana, game="relay", roomId="b", visibility="private")
    await room_of(ben, game="relay", roomId="a")
    added = await cleo.expect("room:added")
    assert added["room"]["roomId"] == "a"
    dan = await service.connect_v1(4, "Dan")
    await joined("c", dan, orCreate=True, game="pong")
    await dan.command("room:list", limit=1)
    page = await dan.expect("room:list")
    assert ([one["roomId"] for one in page["rooms"]], page["cursor"]) == (["a"], "a")
    await dan.command("room:list", limit=1, cursor="a")
    page = await dan.expect("room:list")
    assert ([one["roomId"] for one in page["rooms"]], page["cursor"]) == (["c"], None)
    await joined("a", cleo)
    updated = await cleo.expect("room:updated", where=lambda one: len(one["room"]["players"]) == 2)
    assert updated["room"]["players"] == [ben.user, cleo.user]
    await ben.command("room:leave", roomId="a")
    await cleo.command("room:leave", roomId="a")
    await cleo.expect("room:removed", roomId="a")
    assert of_type(cleo.received, "room:added") == [added]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"game": "chess"}, "UNKNOWN_GAME"),
        ({"game": "pong", "options": {"duration_s": -1}}, "INVALID_OPTIONS"),
        ({"game": "pong", "options": {"seats": 9}}, "INVALID_OPTIONS"),
        ({"game": "relay", "options": {"frame_ms": 5}}, "INVALID_OPTIONS"),
        ({"game": "relay", "options": {"reconnect_grace_s": "long"}}, "INVALID_OPTIONS"),
        ({"game": "relay", "metadata": {"much": "x" * 5000}}, "BAD_MESSAGE"),
        ({"game": "relay", "roomId": "a room"}, "BAD_MESSAGE"),
        ({"game": "relay", "visibility": "password"}, "WRONG_PASSWORD"),
    ],
)
async def test_a_room_with_invalid_options_is_refused(
    service: Running, fields: dict[str, Any], code: str
) -> None:
    ana = await service.connect_v1(fresh_id(), "Ana")
    assert (await ana.command("room:create", **fields))["code"] == code


async def test_the_id_of_a_closed_room_can_be_reused(service: Running) -> None:
    ana, ben = await two(service)
    id_ = f"club-{ana.id}"
    matches: list[str] = []
    for _ in range(2):
        for client in (ana, ben):
            await joined(id_, client, orCreate=True, game="relay")
        for client in (ana, ben):
            assert (await client.command("room:ready", roomId=id_))["type"] == "ack"
        matches.append((await ben.expect("game:start", roomId=id_))["matchId"])
        for client in (ana, ben):
            assert (await client.command("room:leave", roomId=id_))["type"] == "ack"
    assert len(set(matches)) == 2


async def test_a_user_has_one_seat(service: Running) -> None:
    ana, _ = await two(service)
    await room_of(ana, game="relay")
    assert (await ana.command("room:create", game="relay"))["code"] == "ALREADY_IN_ROOM"


async def test_leaving_one_queue_does_not_leave_another(
    start_service: StartService,
) -> None:
    ana, ben = await two(start_service())
    for game in ("pong", "connect_four"):
        await ana.command("matchmaking:join", game=game)
    await ana.command("matchmaking:leave", game="pong")
    await ben.command("matchmaking:join", game="connect_four")
    assert (await ben.expect("room:start"))["players"] == [ana.user, ben.user]


# Matches


async def test_a_spectator_can_join_at_any_time(service: Running) -> None:
    ana, ben = await two(service)
    room = await in_match("pong", ana, ben)
    cleo = await service.connect_v1(fresh_id(), "Cleo")
    await cleo.send("room:join", roomId=room, role="spectator")
    start = await cleo.expect("game:start", roomId=room)
    assert (start["playerIndex"], start["players"]) == (None, [ana.user, ben.user])
    await cleo.expect("game:update", where=lambda one: one["run"] == 0 and "tick" in one)
    moved = await cleo.command("game:move", roomId=room, direction="w", action="down")
    assert moved["code"] == "NOT_IN_ROOM"
    await ana.command("game:move", roomId=room, direction="w", action="down")
    await cleo.expect("game:update", where=lambda one: one["state"]["p1Y"] < 37)
    await ana.command("room:leave", roomId=room)
    over = await cleo.expect("game:over", roomId=room)
    assert (over["winner"], over["reason"]) == (1, "left")
    assert await ben.expect("game:over") == over


async def test_the_spectator_delay_applies_to_everything(service: Running) -> None:
    ana, ben = await two(service)
    options = {"spectator_delay_s": 1, "turn_s": 60}
    room = await in_match("connect_four", ana, ben, options=options)
    cleo = await service.connect_v1(fresh_id(), "Cleo")
    await joined(room, cleo, role="spectator")
    first = ana if (await board(ana))["turn"] == 0 else ben
    await first.command("game:move", roomId=room, move={"column": 3})
    await (ben if first is ana else ana).expect("game:moved")
    assert of_type(await cleo.sync(), "game:moved", "game:update") == []
    moved = await cleo.expect("game:moved")
    assert moved["input"]["column"] == 3
    assert "position" not in moved


async def board(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = of_type(client.received, "game:update")[-1]["state"]
    return found


async def test_a_turn_based_game_can_be_played_and_replayed(service: Running) -> None:
    ana, ben = await two(service)
    room = await in_match("connect_four", ana, ben)
    await ana.expect("game:update")
    turn = (await board(ana))["turn"]
    players = (ana, ben) if turn == 0 else (ben, ana)
    assert (await players[1].command("game:move", roomId=room, move={"column": 0}))[
        "code"
    ] == "INVALID_MOVE"
    for column in (0, 1, 0, 1, 0, 1, 0):
        mover = players[0] if column == 0 else players[1]
        assert (await mover.command("game:move", roomId=room, move={"column": column}))[
            "type"
        ] == "ack"
    over = await ana.expect("game:over", roomId=room)
    assert (over["winner"], over["reason"]) == (turn, "finished")
    assert await ben.expect("game:over") == over
    await ana.command("room:ready", roomId=room)
    assert of_type(await ana.sync(), "game:start") == []
    await ben.command("room:ready", roomId=room)
    assert (await ben.expect("game:start"))["matchId"] == f"{room}-2"


async def test_a_player_whose_turn_times_out_loses(service: Running) -> None:
    ana, ben = await two(service)
    await in_match("connect_four", ana, ben, options={"turn_s": 1})
    turn = (await ana.expect("game:update"))["state"]["turn"]
    over = await ana.expect("game:over")
    assert (over["winner"], over["reason"]) == (1 - turn, "turn_timeout")


async def test_a_turn_based_game_continues_after_a_crash(start_service: StartService) -> None:
    service = start_service()
    ana = await service.connect_v1(1, "Ana")
    ben = await service.connect_v1(2, "Ben")
    room = await in_match("connect_four", ana, ben)
    turn = (await ana.expect("game:update"))["state"]["turn"]
    await (ana, ben)[turn].command("game:move", roomId=room, move={"column": 3})
    service.restart()
    ana = await service.connect_v1(1, "Ana")
    await ana.expect("room:state", roomId=room, phase="playing")
    await joined(room, ana)
    await ana.expect("game:paused", roomId=room)
    ben = await service.connect_v1(2, "Ben")
    await joined(room, ben)
    await ana.expect("game:resumed", roomId=room)
    played = (await board(ana))["board"]
    assert [row[3] for row in played][-1] == turn
    answer = await (ana, ben)[1 - turn].command("game:move", roomId=room, move={"column": 3})
    assert answer["type"] == "ack"


async def test_the_relay_orders_logs_and_forwards_moves(service: Running) -> None:
    ana, ben = await two(service)
    room = await in_match("relay", ana, ben)
    await asyncio.gather(
        *(
            client.command("game:move", roomId=room, move={"from": name, "number": number})
            for number in range(10)
            for name, client in (("ana", ana), ("ben", ben))
        )
    )
    for client in (ana, ben):
        await client.sync()
    moves = [one["input"]["move"] for one in of_type(ana.received, "game:moved")]
    assert moves == [one["input"]["move"] for one in of_type(ben.received, "game:moved")]
    assert [one["number"] for one in moves if one["from"] == "ana"] == list(range(10))
    result = {"result": {"winner": 1, "scores": [2, 5]}}
    await ana.command("game:move", roomId=room, move=result)
    await ben.command("game:move", roomId=room, move=result)
    over = await ana.expect("game:over")
    assert (over["winner"], over["scores"], over["reason"]) == (1, [2, 5], "finished")


# Chat and signals


async def test_signals_reach_everybody_else_in_order(service: Running) -> None:
    ana, ben = await two(service)
    cleo = await service.connect_v1(fresh_id(), "Cleo")
    other_tab = await service.connect_v1(ben.id, "Ben")
    room = await room_of(ana, game="relay")
    await joined(room, ben)
    await joined(room, cleo, role="spectator")
    for number in range(20):
        await ana.send("signal", roomId=room, data={"number": number, "is": "sent-by-signal"})
    for client in (ben, cleo):
        await client.expect("signal", where=lambda one: one["data"]["number"] == 19)
        signals = of_type(client.received, "signal")
        assert [one["data"]["number"] for one in signals] == list(range(20))
        assert {(one["from"], one["sessionId"]) for one in signals} == {
            (ana.id, ana.welcome["sessionId"])
        }
    assert of_type(await ana.sync(), "signal") == []
    assert of_type(await other_tab.sync(), "signal") == [], "it has not joined the room"
    await ana.send("signal", to=ben.id, data="both")
    await ana.send("signal", to=ben.id, sessionId=other_tab.welcome["sessionId"], data="one")
    await other_tab.expect("signal", data="one")
    assert [one["data"] for one in of_type(await ben.sync(), "signal")] == ["both"]
    outside = await other_tab.command("signal", roomId=room, data=1)
    assert outside["code"] == "NOT_IN_ROOM"
    assert not any("sent-by-signal" in str(event) for event in service.events())


async def test_chat_history_is_kept_and_the_log_has_only_digests(
    start_service: StartService,
) -> None:
    service = start_service()
    ana = await service.connect_v1(1, "Ana")
    ben = await service.connect_v1(2, "Ben")
    room = await room_of(ana, game="relay")
    await ana.command("chat:send", roomId=room, text="good morning")
    assert (await ben.command("chat:send", roomId=room, text="hi"))["code"] == "NOT_IN_ROOM"
    service.restart()
    ana = await service.connect_v1(1, "Ana")
    ben = await service.connect_v1(2, "Ben")
    await joined(room, ben)
    history = await ben.expect("chat:history", roomId=room)
    assert [(one["from"], one["text"]) for one in history["messages"]] == [
        (ana.user, "good morning")
    ]
    assert not any("morning" in str(event) for event in service.events())
    await ben.command("chat:send", to=1, text="psst")
    assert (await ana.expect("chat:message", to=1))["text"] == "psst"
    assert (await ben.expect("chat:message", to=1))["text"] == "psst"
    long = await ben.command("chat:send", to=1, text="x" * 501)
    assert long["code"] == "BAD_MESSAGE"


async def test_messages_of_muted_users_are_not_delivered(service: Running) -> None:
    ana, ben = await two(service)
    room = await room_of(ana, game="relay")
    await joined(room, ben)
    await ana.command("chat:mute", userId=ben.id)
    await ben.command("chat:send", roomId=room, text="noise")
    await ben.command("signal", roomId=room, data="noise")
    await ben.command("signal", to=ana.id, data="noise")
    assert of_type(await ana.sync(), "chat:message", "signal") == []
    await ana.command("chat:mute", userId=ben.id, muted=False)
    await ben.command("chat:send", roomId=room, text="sorry")
    await ana.expect("chat:message", text="sorry")


async def test_chat_beyond_the_rate_is_limited(service: Running) -> None:
    ana, _ = await two(service)
    room = await room_of(ana, game="relay")
    answers = [await ana.command("chat:send", roomId=room, text="a") for _ in range(12)]
    assert [one["type"] for one in answers[:10]] == ["ack"] * 10
    assert answers[-1]["code"] == "RATE_LIMITED"


# Tokens


async def test_an_expiring_token_is_announced_refreshed_or_closes_the_socket(
    start_service: StartService,
) -> None:
    service = start_service(WS_TOKEN_WARNING_S="3600", WS_TOKEN_GRACE_S="0", JWT_LEEWAY_S="0")
    short = make_token({"id": 1}, ttl_s=2)
    ana = await service.connect_v1(1, token_=short)
    closed = await service.connect_v1(1, token_=make_token({"id": 1}, ttl_s=2))
    classic = await service.connect(token_=make_token({"id": 1}, ttl_s=2))
    expiring = await ana.expect("token:expiring")
    assert 0 < expiring["expiresInMs"] <= 2000
    assert (await ana.command("auth:refresh", token=token(2)))["code"] == "OTHER_USER"
    assert (await ana.command("auth:refresh", token="junk"))["code"] == "BAD_TOKEN"
    assert (await ana.command("auth:refresh", token=token(1)))["type"] == "ack"
    assert (await closed.closed())[0] == 4005
    assert await ana.sync() is not None
    assert await classic.sync() is not None


async def test_v1_clients_get_server_draining_before_a_stop(start_service: StartService) -> None:
    service = start_service()
    ana = await service.connect_v1(1, "Ana")
    assert await service.terminate() == 0
    assert (await ana.expect("server:draining"))["retryMs"] == 3000
    assert (await ana.closed())[0] == 4001


async def test_a_ping_is_answered(service: Running) -> None:
    ana = await service.connect_v1(fresh_id(), "Ana")
    await ana.send("ping", id="p1")
    await ana.expect("pong", id="p1")


async def test_answers_are_sent_in_request_order(service: Running) -> None:
    """Some messages are carried out as they come, others wait for a commit: none overtakes."""
    ana, _ = await two(service)
    for number in range(20):
        await ana.send("user:status", id=f"c{number}", status=("away", "busy")[number % 2])
        await ana.send("ping", id=f"p{number}")
    await ana.expect("pong", id="p19")
    answers = [one["id"] for one in of_type(ana.received, "ack", "pong", "error")]
    assert answers == [f"{kind}{number}" for number in range(20) for kind in "cp"]


# Both dialects


async def test_classic_and_v1_players_play_together(start_service: StartService) -> None:
    service = start_service(WS_MATCH_DURATION_S="1")
    ana = await service.connect(1, "Ana")
    ben = await service.connect_v1(2, "Ben")
    await ana.send("invite", to=2)
    assert (await ben.expect("invite:received"))["game"] == "pong"
    await ben.send("invite:accepted", **{"from": 1})
    room = (await ana.expect("room:start"))["roomId"]
    await ben.expect("room:start", roomId=room)
    await ana.send("game:join", roomId=room)
    await ben.command("room:join", roomId=room)
    await ana.expect("game:ready")
    await ana.send("game:begin", roomId=room)
    await ana.expect("game:timeup")
    over = await ben.expect("game:over")
    assert over["reason"] == "timeup"
    assert of_type(ana.received, "game:over", "room:state", "user:diff", "heartbeat") == []
    assert all("position" not in one and "run" not in one for one in ana.received)


async def test_a_client_without_a_known_subprotocol_is_classic(service: Running) -> None:
    plain = await service.connect(
        token_=token(fresh_id(), "Ana"), subprotocols=subprotocols("ws-service.classic")
    )
    assert "sessionId" not in plain.received[0]
    await plain.send("ping")
    await plain.expect("error", code="UNKNOWN_TYPE")


async def test_a_classic_message_may_have_an_id_of_any_type(service: Running) -> None:
    plain = await service.connect(fresh_id(), "Ana")
    await plain.send("lobby:join", id=[7])
    await plain.expect("lobby:list")
    assert of_type(plain.received, "error", "ack") == []


async def test_v1_presence_traffic_is_proportional_to_changes(start_service: StartService) -> None:
    """Two hundred come at once: what is sent to each is the list once, and then changes."""
    service = start_service()
    began = time.monotonic()
    clients = await asyncio.gather(
        *(service.connect_v1(user, f"User {user}") for user in range(1, 201))
    )
    last = clients[-1]
    await last.expect("user:diff", where=lambda _: knows(last) == 200, timeout=30)
    lists = [one for one in last.received if one["type"] in {"user:list", "user:diff"}]
    versions = [one["v"] for one in lists]
    assert versions == sorted(set(versions))
    assert [one["type"] for one in lists].count("user:list") == 1
    assert time.monotonic() - began < 60


def knows(client: Client) -> int:
    """Count the users that a client knows of."""
    known: set[Any] = set()
    for message in client.received:
        if message["type"] == "user:list":
            known = {one["id"] for one in message["users"]}
        elif message["type"] == "user:diff":
            known |= {one["id"] for one in message["joins"]}
            known -= set(message["leaves"])
    return len(known)


async def test_greeted_marks_the_end_of_a_greeting_and_of_a_resync(
    service: Running,
) -> None:
    ana, ben = await two(service)
    await ana.command("invite", to=ben.id, game="connect_four")
    for since in (None, -1):
        inviter = await service.connect_v1(ana.id, "Ana", since=since, epoch=ana.welcome["epoch"])
        sent = await inviter.expect("invite:sent")
        assert sent == {
            "type": "invite:sent",
            "to": {"id": ben.id, "name": "Ben"},
            "game": "connect_four",
        }
        assert (await inviter.next())["type"] == "greeted"
        invited = await service.connect_v1(ben.id, "Ben", since=since, epoch=ana.welcome["epoch"])
        await invited.expect("invite:received")
        assert (await invited.next())["to"] >= ana.welcome["position"]
    declined: dict[str, Any] = {"from": ana.id}
    await ben.command("invite:declined", **declined)
    again = await service.connect_v1(ana.id, "Ana")
    await again.expect("greeted")
    assert "invite:sent" not in [one["type"] for one in again.received]


async def test_a_resume_ends_with_resumed_only(service: Running) -> None:
    ana, _ = await two(service)
    again = await service.connect_v1(
        ana.id, "Ana", since=ana.welcome["position"], epoch=ana.welcome["epoch"]
    )
    await again.expect("resumed")
    await again.send("ping")
    await again.expect("pong")
    assert "greeted" not in [one["type"] for one in again.received]
