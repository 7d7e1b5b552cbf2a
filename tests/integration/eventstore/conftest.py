"""Fixtures of the event store's integration tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.eventstore.store_database import Database


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty log on each database."""
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path}/log.db"
    else:
        url = request.getfixturevalue("postgres").create_log()
    found = Database(url)
    yield found
    found.close()
