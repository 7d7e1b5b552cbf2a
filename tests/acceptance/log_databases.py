"""Where the logs of the tests are: in their data directories, or in databases on PostgreSQL.

With TEST_DATABASE=postgres (`make postgres`) each data directory has a database of its own there,
which the services and the commands of that directory find by `WS_DATABASE_URL`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.postgres import Postgres, running

IS_POSTGRES: Final = os.environ.get("TEST_DATABASE") == "postgres"

_server: Postgres | None = None
_urls: dict[Path, str] = {}


@contextmanager
def available() -> Iterator[None]:
    """Start the server that the logs are on, if they are on one."""
    global _server  # noqa: PLW0603 - one for the process, as the variable of the environment
    if not IS_POSTGRES:
        yield
        return
    with running() as _server:
        yield
    _server = None


def settings_of(data_dir: Path, *, is_migrated: bool = False) -> dict[str, str]:
    """Return the settings by which the log of a data directory is found.

    A database that is not there yet is created, with an empty log if `is_migrated`.
    """
    if _server is None:
        return {}
    if data_dir not in _urls:
        create = _server.create_log if is_migrated else _server.create_database
        _urls[data_dir] = create()
    return {"WS_DATABASE_URL": _urls[data_dir]}


def copy(source: Path, target: Path) -> None:
    """Let the data directory `target` have a copy of the log of `source`, which is not in use."""
    if _server is not None:
        _urls[target] = _server.copy_of(_urls[source])
