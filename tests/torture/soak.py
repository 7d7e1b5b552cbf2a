"""Let bots play for a long time, and check that resource usage does not grow.

    python -m tests.torture.soak --minutes 10

Pairs of v1 clients play short matches of connect four, one room after the other; classic players
play Pong, drop, reload and leave. At the end all of them go: then there must be no room, no match
and no socket any more, and memory, descriptors, tasks and threads must be what they were when the
bots had warmed up and gone once before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import aiohttp

from tests.acceptance.crash import NAMES, SETTINGS, Player
from tests.acceptance.service_process import (
    PATIENCE_S,
    Client,
    Running,
    close_clients,
    fresh_id,
)
from tests.scripts import run_script
from tests.torture.faults import victim

PAIRS = 8
PLAYERS = 6
GROWTH_MB_MAX = 48
"""How much more memory may be held at the end: the tail and caches of the service have budgets."""

COLUMNS = (0, 1, 0, 1, 0, 1, 0)
"""The first player wins by four discs in column 0."""


class Held(NamedTuple):
    """What the process of the service holds."""

    memory_mb: float
    files: int
    tasks: int
    threads: int


class Soak(NamedTuple):
    """What a soak has seen."""

    matches: int
    events: int
    before: Held
    after: Held

    def __str__(self) -> str:
        seen = f"{self.matches} matches, {self.events} events"
        return f"{seen}; before {self.before}, after {self.after}"


class Bots:
    """All players."""

    def __init__(self, service: Running) -> None:
        self._service = service
        self.matches = 0

    async def play(self, until: Callable[[], bool]) -> None:
        """Play until that is so, and go."""
        stopping = asyncio.Event()
        players = [Player(fresh_id(), NAMES[index], f"soak {index}") for index in range(PLAYERS)]
        for player in players:
            player.patient = True
        classic = [asyncio.create_task(one.play(self._service, stopping)) for one in players]
        async with asyncio.TaskGroup() as pairs:
            for _ in range(PAIRS):
                pairs.create_task(self._pair(until))
        stopping.set()
        for task in classic:
            task.cancel()
        ends = await asyncio.gather(*classic, return_exceptions=True)
        await close_clients()
        faults = [end for end in ends if isinstance(end, Exception)]
        assert not faults, faults

    async def _pair(self, until: Callable[[], bool]) -> None:
        first = await self._service.connect_v1(fresh_id())
        second = await self._service.connect_v1(fresh_id())
        while not until():
            await self._match(first, second)
            self.matches += 1
        await asyncio.gather(first.close(), second.close())

    async def _match(self, first: Client, second: Client) -> None:
        made = await first.command("room:create", game="connect_four")
        assert made["type"] == "ack", made
        room = made["roomId"]
        await second.command("room:join", roomId=room)
        for one in (first, second):
            await one.command("room:ready", roomId=room)
        begun = await first.expect("game:update", roomId=room)
        tabs = (first, second) if begun["state"]["turn"] == 0 else (second, first)
        for number, column in enumerate(COLUMNS):
            moved = await tabs[number % 2].command(
                "game:move", roomId=room, move={"column": column}
            )
            assert moved["type"] == "ack", moved
        over = await second.expect("game:over", roomId=room)
        assert over["reason"] == "finished", over
        for one in (first, second):
            await one.command("room:leave", roomId=room)
            # The client of these tests keeps all that it has ever received.
            one.forget()


async def soak(directory: Path, until: Callable[[int], bool]) -> Soak:
    """Play until `until(number of matches)`; raise `AssertionError` for a leak."""
    settings = SETTINGS | {
        # What is left behind is to go soon, so that the end is quick.
        "WS_TAIL_S": "5",
        "WS_RECONNECT_GRACE_S": "1",
        # A pair makes one room after the other.
        "WS_ROOMS_MADE_PER_MIN": "6000",
    }
    service = Running(directory / "data", settings, dev=False)
    service.command = victim(["--counts", str(directory / "counts")])
    await asyncio.to_thread(service.start)
    try:
        bots = Bots(service)
        # Whatever is made once and kept, as pools and caches, is made now.
        warm = bots.matches + 5 * PAIRS
        await bots.play(lambda: bots.matches >= warm)
        before = await _when_empty(service, directory / "counts")
        await bots.play(lambda: until(bots.matches))
        after = await _when_empty(service, directory / "counts")
        ((events,),) = service.database("SELECT position FROM log_head")
    finally:
        await close_clients()
        await asyncio.to_thread(service.stop)
    assert not service.errors, service.errors
    grown = {
        name: (old, new)
        for name, old, new in zip(Held._fields, before, after, strict=True)
        if new > old + (GROWTH_MB_MAX if name == "memory_mb" else 2)
    }
    assert not grown, f"this has grown: {grown}"
    return Soak(bots.matches, events, before, after)


async def _when_empty(service: Running, counts: Path) -> Held:
    """Wait until no user and no room is left, and return what is held then."""
    async with asyncio.timeout(2 * PATIENCE_S), aiohttp.ClientSession() as http:
        while True:
            async with http.get(f"{service.url}/metrics") as answer:
                lines = (await answer.text()).splitlines()
            left = [
                line
                for line in lines
                if line.startswith(("ws_sockets_open ", "ws_rooms_open ", "ws_matches_live "))
                and not line.endswith(" 0.0")
            ]
            if not left:
                break
            await asyncio.sleep(0.2)
    return await asyncio.to_thread(_held, service, counts)


def _held(service: Running, counts: Path) -> Held:
    """Ask the process what it holds, and the system."""
    counts.unlink(missing_ok=True)
    os.kill(service.pid, signal.SIGUSR1)
    until = time.monotonic() + PATIENCE_S
    while not counts.exists():
        assert time.monotonic() < until, "the process does not count"
        time.sleep(0.05)
    counted = json.loads(counts.read_text())
    process = Path(f"/proc/{service.pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    return Held(
        memory_mb=int(status["VmRSS"].split()[0]) / 1024,
        files=len(list((process / "fd").iterdir())),
        tasks=counted["tasks"],
        threads=counted["threads"],
    )


def main() -> int:
    """Run the script."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    arguments = parser.parse_args()
    ends = time.monotonic() + arguments.minutes * 60
    with tempfile.TemporaryDirectory() as directory:
        done = asyncio.run(soak(Path(directory), lambda _: time.monotonic() >= ends))
    print(done)  # noqa: T201 - the output of the script
    return 0


if __name__ == "__main__":
    run_script(main)
