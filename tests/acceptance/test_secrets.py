"""Secrets of a match over the wire: two runs that differ only in them tell all others the same."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service.client import Client, connect
from tests.acceptance.service_process import HOME, Running, StartService, fresh_id, token
from tests.acceptance.test_api import ask

IDS_AND_TIMES = re.compile(
    r'"(position|v|from|to|roomId|matchId|chatId|epoch|sessionId|turnEndsInMs|id|name|hash)":'
    r'("[^"]*"|-?[0-9.]+)'
)


@pytest.fixture
def games(tmp_path: Path) -> Path:
    """Install the games of the tests, as a package."""
    metadata = tmp_path / "packages" / "secrets-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: secrets\nVersion: 1.0\n")
    entry = "[ws_service.games]\nsecrets = tests.secret_games:SECRET_GAMES\n"
    (metadata / "entry_points.txt").write_text(entry)
    return metadata.parent


def masked(message: Any) -> str:
    return IDS_AND_TIMES.sub(r'"\1":0', msgspec.json.encode(message).decode())


async def told(client: Client, until: str) -> list[str]:
    """Return the messages of a match up to one of a type."""
    found: list[str] = []
    async with asyncio.timeout(10):
        async for message in client:
            if message["type"].startswith("game:"):
                found.append(masked(message))
            if message["type"] == until:
                return found
    raise AssertionError(found)


async def played(service: Running, hand: str, note: str) -> dict[str, list[str]]:
    """Play hands with a secret; return what the opponent and a spectator were told."""
    users = [fresh_id() for _ in range(3)]
    url = service.ws_url
    ana, ben, dan = (connect(url, token(user)) for user in users)
    async with ana, ben, dan:
        room = (await ana.command("room:create", game="sealed_hands"))["roomId"]
        await ben.command("room:join", roomId=room)
        await dan.command("room:join", roomId=room, role="spectator")
        for one in (ana, ben):
            await one.command("room:ready", roomId=room, ready=True)
        start = ben.position
        await ana.command("game:move", roomId=room, move={"hand": hand, "note": note})
        again = connect(url, token(users[1]))
        async with again:
            await again.command("room:join", roomId=room)
            await again.send("resume", position=start, epoch=ben.epoch)
            resumed = await told(again, "resumed")
        await ben.command("room:leave", roomId=room)
        found = {
            "live": await told(ben, "game:over") if False else [],
            "spectator": await told(dan, "game:over"),
            "resumed": resumed,
        }
    for user in users[1:]:
        for what in ("events", "frames", "summary", "verify"):
            status, body = ask(service, f"/matches/{room}-1/{what}", user)
            found[f"{what} {users.index(user)}"] = [str(status), body]
    return found
