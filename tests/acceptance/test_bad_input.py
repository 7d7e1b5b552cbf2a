"""Invalid input: each kind has its error code and no side effects."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.acceptance.service_process import Client, Running, fresh_id, make_token

DEEP = '{"a":' * 12_000

FRAMES: list[tuple[str, str | bytes, str]] = [
    ("no JSON", "hello", "BAD_JSON"),
    ("half of a JSON object", '{"type":', "BAD_JSON"),
    ("a wrong field and then no JSON", '{"type":"invite","to":0,oh}', "BAD_JSON"),
    ("an empty frame", "", "BAD_JSON"),
    ("JSON that is nested too deep", DEEP, "BAD_JSON"),
    ("a binary frame", b'{"type":"lobby:join"}', "BINARY_FRAME"),
    ("a list", "[1]", "BAD_MESSAGE"),
    ("a number", "1", "BAD_MESSAGE"),
    ("no type", "{}", "BAD_MESSAGE"),
    ("a type that is no text", '{"type":7}', "BAD_MESSAGE"),
    ("an unknown type", '{"type":"game:cheat"}', "UNKNOWN_TYPE"),
    ("a message of the server", '{"type":"welcome"}', "UNKNOWN_TYPE"),
    ("a join without a room", '{"type":"game:join"}', "BAD_MESSAGE"),
    ("a room that is a number", '{"type":"game:join","roomId":7}', "BAD_MESSAGE"),
    ("a room with an empty name", '{"type":"game:join","roomId":""}', "BAD_MESSAGE"),
    ("friends that are no list", '{"type":"friends:subscribe","friendIds":7}', "BAD_MESSAGE"),
    ("a friend 0", '{"type":"friends:subscribe","friendIds":[0]}', "BAD_MESSAGE"),
    ("an answer to nobody", '{"type":"invite:accepted"}', "BAD_MESSAGE"),
    ("an answer to an invite of a float", '{"type":"invite:declined","from":1.5}', "BAD_MESSAGE"),
    ("an invite of nobody", '{"type":"invite"}', "BAD_INVITE"),
    ("an invite of null", '{"type":"invite","to":null}', "BAD_INVITE"),
    ("an invite of 0", '{"type":"invite","to":0}', "BAD_INVITE"),
    ("an invite of -1", '{"type":"invite:send","to":-1}', "BAD_INVITE"),
    ("an invite of a float", '{"type":"invite","toUserId":1.5}', "BAD_INVITE"),
    ("an invite of a truth", '{"type":"invite","to":true}', "BAD_INVITE"),
    ("an invite of 2^53", '{"type":"invite","to":9007199254740992}', "BAD_INVITE"),
    ("an invite of a long text", json.dumps({"type": "invite", "to": "x" * 129}), "BAD_INVITE"),
    ("an invite of somebody who is not there", '{"type":"invite","to":"gone"}', "USER_OFFLINE"),
    ("an answer to what nobody asked", '{"type":"invite:accepted","from":3}', "INVITE_NOT_FOUND"),
    ("a no to what nobody asked", '{"type":"invite:declined","from":3}', "INVITE_NOT_FOUND"),
    ("a join of no room", '{"type":"game:join","roomId":"none"}', "ROOM_NOT_FOUND"),
    ("a start in no room", '{"type":"game:begin","roomId":"none"}', "ROOM_NOT_FOUND"),
    ("leaving no room", '{"type":"game:leave","roomId":"none"}', "ROOM_NOT_FOUND"),
    (
        "a move in no room",
        '{"type":"game:move","roomId":"none","direction":"w","action":"down"}',
        "ROOM_NOT_FOUND",
    ),
    (
        "friends without a user service",
        '{"type":"friends:status:request"}',
        "USER_SERVICE_UNAVAILABLE",
    ),
]


def events_by(service: Running, client: Client) -> int:
    ((count,),) = service.database("SELECT count(*) FROM events WHERE actor = ?", str(client.id))
    assert isinstance(count, int)
    return count


async def refused(service: Running, client: Client, code: str) -> None:
    """Check that the frame that was just sent was refused and had no effect."""
    error = await client.expect("error", code=code)
    assert error["message"].endswith((".", ")"))
    before = events_by(service, client)
    await client.send("user:list:request")
    await client.expect("user:list")
    assert events_by(service, client) == before


@pytest.mark.parametrize(
    ("frame", "code"),
    [pytest.param(frame, code, id=what) for what, frame, code in FRAMES],
)
async def test_each_bad_message_is_refused_with_its_code_without_side_effects(
    service: Running, frame: str | bytes, code: str
) -> None:
    client = await service.connect(fresh_id(), "Ana")
    before = events_by(service, client)
    await client.send_raw(frame)
    await refused(service, client, code)
    assert events_by(service, client) == before


async def in_match(service: Running) -> tuple[Client, Client, str]:
    """Let two new users play, and return them and their room."""
    ana = await service.connect(fresh_id(), "Ana")
    ben = await service.connect(fresh_id(), "Ben")
    await ana.send("invite", to=ben.id)
    await ben.expect("invite:received")
    await ben.send("invite:accepted", **{"from": ana.id})
    room = (await ana.expect("room:start"))["roomId"]
    for client in (ana, ben):
        await client.send("game:join", roomId=room)
    for client in (ana, ben):
        await client.expect("room:players")
    await ana.send("game:begin", roomId=room)
    for client in (ana, ben):
        await client.expect("game:start")
    return ana, ben, room


async def test_outsiders_cannot_move_start_or_join_a_match(service: Running) -> None:
    _, _, room = await in_match(service)
    carl = await service.connect(fresh_id(), "Carl")
    messages: list[dict[str, Any]] = [
        {"type_": "game:move", "direction": "w", "action": "down"},
        {"type_": "game:join"},
        {"type_": "game:begin"},
        {"type_": "game:leave"},
    ]
    for message in messages:
        await carl.send(**message, roomId=room)
        await refused(service, carl, "NOT_IN_ROOM")


async def test_a_match_starts_once(service: Running) -> None:
    _, ben, room = await in_match(service)
    await ben.send("game:begin", roomId=room)
    await refused(service, ben, "MATCH_ALREADY_STARTED")


@pytest.mark.parametrize(
    "move",
    [{"direction": "x", "action": "down"}, {"direction": "w", "action": "hold"}],
)
async def test_an_unknown_key_is_an_invalid_move(service: Running, move: dict[str, str]) -> None:
    ana, _, room = await in_match(service)
    await ana.send("game:move", roomId=room, **move)
    await refused(service, ana, "INVALID_MOVE")


async def test_a_player_in_a_match_can_neither_invite_nor_search(service: Running) -> None:
    ana, ben, _ = await in_match(service)
    carl = await service.connect(fresh_id(), "Carl")
    await ana.send("invite", to=carl.id)
    await refused(service, ana, "ALREADY_IN_ROOM")
    await ben.send("matchmaking:join")
    await refused(service, ben, "ALREADY_IN_ROOM")
    await carl.send("invite", to=ana.id)
    await refused(service, carl, "USER_BUSY")


async def test_self_invites_are_refused(service: Running) -> None:
    ana = await service.connect(fresh_id(), "Ana")
    await ana.send("invite", to=ana.id)
    await refused(service, ana, "SELF_INVITE")


async def test_a_repeated_invite_or_acceptance_is_refused(service: Running) -> None:
    ana = await service.connect(fresh_id(), "Ana")
    ben = await service.connect(fresh_id(), "Ben")
    await ana.send("invite", to=ben.id)
    await ana.send("invite", to=ben.id)
    await refused(service, ana, "ALREADY_INVITED")
    await ben.send("invite:accepted", **{"from": ana.id})
    await ben.expect("room:start")
    await ben.send("invite:accepted", **{"from": ana.id})
    await refused(service, ben, "INVITE_NOT_FOUND")


async def test_the_first_answer_to_crossing_invites_wins(service: Running) -> None:
    ana = await service.connect(fresh_id(), "Ana")
    ben = await service.connect(fresh_id(), "Ben")
    await ana.send("invite", to=ben.id)
    await ben.send("invite", to=ana.id)
    await ana.expect("invite:received")
    await ben.expect("invite:received")
    await ana.send("invite:accepted", **{"from": ben.id})
    room = (await ben.expect("room:start"))["roomId"]
    assert (await ana.expect("room:start"))["roomId"] == room
    await ben.send("invite:accepted", **{"from": ana.id})
    await refused(service, ben, "INVITE_NOT_FOUND")


async def test_a_user_is_queued_once_for_all_tabs(start_service: Any) -> None:
    service = start_service()
    user = fresh_id()
    first = await service.connect(user, "Ana")
    second = await service.connect(user, "Ana")
    await first.send("matchmaking:join")
    await first.expect("matchmaking:searching")
    await second.expect("matchmaking:searching")
    await second.send("matchmaking:join")
    await refused(service, second, "ALREADY_SEARCHING")


async def test_a_frame_above_the_limit_closes_with_1009(service: Running) -> None:
    ana = await service.connect(fresh_id(), "Ana")
    await ana.send_raw(json.dumps({"type": "invite", "to": "x" * 70_000}))
    assert (await ana.closed())[0] == 1009


async def test_a_ten_kilobyte_name_in_a_token_is_cut(service: Running) -> None:
    ana = await service.connect(fresh_id(), "A" * 10_000)
    await ana.send("user:list:request")
    users = (await ana.expect("user:list"))["users"]
    assert {"id": ana.id, "name": "A" * 64} in users


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"name": "A" * 10_000}),
        json.dumps({"name": " \u202e "}),
        json.dumps({"name": 7}),
        "{}",
        "[]",
        "no JSON",
    ],
)
def test_an_invalid_name_gets_no_dev_token(service: Running, body: str) -> None:
    url = f"{service.url}/dev/token"
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(url, body.encode())  # noqa: S310 - our own service
    with refusal.value as answer:
        assert answer.code == 400
        assert json.loads(answer.read())["code"] == "BAD_NAME"


@pytest.mark.parametrize(
    "claims", [{}, {"id": 0}, {"id": -1}, {"id": 1.5}, {"id": True}, {"id": ""}]
)
async def test_a_token_with_an_invalid_id_closes_with_1008(
    service: Running, claims: dict[str, Any]
) -> None:
    from websockets.asyncio.client import connect  # noqa: PLC0415 - only here without a greeting
    from websockets.exceptions import ConnectionClosed  # noqa: PLC0415 - imported only where it is needed

    async with connect(f"{service.ws_url}?token={make_token(claims)}") as connection:
        with pytest.raises(ConnectionClosed) as closed:
            await connection.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "Invalid token payload")
