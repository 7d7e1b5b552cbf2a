"""The HTTP API: responses, visibility, and errors."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok

from service.games.catalogue import GAMES
from service.replay import recording
from service.replay.replay import Replay
from tests.acceptance.service_process import (
    PATIENCE_S,
    Client,
    Running,
    StartService,
    fresh_id,
    make_token,
    of_type,
    token,
)

SERVICE = make_token({"scope": "admin publish"})
"""The token of another service of the platform."""

OPENAPI = Path(__file__).parents[2] / "service" / "web" / "docs" / "contract" / "openapi.json"


class ApiResponse(NamedTuple):
    """A response."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.text)

    @property
    def lines(self) -> list[Any]:
        """The lines of the body, read."""
        return [json.loads(line) for line in self.text.splitlines()]


async def ask(  # noqa: PLR0913 - what a request may have
    service: Running,
    path: str,
    by: str | None = SERVICE,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    **query: Any,
) -> ApiResponse:
    """Ask the API with a token."""
    sent = {} if by is None else {"Authorization": f"Bearer {by}"}
    async with (
        aiohttp.ClientSession(service.url) as http,
        http.request(
            method,
            f"/api/v1{path}",
            params=query,
            data=body,
            headers={**sent, **(headers or {})},
            timeout=aiohttp.ClientTimeout(PATIENCE_S),
        ) as response,
    ):
        return ApiResponse(response.status, response.headers.copy(), await response.text())


async def get(service: Running, path: str, by: str | None = SERVICE, **query: Any) -> Any:
    """Return what is there."""
    answer = await ask(service, path, by, **query)
    assert answer.status == 200, answer
    return answer.json


async def publish(service: Running, to: Any, data: Any) -> ApiResponse:
    """Send a message."""
    return await ask(
        service,
        "/messages",
        method="POST",
        headers={"Content-Type": "application/json"},
        body=json.dumps({"to": to, "data": data}).encode(),
    )


async def pages(service: Running, path: str, name: str, **query: Any) -> list[Any]:
    """Turn all pages of a list."""
    found: list[Any] = []
    cursor: dict[str, Any] = {}
    while True:
        page = await get(service, path, **query, **cursor)
        assert len(page[name]) <= query["limit"]
        found += page[name]
        if page["cursor"] is None:
            return found
        cursor = {"cursor": page["cursor"]}


async def two(service: Running) -> tuple[Client, Client]:
    return (
        await service.connect_v1(fresh_id(), "Ana"),
        await service.connect_v1(fresh_id(), "Ben"),
    )


async def room_of(host: Client, **fields: Any) -> str:
    ack = await host.command("room:create", **fields)
    return str(ack["roomId"])


async def match_of(ana: Client, ben: Client, game: str, **fields: Any) -> tuple[str, str]:
    """Begin a match; return its room and itself."""
    room = await room_of(ana, game=game, **fields)
    password = {name: fields[name] for name in ("password",) if name in fields}
    await ben.command("room:join", roomId=room, **password)
    for client in (ana, ben):
        await client.command("room:ready", roomId=room)
    return room, str((await ana.expect("game:start", roomId=room))["matchId"])


async def played(ana: Client, ben: Client, **fields: Any) -> str:
    """Play a match of three moves in the relay; Ana wins."""
    room, match = await match_of(ana, ben, "relay", **fields)
    await ana.command("game:move", roomId=room, move={"step": 1})
    for client in (ana, ben):
        result = {"result": {"winner": 0, "scores": [2, 1]}}
        await client.command("game:move", roomId=room, move=result)
    await ana.expect("game:over", matchId=match)
    for client in (ana, ben):
        await client.command("room:leave", roomId=room)
    return match


# Who is online, and where


