"""Live matches of real nodes go on at another one when theirs is gone."""

from __future__ import annotations

import asyncio
from itertools import product
from typing import Any

import pytest

from tests.acceptance.service_process import Client, Event, Running, fresh_id
from tests.cluster.cluster import Cluster, StartCluster
from tests.cluster.takeover import GAMES, KINDS, take_over

pytestmark = pytest.mark.postgres

PATIENCE_S = 20

POLL_S = 0.02

TAKEOVER_MAX_S = 3.0
START_DELAY_S = 1.5
"""A match that was paused goes on a second after its players are back."""


async def done(client: Client, type_: str, **fields: Any) -> dict[str, Any]:
    """Carry out a command; return its ack."""
    answer = await client.command(type_, **fields)
    assert answer["type"] == "ack", answer
    return answer


async def play(node: Running, game: str) -> tuple[str, Client, Client]:
    """Begin a match of two users who are connected to a node."""
    ana = await node.connect_v1(fresh_id(), "Ana")
    ben = await node.connect_v1(fresh_id(), "Ben")
    room = str((await done(ana, "room:create", game=game))["roomId"])
    await done(ben, "room:join", roomId=room)
    for client in (ana, ben):
        await done(client, "room:ready", roomId=room)
    for client in (ana, ben):
        await client.expect("game:start")
    return room, ana, ben


async def logged(node: Running, type_: str, count: int = 1) -> Event:
    """Wait until the log has so many events of a type; return the last of them."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = [event for event in await asyncio.to_thread(node.events) if event.type == type_]
            if len(found) >= count:
                return found[count - 1]
            await asyncio.sleep(POLL_S)


async def back(node: Running, room: str, *users: Client) -> list[Client]:
    """Connect users to another node, and let them join their room again."""
    tabs = [await node.connect_v1(int(user.id), "Back") for user in users]
    for tab in tabs:
        await done(tab, "room:join", roomId=room)
    return tabs


@pytest.mark.parametrize("game", ["pong", "connect_four"])
async def test_a_match_goes_on_at_another_node_when_its_own_is_killed(
    cluster: StartCluster, game: str
) -> None:
    nodes: Cluster = cluster("n1", "n2")
    room, ana, ben = await play(nodes["n1"], game)
    if game == "pong":
        await logged(nodes["n2"], "match.checkpoint", 2)
    nodes["n1"].kill()
    await logged(nodes["n2"], "match.paused")
    tabs = await back(nodes["n2"], room, ana, ben)
    resumed = await logged(nodes["n2"], "match.resumed")
    assert resumed.data["run"] == 1
    if game == "pong":
        for tab in tabs:
            await tab.expect("game:update", where=lambda one: one["run"] == 1)
    lost = await logged(nodes["n2"], "node.lost")
    assert lost.stream == "node:n1"


async def test_a_node_that_stops_leaves_its_matches_to_another_one(cluster: StartCluster) -> None:
    nodes = cluster("n1", "n2")
    room, ana, ben = await play(nodes["n1"], "pong")
    assert await nodes["n1"].terminate() == 0
    await logged(nodes["n2"], "match.paused")
    assert not [event for event in nodes["n2"].events() if event.type == "match.rewound"]
    await back(nodes["n2"], room, ana, ben)
    await logged(nodes["n2"], "match.resumed")


async def test_a_node_stops_at_an_event_that_it_does_not_know(cluster: StartCluster) -> None:
    """As in a rolling deploy gone wrong: its clients connect elsewhere, and it says why."""
    nodes = cluster("n1")
    ana = await nodes["n1"].connect_v1(fresh_id(), "Ana")
    nodes["n1"].change(
        "WITH head AS (UPDATE log_head SET position = position + 1 RETURNING position) "
        "INSERT INTO events (position, stream, version, type, schema_version, event_id, "
        "correlation_id, node, recorded_at, data, hash) "
        "SELECT head.position, 'moon', 1, 'moon.landed', 1, decode(repeat('00', 16), 'hex'), "
        "'n2', 'n2', e.recorded_at, '{}', e.hash FROM head JOIN events e ON e.position = 1"
    )
    code, _ = await ana.closed()
    assert code == 4001
    await asyncio.to_thread(nodes["n1"].stop)
    (failed,) = [line for line in nodes["n1"].logs if line["message"] == "part failed"]
    assert "has an event of the unknown type 'moon.landed'" in failed["error"]["stack_trace"]


async def test_a_match_goes_on_within_three_seconds_after_a_kill(cluster: StartCluster) -> None:
    """`python -m tests.cluster.takeover` measures it many times."""
    nodes = cluster("node1", "node2", "node3")
    for game, kind in product(GAMES, KINDS):
        times = await take_over(nodes, game, kind, "kill")
        assert times.commit_s <= TAKEOVER_MAX_S, (game, kind)
        assert times.frame_s <= TAKEOVER_MAX_S + START_DELAY_S, (game, kind)
