"""Fixtures of the integration tests."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from service.eventstore import migrate
from tests.integration.log_file import LogFile
from tests.integration.stage import Theatre
from tests.postgres import Postgres, running


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One empty database with the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "log.db"
    migrate.upgrade(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture
async def log_file(migrated: Path, tmp_path: Path) -> AsyncIterator[LogFile]:
    """An empty log, and nothing of it open."""
    shutil.copy(migrated, tmp_path / "log.db")
    file = LogFile(tmp_path / "log.db")
    yield file
    await file.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server of PostgreSQL, which the tests of a process share."""
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    """A whole service at forty times its speed, for tests of isolation between users."""
    with Theatre.opened(
        tmp_path_factory.mktemp("stage"),
        WS_CHECKPOINT_S=0.5,
        WS_PRESENCE_GRACE_S=0.5,
        WS_INVITE_TTL_S=2,
        WS_ROOM_EMPTY_S=1,
        # At this speed the usual time for a pong is so short that a busy machine misses it.
        WS_HEARTBEAT_S=600,
    ) as theatre:
        yield theatre