async def test_users_are_listed_with_their_visible_status(service: Running) -> None:
    ana, ben = await two(service)
    cleo = await service.connect(f"cleo-{fresh_id()}", "Cleo")
    await ana.command("user:status", status="busy")
    await ben.command("user:status", hidden=True)
    await match_of(ana, await service.connect_v1(fresh_id()), "relay")

    found = await pages(service, "/users", "users", limit=2)

    ids = [user["id"] for user in found]
    assert len(ids) == len(set(ids))
    assert {"id": ana.id, "name": "Ana", "status": "busy"} in found
    assert {"id": cleo.id, "name": "Cleo", "status": "online"} in found
    assert ben.id not in ids
    numbers = [id_ for id_ in ids if isinstance(id_, int)]
    assert ids[: len(numbers)] == sorted(numbers)


async def test_rooms_are_listed_by_game_but_not_private_ones(service: Running) -> None:
    ana, ben = await two(service)
    cleo, dan = await two(service)
    four = await room_of(ana, game="connect_four", metadata={"level": 3})
    await room_of(ben, game="relay")
    locked = await room_of(cleo, game="connect_four", visibility="password", password="1")
    private = await room_of(dan, game="connect_four", visibility="private")

    found = await pages(service, "/rooms", "rooms", game="connect_four", limit=1)

    by_id = {room["roomId"]: room for room in found}
    assert {room["game"] for room in found} == {"connect_four"}
    assert by_id[four]["players"] == [{"id": ana.id, "name": "Ana"}]
    assert by_id[four]["metadata"] == {"level": 3}
    assert by_id[locked]["visibility"] == "password"
    assert private not in by_id
    # Who knows the id may join, and so may see it.
    shown = await get(service, f"/rooms/{private}", token(fresh_id()))
    assert (shown["host"], shown["matchId"], shown["seats"]) == (dan.id, None, 2)
    assert "password" not in await get(service, f"/rooms/{locked}")


# Matches


async def test_matches_are_filtered_by_user_game_time_and_reason(service: Running) -> None:
    ana, ben = await two(service)
    before = datetime.now(UTC).isoformat()
    first, second, third = [await played(ana, ben) for _ in range(3)]
    room, live = await match_of(ana, ben, "connect_four")

    async def found(**query: Any) -> list[str]:
        answer = await pages(service, "/matches", "matches", user=ana.id, limit=2, **query)
        return [match["matchId"] for match in answer]

    assert await found() == [live, third, second, first]
    assert await found(game="relay") == [third, second, first]
    assert await found(reason="live") == [live]
    assert await found(reason="finished", since=before) == [third, second, first]
    assert await found(since=datetime.now(UTC).isoformat()) == []
    assert await pages(service, "/matches", "matches", user="Ana", limit=100) == []

    shown = await get(service, f"/matches/{live}", token(fresh_id()))
    assert (shown["roomId"], shown["tickHz"], shown["endedAt"]) == (room, 0, None)
    shown = await get(service, f"/matches/{first}", token(fresh_id()))
    assert shown["players"] == [{"id": ana.id, "name": "Ana"}, {"id": ben.id, "name": "Ben"}]
    assert (shown["reason"], shown["winner"], shown["scores"]) == ("finished", 0, [2, 1])
    assert before <= shown["startedAt"].replace("Z", "+00:00") <= shown["endedAt"]


async def test_the_events_of_a_match_are_those_of_the_log_without_secrets(
    service: Running,
) -> None:
    ana, ben = await two(service)
    match = await played(ana, ben)

    events = await pages(service, f"/matches/{match}/events", "events", limit=2)

    logged = [event for event in service.events() if event.stream == f"match:{match}"]
    assert [(one["position"], one["type"]) for one in events] == [
        (one.position, one.type) for one in logged
    ]
    assert events[0]["data"]["players"] == [ana.id, ben.id]
    inputs = [one["data"] for one in events if one["type"] == "match.input"]
    assert inputs[0]["input"] == {"kind": "relayed", "seat": 0, "move": {"step": 1}}
    assert events[-1]["data"]["reason"] == "finished"
    hidden = {"seed", "socket", "state"}
    # On a slow machine there is a checkpoint as well, with the state.
    assert {name for one in logged for name in one.data} >= hidden - {"state"}
    assert not hidden & {name for one in events for name in one["data"]}


