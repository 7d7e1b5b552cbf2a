"""The runbook of a cluster (docs/scaling.md): what the nodes do, and what helps."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from tests.acceptance.service_process import PATIENCE_S, Running, clean_environment, fresh_id
from tests.cluster.cluster import Cluster, StartCluster
from tests.cluster.test_nodes import done, readiness

pytestmark = pytest.mark.postgres

POLL_S = 0.05


def ws_service(node: Running, *command: str) -> str:
    """Run a command with the settings of a node; return what it prints."""
    run = subprocess.run(
        [sys.executable, "-m", "service", *command],
        env=clean_environment(node.settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


async def is_ready(node: Running, status: str) -> None:
    """Wait until the readiness of a node is so."""
    async with asyncio.timeout(PATIENCE_S):
        while (await readiness(node))["status"] != status:  # noqa: ASYNC110 - a process
            await asyncio.sleep(POLL_S)


async def ended(node: Running) -> list[str]:
    """Wait until a node has ended by itself; return the causes that it logged."""
    assert await asyncio.to_thread(node.wait) == 1
    return [str(line["error"]) for line in node.logs if line["message"] == "part failed"]


async def test_without_postgresql_no_node_is_ready_or_lost_and_all_go_on_when_it_is_back(
    cluster: StartCluster,
) -> None:
    nodes = cluster("n1", "n2")
    ana = await nodes["n1"].connect_v1(fresh_id(), "Ana")
    await done(ana, "lobby:join")
    nodes.postgres.kill()
    try:
        for node in nodes:
            await is_ready(node, "suspended")
    finally:
        await asyncio.to_thread(nodes.postgres.start)
    for node in nodes:
        await is_ready(node, "ready")
    await done(ana, "lobby:leave")
    assert not [event for event in nodes.events() if event.type == "node.lost"]


async def test_an_event_that_no_node_can_fold_ends_all_and_log_skip_lets_them_go_on(
    cluster: StartCluster,
) -> None:
    nodes = cluster("n1", "n2")
    position = nodes.events()[-1].position + 1
    nodes["n1"].change(
        "WITH head AS (UPDATE log_head SET position = position + 1, "
        "hash = (SELECT hash FROM events WHERE position = 1) RETURNING position) "
        "INSERT INTO events (position, stream, version, type, schema_version, event_id, "
        "correlation_id, node, recorded_at, data, hash) "
        "SELECT head.position, 'moon', 1, 'moon.landed', 1, decode(repeat('00', 16), 'hex'), "
        "'n2', 'n2', e.recorded_at, '{}', e.hash FROM head JOIN events e ON e.position = 1"
    )
    for node in nodes:
        assert [f"position {position}" in one for one in await ended(node)] == [True]
    with pytest.raises(AssertionError, match=f"log skip {position} --reason"):
        nodes["n1"].start()
    assert f"position {position}" in ws_service(
        nodes["n1"], "log", "skip", str(position), "--reason", "not of this world"
    )
    await restarted(nodes, "n1", "n2")


async def test_nodes_refuse_a_database_without_their_last_events_until_the_loss_is_accepted(
    cluster: StartCluster,
) -> None:
    """As after a failover to a standby that was behind."""
    nodes = cluster("n1", "n2")
    ana = await nodes["n1"].connect_v1(fresh_id(), "Ana")
    epoch = ana.welcome["epoch"]
    await done(ana, "room:create", game="relay")
    name = nodes.url.rpartition("/")[2]
    await asyncio.gather(*(node.terminate() for node in nodes))
    nodes.postgres.copy_of(nodes.url)
    older = nodes.events()[-1].position
    await restarted(nodes, "n1", "n2")
    ben = await nodes["n2"].connect_v1(fresh_id(), "Ben")
    await done(ben, "room:create", game="relay")
    await asyncio.gather(*(node.terminate() for node in nodes))
    with nodes.postgres.connect("postgres") as connection:
        copy = connection.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE 'log%' ORDER BY oid DESC LIMIT 1"
        ).fetchone()
        assert copy is not None
        connection.execute(f"ALTER DATABASE {name} RENAME TO {name}_new".encode())
        connection.execute(f"ALTER DATABASE {copy[0]} RENAME TO {name}".encode())
    assert nodes.events()[-1].position == older
    for node in nodes:
        with pytest.raises(AssertionError, match="--accept-lost-tail"):
            node.start()
    await asyncio.to_thread(nodes["n1"].start, "--accept-lost-tail")
    await asyncio.to_thread(nodes["n2"].start)
    again = await nodes["n2"].connect_v1(fresh_id(), "Ana")
    assert again.welcome["epoch"] != epoch


async def restarted(nodes: Cluster, *names: str) -> None:
    """Start nodes again."""
    await asyncio.gather(*(asyncio.to_thread(nodes[name].start) for name in names))
