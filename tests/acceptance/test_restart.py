"""Matches survive the end of the process."""

import asyncio
import json
import signal
import sqlite3
import sys
import time
from contextlib import closing
from typing import Any

from tests.acceptance.crash import Seated, begin_match, check_data, logged
from tests.acceptance.service_process import (
    PATIENCE_S,
    Client,
    Message,
    Running,
    StartService,
    clean_environment,
    fresh_id,
    of_type,
)

DURATION_S = 4

STOP_S_MAX = 5


def scores(update: Message) -> tuple[int, int]:
    return update["state"]["s1"], update["state"]["s2"]


def last(tab: Client, type_: str) -> Message:
    return of_type(tab.received, type_)[-1]


async def come_back(service: Running, seated: Seated, tab: Client) -> Client:
    """Do what the classic page does: follow `room:start`, and take the seat."""
    back = await service.connect(tab.id, tab.user["name"])
    await back.expect("room:start", roomId=seated.room)
    await back.send("game:join", roomId=seated.room)
    return back


async def kill_in_rally(service: Running, seated: Seated) -> None:
    """Kill it with the ball in play and a point on the board."""
    await seated.serve(points=1)
    service.kill()
    for tab in (seated.left, seated.right):
        await tab.closed()


async def test_a_match_continues_after_kill_9_with_score_clock_and_players(
    start_service: StartService,
) -> None:
    service = start_service(WS_MATCH_DURATION_S=str(DURATION_S), WS_RECONNECT_GRACE_S="7")
    seated = await begin_match(service)
    await kill_in_rally(service, seated)
    shown = max(scores(last(tab, "game:update")) for tab in (seated.left, seated.right))
    shown_s = last(seated.left, "game:timer")["remaining"]
    assert sum(shown) >= 1

    service.restart()
    left = await come_back(service, seated, seated.left)
    state = of_type(left.received, "session:state")[0]
    assert state == {"type": "session:state", "inRoom": True, "roomId": seated.room}
    await left.expect("game:ready")
    await left.expect("room:players", youIndex=0)
    duration = (await left.expect("game:start", playerIndex=0))["duration"]
    # At most the second since the last checkpoint is played again.
    assert shown_s - 1 <= duration <= shown_s + 1
    assert (await left.expect("game:timer"))["remaining"] == duration
    assert scores(await left.expect("game:update")) == shown
    paused = await left.expect("game:paused")
    assert paused["away"] == [seated.right.id]
    # After a start it is the restart grace, as far as it is left.
    assert 7000 < paused["graceMs"] <= 60_000

    right = await come_back(service, seated, seated.right)
    await left.expect("game:resumed", roomId=seated.room)
    await right.expect("game:resumed", roomId=seated.room)
    ends = [await tab.expect("game:timeup") for tab in (left, right)]
    assert ends[0] == ends[1]
    final = ends[0]["scores"]["s1"], ends[0]["scores"]["s2"]
    assert all(before <= after for before, after in zip(shown, final, strict=True))

    service.kill()
    log = await check_data(service)
    (ended,) = log.of_type["match.ended"]
    assert (ended.data["reason"], tuple(ended.data["scores"])) == ("timeup", final)
    assert ended.data["tick"] == DURATION_S * 60


async def test_a_match_without_returning_players_is_abandoned(
    start_service: StartService,
) -> None:
    service = start_service(WS_RECONNECT_GRACE_S="0.5", WS_RESTART_GRACE_S="0.5")
    seated = await begin_match(service)
    await kill_in_rally(service, seated)
    service.restart()
    # Nothing is counted before the first socket.
    await service.connect(fresh_id(), "Cleo")
    ended = await logged(service, "match.ended", match=seated.match)
    assert (ended.data["reason"], ended.data["winner"]) == ("abandoned", None)
    assert sum(ended.data["scores"]) >= 1
    for tab in (seated.left, seated.right):
        assert await way_in(service, tab) == "session:kickIntro"
        assert await way_in(service, tab) == "session:state"
    service.kill()
    await check_data(service)


