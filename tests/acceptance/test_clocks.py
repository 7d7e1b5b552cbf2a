"""Clocks of players against a bot, over `kill -9`: by messages, by the log, and in replays."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.acceptance.service_process import Client, Running, StartService, close_clients, fresh_id
from tests.command_line import CommandLine

CLOCK_MS, INCREMENT_MS = 60_000, 1_000


async def until_turn(ana: Client, seat: int) -> dict[str, Any]:
    while True:
        update = await ana.expect("game:update")
        if update["state"]["turn"] == seat:
            return dict(update)


def times(service: Running, match: str) -> tuple[list[Any], list[Any]]:
    """Return the inputs in the log, and the clocks that a replay shows."""
    shell = CommandLine(service.data_dir)
    rows = shell("log", "export", "--stream", f"match:{match}").splitlines()
    events = [json.loads(row) for row in rows]
    inputs = [one["data"] for one in events if one["type"] == "match.input"]
    frames = shell("replay", match, "--export", "ndjson").splitlines()[1:]
    assert shell("replay", match, "--verify").startswith("ok: match")
    return inputs, [json.loads(frame)["clocksMs"] for frame in frames]


async def played(service: Running) -> str:
    """Play some moves against a bot, with a `kill -9` in between; return the match."""
    user = fresh_id()
    ana = await service.connect_v1(user)
    options = {"clock_s": CLOCK_MS / 1000, "increment_s": INCREMENT_MS / 1000}
    room = (await ana.command("room:create", game="connect_four", options=options))["roomId"]
    await ana.command("room:ready", roomId=room)
    await ana.command("room:addBot", roomId=room, level=1)
    match = (await ana.expect("game:start"))["matchId"]
    update = await until_turn(ana, 0)
    assert update["turnEndsInMs"] == update["clocksMs"][0]
    await ana.command("game:move", roomId=room, move={"column": 0})
    before = (await until_turn(ana, 0))["clocksMs"]

    service.restart()
    ana = await service.connect_v1(user)
    await ana.command("room:join", roomId=room)
    state = await ana.expect("room:state", roomId=room)
    assert [seat.get("bot") for seat in state["seats"]] == [None, 1]
    after = (await until_turn(ana, 0))["clocksMs"]
    # What was logged last is at most five seconds old; nothing ran while the service was down.
    assert before[0] - 5_000 <= after[0] <= before[0]
    assert after[1] == before[1]
    await ana.command("game:move", roomId=room, move={"column": 6})
    await until_turn(ana, 0)
    await ana.command("room:leave", roomId=room)
    await close_clients()
    return str(match)


def test_the_clocks_go_on_after_kill_9_and_are_the_sums_of_the_log(
    start_service: StartService,
) -> None:
    service = start_service()
    match = asyncio.run(played(service))
    inputs, shown = times(service, match)
    left = [CLOCK_MS, CLOCK_MS]
    assert shown[0] == left
    for moved, clocks in zip(inputs, shown[1:], strict=True):
        left[moved["seat"]] += INCREMENT_MS - moved["spent_ms"]
        assert clocks == left
        assert (moved["socket"] is None) == (moved["seat"] == 1)
