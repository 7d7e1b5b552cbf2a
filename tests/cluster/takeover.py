"""Measure takeovers: `python -m tests.cluster.takeover --times 50`.

Kills (or stops) the node that runs a match, and measures from then to the commit of
`match.resumed` or `match.paused`, and to the first frame of the new run at a player: where one was
on the dead node, they come back to another one as soon as the match is paused for them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import nats_server, postgres
from tests.acceptance.service_process import fresh_id
from tests.cluster.cluster import Cluster
from tests.cluster.frame_gaps import Player, begin_match

GAMES = "pong", "connect_four"
KINDS = {"survivors": "match.resumed", "lost": "match.paused"}
"""Where the players are, with the event of the takeover: both on surviving nodes, or one not."""

SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}

PATIENCE_S = 20.0
POLL_S = 0.02


@dataclass(frozen=True)
class Times:
    """How long a takeover took, from the kill, in seconds."""

    commit_s: float
    frame_s: float


@contextmanager
def three_nodes(directory: Path) -> Iterator[Cluster]:
    """Run three nodes on servers of their own."""
    with postgres.running() as database, nats_server.running() as nats:
        cluster = Cluster(directory, database, nats, {})
        try:
            cluster.start("node1", "node2", "node3")
            yield cluster
        finally:
            cluster.stop()


async def take_over(nodes: Cluster, game: str, kind: str, how: str) -> Times:
    """Begin a match on node1, kill or stop that, and start it again when all is measured."""
    victim = nodes["node1"]
    async with AsyncExitStack() as stack:

        async def player(node: str, user: int) -> Player:
            return await stack.enter_async_context(Player(nodes[node].url, user, f"P{user}"))

        maker, ben = await player("node1", fresh_id()), await player("node2", fresh_id())
        ana = await player("node3", maker.user) if kind == "survivors" else maker
        room = await begin_match(maker, ben, game, players=[ana, ben])
        if ana is not maker:
            await maker.client.__aexit__(None, None, None)
        is_begun = (lambda state: state["tick"] > 0) if game == "pong" else (lambda _: True)
        run = (await ben.shown(is_begun))["run"]
        after = (await asyncio.to_thread(nodes["node2"].events))[-1].position
        killed_at, killed_us = time.monotonic(), time.time_ns() // 1000
        os.kill(victim.pid, SIGNALS[how])
        commit_us = await _committed_us(nodes, KINDS[kind], room, after)
        if kind == "lost":
            await (await player("node3", maker.user)).do("room:join", roomId=room)
        if game == "pong" or kind == "survivors":
            await ben.shown(lambda state: state["run"] > run)
            shown_at = next(at for at, _, r, _ in ben.watch.moments if r > run)
        else:
            # A state that has not changed is not sent again, but that the turn goes on.
            await ben.wait_for(lambda m: m["type"] == "game:resumed" and m["roomId"] == room)
            shown_at = ben.resumed_at
        assert not ben.watch.faults, ben.watch.faults
        if how == "stop":
            os.kill(victim.pid, signal.SIGCONT)
            await asyncio.to_thread(victim.wait)
            await asyncio.to_thread(victim.start)
        else:
            await asyncio.to_thread(victim.restart)
        await ben.do("room:leave", roomId=room)
    return Times((commit_us - killed_us) / 1e6, shown_at - killed_at)


async def _committed_us(nodes: Cluster, type_: str, room: str, after: int) -> int:
    """Wait until the log has an event of the match in a room; return when it was recorded."""
    query = "SELECT recorded_at FROM events WHERE position > ? AND type = ? AND stream LIKE ?"
    node = nodes["node2"]
    async with asyncio.timeout(PATIENCE_S):
        while True:
            rows = await asyncio.to_thread(node.database, query, after, type_, f"match:{room}-%")
            if rows:
                return int(rows[0][0])
            await asyncio.sleep(POLL_S)


def summary(times: list[Times]) -> str:
    """Tell the median and the worst of both times."""
    commits, frames = [one.commit_s for one in times], [one.frame_s for one in times]
    return (
        f"commit {statistics.median(commits):.2f} s (worst {max(commits):.2f}), "
        f"first frame {statistics.median(frames):.2f} s (worst {max(frames):.2f})"
    )


async def measure(nodes: Cluster, times: int, how: str) -> None:
    """Measure each kind of takeover of each game so often, and print what they took."""
    for game in GAMES:
        for kind in KINDS:
            found = [await take_over(nodes, game, kind, how) for _ in range(times)]
            print(f"{how}, {game}, {kind}, {times} times: {summary(found)}", flush=True)


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--how", choices=SIGNALS, default="kill")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as directory,
        three_nodes(Path(directory)) as nodes,
    ):
        asyncio.run(measure(nodes, given.times, given.how))


if __name__ == "__main__":
    main()