async def test_events_and_frames_of_a_live_match_are_refused(service: Running) -> None:
    ana, ben = await two(service)
    _, match = await match_of(ana, ben, "connect_four")

    for what in ("events", "frames", "verify"):
        answer = await ask(service, f"/matches/{match}/{what}")
        assert (answer.status, answer.json["code"]) == (409, "MATCH_IS_LIVE")


async def test_frames_match_what_spectators_saw_at_any_rate_and_start(
    service: Running,
) -> None:
    ana, ben = await two(service)
    room, match = await match_of(ana, ben, "pong", options={"duration_s": 2})
    await ana.command("game:move", roomId=room, direction="w", action="down")
    await ana.expect("game:over", matchId=match)
    seen = {one["tick"]: one["state"] for one in of_type(ana.received, "game:update")}

    answer = await ask(service, f"/matches/{match}/frames", token(ben.id))

    assert answer.headers["Content-Type"] == "application/x-ndjson"
    frames = {one["tick"]: one["state"] for one in answer.lines}
    ticks = (await get(service, f"/matches/{match}"))["ticks"]
    assert list(frames) == list(range(ticks + 1))
    assert len(seen) > 20
    assert {tick: frames[tick] for tick in seen} == seen

    async def some(**query: Any) -> list[int]:
        lines = (await ask(service, f"/matches/{match}/frames", **query)).lines
        assert all(frames[one["tick"]] == one["state"] for one in lines)
        return [one["tick"] for one in lines]

    assert await some(**{"from": 30, "to": 60, "hz": 6}) == [30, 40, 50, 60]
    assert await some(hz=0.1) == [0, ticks]
    assert await some(**{"from": ticks + 5}) == [ticks]
    assert await some(**{"from": 9, "to": 3}) == []

    holds = {"holds": True, "tick": None, "difference": None}
    assert await get(service, f"/matches/{match}/verify") == holds


async def test_the_frames_of_a_game_without_ticks_have_the_moves(service: Running) -> None:
    match = await played(*await two(service))
    first, second, *_ = (await ask(service, f"/matches/{match}/frames")).lines
    assert first == {"tick": 0, "state": {"moves": 0}}
    assert second["input"] == {"kind": "relayed", "seat": 0, "move": {"step": 1}}


async def test_a_recording_verifies_elsewhere_and_is_sent_once(service: Running) -> None:
    match = await played(*await two(service))
    path = f"/matches/{match}/recording"

    plain = await ask(service, path, headers={"Accept-Encoding": "identity"})
    packed = await ask(service, path, headers={"Accept-Encoding": "gzip"})

    content = plain.text.encode()
    found = recording.read(content)
    recording.check(found, content)
    assert Replay(*recording_events(found)).verify() is None
    assert (found.match, found.names) == (match, ["Ana", "Ben"])
    assert packed.text == plain.text
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert plain.headers["ETag"] != packed.headers["ETag"]
    for answer in (plain, packed):
        again = await ask(service, path, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status, again.text) == (304, "")
    head = await ask(service, path, method="HEAD")
    assert (head.status, head.text, "ETag" in head.headers) == (200, "", True)


def recording_events(found: recording.Recording) -> tuple[Any, Any, Any]:
    events, times = found.decoded()
    return events, GAMES, times


async def test_a_summary_tells_when_the_score_changed(service: Running) -> None:
    ana, ben = await two(service)
    match = await played(ana, ben)

    summary = await get(service, f"/matches/{match}/summary")

    assert (summary["matchId"], summary["game"], summary["tickHz"]) == (match, "relay", 0)
    assert [one["scores"] for one in summary["scores"]] == [[0, 0], [2, 1]]
    kinds = [one["kind"] for one in summary["timeline"]]
    assert kinds == ["started", "move", "move", "move", "point", "ended"]
    assert [one["inputs"] for one in summary["inputs"]] == [2, 1]


