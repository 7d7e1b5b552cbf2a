"""A copy of the log that is taken while it grows, and put back as docs/operations.md says."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.crash import begin_match
from tests.acceptance.service_process import Running, StartService, clean_environment


def vacuum_into(database: Path, backup: Path) -> None:
    with closing(sqlite3.connect(database)) as source:
        source.execute("VACUUM INTO ?", (str(backup),))


def backup_command(database: Path, backup: Path) -> None:
    """Do what `.backup` of the sqlite3 shell does, by the same function."""
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)


def run(service: Running, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service", *command],
        env=clean_environment(service.settings | settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("copy", [vacuum_into, backup_command])
async def test_a_backup_is_whole_and_goes_on_under_a_new_epoch(
    start_service: StartService, tmp_path: Path, copy: Callable[[Path, Path], None]
) -> None:
    service = start_service()
    seated = await begin_match(service)
    await seated.left.expect("game:timer", remaining=28)
    backup = tmp_path / "backup.db"
    await asyncio.to_thread(copy, service.data_dir / "ws-service.db", backup)
    # A later second has its checkpoint, and is in the side file.
    await seated.left.expect("game:timer", remaining=25)
    service.kill()

    verified = run(service, "log", "verify", WS_DATABASE_URL=f"sqlite+aiosqlite:///{backup}")
    assert (verified.returncode, verified.stdout[:3]) == (0, "ok:"), verified.stderr

    ((epoch,),) = service.database("SELECT epoch FROM log_head")
    for file in service.data_dir.glob("ws-service.db*"):
        file.unlink()
    backup.rename(service.data_dir / "ws-service.db")
    refused = run(service, "serve")
    assert refused.returncode == 2
    assert "--accept-lost-tail" in refused.stderr

    service.start("--accept-lost-tail")
    assert service.database("SELECT epoch FROM log_head") != [(epoch,)]
    assert [line["message"] for line in service.logs].count("match recovered") == 1
    assert await service.terminate() == 0
    service.start()
