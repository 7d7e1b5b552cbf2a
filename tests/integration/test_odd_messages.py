"""Every field of every message with every odd value, in every dialect, against a whole service."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jwt
import pytest
import structlog

from service.cli.verify import verify as log_verify
from tests.acceptance.service_process import SECRET
from tests.command_line import pipes_kept
from tests.integration.stage import Stage, Tab, room_of
from tests.odd.campaign import SPEAKERS, V1, Outcome, SocketIo, Speaker, greeted, send_all
from tests.odd.messages import odd_messages, types_of
from tests.odd.raw_socket import RawSocket

MESSAGES_MIN = 24_000
AT_ONCE = 12
"""How many types are tried at the same time: commits of some are shared."""

LOOSE: Mapping[str, object] = {
    "WS_MESSAGES_PER_S": 100_000,
    "WS_MESSAGES_BURST": 1_000_000,
    "WS_FULL_RATE_SOCKETS": 10_000,
    "WS_LOGGED_BYTES_PER_S": 1024**3,
    "WS_LOGGED_BYTES_BURST": 1024**3,
    "WS_SIGNAL_BYTES_PER_S": 1024**3,
    "WS_SIGNAL_BYTES_BURST": 1024**3,
    "WS_ROOMS_MADE_PER_MIN": 1_000_000,
    "WS_ROOMS_MADE_BURST": 1_000_000,
    "WS_INVITES_PER_MIN": 1_000_000,
    "WS_INVITES_BURST": 1_000_000,
    "WS_CHAT_PER_S": 1000,
    "WS_CHAT_BURST": 10_000,
    "WS_BOT_AFTER_S": 0.1,
}
"""Nothing is refused for how much it is."""

ONE_BY_ONE = {"resume", "game:history", "room:create", "room:join"}
"""What waits for its end, or is undone, before the next."""

users = itertools.count(1)


class Errors(logging.Handler):
    """Keeps what is logged as an error, by the service or a library."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def __call__(self, _logger: Any, _method: str, entry: Any) -> Any:
        self.lines.append(repr(entry))
        raise structlog.DropEvent


@pytest.fixture
def errors() -> Iterator[Errors]:
    found = Errors()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR), processors=[found]
    )
    logging.getLogger().addHandler(found)
    yield found
    logging.getLogger().removeHandler(found)
    structlog.reset_defaults()


def token(user: int) -> str:
    return jwt.encode({"id": user, "name": f"U{user}", "exp": time.time() + 600}, SECRET)


def good_values(user: int, friend: int, room: str, tab: Tab) -> dict[str, object]:
    welcome = tab.of("welcome")[0]
    return {
        "id": f"good{next(users)}",
        "roomId": room,
        "to": friend,
        "toUserId": friend,
        "userId": friend,
        "from": friend,
        "game": "relay",
        "friendIds": [friend],
        "position": 1,
        "epoch": welcome["epoch"],
        "frameHz": 30,
        "status": "away",
        "hidden": False,
        "options": {},
        "metadata": {},
        "visibility": "public",
        "password": "secret",
        "maxSpectators": 3,
        "role": "player",
        "orCreate": True,
        "ready": False,
        "locked": False,
        "cursor": "a",
        "limit": 5,
        "direction": "w",
        "action": "down",
        "after": 0,
        "level": 1,
        "data": 1,
        "sessionId": welcome["sessionId"],
        "text": "hi",
        "muted": False,
        "token": token(user),
        "move": {"x": 1},
    }


async def prepared(
    socket: RawSocket, speaker: Speaker, type_: str, room: str, tabs: tuple[Tab, Tab]
) -> None:
    """Bring two users where the message has a meaning: into a room, or before an invite."""
    one, two = tabs
    if type_.startswith("invite:") and type_ != "invite:send":
        await two.insist("invite", to=one.user, game="relay")
    elif type_ == "room:join":
        await two.insist("room:create", roomId=room, game="relay", options={"seats": 8})
    elif type_ == "room:addBot":
        await one.insist("room:create", roomId=room, game="pong")
    elif type_ == "matchmaking:acceptBot":
        await one.insist("matchmaking:join", game="connect_four")
        await one.until("matchmaking:botOffer")
    elif type_ in {"room:kick", "room:lock", "room:ready", "game:begin"}:
        await one.insist("room:create", roomId=room, game="relay")
        await two.insist("room:join", roomId=room)
    elif type_ in {"game:move", "game:join", "game:history", "signal", "chat:send"}:
        await one.insist("room:create", roomId=room, game="relay")
        await two.insist("room:join", roomId=room)
        for tab in tabs:
            await tab.insist("room:ready", roomId=room)
    elif type_ == "game:leave" and not isinstance(speaker, V1):
        await one.insist("room:create", roomId=room, game="relay")
    else:
        return
    if type_ not in {"room:join", "matchmaking:acceptBot"}:
        join = {"type": "game:join", "roomId": room}
        is_event = isinstance(speaker, SocketIo)
        socket.send(f'42["game:join",{json.dumps(join)}]' if is_event else json.dumps(join))


