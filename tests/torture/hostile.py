"""A hostile user with ten sockets at full rate, while two users play Pong.

`python -m tests.torture.hostile --seconds 60` prints what it found, and fails when the memory of
the service went above the bounds that `ws-service settings` prints, or when the players got fewer
frames than in a quiet time just before. The order of messages follows from `--seed`; `--only TYPE`
sends nothing but messages of one type.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec

from service.bounds import bounds, total_of
from service.settings import Settings
from tests.acceptance.service_process import Running, close_clients, token
from tests.scripts import run_script

if TYPE_CHECKING:
    pass

SOCKETS = 10
PER_S = 120
"""Messages of each socket: what is allowed to one socket alone."""

CLASSIC_FROM, SOCKET_IO_FROM = 6, 8
"""The first socket of each further dialect."""

QUIET_S = 3.0
HOSTILE, FIRST, SECOND = 666, 1, 2

_FRAMES = re.compile(r'ws_messages_sent_total\{type="game:update"\} (\S+)')

BASE_BYTES = 48 * 1024**2
"""What an interpreter may keep of memory that was given back, whatever the limits are."""


class Outcome(msgspec.Struct):
    """What a campaign has measured."""

    seconds: float
    sent: int = 0
    opened: int = 0
    closed: dict[int, int] = {}
    """How often the hostile user was closed, by code."""
    quiet_fps: float = 0
    fps: float = 0
    players_dropped: int = 0
    memory_before: int = 0
    memory_max: int = 0
    memory_bound: int = 0
    disk_bytes: int = 0
    cpu_s: float = 0
    """What the service took of the processor."""

    @property
    def grown(self) -> int:
        """How much memory was added at most."""
        return self.memory_max - self.memory_before

    def complaints(self, frames_part: float = 0.9) -> list[str]:
        """Say what must not be."""
        found = []
        if self.players_dropped:
            found.append(f"{self.players_dropped} players were cut off")
        if self.fps < frames_part * self.quiet_fps:
            found.append(f"{self.fps:.1f} frames a second, {self.quiet_fps:.1f} when quiet")
        if self.grown > self.memory_bound + BASE_BYTES:
            found.append(f"{self.grown / 1e6:.0f} MB more memory than before")
        return found

    def lines(self) -> list[str]:
        """Format the outcome."""
        closed = ", ".join(f"{count} x {code}" for code, count in sorted(self.closed.items()))
        return [
            f"{self.sent} messages in {self.seconds:.0f} s by {self.opened} sockets",
            f"closed: {closed or 'none'}",
            f"frames a second: {self.fps:.1f}, quiet {self.quiet_fps:.1f}",
            f"memory: {self.grown / 1e6:.0f} MB grown, bound {self.memory_bound / 1e6:.0f} MB",
            f"processor: {self.cpu_s:.1f} s",
            f"disk: {self.disk_bytes / 1e6:.1f} MB",
        ]


def messages(room: str, epoch: str) -> list[dict[str, Any]]:
    """List every kind of message, small and as long as can be."""
    big = "x" * 65_000
    many = [f"friend-{number}-{'y' * 40}" for number in range(900)]
    return [
        {"type": "ping"},
        {"type": "resume", "position": 0, "epoch": epoch},
        {"type": "auth:refresh", "token": big},
        {"type": "user:list:request"},
        {"type": "user:sync"},
        {"type": "user:status", "status": "away"},
        {"type": "user:status", "status": "online", "hidden": True},
        {"type": "user:status", "hidden": False},
        {"type": "lobby:join"},
        {"type": "lobby:leave"},
        {"type": "lobby:request"},
        {"type": "friends:subscribe", "friendIds": many},
        {"type": "friends:status:request"},
        {"type": "invite", "to": FIRST, "game": "relay"},
        {"type": "invite:send", "to": SECOND, "game": "relay"},
        {"type": "invite:accepted", "from": FIRST},
        {"type": "invite:declined", "from": FIRST},
        {"type": "matchmaking:join", "game": "relay"},
        {"type": "matchmaking:leave", "game": "relay"},
        {"type": "room:create", "game": "relay", "metadata": {"a": [[]] * 1300}},
        {"type": "room:create", "game": "relay", "metadata": {"a": big}},
        {"type": "room:join", "roomId": "spot", "role": "spectator", "game": "relay",
         "orCreate": True, "metadata": {"a": [[]] * 1300}},
        {"type": "room:join", "roomId": room, "role": "spectator"},
        {"type": "room:join", "roomId": room, "password": "guess"},
        {"type": "room:leave", "roomId": "spot"},
        {"type": "room:list", "limit": 100},
        {"type": "room:subscribe"},
        {"type": "room:unsubscribe"},
        {"type": "room:ready", "roomId": "spot"},
        {"type": "room:kick", "roomId": room, "userId": FIRST},
        {"type": "room:lock", "roomId": room},
        {"type": "game:join", "roomId": room},
        {"type": "game:begin", "roomId": room},
        {"type": "game:move", "roomId": room, "direction": "w", "action": "down"},
        {"type": "game:move", "roomId": room, "move": {"a": big}},
        {"type": "game:leave", "roomId": room},
        {"type": "signal", "to": FIRST, "data": big},
        {"type": "signal", "roomId": room, "data": "x" * 16_000},
        {"type": "signal", "roomId": room, "data": "x" * 100},
        {"type": "chat:send", "roomId": room, "text": "x" * 500},
        {"type": "chat:send", "to": FIRST, "text": "x" * 500},
        {"type": "chat:mute", "userId": "z" * 100},
        {"type": "nothing", "fields": big},
    ]  # fmt: skip


class Hostile:
    """One socket of the hostile user, which is opened again whenever it is closed."""

    def __init__(
        self, http: aiohttp.ClientSession, service: Running, number: int, outcome: Outcome
    ) -> None:
        self._http, self._service, self._outcome = http, service, outcome
        self._number = number
        self._reads = number % 3 != 0
        """Each third one reads nothing of what it is sent."""

    @property
    def _is_socketio(self) -> bool:
        return self._number >= SOCKET_IO_FROM

    async def run(self, texts: list[str], until: float, chance: random.Random) -> None:
        """Send until then, whatever comes of it."""
        while time.monotonic() < until:
            with suppress(aiohttp.ClientError, ConnectionError, TimeoutError):
                async with asyncio.timeout(until - time.monotonic() + 1):
                    await self._session(texts, until, chance)
            await asyncio.sleep(0.05)

    async def _session(self, texts: list[str], until: float, chance: random.Random) -> None:
        jwt = token(HOSTILE)
        path = f"/?token={jwt}&since=0"
        if self._is_socketio:
            path = "/socket.io/?EIO=4&transport=websocket"
        protocols = ("ws-service.v1",) if self._number < CLASSIC_FROM else ()
        url = self._service.ws_url + path
        async with self._http.ws_connect(url, protocols=protocols, max_msg_size=0) as ws:
            self._outcome.opened += 1
            if self._is_socketio:
                await ws.send_str("40" + json.dumps({"token": jwt}))
            reader = asyncio.create_task(_read(ws)) if self._reads else None
            try:
                await self._flood(ws, texts, until, chance)
            finally:
                if reader is not None:
                    reader.cancel()
            code = ws.close_code or 1006
            self._outcome.closed[code] = self._outcome.closed.get(code, 0) + 1

    async def _flood(
        self,
        ws: aiohttp.ClientWebSocketResponse,
        texts: list[str],
        until: float,
        chance: random.Random,
    ) -> None:
        began, sent = time.monotonic(), 0
        while (now := time.monotonic()) < until and not ws.closed:
            while sent < (now - began) * PER_S + PER_S:
                text = chance.choice(texts)
                if self._is_socketio:
                    name, fields = json.loads(text).pop("type"), text
                    text = chance.choice(
                        [f'42["{name}",{fields}]', "3", "6", "42[", "41", "451-[]"]
                    )
                    text = text if text != "42[" else f'421["{name}",{fields}]'
                async with asyncio.timeout(1):
                    await ws.send_str(text)
                sent += 1
                self._outcome.sent += 1
            if chance.random() < 0.2:
                await ws.ping(b"x" * 100)
            await asyncio.sleep(0.02)


async def _read(ws: aiohttp.ClientWebSocketResponse) -> None:
    async for _ in ws:
        pass


def memory_of(pid: int) -> int:
    """Return the resident memory of a process."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) * 1024  # type: ignore[index]


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _frames(http: aiohttp.ClientSession, service: Running, seconds: float) -> float:
    """Return how many frames the service has sent to each player, a second.

    It counts them itself, since this process may be too busy with its flood to read them in time.
    """
    before, began = await _sent(http, service), time.monotonic()
    await asyncio.sleep(seconds)
    return (await _sent(http, service) - before) / 2 / (time.monotonic() - began)


