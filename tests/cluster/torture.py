"""Hurt a cluster under play: `python -m tests.cluster.torture --seconds 600 --seed 7`.

Three nodes behind HAProxy, each with a proxy of its own before PostgreSQL and NATS. Users of the
Python client play matches, while nodes are killed, stopped and continued, drained, and cut from
either server, and both servers are restarted. At the end every acknowledged event must be in the
log, every match must have ended, nobody may be in two matches or online who is not, and no client
may have seen a run fall, or a tick fall within a run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

from service.client import NoAnswer, Refused
from tests import nats_server, postgres
from tests.acceptance.service_process import Event, Running, fresh_id
from tests.balancers import haproxy
from tests.cluster.cluster import Cluster
from tests.cluster.frame_gaps import Player
from tests.nats_server import NatsServer
from tests.ports import free_port
from tests.postgres import Postgres
from tests.proxy import Proxy

NAMES = ("node1", "node2", "node3")
GAMES = ("pong", "connect_four")
MATCH_S = 5
"""The length of a match of Pong."""

CALM_S = 1.5
"""Between two faults."""

SETTLES_WITHIN_S = 30.0
"""How long the matches that are live at the last fault may take to end."""


class Torture:
    """A cluster, the users who play, and the faults."""

    def __init__(
        self,
        cluster: Cluster,
        postgres_: Postgres,
        nats: NatsServer,
        seed: int,
        only: Sequence[str],
    ) -> None:
        """Choose faults by `seed`, if given only from those of these names."""
        self._only = only
        self.cluster = cluster
        self.faults: list[str] = []
        """What is wrong."""
        self.proxies: dict[str, tuple[Proxy, Proxy]] = {}
        """The proxies of each node, before PostgreSQL and before NATS."""
        self.players: list[Player] = []
        self.matches = 0
        self.done: list[str] = []
        """The faults that were injected."""
        self._postgres = postgres_
        self._nats = nats
        self._random = random.Random(seed)  # noqa: S311 - it has to be repeatable
        self._is_over = False

    async def start(self, stack: AsyncExitStack) -> str:
        """Start proxies, nodes and balancer; return the URL."""
        database = urlsplit(self.cluster.settings["WS_DATABASE_URL"])
        ports = {name: free_port() for name in NAMES}
        for name in NAMES:
            to_database = await stack.enter_async_context(Proxy(self._postgres.port))
            to_bus = await stack.enter_async_context(Proxy(self._nats.port))
            self.proxies[name] = to_database, to_bus
            netloc = f"postgres@127.0.0.1:{to_database.port}"
            self.cluster.add(
                name,
                WS_PORT=str(ports[name]),
                WS_DATABASE_URL=database._replace(netloc=netloc).geturl(),
                WS_BUS_URL=f"nats://127.0.0.1:{to_bus.port}",
            )
        starting = [asyncio.to_thread(self.cluster[name].start) for name in NAMES]
        await asyncio.gather(*starting)
        return stack.enter_context(
            haproxy({name: f"127.0.0.1:{port}" for name, port in ports.items()})
        )

    async def run(self, seconds: float, pairs: int) -> None:
        """Let `pairs` of users play for so long, and check everything at the end."""
        async with AsyncExitStack() as stack:
            url = await self.start(stack)
            async with AsyncExitStack() as players:
                for _ in range(2 * pairs):
                    user = fresh_id()
                    player = Player(url, user, f"P{user}")
                    self.players.append(await players.enter_async_context(player))
                await self._play_and_hurt(time.monotonic() + seconds)
            await self._check_ends()

    async def _play_and_hurt(self, until: float) -> None:
        pairs = zip(self.players[::2], self.players[1::2], strict=True)
        playing = [
            asyncio.create_task(self._play(number, *pair)) for number, pair in enumerate(pairs)
        ]
        await self._hurt(until)
        self._is_over = True
        say("the last matches end")
        _, late = await asyncio.wait(playing, timeout=SETTLES_WITHIN_S)
        for number, task in enumerate(playing):
            if task in late:
                self.faults.append(
                    f"the match of pair {number} has not ended: {self._told(number)}"
                )
                task.cancel()
            elif task.exception() is not None:
                self.faults.append(f"pair {number} failed: {task.exception()!r}")
        self.faults += [fault for one in self.players for fault in one.watch.faults]
        self._check_acks()

    def _told(self, number: int) -> str:
        """Tell what the players of a pair have seen last."""
        pair = self.players[2 * number : 2 * number + 2]
        return " | ".join(f"{one.user}: {one.state} {one.seen[-3:]}" for one in pair)

    # Play

    async def _play(self, number: int, one: Player, other: Player) -> None:
        """Play one match after the other, until it is over."""
        game = GAMES[number % len(GAMES)]
        chance = random.Random(number)  # noqa: S311 - the same
        while not self._is_over:
            options = {"duration_s": MATCH_S} if game == "pong" else {}
            room = str((await one.do("room:create", game=game, options=options))["roomId"])
            await other.do("room:join", roomId=room)
            for player in (one, other):
                await self._ready(player, room)
            await self._play_to_end(game, room, (one, other), chance)
            self.matches += 1
            for player in (one, other):
                with suppress(Refused):
                    await player.do("room:leave", roomId=room)

    async def _ready(self, player: Player, room: str) -> None:
        try:
            await player.do("room:ready", roomId=room)
        except Refused as refused:
            if refused.code not in {"INVALID_STATE", "NOT_SEATED"}:
                raise

    async def _play_to_end(
        self, game: str, room: str, players: tuple[Player, Player], chance: random.Random
    ) -> None:
        while not self._has_ended(room, players):
            with suppress(Refused, NoAnswer):
                if game == "pong":
                    player = chance.choice(players)
                    action = chance.choice(["down", "up"])
                    await player.client.command(
                        "game:move", roomId=room, direction="w", action=action, timeout_s=5
                    )
                    await asyncio.sleep(0.2)
                else:
                    state = players[0].states.get(room)
                    turn = state["state"]["turn"] if state else None
                    if turn is None:
                        turn = chance.randrange(2)
                    await players[turn].client.command(
                        "game:move", roomId=room, move={"column": chance.randrange(7)}, timeout_s=5
                    )
            await asyncio.sleep(0.05)

    @staticmethod
    def _has_ended(room: str, players: tuple[Player, Player]) -> bool:
        return any(
            m["type"] in {"game:over", "room:closed"} and m.get("roomId") == room
            for player in players
            for m in player.seen
        )

    # Faults

    async def _hurt(self, until: float) -> None:
        faults: list[Callable[[Running, str], Awaitable[None]]] = [
            self._kill,
            self._stop_and_continue,
            self._drain,
            self._cut_from_database,
            self._cut_from_bus,
            self._restart_database,
            self._restart_bus,
        ]
        faults = [one for one in faults if not self._only or one.__name__[1:] in self._only]
        while True:
            # Each of them once, in a random order, and again.
            for fault in self._random.sample(faults, len(faults)):
                await asyncio.sleep(CALM_S)
                if time.monotonic() >= until:
                    return
                name = self._random.choice(NAMES)
                self.done.append(f"{fault.__name__.strip('_')} {name}")
                say(f"{self.done[-1]} ({self.matches} matches)")
                await fault(self.cluster[name], name)

    async def _again(self, node: Running) -> None:
        """Start a node again, however it has ended."""
        if node.is_alive:
            return
        with suppress(AssertionError):
            await asyncio.to_thread(node.wait)
        await asyncio.to_thread(node.start)

    async def _kill(self, node: Running, _name: str) -> None:
        await asyncio.to_thread(node.kill)
        await asyncio.sleep(self._random.random() * 2)
        await asyncio.to_thread(node.start)

    async def _stop_and_continue(self, node: Running, _name: str) -> None:
        os.kill(node.pid, signal.SIGSTOP)
        await asyncio.sleep(self._random.uniform(0.2, 4))
        os.kill(node.pid, signal.SIGCONT)
        await self._ended_or_fine(node)

    async def _drain(self, node: Running, _name: str) -> None:
        if await node.terminate() != 0:
            self.faults.append("a drained node ended with a failure")
        await asyncio.to_thread(node.start)

    async def _cut_from_database(self, node: Running, name: str) -> None:
        await self._cut(node, self.proxies[name][0])

    async def _cut_from_bus(self, node: Running, name: str) -> None:
        await self._cut(node, self.proxies[name][1])

    async def _cut(self, node: Running, proxy: Proxy) -> None:
        is_half_open = self._random.random() < 0.5
        for way in (proxy.to_client, proxy.to_server):
            way.flows.clear()
        if not is_half_open:
            proxy.reset_all()
        await asyncio.sleep(self._random.uniform(0.2, 5))
        proxy.heal()
        await self._ended_or_fine(node)

    async def _restart_database(self, _node: Running, _name: str) -> None:
        await asyncio.to_thread(self._postgres.kill)
        await asyncio.sleep(self._random.random())
        await asyncio.to_thread(self._postgres.start)
        await self._all_fine()

    async def _restart_bus(self, _node: Running, _name: str) -> None:
        await asyncio.to_thread(self._nats.kill)
        await asyncio.sleep(self._random.uniform(0, 4))
        await asyncio.to_thread(self._nats.start)
        await self._all_fine()

    async def _all_fine(self) -> None:
        for name in NAMES:
            await self._ended_or_fine(self.cluster[name])

    async def _ended_or_fine(self, node: Running) -> None:
        """Give a node time to find out that others have taken over, and start it again then."""
        until = time.monotonic() + 1.5
        while node.is_alive and time.monotonic() < until:  # noqa: ASYNC110 - a process
            await asyncio.sleep(0.05)
        await self._again(node)

    # Checks

    def _events(self) -> list[Event]:
        """Read the log, not by a proxy: those run in this loop."""
        return Running(Path(), self.cluster.settings, dev=False).events()

    def _check_acks(self) -> None:
        positions = [event.position for event in self._events()]
        if positions != list(range(1, len(positions) + 1)):
            self.faults.append("the positions of the log have gaps or repetitions")
        last = positions[-1]
        lost = [ack for player in self.players for ack in player.acks if ack > last]
        if lost:
            self.faults.append(f"acknowledged, but not in the log: {lost}")

    async def _check_ends(self) -> None:
        """Check that all matches have ended, and that nobody is online any more."""
        for _ in range(40):
            wrong = self._unsettled()
            if not wrong:
                break
            await asyncio.sleep(0.5)
        self.faults += wrong
        self.faults += two_matches(self._events())
        say("\n".join(["the log is verified", *self.faults]))
        for name in NAMES:
            await self._again(self.cluster[name])
        await asyncio.to_thread(self.cluster.stop)
        self.faults += await self._verify()

    def _unsettled(self) -> list[str]:
        matches, online = set(), set()
        for event in self._events():
            match event.type:
                case "match.started":
                    matches.add(event.data["match"])
                case "match.ended":
                    matches.discard(event.data["match"])
                case "user.came_online":
                    online.add(event.data["user"])
                case "user.went_offline":
                    online.discard(event.data["user"])
                case _:
                    pass
        return [
            *(f"match {match} has not ended" for match in matches),
            *(f"user {user} is online" for user in online),
        ]

    async def _verify(self) -> list[str]:
        """Verify the log, and every match in it, by the command line."""
        node, faults = self.cluster[NAMES[0]], []
        environment = os.environ | node.settings | self.cluster.settings
        matches = [e.data["match"] for e in self._events() if e.type == "match.ended"]
        commands = [["log", "verify"], *(["replay", match, "--verify"] for match in matches[-20:])]
        for command in commands:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "service", *command),
                env=environment,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            output = (await process.communicate())[0].decode()
            if process.returncode != 0:
                faults.append(f"{' '.join(command)}: {output.strip()[-400:]}")
        return faults


def two_matches(events: list[Event]) -> list[str]:
    """Return who was in two live matches at once."""
    live: dict[str, list[int]] = {}
    faults = []
    for event in events:
        if event.type == "match.started":
            busy = {user for users in live.values() for user in users}
            faults += [f"{one} is in two matches" for one in busy & set(event.data["players"])]
            live[event.data["match"]] = event.data["players"]
        elif event.type == "match.ended":
            live.pop(event.data["match"], None)
    return faults


def say(line: str) -> None:
    """Print a line of progress."""
    print(line, flush=True)


async def torture(
    directory: Path, *, seconds: float, seed: int, pairs: int, only: Sequence[str] = ()
) -> Torture:
    """Hurt a cluster for so long; return what was found."""
    with ExitStack() as stack:
        database = stack.enter_context(postgres.running())
        nats = stack.enter_context(nats_server.running())
        settings = {"WS_PRESENCE_GRACE_S": "3", "WS_DRAIN_WAIT_S": "2.5", "WS_TRUSTED_HOPS": "1"}
        cluster = Cluster(directory, database, nats, settings)
        stack.callback(cluster.stop)
        found = Torture(cluster, database, nats, seed, only)
        await found.run(seconds, pairs)
    return found


def main() -> None:
    """Torture as the command line says; exit with 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10_000)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--only", action="append", help="a fault, as it is printed")
    given = parser.parse_args()
    say(f"seed {given.seed}")
    with tempfile.TemporaryDirectory() as directory:
        found = asyncio.run(
            torture(
                Path(directory),
                seconds=given.seconds,
                seed=given.seed,
                pairs=given.pairs,
                only=given.only or (),
            )
        )
    for fault in found.faults:
        say(f"FAULT: {fault}")
    say(f"{len(found.done)} faults injected, {found.matches} matches, {len(found.faults)} wrong")
    sys.exit(bool(found.faults))


if __name__ == "__main__":
    main()
