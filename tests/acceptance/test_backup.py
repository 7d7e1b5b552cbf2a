"""Backup of a growing log, and restore, as described in docs/operations.md."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance.crash import begin_match
from tests.acceptance.service_process import Running, StartService, clean_environment, make_token

pytestmark = pytest.mark.sqlite


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
async def test_a_restored_backup_is_complete_and_has_a_new_epoch(
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


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def test_log_backup_is_private_and_verified_and_restore_keeps_revocations(
    start_service: StartService, tmp_path: Path
) -> None:
    service = start_service()
    (service.data_dir / "seal-secret").write_text("what seals the tokens of players\n")
    seated = await begin_match(service)
    await seated.left.expect("game:timer", remaining=28)
    folder = tmp_path / "not" / "there yet"
    for _ in range(2):
        made = await asyncio.to_thread(run, service, "log", "backup", str(folder))
        assert (made.returncode, made.stdout[:3]) == (0, "ok:"), made.stderr
    first, second = sorted(folder.iterdir())
    assert first != second
    assert (mode(folder), mode(first)) == (0o700, 0o700)
    assert {file.name: mode(file) for file in first.iterdir()} == {
        "ws-service.db": 0o600,
        "seal-secret": 0o600,
        "command-secret": 0o600,
    }

    headers = {"Authorization": f"Bearer {make_token({'scope': 'admin'})}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.delete(f"{service.url}/api/v1/sessions", params={"user": "4711"}) as answer,
    ):
        assert answer.status == 204
    await seated.left.expect("game:timer", remaining=26)
    assert await service.terminate() == 0

    kept = run(service, "log", "restore", str(first))
    assert (kept.returncode, "--replace" in kept.stderr) == (2, True)
    restored = run(service, "log", "restore", str(first), "--replace")
    assert restored.returncode == 0, restored.stderr
    assert "sessions revoked again: 4711" in restored.stdout
    assert "dropped: events" in restored.stdout
    (aside,) = service.data_dir.glob("replaced-*")
    assert (aside / "ws-service.db").exists()
    assert run(service, "log", "verify").returncode == 0

    service.start()
    assert [line["message"] for line in service.logs].count("match recovered") == 1
    (revoked,) = [event for event in service.events() if event.type == "sessions.revoked"]
    assert revoked.data["user"] == 4711


def test_a_damaged_backup_is_not_restored(start_service: StartService, tmp_path: Path) -> None:
    service = start_service()
    made = run(service, "log", "backup", str(tmp_path / "backups"))
    assert made.returncode == 0, made.stderr
    service.kill()
    (folder,) = (tmp_path / "backups").iterdir()
    database = folder / "ws-service.db"
    database.write_bytes(database.read_bytes()[:-4096])
    before = {file.name: file.read_bytes() for file in service.data_dir.iterdir()}
    refused = run(service, "log", "restore", str(folder), "--replace")
    assert refused.returncode == 1
    assert "restore a backup" in refused.stderr
    assert {file.name: file.read_bytes() for file in service.data_dir.iterdir()} == before
