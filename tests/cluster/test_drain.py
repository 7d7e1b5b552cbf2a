"""A node is told to stop: its clients and rooms go elsewhere, and nobody misses a frame."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from tests.acceptance.service_process import fresh_id
from tests.balancers import haproxy
from tests.cluster.cluster import Cluster, StartCluster
from tests.cluster.drains import GAP_MAX_S, GRACE_S, SETTINGS, Table

pytestmark = [pytest.mark.postgres, pytest.mark.balancers]


async def test_a_drain_shows_v1_players_every_state_and_has_all_others_back_within_their_grace(
    cluster: StartCluster,
) -> None:
    """`make drains` does it twenty times."""
    nodes = cluster("node1", "node2", "node3", **SETTINGS)
    with haproxy(addresses(nodes)) as url:
        async with AsyncExitStack() as stack:
            table = Table(url)
            await table.seat(stack, pairs=2, duration_s=60)
            drained = await table.drain(nodes, "node1")
    assert not drained.faults
    assert drained.gap_s <= GAP_MAX_S
    welcomes = [one for player in table.v1 for one in player.seen if one["type"] == "welcome"]
    assert len(welcomes) > len(table.v1), "some of them were at that node"
    for kind, away_s in drained.away_s.items():
        assert away_s, f"some of {kind} were at that node"
        assert max(away_s) < GRACE_S
    assert not nodes.failures


async def test_a_node_drains_after_the_bus_is_lost(cluster: StartCluster) -> None:
    nodes = cluster("n1", "n2", WS_DRAIN_WAIT_S="0.5")
    ana = await nodes["n1"].connect_v1(fresh_id(), "Ana")
    ben = await nodes["n2"].connect_v1(fresh_id(), "Ben")
    room = (await ana.command("room:create", game="connect_four"))["roomId"]
    await ben.command("room:join", roomId=room)
    for player in (ana, ben):
        await player.command("room:ready", roomId=room)
    for player in (ana, ben):
        await player.expect("game:start")
    nodes.nats.kill()
    try:
        draining = asyncio.create_task(nodes["n1"].terminate())
        await ana.expect("server:draining")
        again = await nodes["n2"].connect_v1(ana.id, "Ana")
        assert (await again.command("room:join", roomId=room))["type"] == "ack"
        await ana.close()
        assert await draining == 0
        state = await again.expect("game:update", roomId=room)
        turn = state["state"]["turn"]
        tab = (again, ben)[turn]
        moved = await tab.command("game:move", roomId=room, move={"column": 3})
        assert moved["type"] == "ack", moved
    finally:
        nodes.nats.start()
    types = [event.type for event in nodes["n2"].events()]
    assert "room.moved" in types
    assert "match.rewound" not in types


def addresses(nodes: Cluster) -> dict[str, str]:
    """Return where each node listens, for a balancer."""
    return {name: node.url.partition("//")[2] for name, node in nodes.nodes.items()}