async def test_who_is_in_the_room_may_go_back_in_a_live_match(service: Running) -> None:
    ana, ben = await two(service)
    cleo = await service.connect_v1(fresh_id(), "Cleo")
    room, match = await match_of(ana, ben, "relay")
    await ana.command("game:move", roomId=room, move={"step": 1})
    live: dict[str, Any] = {"live": "true"}
    for what in ("frames", "summary"):
        refused = await ask(service, f"/matches/{match}/{what}", token(cleo.id), **live)
        assert (refused.status, refused.json["code"]) == (409, "MATCH_IS_LIVE")
    await cleo.command("room:join", roomId=room, role="spectator")

    shown = await ask(service, f"/matches/{match}/frames", token(cleo.id), **live)
    summary = await get(service, f"/matches/{match}/summary", token(ana.id), **live)

    assert shown.headers["Cache-Control"] == "no-store"
    assert [frame["tick"] for frame in shown.lines] == [0, 1]
    assert summary["ticks"] == 1
    for what in ("recording", "summary"):
        refused = await ask(service, f"/matches/{match}/{what}", token(ana.id))
        assert (refused.status, refused.json["code"]) == (409, "MATCH_IS_LIVE")


async def test_a_live_match_can_be_gone_back_in_with_the_delay_of_spectators(
    service: Running,
) -> None:
    ana, ben = await two(service)
    _, match = await match_of(ana, ben, "relay", options={"spectator_delay_s": 60})
    refused = await ask(service, f"/matches/{match}/frames", token(ana.id), live="true")
    assert (refused.status, refused.json["code"]) == (409, "MATCH_IS_LIVE")
    assert "not been shown" in refused.json["detail"]


async def test_a_player_is_told_their_legal_moves(service: Running) -> None:
    ana, ben = await two(service)
    _, match = await match_of(ana, ben, "connect_four")

    async def moves(by: str) -> tuple[int | None, list[dict[str, int]]]:
        found = await get(service, f"/matches/{match}/legal-moves", by)
        return found["seat"], found["moves"]

    found = [await moves(token(user.id)) for user in (ana, ben)]
    assert min(found, key=lambda one: len(one[1]))[1] == []
    assert max((listed for _, listed in found), key=len) == [{"column": n} for n in range(7)]
    assert [seat for seat, _ in found] == [0, 1]
    assert await moves(token(fresh_id())) == (None, [])


@pytest.mark.parametrize("room", [{"visibility": "private"}, {"visibility": "password"}])
async def test_a_non_public_match_is_visible_to_its_players_only(
    service: Running, room: dict[str, str]
) -> None:
    ana, ben = await two(service)
    password = {"password": "1234"} if room["visibility"] == "password" else {}
    match = await played(ana, ben, **room, **password)

    async def sees(by: str) -> bool:
        found = (await get(service, "/matches", by, user=ana.id))["matches"]
        paths = [
            f"/matches/{match}",
            *(f"/matches/{match}/{one}" for one in ("events", "frames", "recording", "summary")),
        ]
        statuses = {(await ask(service, path, by)).status for path in paths}
        assert statuses == ({200} if found else {404})
        return bool(found)

    assert await sees(token(ana.id))
    assert await sees(token(ben.id))
    assert await sees(SERVICE)
    assert not await sees(token(fresh_id()))


async def test_a_revocation_also_closes_a_connection_being_opened(
    start_service: StartService,
) -> None:
    service = start_service()
    old = int(time.time()) - 60

    async def comes_in(user: int) -> list[tuple[int | None, str | None]]:
        claims = make_token({"id": user, "name": "Ana", "iat": old})
        revoking = asyncio.create_task(ask(service, "/sessions", method="DELETE", user=user))
        tabs = await asyncio.gather(
            *(service.connect(token_=claims, greeted=False) for _ in range(4))
        )
        await revoking
        return [await tab.closed() for tab in tabs]

    for _ in range(20):
        assert await comes_in(fresh_id()) == [(4503, "Revoked")] * 4


