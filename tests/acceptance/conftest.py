"""Fixtures of the acceptance tests; see `service_process.py` for their use."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.service_process import Running, StartService, close_clients
from tests.postgres import running


@pytest.fixture(autouse=True)
async def _closed_clients() -> AsyncIterator[None]:
    yield
    await close_clients()


@pytest.fixture(scope="session", autouse=True)
def _databases() -> Iterator[None]:
    """With TEST_DATABASE=postgres all services of these tests keep their logs on PostgreSQL."""
    if os.environ.get("TEST_DATABASE") != "postgres":
        yield
        return
    with running() as server:
        Running.new_database = server.create_log
        yield


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[StartService]:
    """Start services with settings of their own, each on fresh data."""
    with ExitStack() as stack:
        number = 0

        def start(*, dev: bool = False, **settings: str) -> Running:
            nonlocal number
            number += 1
            running = Running(tmp_path / f"data-{number}", settings, dev=dev)
            stack.callback(running.stop)
            running.start()
            return running

        yield start


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One service for many tests, in development mode; each test uses users of its own."""
    running = Running(tmp_path_factory.mktemp("service") / "data", {}, dev=True)
    running.start()
    yield running
    running.stop()
