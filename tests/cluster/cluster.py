"""A cluster of real processes: nodes over one PostgreSQL and one NATS server.

async def test_somebody_comes(cluster: StartCluster) -> None:
    nodes = cluster("n1", "n2", WS_PRESENCE_GRACE_S="0.5")
    ana = await nodes["n1"].connect_v1(fresh_id(), "Ana")      # a node is a `Running`
    nodes["n1"].kill()                                         # kill -9
    nodes.start("n3")                                          # one more node
    nodes.nats.kill()                                          # the servers are there to be hurt
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from tests.acceptance.service_process import Event, Running
from tests.nats_server import NatsServer
from tests.postgres import Postgres


class StartCluster(Protocol):
    """Starts nodes of these names with these settings, over a new log."""

    def __call__(self, *names: str, **settings: str) -> Cluster: ...


class Cluster:
    """Nodes by their names; each has a data directory of its own."""

    def __init__(
        self, directory: Path, postgres: Postgres, nats: NatsServer, settings: dict[str, str]
    ) -> None:
        """Start nothing yet: `start` starts nodes on a new database of `postgres`."""
        self.postgres = postgres
        self.nats = nats
        self.nodes: dict[str, Running] = {}
        self._directory = directory
        self.settings = {
            "WS_DATABASE_URL": postgres.create_log(),
            "WS_BUS_URL": nats.url,
            "WS_REALM": directory.name,
            # No balancer has to notice that a node stops, and no client is many.
            "WS_DRAIN_WAIT_S": "0",
            "WS_DRAIN_RETRY_MS": "100",
            **settings,
        }

    def start(self, *names: str, **settings: str) -> None:
        """Start nodes at the same time, and wait until they listen."""
        for name in names:
            self.add(name, **settings)
        with ThreadPoolExecutor(len(names)) as threads:
            list(threads.map(lambda name: self.nodes[name].start(), names))

    def add(self, name: str, **settings: str) -> None:
        """Add a node, which is not started yet."""
        given = {**self.settings, "WS_NODE": name, **settings}
        self.nodes[name] = Running(self._directory / name, given, dev=False)

    def stop(self) -> None:
        """End all nodes that still run."""
        running = [node for node in self.nodes.values() if node.is_alive]
        if running:
            with ThreadPoolExecutor(len(running)) as threads:
                list(threads.map(Running.stop, running))

    @property
    def url(self) -> str:
        """The address of the log, for settings."""
        return self.settings["WS_DATABASE_URL"]

    @property
    def failures(self) -> list[str]:
        """The log lines that tell why a part of a node has failed."""
        return [line for node in self for line in node.lines if '"critical"' in line]

    def __getitem__(self, name: str) -> Running:
        """Return a node."""
        return self.nodes[name]

    def __iter__(self) -> Iterator[Running]:
        """Iterate over the nodes."""
        return iter(self.nodes.values())

    def events(self, *, after: int = 0) -> list[Event]:
        """Return the events of the log after a position."""
        return next(iter(self)).events(after=after)
