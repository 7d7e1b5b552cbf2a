"""Drain nodes under play: `python -m tests.cluster.drains --times 20`.

Three nodes behind HAProxy, pairs of the Python client, of the classic contract and of Socket.IO who
play Pong. One node after the other is told to stop, and is started again. It prints the longest
time that a player of protocol v1 was shown no state, and how long the others were away.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests import nats_server, postgres
from tests.acceptance.service_process import fresh_id
from tests.balancers import haproxy
from tests.cluster.cluster import Cluster
from tests.cluster.frame_gaps import Player, begin_match
from tests.cluster.rejoining import Rejoining, RejoiningBySocketIo, begin_classic_match
from tests.ports import free_port

NAMES = ("node1", "node2", "node3")
GAP_MAX_S = 0.25
GRACE_S = 15.0
"""`WS_RECONNECT_GRACE_S` by default: whoever is away for longer forfeits."""

SETTINGS = {"WS_DRAIN_WAIT_S": "3", "WS_DRAIN_RETRY_MS": "500", "WS_TRUSTED_HOPS": "1"}


@dataclass
class Drained:
    """What players have noticed of one drain."""

    gap_s: float
    """The longest time between two states for a player of protocol v1."""
    away_s: dict[str, list[float]] = field(default_factory=dict)
    """How long each of the others who was disconnected was away, by their contract."""
    faults: list[str] = field(default_factory=list)


class Table:
    """Players of all contracts at one balancer, in matches that last."""

    def __init__(self, url: str) -> None:
        """Connect to `url`."""
        self._url = url
        self.v1: list[Player] = []
        self.others: list[Rejoining] = []

    async def seat(self, stack: AsyncExitStack, pairs: int, duration_s: int) -> None:
        """Let so many pairs of each contract begin a match."""
        kinds = (Player, Rejoining, RejoiningBySocketIo)
        for number in range(2 * pairs):
            # In another order each time, so that a balancer sends some of each to each node.
            for turn in range(len(kinds)):
                await self._connect(kinds[(turn + number) % len(kinds)], stack)
        for one, other in zip(self.v1[::2], self.v1[1::2], strict=True):
            await begin_match(one, other, duration_s=duration_s)
        for kind in (Rejoining, RejoiningBySocketIo):
            of_kind = [player for player in self.others if player.kind == kind.kind]
            for left, right in zip(of_kind[::2], of_kind[1::2], strict=True):
                await begin_classic_match(left, right)
        for player in self.v1:
            await player.shown(lambda state: state["tick"] > 0)

    async def _connect(self, kind: type[Player | Rejoining], stack: AsyncExitStack) -> None:
        user = fresh_id()
        if issubclass(kind, Rejoining):
            self.others.append(await stack.enter_async_context(kind(self._url, user)))
        else:
            self.v1.append(await stack.enter_async_context(Player(self._url, user, f"P{user}")))

    async def drain(self, nodes: Cluster, name: str) -> Drained:
        """Tell a node to stop, and wait until all players see their matches again."""
        began_at = time.monotonic()
        before = [len(player.away_s) for player in self.others]
        code = await nodes[name].terminate()
        await asyncio.sleep(0.3)
        found = Drained(max(player.watch.longest_gap_s(began_at) for player in self.v1))
        if code != 0:
            found.faults.append(f"exit code {code}")
        for player, count in zip(self.others, before, strict=True):
            await player.returned()
            found.away_s.setdefault(player.kind, []).extend(player.away_s[count:])
        found.faults += [fault for player in self.v1 for fault in player.watch.faults]
        seen = [message for player in self.v1 for message in player.seen]
        seen += [message for player in self.others for message in player.seen]
        found.faults += [f"a match has ended: {one}" for one in seen if one["type"] == "game:over"]
        return found


async def drain_often(nodes: Cluster, url: str, times: int) -> list[Drained]:
    """Drain one node after the other, and start it again each time."""
    table, found = Table(url), []
    async with AsyncExitStack() as stack:
        # The classic matches last as long as the setting says.
        await table.seat(stack, 2, duration_s=3600)
        for number in range(times):
            name = NAMES[number % len(NAMES)]
            found.append(await table.drain(nodes, name))
            say(f"{name}: {found[-1]}")
            await asyncio.to_thread(nodes[name].start)
            # The balancer has to notice.
            await asyncio.sleep(2)
    return found


@contextmanager
def three_nodes(directory: Path) -> Iterator[tuple[Cluster, str]]:
    """Run three nodes, which keep their ports, behind a balancer."""
    with postgres.running() as database, nats_server.running() as nats:
        cluster = Cluster(directory, database, nats, SETTINGS | {"WS_MATCH_DURATION_S": "3600"})
        ports = {name: free_port() for name in NAMES}
        try:
            for name, port in ports.items():
                cluster.add(name, WS_PORT=str(port))
                cluster[name].start()
            with haproxy({name: f"127.0.0.1:{port}" for name, port in ports.items()}) as url:
                yield cluster, url
        finally:
            cluster.stop()


def summary(found: Sequence[Drained]) -> str:
    """Tell the worst of all drains."""
    gaps = sorted(one.gap_s for one in found)
    median_ms, worst_ms = 1000 * gaps[len(gaps) // 2], 1000 * gaps[-1]
    lines = [f"{len(found)} drains, v1: longest gap {median_ms:.0f} ms (worst {worst_ms:.0f})"]
    for kind in (Rejoining.kind, RejoiningBySocketIo.kind):
        away = sorted(second for one in found for second in one.away_s[kind])
        if away:
            median_s = away[len(away) // 2]
            lines.append(f"{kind}: away {len(away)} times, {median_s:.2f} s (worst {away[-1]:.2f})")
    return "\n".join(lines)


def say(line: str) -> None:
    """Print a line of progress."""
    print(line, flush=True)


def main() -> None:
    """Drain as the command line says; exit with 1 where a bound was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as directory,
        three_nodes(Path(directory)) as (nodes, url),
    ):
        found = asyncio.run(drain_often(nodes, url, given.times))
    say(summary(found))
    away = [second for one in found for seconds in one.away_s.values() for second in seconds]
    wrong = [fault for one in found for fault in one.faults]
    say("\n".join(wrong) or "nothing was wrong")
    sys.exit(bool(wrong) or max(one.gap_s for one in found) > GAP_MAX_S or max(away) > GRACE_S)


if __name__ == "__main__":
    main()
