"""Fixtures of the integration tests."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.log import migrate
from tests.integration.log_file import LogFile


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
