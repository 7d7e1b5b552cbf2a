"""A node that does not belong to a cluster is refused at its start, and told what to do."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import nats_server
from tests.acceptance.service_process import PATIENCE_S, SECRET, Running, clean_environment
from tests.cluster.cluster import Cluster
from tests.postgres import Postgres

pytestmark = pytest.mark.postgres

ALONE = {"WS_BUS_URL": ""}
NOWHERE = "127.0.0.1:1"


def refusal(node: Running) -> tuple[int, str, str]:
    """Start a node that is refused; return its exit code, the code of its log line, and why."""
    done = subprocess.run(
        [sys.executable, "-m", "service", "serve"],
        env=clean_environment({name: text for name, text in node.settings.items() if text}),
        capture_output=True,
        text=True,
        check=False,
        # Several start at the same time.
        timeout=4 * PATIENCE_S,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    (line,) = [line for line in lines if line["log.level"] == "critical"]
    assert done.stderr == f"error: {line['metadata']['reason']}\n"
    return done.returncode, line["error_code"], done.stderr


async def test_a_node_that_does_not_belong_to_the_cluster_is_refused_with_what_to_do(
    tmp_path: Path, postgres: Postgres
) -> None:
    with nats_server.running("--auth", "word") as nats:
        nodes = Cluster(
            tmp_path, postgres, nats, {"WS_BUS_URL": f"nats://word@127.0.0.1:{nats.port}"}
        )
        nodes.start("n1")
        elsewhere = f"postgresql+psycopg://ws:hidden-word@{NOWHERE}/log"
        refused = {
            "n1": ({}, 2, "NODE_NAME_TAKEN", ["set WS_NODE to another name"]),
            "n2": (
                {"JWT_SECRET": f"{SECRET}x", "WS_REALM": "other"},
                *(2, "NODES_DIFFER", ["WS_REALM", "JWT_SECRET", "(node n1)", "set the same here"]),
            ),
            "n3": (ALONE, 2, "LOG_IN_USE", ["WS_BUS_URL", "WS_DATABASE_URL"]),
            "n4": (
                {"WS_BUS_URL": f"nats://{NOWHERE}"},
                *(1, "BUS_UNREACHABLE", ["Connection refused", "check WS_BUS_URL"]),
            ),
            "n5": (
                {"WS_BUS_URL": f"nats://wrong@127.0.0.1:{nats.port}"},
                *(1, "BUS_UNREACHABLE", ["Authorization Violation", "its credentials"]),
            ),
            "n6": (
                {"WS_DATABASE_URL": elsewhere},
                *(1, "DATABASE_UNREACHABLE", ["Connection refused", "Check WS_DATABASE_URL"]),
            ),
        }
        try:
            before = nodes.events()
            starts = []
            for name, (settings, *_) in refused.items():
                given = {**nodes.settings, "WS_NODE": name, **settings}
                node = Running(tmp_path / f"{name} refused", given, dev=False)
                starts.append(asyncio.to_thread(refusal, node))
            found = await asyncio.gather(*starts)
            assert len(nodes.events()) == len(before), "a refused start changes nothing"
        finally:
            nodes.stop()
    for (_, *expected, words), (*seen, reason) in zip(refused.values(), found, strict=True):
        assert seen == expected, reason
        for word in words:
            assert word in reason
        assert "hidden-word" not in reason
