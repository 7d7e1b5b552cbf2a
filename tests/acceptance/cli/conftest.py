"""Two recorded matches for the tests of commands that read a log."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.acceptance import log_databases
from tests.acceptance.crash import begin_match
from tests.acceptance.service_process import Running, close_clients
from tests.command_line import CommandLine
from tests.integration.log_file import LogFile
from tests.integration.postgres_log import PostgresLog

DURATION_S = 2


def log_of(data_dir: Path) -> LogFile | PostgresLog:
    """Return the log of a data directory, which may be on PostgreSQL."""
    settings = log_databases.settings_of(data_dir)
    if settings:
        return PostgresLog(settings["WS_DATABASE_URL"])
    return LogFile(data_dir / "ws-service.db")


class Recorded(NamedTuple):
    """A data directory whose service has ended, and its matches."""

    ws_service: CommandLine
    """The command, on that directory."""
    played: str
    """The match that was played to the end of its time."""
    left: str
    """The match that its second player left, after the first one."""

    @property
    def file(self) -> LogFile | PostgresLog:
        """The log itself."""
        return log_of(self.ws_service.data_dir)

    def copied(self, directory: Path) -> Recorded:
        """Return a copy that a test may spoil."""
        shutil.copytree(self.ws_service.data_dir, directory / "data")
        log_databases.copy(self.ws_service.data_dir, directory / "data")
        return self._replace(ws_service=CommandLine(directory / "data"))


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Let Ana and Ben play, and then two others; tests must not change what this has made."""
    data_dir = tmp_path_factory.mktemp("recorded") / "data"
    settings = {"WS_MATCH_DURATION_S": str(DURATION_S), "WS_CHECKPOINT_S": "0.5"}
    service = Running(data_dir, settings, dev=False)
    service.start()
    try:
        played, left = asyncio.run(_play(service))
    finally:
        service.stop()
    return Recorded(CommandLine(data_dir), played, left)


@pytest.fixture
def spoiled(recorded: Recorded, tmp_path: Path) -> Recorded:
    """Return a copy of the recorded matches, to be changed as nobody should."""
    return recorded.copied(tmp_path)


async def _play(service: Running) -> tuple[str, str]:
    try:
        first = await begin_match(service)
        await first.serve()
        for action in ("down", "up"):
            await first.left.send("game:move", roomId=first.room, direction="s", action=action)
        await first.right.expect("game:timeup")
        second = await begin_match(service)
        await second.serve()
        await second.right.send("game:leave", roomId=second.room)
        await second.left.expect("game:end")
        return first.match, second.match
    finally:
        await close_clients()