async def test_a_new_private_room_with_a_reused_id_hides_its_own_matches(
    service: Running,
) -> None:
    ana, ben = await two(service)
    id_ = f"club-{ana.id}"
    public, _ = [
        await played(ana, ben, roomId=id_, visibility=visibility)
        for visibility in ("public", "private")
    ]
    found = (await get(service, "/matches", token(fresh_id()), user=ana.id))["matches"]
    assert [one["matchId"] for one in found] == [public]


async def test_an_unchanged_response_is_304(service: Running) -> None:
    match = await played(*await two(service))
    for path, kept in (
        (f"/matches/{match}", "private, no-cache"),
        (f"/matches/{match}/events", "private, max-age=86400, immutable"),
    ):
        first = await ask(service, path)
        assert first.headers["Cache-Control"] == kept
        etag = first.headers["ETag"]
        again = await ask(service, path, headers={"If-None-Match": f'"x", {etag}'})
        assert (again.status, again.text, again.headers["ETag"]) == (304, "", etag)
        other = await ask(service, path, headers={"If-None-Match": '"x"'})
        assert (other.status, other.text) == (200, first.text)


async def test_head_returns_the_headers_of_get(service: Running) -> None:
    match = await played(*await two(service))
    for path in (f"/matches/{match}", f"/matches/{match}/frames"):
        response, head = await ask(service, path), await ask(service, path, method="HEAD")
        assert (head.status, head.text) == (200, "")
        assert head.headers["Content-Type"] == response.headers["Content-Type"]


# Who may ask


@pytest.mark.parametrize(
    "by",
    [
        None,
        "",
        "nonsense",
        make_token({"id": 7}, secret="another-secret-of-more-than-32-bytes"),
        make_token({"id": 7}, ttl_s=-60),
        make_token({"name": "nobody"}),
        make_token({"scope": "openid profile"}),
    ],
)
async def test_a_request_needs_a_valid_token(service: Running, by: str | None) -> None:
    answer = await ask(service, "/users", by)
    assert (answer.status, answer.json["code"]) == (401, "UNAUTHORIZED")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a_token_in_the_query_is_not_accepted(service: Running) -> None:
    assert (await ask(service, "/users", None, token=token(7))).status == 401


@pytest.mark.parametrize(
    ("method", "path", "scope", "status"),
    [
        ("DELETE", "/sessions?user=1", None, 403),
        ("DELETE", "/sessions?user=1", "publish", 403),
        ("DELETE", "/sessions?user=1", "openid admin", 204),
        ("DELETE", "/sessions?user=1", ["admin"], 204),
        ("POST", "/messages", None, 403),
        ("POST", "/messages", "admin", 403),
        ("POST", "/messages", ["publish"], 200),
    ],
)
async def test_a_service_is_authorised_by_its_scope(
    service: Running, method: str, path: str, scope: Any, status: int
) -> None:
    by = token(fresh_id()) if scope is None else make_token({"scope": scope})
    answer = await ask(
        service,
        path,
        by,
        method=method,
        headers={"Content-Type": "application/json"},
        body=b'{"to": {"user": 1}, "data": 1}' if method == "POST" else None,
    )
    assert answer.status == status
    if status == 403:
        assert answer.json["code"] == "SCOPE_MISSING"


