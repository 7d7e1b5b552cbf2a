"""Fixtures of the integration tests."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from service.eventstore import migrate
from tests.integration.log_file import LogFile
from tests.integration.stage import Theatre


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


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    """A whole service at forty times its speed, for tests that look for what harms whom."""
    with Theatre.opened(
        tmp_path_factory.mktemp("stage"),
        checkpoint_s=0.5,
        presence_grace_s=0.5,
        invite_ttl_s=2,
        room_empty_s=1,
    ) as theatre:
        yield theatre
