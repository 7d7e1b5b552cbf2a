"""Disconnect all clients at once, repeatedly, and check that all of them resume.

    python -m tests.torture.storm --sockets 1000 --times 3

Many v1 clients are connected while one match of Pong is played. Each time all connections are
reset together; each client reconnects at once with its position. No client may miss or repeat a
message, and the match, whose players are not cut, must go on.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import NamedTuple, TypeAlias
from urllib.parse import urlsplit

from tests.acceptance.crash import begin_match
from tests.acceptance.service_process import Client, Running, close_clients, fresh_id
from tests.proxy import Proxy
from tests.scripts import run_script
from tests.torture.torture import Behind

Cursor: TypeAlias = tuple[int | str, int | None, str]
"""A user, and the position and the epoch from which they resume."""

AT_ONCE = 200
"""Handshakes under way at the same time on our side."""

FRIENDS = 20
"""Users who are not cut off, and say something to those who are."""


class Storm(NamedTuple):
    """What a storm has led to."""

    sockets: int
    times: int
    slowest_s: float
    """The time from the cut until the last one was back."""

    def __str__(self) -> str:
        return (
            f"{self.sockets} sockets cut {self.times} times: all resumed, nothing missed or "
            f"repeated; the slowest storm took {self.slowest_s:.1f} s"
        )


async def storm(directory: Path, sockets: int, times: int) -> Storm:
    """Raise `AssertionError` for what does not hold."""
    settings = {
        "WS_MATCH_DURATION_S": "600",
        "WS_PRESENCE_GRACE_S": "60",
        "WS_CHAT_BURST": str(sockets),
        "WS_CHAT_PER_S": str(sockets),
    }
    service = Behind(directory / "data", settings, dev=False)
    await asyncio.to_thread(service.start)
    direct = urlsplit(service.url).port or 0
    try:
        async with Proxy(direct) as proxy:
            service.proxy_port = direct
            seated = await begin_match(service)
            friends = [await service.connect_v1(fresh_id()) for _ in range(FRIENDS)]
            service.proxy_port = proxy.port
            tabs = await _connected(service, [(fresh_id(), None, "") for _ in range(sockets)])
            slowest_s = 0.0
            for number in range(times):
                slowest_s = max(slowest_s, await _cut(service, proxy, friends, tabs, number))
            paused = [one for one in seated.left.received if one["type"] == "game:paused"]
            assert not paused, paused
            await seated.left.expect("game:update")
    finally:
        await close_clients()
        await asyncio.to_thread(service.stop)
    assert not service.errors, service.errors
    return Storm(sockets, times, slowest_s)


async def _cut(
    service: Running, proxy: Proxy, friends: list[Client], tabs: list[Client], number: int
) -> float:
    """Reset all connections, publish a message, and let them reconnect; return the seconds."""
    began = time.monotonic()
    proxy.reset_all()
    await asyncio.gather(*(tab.closed() for tab in tabs))
    said = [f"storm {number}, to {tab.id}" for tab in tabs]
    answers = await asyncio.gather(
        *(
            friends[index % FRIENDS].command("chat:send", to=tab.id, text=said[index])
            for index, tab in enumerate(tabs)
        )
    )
    refused = [answer for answer in answers if answer["type"] != "ack"]
    assert not refused, f"{len(refused)} of what was said was refused: {refused[:3]}"
    cursors: list[Cursor] = [(tab.id, tab.cursor, tab.welcome["epoch"]) for tab in tabs]
    tabs[:] = await _connected(service, cursors)
    for tab, text in zip(tabs, said, strict=True):
        await tab.expect("resumed")
        texts = [one["text"] for one in tab.received if one["type"] == "chat:message"]
        assert texts == [text], f"{tab.id} missed or repeated something: {texts}"
    return time.monotonic() - began


async def _connected(service: Running, cursors: list[Cursor]) -> list[Client]:
    """Connect all clients, as many concurrently as the machine can."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def connect(user: int | str, since: int | None, epoch: str) -> Client:
        async with turns:
            return await service.connect_v1(user, since=since, epoch=epoch)

    return list(await asyncio.gather(*(connect(*cursor) for cursor in cursors)))


def main() -> int:
    """Run the script."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--times", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        done = asyncio.run(storm(Path(directory), arguments.sockets, arguments.times))
    print(done)  # noqa: T201 - the output of the script
    return 0


if __name__ == "__main__":
    run_script(main)