async def test_a_revoked_user_is_disconnected_until_a_new_token(
    start_service: StartService,
) -> None:
    service = start_service()
    now = int(time.time())
    old, new = ({"id": 7, "name": "Ana", "iat": iat} for iat in (now, now + 3))
    undated = {"id": 7, "name": "Ana"}
    ben = await service.connect(8, "Ben")
    tabs = [
        await service.connect(token_=make_token(old)),
        await service.connect_v1(7, token_=make_token(undated)),
    ]

    answer = await ask(service, "/sessions", method="DELETE", user=7)

    assert (answer.status, answer.text) == (204, "")
    assert [await tab.closed() for tab in tabs] == [(4503, "Revoked")] * 2
    revoked = [event for event in service.events() if event.type == "sessions.revoked"]
    assert [event.data["user"] for event in revoked] == [7]
    for _ in ("now", "after a crash"):
        for claims in (old, undated):
            refused = await service.connect(token_=make_token(claims), greeted=False)
            assert await refused.closed() == (4503, "Revoked")
            assert (await ask(service, "/users", make_token(claims))).status == 401
        back = await service.connect(token_=make_token(new))
        assert back.user == {"id": 7, "name": "Ana"}
        assert (await ask(service, "/users", make_token(new))).status == 200
        service.restart()
    assert ben.close_code != 4503
    assert (await ask(service, "/users", token(8))).status == 200


async def test_requests_are_rate_limited_per_address(start_service: StartService) -> None:
    service = start_service(WS_REQUESTS_PER_S_PER_IP="2")
    answers = [await ask(service, "/users") for _ in range(2)]
    while answers[-1].status == 200:
        answers += await asyncio.gather(*(ask(service, "/users") for _ in range(9)))
    assert answers[0].status == 200
    refused = [answer for answer in answers if answer.status != 200]
    assert {(one.status, one.json["code"]) for one in refused} == {(429, "RATE_LIMITED")}
    assert {one.headers["Retry-After"] for one in refused} == {"1"}
    await service.connect(7, "Ana")


# Messages of other services


async def test_a_server_message_reaches_all_sockets_of_a_user_and_is_not_stored(
    service: Running,
) -> None:
    ana, ben = await two(service)
    tab = await service.connect_v1(ana.id, "Ana")
    classic = await service.connect(ana.id, "Ana")
    before = service.events()[-1].position

    answer = await publish(service, {"user": ana.id}, {"text": "maintenance\u2028 at ten"})

    assert (answer.status, answer.json) == (200, {"sockets": 2})
    expected = {"type": "server:message", "data": {"text": "maintenance\u2028 at ten"}}
    assert await ana.expect("server:message") == expected
    assert await tab.expect("server:message") == expected
    for other in (ben, classic):
        assert not of_type(await other.sync(), "server:message")
    assert not [one for one in service.events(after=before) if "maintenance" in str(one.data)]


async def test_a_server_message_can_address_a_room_or_everybody(service: Running) -> None:
    ana, ben = await two(service)
    cleo = await service.connect_v1(fresh_id(), "Cleo")
    room = await room_of(ana, game="relay")
    await cleo.command("room:join", roomId=room, role="spectator")

    assert (await publish(service, {"roomId": room}, [1])).json == {"sockets": 2}
    for client in (ana, cleo):
        assert (await client.expect("server:message"))["data"] == [1]
    assert not of_type(await ben.sync(), "server:message")

    assert (await publish(service, "all", None)).json["sockets"] >= 3
    for client in (ana, ben, cleo):
        assert (await client.expect("server:message"))["data"] is None
    assert (await publish(service, {"user": fresh_id()}, 1)).json == {"sockets": 0}


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        (b'{"to": "all"}', 400, "BAD_PARAMETER", "data"),
        (b'{"data": 1}', 400, "BAD_PARAMETER", "to"),
        (b'{"to": "some", "data": 1}', 400, "BAD_PARAMETER", "to"),
        (b'{"to": {}, "data": 1}', 400, "BAD_PARAMETER", "to"),
        (b'{"to": {"user": 1, "roomId": "a"}, "data": 1}', 400, "BAD_PARAMETER", "to"),
        (b'{"to": {"user": 0}, "data": 1}', 400, "BAD_PARAMETER", "to.user"),
        (b'{"to": {"room": "a"}, "data": 1}', 400, "BAD_PARAMETER", "to.room"),
        (b'{"to": "all", "data": 1, "more": 1}', 400, "BAD_PARAMETER", "more"),
        (b'{"to": {"roomId": "nowhere"}, "data": 1}', 404, "ROOM_NOT_FOUND", None),
        (b"[]", 400, "BAD_PARAMETER", None),
        (b"", 400, "BAD_BODY", None),
        (b'{"to": "all", "data": "\xff"}', 400, "BAD_BODY", None),
        (b'{"to": "all", "data": "\\ud800"}', 400, "BAD_BODY", None),
        (b'{"to": "all", "data": "\x01"}', 400, "BAD_BODY", None),
        (b'{"to": "all", "data": ' + b"[" * 9999 + b"]" * 9999 + b"}", 400, "BAD_BODY", None),
        (b'{"to": "all", "data": "' + b"x" * 65536 + b'"}', 413, "BODY_TOO_LARGE", None),
    ],
)
async def test_an_invalid_body_is_refused_with_the_field(
    service: Running, body: bytes, status: int, code: str, field: str | None
) -> None:
    sent = {"Content-Type": "application/json"}
    answer = await ask(service, "/messages", method="POST", headers=sent, body=body)
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json
    assert (answer.status, problem["status"], problem["code"]) == (status, status, code)
    assert problem.get("field") == field


