"""A node is told to stop: its clients and rooms go elsewhere, and nobody misses a frame."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from tests.acceptance.service_process import fresh_id
from tests.balancers import haproxy
from tests.cluster.cluster import Cluster, StartCluster
from tests.cluster.frame_gaps import Player, begin_match

pytestmark = [pytest.mark.postgres, pytest.mark.balancers]

GAP_MAX_S = 0.25


async def test_players_are_shown_their_matches_without_a_gap_while_their_node_drains(
    cluster: StartCluster,
) -> None:
    nodes = cluster(
        "node1", "node2", "node3", WS_DRAIN_WAIT_S="3", WS_DRAIN_RETRY_MS="500", WS_TRUSTED_HOPS="1"
    )
    with haproxy(addresses(nodes)) as url:
        async with AsyncExitStack() as stack:
            players = [
                await stack.enter_async_context(Player(url, fresh_id(), f"P{number}"))
                for number in range(6)
            ]
            for one, other in zip(players[::2], players[1::2], strict=True):
                await begin_match(one, other, duration_s=60)
            for player in players:
                await player.shown(lambda state: state["tick"] > 0)
            began_at = time.monotonic()
            assert await nodes["node1"].terminate() == 0
            await asyncio.sleep(0.3)
            gaps = [player.watch.longest_gap_s(began_at) for player in players]
            assert max(gaps) <= GAP_MAX_S, gaps
            assert not [fault for player in players for fault in player.watch.faults]
            welcomes = [one for p in players for one in p.seen if one["type"] == "welcome"]
            assert len(welcomes) > len(players), "some of them were at that node"
    assert not nodes.failures


def addresses(nodes: Cluster) -> dict[str, str]:
    """Return where each node listens, for a balancer."""
    return {name: node.url.partition("//")[2] for name, node in nodes.nodes.items()}