async def test_a_match_waits_for_its_players_after_a_restart_even_without_a_grace(
    start_service: StartService,
) -> None:
    service = start_service(WS_RECONNECT_GRACE_S="0")
    seated = await begin_match(service)
    service.restart()
    left = await come_back(service, seated, seated.left)
    await left.expect("game:paused")
    right = await come_back(service, seated, seated.right)
    await left.expect("game:resumed", roomId=seated.room)
    # From then on the room's own grace holds.
    await right.drop()
    assert (await left.expect("game:end"))["winner"] == "you"
    service.kill()
    await check_data(service)


async def test_the_only_returning_player_wins_and_the_other_is_notified_once(
    start_service: StartService,
) -> None:
    service = start_service(WS_RECONNECT_GRACE_S="2", WS_RESTART_GRACE_S="0")
    seated = await begin_match(service)
    await kill_in_rally(service, seated)
    shown = scores(last(seated.right, "game:update"))
    service.restart()
    restarted_at = time.monotonic()
    right = await come_back(service, seated, seated.right)
    assert (await right.expect("game:paused"))["away"] == [seated.left.id]
    end = await right.expect("game:end", roomId=seated.room)
    assert time.monotonic() - restarted_at > 1
    assert end["winner"] == "you"
    assert (end["scores"]["s1"], end["scores"]["s2"]) == shown
    assert await way_in(service, seated.left) == "session:kickIntro"
    assert await way_in(service, seated.left) == "session:state"
    service.kill()
    log = await check_data(service)
    (ended,) = log.of_type["match.ended"]
    assert (ended.data["reason"], ended.data["winner"]) == ("forfeit", 1)


async def way_in(service: Running, tab: Client) -> str:
    """Connect once and return the second message of the greeting."""
    back = await service.connect(tab.id, tab.user["name"])
    await back.close()
    return str(back.received[1]["type"])


async def test_invites_queue_and_presence_survive_a_crash_and_the_lobby_does_not(
    start_service: StartService,
) -> None:
    service = start_service(WS_PRESENCE_GRACE_S="3", WS_RESTART_GRACE_S="3")
    names = ("Ana", "Ben", "Cleo", "Dan", "Eva")
    ana, ben, cleo, dan, eva = [await service.connect(fresh_id(), name) for name in names]
    await ana.send("lobby:join")
    await ana.expect("lobby:list", users=[ana.user])
    await ana.send("invite", to=ben.id)
    await ben.expect("invite:received")
    await cleo.send("matchmaking:join")
    await cleo.expect("matchmaking:searching")
    service.restart()

    dan = await service.connect(dan.id, "Dan")
    users = of_type(dan.received, "user:list")[0]["users"]
    assert {user["id"] for user in users} == {ana.id, ben.id, cleo.id, dan.id, eva.id}
    assert {user["name"] for user in users} == set(names)
    await dan.send("lobby:request")
    await dan.expect("lobby:list", users=[])

    ana = await service.connect(ana.id, "Ana")
    await ana.send("lobby:join")
    await ana.expect("lobby:list", users=[ana.user])
    ben = await service.connect(ben.id, "Ben")
    await ben.expect("invite:received", where=lambda one: one["from"] == ana.user)
    await ben.send("invite:accepted", **{"from": ana.id})
    await ana.expect("room:start", players=[ana.user, ben.user])

    cleo = await service.connect(cleo.id, "Cleo")
    await cleo.send("matchmaking:join")
    await cleo.expect("error", code="ALREADY_SEARCHING")
    await dan.send("matchmaking:join")
    await dan.expect("room:start", players=[cleo.user, dan.user])

    await dan.expect("user:offline", userId=eva.id)
    came_and_went = of_type(dan.received, "user:online", "user:offline")
    assert came_and_went == [{"type": "user:offline", "userId": eva.id}]
    service.kill()
    await check_data(service)


