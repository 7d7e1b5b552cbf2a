"""Secrets of a match over the wire: two runs that differ only in them tell all others the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.acceptance.service_process import Client, Running, StartService, fresh_id, token
from tests.acceptance.test_api import ask

HOME = Path(__file__).parents[2]

IDS_AND_TIMES = re.compile(
    r'"(position|v|players|roomId|matchId|id|name|user|turnEndsInMs|recordedAt|startedAt|endedAt|atS|durationS|perSecond)":'
    r' ?("[^"]*"|-?[0-9.]+|null|\[[0-9, ]+\])'
)


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Install the games with secrets of the tests."""
    metadata = tmp_path / "packages" / "secrets-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: secrets\nVersion: 1.0\n")
    entry = "[ws_service.games]\nsecrets = tests.secret_games:SECRET_GAMES\n"
    (metadata / "entry_points.txt").write_text(entry)
    return metadata.parent


async def told(client: Client, last: str) -> list[str]:
    """Return what a client is told of a match, up to the first message of a type."""
    found: list[str] = []
    while True:
        message = await client.next()
        if message["type"].startswith("game:"):
            found.append(masked(json.dumps(message)))
        if message["type"] == last:
            return found


def masked(text: str) -> str:
    return IDS_AND_TIMES.sub(r'"\1":0', text)


async def run_of(service: Running, hidden: list[dict[str, str]]) -> dict[str, list[str]]:
    """Play sealed hands with hidden moves, until the other player leaves; return what was told."""
    users = [fresh_id() for _ in range(3)]
    ana, ben, dan = [await service.connect_v1(user) for user in users]
    await ana.send("room:create", game="sealed_hands", options={"seats": 2}, id="make")
    room = (await ana.expect("ack"))["roomId"]
    await ben.send("room:join", roomId=room, id="join")
    await ben.expect("ack")
    await dan.send("room:join", roomId=room, role="spectator", id="watch")
    await dan.expect("ack")
    for one in (ana, ben):
        await one.send("room:ready", roomId=room)
    begun = (await ben.expect("game:start"))["position"]
    await dan.expect("game:update")
    for number, move in enumerate(hidden):
        await ana.send("game:move", roomId=room, move=move, id=f"hide {number}")
        await ana.expect("ack")
    await ben.send("game:move", roomId=room, move={"hand": "paper"}, id="own")
    found = {"own": await told(ben, "ack")}
    await ben.send("room:leave", roomId=room)
    found["spectator"] = await told(dan, "game:over")
    back = await service.connect_v1(users[1], since=begun, epoch=ben.welcome["epoch"])
    found["resumed"] = await told(back, "resumed")
    for number, user in enumerate(users[1:]):
        for what in ("", "/events", "/frames", "/summary", "/verify", "/recording"):
            answer = await ask(service, f"/matches/{room}-1{what}", token(user))
            found[f"{what} by {number}"] = [str(answer.status), masked(answer.text)]
    return found


async def test_hidden_moves_are_told_to_nobody_else_over_the_wire(
    start_service: StartService, packages: Path
) -> None:
    service = start_service(PYTHONPATH=f"{packages}:{HOME}")
    one = await run_of(service, [{"hand": "rock"}])
    other = await run_of(service, [{"hand": "paper"}, {"hand": "rock", "note": "well hidden"}])
    for door, texts in one.items():
        assert texts == other[door], door
    assert one["/frames by 0"][0] == "200"
    assert one["/recording by 0"][0] == "409"
