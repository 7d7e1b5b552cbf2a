"""Fixtures of the acceptance tests; see `service_process.py` for their use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance import log_databases
from tests.acceptance.service_process import Running, StartService, close_clients
from tests.game_venv import GameVenv, build_wheel


@pytest.fixture(autouse=True)
async def _closed_clients() -> AsyncIterator[None]:
    yield
    await close_clients()


@pytest.fixture(scope="session", autouse=True)
def _databases() -> Iterator[None]:
    with log_databases.available():
        yield


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of SQLite's files where the logs are on PostgreSQL."""
    if not log_databases.IS_POSTGRES:
        return
    left_out = [item for item in items if item.get_closest_marker("sqlite") is not None]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


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
def game_venv(tmp_path_factory: pytest.TempPathFactory) -> GameVenv:
    """An environment with the wheel of this checkout, in which tests install packages of games."""
    directory = tmp_path_factory.mktemp("games")
    made = GameVenv(directory / "venv")
    made.install(build_wheel(directory))
    return made


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One service for many tests, in development mode; each test uses users of its own."""
    running = Running(tmp_path_factory.mktemp("service") / "data", {}, dev=True)
    running.start()
    yield running
    running.stop()