async def test_sigterm_closes_with_4001_and_the_match_resumes_at_the_same_tick(
    start_service: StartService,
) -> None:
    service = start_service(WS_MATCH_DURATION_S=str(DURATION_S))
    seated = await begin_match(service)
    await seated.left.send("game:move", roomId=seated.room, direction="w", action="down")
    await seated.serve(points=1)
    begun_at = time.monotonic()
    assert await service.terminate() == 0
    assert time.monotonic() - begun_at < STOP_S_MAX
    for tab in (seated.left, seated.right):
        assert (await tab.closed())[0] == 4001
    shown = last(seated.left, "game:update")
    ((head,),) = service.database("SELECT position FROM log_head")
    assert service.database("SELECT position FROM snapshots") == [(head,)]
    stopped, suspended = list(service.events())[-2:]
    assert (stopped.type, suspended.type) == ("match.checkpoint", "match.suspended")
    assert suspended.position == head
    assert suspended.data["tick"] == stopped.data["tick"]

    service.restart()
    paused = await logged(service, "match.paused", match=seated.match)
    assert paused.data["tick"] == stopped.data["tick"]
    left = await come_back(service, seated, seated.left)
    assert await left.expect("game:update") == shown
    right = await come_back(service, seated, seated.right)
    await right.expect("game:resumed")
    await right.expect("game:timeup")
    service.kill()
    await check_data(service)


async def run_service(service: Running, *options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "service",
        "serve",
        *options,
        env=clean_environment(service.settings),
        cwd=service.data_dir.parent,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def refusal(service: Running) -> str:
    """Start a service that can't start, and return the one line that it prints."""
    process = await run_service(service)
    async with asyncio.timeout(PATIENCE_S):
        _, errors = await process.communicate()
    assert process.returncode == 2
    (line,) = errors.decode().splitlines()
    assert line.startswith("error: ")
    return line


async def test_a_second_service_on_the_same_data_refuses_to_start(
    start_service: StartService,
) -> None:
    service = start_service()
    line = await refusal(service)
    assert "another ws-service" in line
    assert str(service.data_dir) in line
    assert await (await service.connect(fresh_id(), "Ana")).sync() is not None


async def test_a_truncated_log_is_refused_until_accepted(
    start_service: StartService,
) -> None:
    service = start_service()
    tab = await service.connect(fresh_id(), "Ana")
    await tab.send("lobby:join")
    await tab.expect("lobby:list")
    assert await service.terminate() == 0
    head = cut_tail(service, 2)

    line = await refusal(service)
    assert "estore" in line
    assert "backup" in line
    assert "--accept-lost-tail" in line
    assert [event.position for event in service.events()][-1] == head["position"]

    process = await run_service(service, "--accept-lost-tail")
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        async for entry in process.stdout:
            if json.loads(entry)["message"] == "listening":
                break
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    assert process.returncode == 0

    # From then on it starts as ever, and is another log.
    service.restart()
    await (await service.connect(tab.id, "Ana")).sync()
    ((epoch,),) = service.database("SELECT epoch FROM log_head")
    assert epoch != head["epoch"]
    service.kill()
    await check_data(service)


def cut_tail(service: Running, count: int) -> dict[str, Any]:
    """Take the last events away, as a restored copy of an older file would; return the head."""
    if service.settings.get("WS_DATABASE_URL", "").startswith("postgresql"):
        service.change(
            "ALTER TABLE events DISABLE TRIGGER USER; DELETE FROM events WHERE position >"  # noqa: S608 - our own text
            f" (SELECT max(position) FROM events) - {count};"
            " ALTER TABLE events ENABLE TRIGGER USER; UPDATE log_head SET (position, hash) ="
            " (SELECT position, hash FROM events ORDER BY position DESC LIMIT 1)"
        )
        ((position, epoch),) = service.database("SELECT position, epoch FROM log_head")
        return {"position": position, "epoch": epoch}
    with closing(sqlite3.connect(service.data_dir / "ws-service.db")) as database:
        triggers = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in triggers.fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute(
            "DELETE FROM events WHERE position > (SELECT max(position) - ? FROM events)", (count,)
        )
        position, hash_ = database.execute(
            "SELECT position, hash FROM events ORDER BY position DESC LIMIT 1"
        ).fetchone()
        database.execute("UPDATE log_head SET position = ?, hash = ?", (position, hash_))
        (epoch,) = database.execute("SELECT epoch FROM log_head").fetchone()
        database.commit()
    return {"position": position, "epoch": epoch}
