"""Two versions of the service in one cluster, as during a rolling deploy."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.acceptance.service_process import fresh_id
from tests.cluster.cluster import Cluster
from tests.cluster.test_nodes import done
from tests.nats_server import NatsServer
from tests.postgres import Postgres

pytestmark = pytest.mark.postgres


async def test_what_an_older_node_cannot_read_is_written_when_all_are_new(
    tmp_path: Path, postgres: Postgres, nats: NatsServer
) -> None:
    nodes = Cluster(tmp_path, postgres, nats, {})
    for name in ("old", "new"):
        nodes.add(name)
    nodes["old"].command = [sys.executable, "-m", "tests.cluster.older_node"]
    nodes["old"].settings["PYTHONPATH"] = str(Path(__file__).parents[2])
    try:
        await asyncio.gather(*(asyncio.to_thread(node.start) for node in nodes))
        ana = await nodes["old"].connect_v1(fresh_id(), "Ana")
        ben = await nodes["new"].connect_v1(fresh_id(), "Ben")
        # A match of Pong needs nothing new, whoever runs it, and goes on over the deploy.
        room = (await done(ana, "room:create", game="pong"))["roomId"]
        await done(ben, "room:join", roomId=room)
        for player in (ana, ben):
            await done(player, "room:ready", roomId=room)
        await done(ben, "game:move", roomId=room, direction="w", action="down")
        # One with the clocks that have come since does.
        cleo = await nodes["new"].connect_v1(fresh_id(), "Cleo")
        dan = await nodes["new"].connect_v1(fresh_id(), "Dan")
        timed = (await done(cleo, "room:create", game="connect_four"))["roomId"]
        await done(dan, "room:join", roomId=timed)
        await done(cleo, "room:ready", roomId=timed)
        refused = await dan.command("room:ready", roomId=timed)
        assert refused["code"] == "NODES_TOO_OLD", refused

        again = await nodes["new"].connect_v1(ana.id, "Ana")
        await done(again, "room:join", roomId=room)
        assert await nodes["old"].terminate() == 0
        nodes["old"].command = [sys.executable, "-m", "service"]
        await done(dan, "room:ready", roomId=timed)
        await dan.expect("game:start", roomId=timed)
        await asyncio.to_thread(nodes["old"].start)
        await ben.expect("game:update", roomId=room)
    finally:
        nodes.stop()
    assert not nodes.failures
    types = {event.type for event in nodes.events()}
    assert not types & {"match.ended", "match.rewound"}
