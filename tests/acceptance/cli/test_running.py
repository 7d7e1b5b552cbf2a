"""Commands that look at a running service: `replay --live`, `top`, and `at` behind it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

from tests.acceptance.crash import begin_match, logged
from tests.acceptance.service_process import PATIENCE_S, SECRET, StartService, of_type
from tests.command_line import CommandLine


async def output(command: CommandLine, *arguments: str) -> tuple[int, str, str]:
    """Run a command beside the event loop."""
    process = await asyncio.create_subprocess_exec(
        *command.arguments(*arguments),
        env=command.environment(JWT_SECRET=SECRET),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE_S):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_a_running_service_is_watched_and_remembered(start_service: StartService) -> None:
    service = start_service(WS_MATCH_DURATION_S="600")
    command = CommandLine(service.data_dir)
    match = await begin_match(service)
    await match.serve()
    socket_url = service.url.replace("http", "ws", 1)

    watching = asyncio.create_task(
        output(command, "replay", "--live", match.room, "--url", socket_url)
    )
    code, out, _ = await output(command, "top", "--json", "--url", service.url)
    figures = json.loads(out)
    assert (code, figures["matches"]) == (0, 1)
    assert figures["users"] >= 2
    await logged(service, "spectator.joined")
    during = datetime.now(UTC)
    # Until the next checkpoint is in the log, after which the tick then is certain.
    await match.left.expect("game:timer")
    await match.left.expect("game:timer")
    await match.right.send("game:leave", roomId=match.room)
    await match.left.expect("game:end")
    over = datetime.now(UTC)
    code, out, err = await watching
    assert (code, err) == (0, "")
    assert "over: left" in out
    # Plain frames, as the match went on: at the least one before the last.
    assert out.startswith("waiting for a match\n")
    assert out.count("   tick ") > 1
    last = of_type(match.left.received, "game:update")[-1]["state"]
    assert f"Ana   {last['s1']} : {last['s2']}   Ben" in out

    code, out, _ = await output(command, "at", during.isoformat(), "--json")
    then = json.loads(out)
    assert code == 0
    assert sorted(then["users"].values())[:2] == ["Ana", "Ben"]
    assert [room["room"] for room in then["rooms"]] == [match.room]
    (live,) = then["matches"]
    assert live["match"] == match.match
    assert live["tick"] > 0
    assert live["state"] in [one["state"] for one in of_type(match.left.received, "game:update")]
    _, out, _ = await output(command, "at", during.isoformat(), "--room", match.room)
    assert "Ana" in out
    assert f"tick {live['tick']} of" in out
    fork = ("--fork", "1t", "--player", "901", "--player", "902", "--url", service.url)
    code, out, err = await output(command, "replay", match.match, *fork)
    assert (code, err) == (0, "")
    room = out.splitlines()[0].rpartition("/room/")[2]
    started = await logged(service, "match.started", match=f"{room}-1")
    assert started.data["players"] == [901, 902]
    _, out, _ = await output(command, "at", over.isoformat(), "--json")
    assert json.loads(out)["matches"] == []


def test_what_cannot_be_watched_or_remembered_is_said_in_one_line(
    start_service: StartService,
) -> None:
    service = start_service()
    command = CommandLine(service.data_dir)
    socket_url = service.url.replace("http", "ws", 1)
    for arguments, code, what in (
        (("replay", "--live", "no-room", "--url", socket_url), 1, "room no-room can't be watched"),
        (("top", "--url", "http://127.0.0.1:9"), 1, "can't be reached"),
        (("top", "--url", service.url, "--token", "x"), 1, "401"),
        (("at", "2001-01-01"), 1, "no event from before"),
        (("at", "soon"), 2, "TIME"),
        (("at", "0s", "--room", "no-room"), 1, "no room no-room"),
    ):
        refused = command.run(*arguments, JWT_SECRET=SECRET)
        assert (refused.code, refused.out) == (code, ""), arguments
        assert what in refused.err
        assert "Traceback" not in refused.err
