"""Full disk, locked database, slow consumers, and flooding clients."""

import asyncio
import json
import resource
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager

import aiohttp
import psycopg
import pytest
from websockets.exceptions import ConnectionClosed

from tests.acceptance.crash import begin_match, check_data
from tests.acceptance.service_process import (
    PATIENCE_S,
    Client,
    Running,
    StartService,
    fresh_id,
    of_type,
    without,
)

Fault = Callable[[Running], AbstractContextManager[None]]

STILL_S = 0.6
"""Time without a frame after which a match counts as paused."""

LISTS = ("user:list", "lobby:list")
BIG_REQUESTS = 300

MANY = "100000"
"""A limit of messages under which a client ends for what it does not read, not for asking much."""


@contextmanager
def full_disk(service: Running) -> Iterator[None]:
    """Let no file of the service grow; only what it has already is left to it."""
    if "WS_DATABASE_URL" in service.settings:
        pytest.skip("on PostgreSQL the disk is that of the server")
    wal = service.data_dir / "ws-service.db-wal"
    before = resource.prlimit(service.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (wal.stat().st_size, before[1]))
    try:
        yield
    finally:
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, before)


@contextmanager
def locked_database(service: Running) -> Iterator[None]:
    """Write to the database from elsewhere, without an end."""
    url = service.settings.get("WS_DATABASE_URL", "")
    if url.startswith("postgresql"):
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            connection.execute("SELECT 1 FROM log_head FOR UPDATE")
            yield
        return
    path = service.data_dir / "ws-service.db"
    with closing(sqlite3.connect(path, isolation_level=None, timeout=PATIENCE_S)) as database:
        database.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            database.execute("ROLLBACK")


async def status(service: Running, path: str) -> int:
    async with aiohttp.ClientSession() as http, http.get(service.url + path) as response:
        return response.status


async def stands(tab: Client) -> None:
    """Wait until no frame of the match comes any more."""
    while True:
        try:
            await tab.expect("game:update", timeout=STILL_S)
        except AssertionError:
            return


@pytest.mark.parametrize("fault", [full_disk, locked_database])
async def test_an_unwritable_log_refuses_commands_and_loses_nothing(
    start_service: StartService, fault: Fault
) -> None:
    service = start_service(
        WS_DATABASE_BUSY_MS="50", WS_MATCH_DURATION_S="3", WS_PRESENCE_GRACE_S="0.2"
    )
    seated = await begin_match(service)
    cleo = await service.connect(fresh_id(), "Cleo")
    dan = await service.connect(fresh_id(), "Dan")
    await seated.serve()
    await dan.sync()
    with fault(service):
        for type_, fields in (
            ("lobby:join", {}),
            ("invite", {"to": dan.id}),
            ("matchmaking:join", {}),
        ):
            await cleo.send(type_, **fields)
            await cleo.expect("error", code="UNAVAILABLE")
        assert without(await dan.sync(), *LISTS) == []
        ((head,),) = service.database("SELECT position FROM log_head")
        assert await status(service, "/readyz") == 503
        assert await status(service, "/healthz") == 200
        late = await service.connect(fresh_id(), "Late", greeted=False)
        assert (await late.closed())[0] == 1013
        assert late.received == []

        # The next point can't be written, so nobody sees it, and the match waits.
        await stands(seated.left)
        await seated.left.send("game:move", roomId=seated.room, direction="w", action="down")
        await seated.left.expect("error", code="UNAVAILABLE")
        shown = of_type(seated.left.received, "game:update")[-1]["state"]
        recorded = [
            event.data["outcome"]["scores"]
            for event in service.events()
            if event.type == "match.outcome" and "scores" in event.data["outcome"]
        ]
        assert [[shown["s1"], shown["s2"]]] == (recorded[-1:] or [[0, 0]])
        assert service.database("SELECT position FROM log_head") == [(head,)]

    assert await status(service, "/readyz") == 200
    await cleo.send("lobby:join")
    await cleo.expect("lobby:list", users=[cleo.user])
    await cleo.send("invite", to=dan.id)
    await dan.expect("invite:received")
    # The key of the refused move is not held.
    assert (await seated.left.expect("game:update"))["state"]["p1Y"] == 37.5
    assert await seated.left.expect("game:timeup") == await seated.right.expect("game:timeup")
    gone = of_type(dan.received, "user:online", "user:offline")
    assert gone == [], f"nobody came or went: {gone}"
    service.kill()
    log = await check_data(service)
    (ended,) = log.of_type["match.ended"]
    assert (ended.data["reason"], ended.data["tick"]) == ("timeup", 180)


async def test_commands_sent_during_a_short_database_lock_keep_their_order(
    start_service: StartService,
) -> None:
    """A move has no lock; here it is committed together with the end of its match, after it."""
    service = start_service(WS_DATABASE_BUSY_MS="20000")
    seated = await begin_match(service)
    cleo = await service.connect(fresh_id(), "Cleo")
    await seated.serve()
    with locked_database(service):
        await cleo.send("lobby:join")
        await seated.left.send("game:leave", roomId=seated.room)
        await seated.right.sync()
        await seated.right.send("game:move", roomId=seated.room, direction="w", action="down")
        await all_was_read(service)
    await seated.right.expect("game:end", winner="you")
    await cleo.expect("lobby:list")
    assert await status(service, "/healthz") == 200
    assert await seated.right.sync() is not None
    service.kill()
    await check_data(service)