async def test_a_body_needs_the_json_content_type(service: Running) -> None:
    answer = await ask(service, "/messages", method="POST", body=b"{}")
    assert (answer.status, answer.json["code"]) == (415, "NOT_JSON")


# Refusals


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/users?limit=0", (400, "BAD_PARAMETER", "limit")),
        ("GET", "/users?limit=101", (400, "BAD_PARAMETER", "limit")),
        ("GET", "/users?limit=ten", (400, "BAD_PARAMETER", "limit")),
        ("GET", "/users?limit=", (400, "BAD_PARAMETER", "limit")),
        ("GET", "/users?limit=1&limit=2", (400, "BAD_PARAMETER", "limit")),
        ("GET", "/users?page=2", (400, "BAD_PARAMETER", "page")),
        ("GET", "/rooms?game=", (400, "BAD_PARAMETER", "game")),
        ("GET", "/rooms/nowhere", (404, "ROOM_NOT_FOUND", None)),
        ("GET", "/rooms/nowhere?roomId=x", (400, "BAD_PARAMETER", "roomId")),
        ("GET", f"/rooms/{'x' * 65}", (400, "BAD_PARAMETER", "roomId")),
        ("GET", "/matches?since=yesterday", (400, "BAD_PARAMETER", "since")),
        ("GET", "/matches?since=2026-11-24T10:00:00", (400, "BAD_PARAMETER", "since")),
        ("GET", "/matches?since=1764000000", (400, "BAD_PARAMETER", "since")),
        ("GET", "/matches?reason=boredom", (400, "BAD_PARAMETER", "reason")),
        ("GET", "/matches?cursor=-1", (400, "BAD_PARAMETER", "cursor")),
        ("GET", "/matches?cursor=null", (400, "BAD_PARAMETER", "cursor")),
        ("GET", "/matches/nothing", (404, "MATCH_NOT_FOUND", None)),
        ("GET", "/matches/nothing/events", (404, "MATCH_NOT_FOUND", None)),
        ("GET", "/matches/nothing/frames?hz=0", (400, "BAD_PARAMETER", "hz")),
        ("GET", "/matches/nothing/frames?hz=nan", (400, "BAD_PARAMETER", "hz")),
        ("GET", "/matches/nothing/frames?from=1.5", (400, "BAD_PARAMETER", "from")),
        ("DELETE", "/sessions", (400, "BAD_PARAMETER", "user")),
        ("GET", "/nothing", (404, "NOT_FOUND", None)),
        ("PUT", "/users", (405, "METHOD_NOT_ALLOWED", None)),
        ("GET", "/sessions?user=7", (405, "METHOD_NOT_ALLOWED", None)),
    ],
)
async def test_each_error_is_a_problem_that_names_the_field(
    service: Running, method: str, target: str, expected: tuple[int, str, str | None]
) -> None:
    status, code, field = expected
    answer = await ask(service, target, method=method)
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json
    assert (answer.status, problem["status"], problem["code"]) == (status, status, code)
    assert problem.get("field") == field
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert field is None or f"`{field}`" in problem["detail"]
    if status == 405:
        assert answer.headers["Allow"] in {"GET,HEAD", "DELETE"}