async def _sent(http: aiohttp.ClientSession, service: Running) -> float:
    async with http.get(f"{service.url}/metrics") as response:
        found = _FRAMES.search(await response.text())
    return float(found[1]) if found else 0.0


async def _watch_memory(pid: int, outcome: Outcome) -> None:
    while True:
        outcome.memory_max = max(outcome.memory_max, memory_of(pid))
        await asyncio.sleep(0.1)


async def attack(
    service: Running, seconds: float, seed: int = 1, only: str | None = None
) -> Outcome:
    """Let the hostile user do what they can to a service, and measure it."""
    outcome = Outcome(seconds, closed={})
    players = [await service.connect_v1(user) for user in (FIRST, SECOND)]
    first, second = players
    made = await first.command("room:create", game="pong", options={"duration_s": 3600})
    room = made["roomId"]
    await second.command("room:join", roomId=room)
    for player in players:
        await player.command("room:ready", roomId=room)
    await first.expect("game:update")
    await asyncio.sleep(1.5)
    outcome.memory_before = outcome.memory_max = memory_of(service.pid)
    outcome.memory_bound = total_of(bounds(Settings()))
    disk, cpu_s = _disk(service), _cpu_s(service.pid)
    texts = [
        json.dumps(message)
        for message in messages(room, first.welcome["epoch"])
        if only in {None, message["type"]}
    ]
    watch = asyncio.create_task(_watch_memory(service.pid, outcome))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        outcome.quiet_fps = await _frames(http, service, min(QUIET_S, seconds))
        until = time.monotonic() + seconds
        sockets = [Hostile(http, service, number, outcome) for number in range(SOCKETS)]
        floods = [
            one.run(texts, until, random.Random(seed * 100 + number))  # noqa: S311 - no secret
            for number, one in enumerate(sockets)
        ]
        frames = asyncio.create_task(_frames(http, service, seconds))
        await asyncio.gather(*floods)
        outcome.fps = await frames
    watch.cancel()
    outcome.players_dropped = sum(player.connection.close_code is not None for player in players)
    outcome.cpu_s = _cpu_s(service.pid) - cpu_s
    outcome.disk_bytes = _disk(service) - disk
    return outcome


def _disk(service: Running) -> int:
    return sum(path.stat().st_size for path in service.data_dir.iterdir())


async def _main(seconds: float, seed: int, only: str | None) -> int:
    with tempfile.TemporaryDirectory(prefix="ws-hostile-") as directory:
        service = Running(Path(directory) / "data", {}, dev=False)
        service.start()
        try:
            outcome = await attack(service, seconds, seed, only)
        finally:
            await close_clients()
            service.stop()
    complaints = outcome.complaints()
    for line in [*outcome.lines(), *complaints]:
        sys.stdout.write(f"{line}\n")
    return 1 if complaints else 0


def main() -> int:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", metavar="TYPE")
    arguments = parser.parse_args()
    return asyncio.run(_main(arguments.seconds, arguments.seed, arguments.only))


if __name__ == "__main__":
    run_script(main)
