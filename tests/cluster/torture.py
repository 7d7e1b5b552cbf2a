"""Hurt a cluster under play: `python -m tests.cluster.torture --seconds 600 --seed 7`.

Three nodes behind HAProxy, each with a proxy of its own before PostgreSQL and NATS. Users of the
Python client play matches, while nodes are killed, stopped and continued, drained, and cut from
either server, their connections are slowed down, and both servers are restarted. At the end,

- every acknowledged command is in the log, once, with its events at the acknowledged position, no
  other one was carried out twice, and no event that was seen in the log has become another one,
- every match has ended, and verifies by its replay; nobody was in two matches,
- all nodes show the same users as online, who are those that are; nobody is, once all have left,
- no client has seen a run fall, or a tick fall within a run, no player in a match by turns was
  shown an outdated state for long, and each has been shown what was written to them once.
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
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

from tests import nats_server, postgres
from tests.acceptance.service_process import Running, clean_environment, close_clients, fresh_id
from tests.balancers import haproxy
from tests.cluster import torture_log
from tests.cluster.cluster import Cluster
from tests.cluster.torture_log import Row, Witness
from tests.cluster.torture_players import Pair, TorturePlayer
from tests.nats_server import NatsServer
from tests.ports import free_port
from tests.postgres import Postgres
from tests.proxy import Proxy

NAMES = ("node1", "node2", "node3")

CALM_S = 1.5
"""Between two faults."""

SETTLES_WITHIN_S = 180.0
"""How long the matches that are live at the last fault may take to end."""

AGREE_WITHIN_S = 20.0
"""How long nodes may take to agree on who is online, graces included."""

CONNECT_AT_ONCE = 20

STARTS_MAX = 5


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
        self.players: list[TorturePlayer] = []
        self.pairs: list[Pair] = []
        self.verified = 0
        """How many matches were verified."""
        self.done: list[str] = []
        """The faults that were injected."""
        self._postgres = postgres_
        self._nats = nats
        self._random = random.Random(seed)  # noqa: S311 - it has to be repeatable

    @property
    def matches(self) -> int:
        """How many matches have been played to their end."""
        return sum(pair.matches for pair in self.pairs)

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
        witness = Witness(self.cluster.url)
        watching = asyncio.create_task(witness.watch())
        async with AsyncExitStack() as stack:
            url = await self.start(stack)
            async with AsyncExitStack() as players:
                await self._connect(url, players, 2 * pairs)
                await self._play_and_hurt(time.monotonic() + seconds)
                await self._check_online()
            watching.cancel()
            await asyncio.wait([watching])
            self._check(await self._settled(witness), witness)
            await asyncio.to_thread(self.cluster.stop)
            await self._verify()

    async def _connect(self, url: str, stack: AsyncExitStack, count: int) -> None:
        for _ in range(0, count, CONNECT_AT_ONCE):
            users = [fresh_id() for _ in range(min(CONNECT_AT_ONCE, count - len(self.players)))]
            new = [TorturePlayer(url, user, f"P{user}") for user in users]
            self.players += await asyncio.gather(*map(stack.enter_async_context, new))
        seats = zip(self.players[::2], self.players[1::2], strict=True)
        self.pairs = [Pair(number, two) for number, two in enumerate(seats)]

    async def _play_and_hurt(self, until: float) -> None:
        playing = [asyncio.create_task(pair.play()) for pair in self.pairs]
        await self._hurt(until)
        say("the last matches end")
        for pair in self.pairs:
            pair.stop()
        await asyncio.wait(playing, timeout=SETTLES_WITHIN_S)
        for number, (task, pair) in enumerate(zip(playing, self.pairs, strict=True)):
            if not task.done():
                self.faults.append(f"the match of pair {number} has not ended: {pair.told()}")
                task.cancel()
            elif task.exception() is not None:
                self.faults.append(f"pair {number} failed: {task.exception()!r}")

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
            self._slow_down,
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

    async def _start(self, node: Running) -> None:
        """Start a node, as a supervisor does: again after an exit code of 1."""
        for _ in range(STARTS_MAX):
            try:
                await asyncio.to_thread(node.start)
            except AssertionError as error:
                say(f"not started: {str(error).splitlines()[-1][:300]}")
            else:
                return
        raise RuntimeError("a node does not start")

    async def _again(self, node: Running) -> None:
        """Start a node again, however it has ended."""
        if node.is_alive:
            return
        with suppress(AssertionError):
            await asyncio.to_thread(node.wait)
        await self._start(node)

    async def _kill(self, node: Running, _name: str) -> None:
        await asyncio.to_thread(node.kill)
        await asyncio.sleep(self._random.random() * 2)
        await self._start(node)

    async def _stop_and_continue(self, node: Running, _name: str) -> None:
        os.kill(node.pid, signal.SIGSTOP)
        await asyncio.sleep(self._random.uniform(0.2, 4))
        os.kill(node.pid, signal.SIGCONT)
        await self._ended_or_fine(node)

    async def _drain(self, node: Running, _name: str) -> None:
        before = len(node.lines)
        if await node.terminate() != 0:
            told = [line for line in node.lines[before:] if '"info"' not in line]
            if any("LeaseLost" in line for line in told):
                say("too busy to renew its lease: it was lost while it drained")
            else:
                self.faults.append(f"a drained node ended with a failure: {told[-5:]}")
        await self._start(node)

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

    async def _slow_down(self, node: Running, name: str) -> None:
        """Let everything between a node and both servers take longer for a while."""
        for proxy in self.proxies[name]:
            for way in (proxy.to_client, proxy.to_server):
                way.delay_s = self._random.uniform(0.01, 0.15)
        await asyncio.sleep(self._random.uniform(1, 4))
        for proxy in self.proxies[name]:
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

    async def _check_online(self) -> None:
        """Check that each node shows those as online who are, while they still are."""
        for name in NAMES:
            await self._again(self.cluster[name])
        expected = {player.user for player in self.players}
        for name in NAMES:
            until = time.monotonic() + AGREE_WITHIN_S
            while (shown := await self._asked(name)) != expected:
                if time.monotonic() > until:
                    wrong = f"missing {expected - shown}, too many {shown - expected}"
                    self.faults.append(f"{name} shows other users as online: {wrong}")
                    break
                await asyncio.sleep(0.5)

    async def _asked(self, name: str) -> set[int]:
        """Return whom a node shows as online; nobody if it has just ended, on a busy machine."""
        try:
            return await self._shown_at(name)
        except OSError:
            await self._again(self.cluster[name])
            return set()

    async def _shown_at(self, name: str) -> set[int]:
        """Return whom a node shows as online, besides the one who asks it."""
        asking = fresh_id()
        client = await self.cluster[name].connect_v1(asking)
        shown = next(one for one in client.received if one["type"] == "user:list")
        await close_clients()
        # Whoever has asked before may be in their grace.
        return {user["id"] for user in shown["users"] if str(user["name"]).startswith("P")}

    async def _settled(self, witness: Witness) -> Sequence[Row]:
        """Return the log once nobody is online any more, or when that has taken too long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(AGREE_WITHIN_S):
                await witness.look()
                while torture_log.still_online(witness.seen):
                    await asyncio.sleep(0.5)
                    await witness.look()
        return await asyncio.to_thread(torture_log.read, self.cluster.url)

    def _check(self, rows: Sequence[Row], witness: Witness) -> None:
        acked = [ack for player in self.players for ack in player.acked]
        say(f"{len(rows)} events, {len(acked)} acknowledged commands")
        self.faults += [fault for player in self.players for fault in player.watch.faults]
        self.faults += torture_log.changed(witness.seen, rows)
        self.faults += torture_log.wrong_order(rows)
        self.faults += torture_log.wrong_acks(rows, acked)
        self.faults += torture_log.wrong_matches(rows)
        self.faults += torture_log.still_online(rows)
        for pair in self.pairs:
            self.faults += pair.faults
            for reader, text in pair.said:
                shown = Counter(reader.texts)[text]
                if shown > 1 or (reader.is_complete and shown < 1):
                    self.faults.append(f"{reader.user} was shown {text!r} {shown} times")

    async def _verify(self) -> None:
        """Verify the log, and every match in it by its replay."""
        say("verifying")
        environment = clean_environment(self.cluster[NAMES[0]].settings | self.cluster.settings)
        for command in (["service", "log", "verify"], ["tests.cluster.verify_matches"]):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", *command),
                env=environment,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            output = (await process.communicate())[0].decode().strip()
            if process.returncode != 0:
                self.faults.append(f"{' '.join(command)}: {output[-400:]}")
        *wrong, last = output.splitlines()
        self.faults += wrong
        self.verified = int(last) if last.isdigit() else 0


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
        try:
            await found.run(seconds, pairs)
        except Exception:
            # What follows may fail over it.
            traceback.print_exc()
            raise
    return found


def main() -> None:
    """Torture as the command line says; exit with 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10_000)
    parser.add_argument("--pairs", type=int, default=100)
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
    say(
        f"{len(found.done)} faults injected, {found.verified} matches verified, "
        f"{len(found.faults)} wrong"
    )
    sys.exit(bool(found.faults))


if __name__ == "__main__":
    main()