@pytest.mark.parametrize("drops_first", [True, False])
async def test_a_key_pressed_as_the_opponent_drops_is_released_by_the_pause(
    start_service: StartService, *, drops_first: bool
) -> None:
    """Both wait for the same commit; whichever comes first, the pause releases the key."""
    service = start_service(WS_DATABASE_BUSY_MS="20000")
    seated = await begin_match(service)
    cleo = await service.connect(fresh_id(), "Cleo")
    await seated.serve()
    with locked_database(service):
        await cleo.send("lobby:join")
        if drops_first:
            await seated.right.drop()
            await all_was_read(service)
        await seated.left.send("game:move", roomId=seated.room, direction="w", action="down")
        await all_was_read(service)
        if not drops_first:
            await seated.right.drop()
            await all_was_read(service)
    await seated.left.expect("game:paused")
    right = await service.connect(seated.right.id, "Ben")
    await right.send("game:join", roomId=seated.room)
    await seated.left.expect("game:resumed")
    await seated.left.expect("game:timer")
    await seated.left.expect("game:timer")
    # A held key would have taken the paddle to the top by now.
    assert (await seated.left.expect("game:update"))["state"]["p1Y"] > 25
    service.kill()
    await check_data(service)


async def all_was_read(service: Running) -> None:
    """Ask what no lock holds up, twice: by then the service has read what was sent before."""
    for _ in range(2):
        assert await status(service, "/healthz") == 200


async def test_a_slow_consumer_harms_only_itself(start_service: StartService) -> None:
    service = start_service(
        WS_SLOW_BYTES="8192",
        WS_SLOW_BYTES_MAX="65536",
        WS_MESSAGES_PER_S=MANY,
        WS_MESSAGES_BURST=MANY,
        WS_MATCH_DURATION_S="3",
        WS_PRESENCE_GRACE_S="0.1",
    )
    await slow_client_is_cut_off(service, "too much unread")


async def test_a_stalled_client_is_closed(start_service: StartService) -> None:
    service = start_service(
        WS_SLOW_BYTES_MAX=str(1024**3),
        WS_SLOW_STALL_S="1",
        WS_MESSAGES_PER_S=MANY,
        WS_MESSAGES_BURST=MANY,
        WS_MATCH_DURATION_S="3",
        WS_PRESENCE_GRACE_S="0.1",
    )
    await slow_client_is_cut_off(service, "nothing read")


async def slow_client_is_cut_off(service: Running, reason: str) -> None:
    host, port = service.url.removeprefix("http://").split(":")
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.settimeout(0)
    await asyncio.get_running_loop().sock_connect(narrow, (host, int(port)))
    slow = await service.connect(fresh_id(), "Slow", sock=narrow)
    watcher = await service.connect(fresh_id(), "Watcher")
    seated = await begin_match(service)
    await seated.serve()

    slow.connection.transport.pause_reading()
    friends = [f"{number:060}" for number in range(900)]
    flood = asyncio.create_task(send_all(slow, "friends:subscribe", friendIds=friends))
    await watcher.expect("user:offline", userId=slow.id)
    flood.cancel()
    dropped = [one for one in service.logs if one["message"] == "slow client dropped"]
    assert [(one["error_code"], one["metadata"]["reason"]) for one in dropped] == [("4008", reason)]
    slow.connection.transport.resume_reading()
    assert (await slow.closed())[0] == 1006

    end = await seated.left.expect("game:timeup")
    assert await seated.right.expect("game:timeup") == end
    for tab in (seated.left, seated.right):
        timers = [one["remaining"] for one in of_type(tab.received, "game:timer")]
        assert timers == [3, 2, 1, 0]
        # 180 steps, of which a busy machine may show some together.
        assert len(of_type(tab.received, "game:update")) > 80


async def send_all(tab: Client, type_: str, **fields: object) -> None:
    try:
        for _ in range(BIG_REQUESTS):
            await tab.send(type_, **fields)
    except ConnectionClosed:
        pass


async def test_a_flooding_client_is_warned_and_then_closed(
    start_service: StartService,
) -> None:
    service = start_service(WS_PRESENCE_GRACE_S="0.1")
    hostile = await service.connect(fresh_id(), "Hostile")
    ana = await service.connect(fresh_id(), "Ana")
    before = len(service.events())
    longest_s = 0.0
    frames = ['{"type":"lobby:join"}', '{"type":"lobby:leave"}', "junk"] * 2000
    flood = asyncio.create_task(send_all_raw(hostile, frames))
    while hostile.close_code is None:
        asked_at = time.monotonic()
        await ana.sync()
        longest_s = max(longest_s, time.monotonic() - asked_at)
        # A pause, or this client would be limited as well.
        await asyncio.sleep(0.02)
    await flood
    assert await hostile.closed() == (4013, "Rate limited")
    codes = [one["code"] for one in of_type(hostile.received, "error")]
    assert codes.count("RATE_LIMITED") == 240
    assert longest_s < 2
    await ana.expect("user:offline", userId=hostile.id)
    # 240 at once and 120 a second were carried out, and nothing of what was refused.
    types = [event.type for event in service.events()[before:]]
    assert types.count("lobby.joined") <= 240
    assert json.dumps(codes).count("UNAVAILABLE") == 0


async def send_all_raw(tab: Client, frames: list[str]) -> None:
    try:
        for frame in frames:
            await tab.send_raw(frame)
    except ConnectionClosed:
        pass