async def try_type(
    stage: Stage, speaker: Speaker, type_: str, schema: Mapping[str, Any], outcome: Outcome
) -> None:
    """Let a new user send all odd messages of one type."""
    user, friend = next(users), next(users)
    tabs = one, two = await stage.connect(user), await stage.connect(friend)
    socket = await greeted(stage.service.url, speaker, token(user))
    room = f"r{user}"
    await prepared(socket, speaker, type_, room, tabs)
    good = good_values(user, friend, room, one)
    if type_ == "matchmaking:acceptBot":
        good["game"] = "connect_four"
    elif type_ == "lobby:say":
        socket.send('{"type": "lobby:join"}')
    odds = [
        odd
        for odd in odd_messages(type_, schema, good)
        # By Socket.IO, what is no JSON is no packet, and ends the connection.
        if odd.is_json or not isinstance(speaker, SocketIo)
    ]
    before: tuple[str, ...] = ()
    if isinstance(speaker, V1) and type_ in {"room:leave", "game:leave"}:
        again = {"type": "room:create", "roomId": room, "game": "relay"}
        before = (json.dumps(again),)
    at_once = 1 if type_ in ONE_BY_ONE else 16
    await send_all(socket, speaker, odds, outcome, before=before, at_once=at_once)
    await socket.close()
    await one.close()
    await two.close()


async def works(stage: Stage) -> None:
    """Check that the service still works: greetings, a match, and the API."""
    tabs = (await stage.connect(), await stage.connect())
    await stage.connect(classic=True)
    await room_of(tabs, "connect_four")
    headers = {"Authorization": f"Bearer {token(1)}"}
    for path in ("users", "rooms", "matches"):
        url = f"{stage.service.url}/api/v1/{path}?limit=100"
        async with stage.http.get(url, headers=headers) as answer:
            assert answer.status == 200
            await answer.json()


async def campaign(data_dir: Path, outcome: Outcome) -> None:
    """Send everything to one service, then look at what another one makes of what it left."""
    at_once = asyncio.Semaphore(AT_ONCE)

    async def tried(speaker: Speaker, type_: str, schema: Mapping[str, Any]) -> None:
        async with at_once:
            await try_type(stage, speaker, type_, schema, outcome)

    types = [
        (speaker, type_, schema)
        for speaker, union in SPEAKERS
        for type_, schema in types_of(union).items()
    ]
    async with Stage(data_dir, **LOOSE) as stage:
        # A bot is offered to who finds nobody: while nobody else searches.
        for each in types:
            if each[1] == "matchmaking:acceptBot":
                await tried(*each)
        async with asyncio.TaskGroup() as group:
            for each in types:
                if each[1] != "matchmaking:acceptBot":
                    group.create_task(tried(*each))
    # From the snapshot, with the messages of the log published again.
    async with Stage(data_dir, **LOOSE) as stage:
        await works(stage)


@pytest.mark.timeout(120)
def test_every_malformed_message_is_answered_once_without_side_effects(
    tmp_path: Path, errors: Errors, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = Outcome()
    asyncio.run(campaign(tmp_path, outcome))
    print("\n".join(outcome.lines))  # noqa: T201 - how much was tried
    assert outcome.complaints == []
    assert outcome.sent.total() >= MESSAGES_MIN
    assert outcome.refused_good - outcome.taken_good == set()
    assert errors.lines == []
    monkeypatch.setenv("WS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("JWT_SECRET", SECRET)
    with pipes_kept():
        log_verify()
