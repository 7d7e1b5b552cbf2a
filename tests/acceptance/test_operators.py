"""Operators over the wire: what they see, what they do, and what the log says of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from service.client import Client, Message, connect
from tests.acceptance.service_process import PATIENCE_S, Running, fresh_id, make_token, token
from tests.acceptance.test_api import ApiResponse, ask, get

ADMIN = make_token({"scope": "admin", "id": 1000})
OBSERVER = make_token({"scope": "observe", "id": 1001})


async def act(service: Running, action: str, by: str = ADMIN, **body: Any) -> ApiResponse:
    headers = {"Content-Type": "application/json"}
    encoded = json.dumps(body).encode()
    return await ask(service, f"/admin/{action}", by, method="POST", headers=headers, body=encoded)


async def of_type(client: Client, type_: str) -> Message:
    async with asyncio.timeout(PATIENCE_S):
        async for message in client:
            if message["type"] == type_:
                return message
    raise AssertionError(type_)


async def test_an_operator_sees_and_ends_what_goes_on(service: Running) -> None:
    first, second = fresh_id(), fresh_id()
    async with (
        connect(service.ws_url, token(first)) as ana,
        connect(service.ws_url, token(second)) as ben,
    ):
        made = await ana.command("room:create", game="pong", visibility="private")
        room = made["roomId"]
        await ben.command("room:join", roomId=room)
        for player in (ana, ben):
            await player.command("game:begin", roomId=room)
        match = f"{room}-1"

        (shown,) = (await get(service, "/admin/rooms", OBSERVER, q=room[:6]))["rooms"]
        assert [seat["user"]["id"] for seat in shown["seats"]] == [first, second]
        assert (shown["phase"], shown["visibility"]) == ("playing", "private")
        (found,) = (await get(service, "/admin/users", OBSERVER, q=str(second)))["users"]
        assert (found["user"]["id"], found["roomId"], len(found["sockets"])) == (second, room, 1)
        figures = await get(service, "/admin/figures", OBSERVER)
        assert (figures["samples"][-1]["matches"] > 0, figures["canAct"]) == (True, False)
        (node,) = (await get(service, "/admin/nodes", OBSERVER))["nodes"]
        assert (node["lease"], node["sockets"] > 1) == ("single", True)
        state = await get(service, f"/admin/matches/{match}/state", OBSERVER, tick=0)
        assert (state["tick"], state["isLive"]) == (0, True)
        assert [sight["seat"] for sight in state["sights"]] == [None, 0, 1]
        assert state["events"][0]["type"] == "match.started"
        latest = await get(service, f"/admin/matches/{match}/state", OBSERVER)
        while "match.outcome" not in {event["type"] for event in latest["events"]}:
            latest = await get(service, f"/admin/matches/{match}/state", OBSERVER)
        assert latest["tick"] == latest["ticks"] > 0

        assert (await act(service, "kick", OBSERVER, roomId=room, user=second)).status == 403
        assert (await act(service, "message", user=second, text="Be kind")).status == 200
        told = await of_type(ben, "server:message")
        assert told["data"] == {"from": "operator", "text": "Be kind"}
        assert (await act(service, "void-match", matchId=match, reason="a test")).status == 200
        assert (await of_type(ben, "game:over"))["reason"] == "void"
        refused = await act(service, "void-match", matchId=match)
        assert (refused.status, refused.json["code"]) == (409, "MATCH_NOT_RUNNING")
        assert (await act(service, "close-room", roomId=room, reason="enough")).status == 200
        assert (await of_type(ana, "room:closed"))["reason"] == "operator"
        assert (await act(service, "close-room", roomId=room)).status == 404

        events = (await get(service, "/admin/log", OBSERVER, stream="operators"))["events"]
        acted = [(one["data"]["action"], one["data"]["reason"], one["actor"]) for one in events]
        assert acted[:3] == [
            ("close_room", "enough", "1000"),
            ("void_match", "a test", "1000"),
            ("message", "", "1000"),
        ]
        closed = await get(service, "/admin/log", OBSERVER, type="room.closed")
        assert closed["events"][0]["correlationId"] == events[0]["correlationId"]


async def test_a_password_is_in_no_answer_about_the_log(service: Running) -> None:
    async with connect(service.ws_url, token(fresh_id())) as ana:
        await ana.command("room:create", game="pong", password="sesame")
        page = await get(service, "/admin/log", OBSERVER, type="room.created")
        assert page["events"][0]["data"]["password"] == "hidden"


async def test_a_retry_needs_a_delivery(service: Running) -> None:
    missing = await act(service, "retry-delivery", matchId="none-1")
    assert (missing.status, missing.json["code"]) == (404, "DELIVERY_NOT_FOUND")
    assert (await get(service, "/admin/deliveries", OBSERVER)).keys() == {"deliveries"}


async def test_bad_actions_say_what_is_wrong(service: Running) -> None:
    for body, field in (
        ({"roomId": "r"}, "user"),
        ({"roomId": "r", "user": 1, "why": "x"}, "why"),
        ({"roomId": "r", "user": 1, "reason": "x" * 201}, "reason"),
    ):
        answer = await act(service, "kick", **body)
        assert (answer.status, answer.json["field"]) == (400, field)
    both = await act(service, "message", user=1, roomId="r", text="x")
    assert (both.status, both.json["field"]) == (400, "user")
