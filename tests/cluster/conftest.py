"""Fixtures of the cluster tests; see `cluster.py` for their use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.service_process import close_clients
from tests.cluster.cluster import Cluster, StartCluster
from tests.nats_server import NatsServer
from tests.nats_server import running as nats_running
from tests.postgres import Postgres
from tests.postgres import running as postgres_running


@pytest.fixture(autouse=True)
async def _closed_clients() -> AsyncIterator[None]:
    yield
    await close_clients()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server of PostgreSQL, which the tests of a process share."""
    with postgres_running() as server:
        yield server


@pytest.fixture(scope="session")
def nats() -> Iterator[NatsServer]:
    """A server of NATS, which the tests of a process share."""
    with nats_running() as server:
        yield server


@pytest.fixture
def cluster(tmp_path: Path, postgres: Postgres, nats: NatsServer) -> Iterator[StartCluster]:
    """Start clusters, each on a log of its own."""
    with ExitStack() as stack:
        number = 0

        def start(*names: str, **settings: str) -> Cluster:
            nonlocal number
            number += 1
            directory = tmp_path / f"{tmp_path.name}-{number}".replace(".", "-")[-60:]
            directory.mkdir()
            cluster = Cluster(directory, postgres, nats, settings)
            stack.callback(cluster.stop)
            cluster.start(*names)
            return cluster

        yield start