@pytest.mark.parametrize("mode", list(GenerationMode))
async def test_any_request_is_answered_as_the_openapi_document_says(
    start_service: StartService, mode: GenerationMode
) -> None:
    # Its own: whatever ids it tries, users of other tests must not be revoked.
    service = start_service(dev=True)
    match = await played(*await two(service))
    await asyncio.to_thread(_try_everything, service.url, mode, match)
    assert "fault" not in [line["message"] for line in service.logs]


def _try_everything(url: str, mode: GenerationMode, match: str) -> None:
    described = json.loads(OPENAPI.read_text())
    # The token is ours in every request, so it is no part of what is made wrong here.
    del described["components"]["securitySchemes"]
    for operations in described["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
    document = schemathesis.openapi.from_dict(described)
    for result in document.get_all_operations():
        assert isinstance(result, Ok), result.err()
        tried = result.ok()
        if mode is GenerationMode.NEGATIVE and not _takes_something(tried.definition.raw):
            continue

        @settings(
            max_examples=25,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=tried.as_strategy(generation_mode=mode))
        def holds(case: Case[Any]) -> None:
            if mode is GenerationMode.POSITIVE and "matchId" in case.path_parameters:
                case.path_parameters["matchId"] = match
            case.call_and_validate(
                base_url=url, headers={"Authorization": f"Bearer {SERVICE}"}, timeout=PATIENCE_S
            )

        holds()


def _takes_something(operation: Mapping[str, Any]) -> bool:
    """Return whether a request can be wrong: by a parameter or by its body."""
    return bool(operation.get("parameters")) or "requestBody" in operation


async def test_cors_allows_only_configured_origins(start_service: StartService) -> None:
    ours = "https://play.example.org"
    service = start_service(WS_ALLOWED_ORIGINS=ours)
    asks = {"Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "x"}
    async with aiohttp.ClientSession(service.url) as http:
        for path in ("/api/v1/users", "/api/v1/sessions", "/api/v1/nothing"):
            for origin, is_allowed in ((ours, True), ("https://evil.example", False)):
                async with http.options(path, headers={"Origin": origin, **asks}) as answer:
                    assert answer.status == 204
                    assert ("Access-Control-Allow-Methods" in answer.headers) is is_allowed
                for headers in ({}, {"Authorization": f"Bearer {SERVICE}"}):
                    async with http.get(path, headers={"Origin": origin, **headers}) as answer:
                        allowed = answer.headers.get("Access-Control-Allow-Origin")
                        assert allowed == (ours if is_allowed else None)
                        assert "Origin" in answer.headers["Vary"]


async def test_every_operation_requires_a_token_and_some_a_scope(service: Running) -> None:
    described = json.loads(OPENAPI.read_text())
    count = 0
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            scoped = any(operation["security"][0].values())
            target = re.sub(r"{\w+}", "x", path)
            async with aiohttp.ClientSession(service.url) as http:
                for token_, status in ((None, 401), ("a.b.c", 401), (token(7), 403)):
                    if token_ is not None and status == 403 and not scoped:
                        continue
                    count += 1
                    headers = {} if token_ is None else {"Authorization": f"Bearer {token_}"}
                    async with http.request(method, target, headers=headers) as answer:
                        assert answer.status == status, (method, path)
                        assert answer.content_type == "application/problem+json"
    assert count > 20
