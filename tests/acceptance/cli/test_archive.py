"""`ws-service log archive`: matches that left the log are shown, replayed and served as before."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from service.eventstore import migrate
from tests.acceptance import log_databases
from tests.acceptance.cli.conftest import log_of
from tests.acceptance.service_process import Running, token
from tests.command_line import CommandLine
from tests.integration.eventstore.test_archiving import ANA, BEN, evening
from tests.integration.log_file import append_of

HOURS_US = 2 * 3_600_000_000
SETTINGS = {"WS_RESTART_GRACE_S": "1"}


@pytest.fixture
def old(tmp_path: Path) -> CommandLine:
    """Return a data directory in which three matches ended two hours ago."""
    (tmp_path / "data").mkdir()
    log = log_of(tmp_path / "data")
    migrate.upgrade(log.url)
    store = log.store()
    store.commit([append_of(*evening("r1", ANA, BEN), *evening("r2", ANA, BEN))])
    store.commit([append_of(*evening("r3", ANA, BEN))])
    store.close()
    log.change(
        f"UPDATE events SET recorded_at = recorded_at - {HOURS_US}",  # noqa: S608 - our own text
        f"UPDATE matches SET started_at = started_at - {HOURS_US}",  # noqa: S608 - the same
        f"UPDATE matches SET ended_at = ended_at - {HOURS_US}",  # noqa: S608 - the same
    )
    log.chain_anew()
    return CommandLine(tmp_path / "data")


def test_archived_matches_are_read_by_every_command(old: CommandLine, tmp_path: Path) -> None:
    archives = tmp_path / "archives"
    listed = old("matches", "--json")
    exported = old("log", "export", "--stream", "match:r1-1")
    said = old("log", "archive", "--before", "1h", "--to", str(archives))
    assert "2 rooms and 2 matches are in" in said
    assert f"set WS_ARCHIVE_DIR={archives}" in said
    (file,) = archives.iterdir()
    known = {"WS_ARCHIVE_DIR": str(archives)}
    assert old("matches", "--json") == listed
    for match in ("r1-1", "r3-1"):
        assert old.run("replay", match, "--verify", **known).output.startswith("ok: match")
    found = old.run("log", "export", "--stream", "match:r1-1", **known).output
    assert found == exported
    assert old.run("log", "verify", **known).output.startswith("ok: ")
    assert "ok" in old.run("log", "rebuild", **known).output
    assert old.run("log", "verify", **known).output.startswith("ok: ")
    for command in (("replay", "r1-1", "--verify"), ("log", "verify"), ("log", "rebuild")):
        refused = old.run(*command)
        assert refused.code == 1
        assert f"ARCHIVED: the events are in the archive {file.name}" in refused.complaint
    if not log_databases.IS_POSTGRES:
        # A backup checks the chain over the gaps, without the file.
        assert "ok" in old("log", "backup", str(tmp_path / "backups"))
        (backup,) = (tmp_path / "backups").iterdir()
        assert "ok" in old("log", "restore", str(backup), "--replace")
        assert old.run("log", "verify", **known).output.startswith("ok: ")
    counts = json.loads(old("log", "stats", "--json"))
    assert counts["archived"] == counts["events"] - sum(counts["types"].values()) > 0
    again = old.run("log", "archive", "--before", "1h", **known)
    assert again.output.startswith("nothing to archive; 1 rooms")


def test_doctor_finds_archives_that_can_not_be_read(old: CommandLine, tmp_path: Path) -> None:
    archives = tmp_path / "archives"
    old("log", "archive", "--before", "1h", "--to", str(archives))
    (file,) = archives.iterdir()
    found = old.run("doctor", WS_ARCHIVE_DIR=str(archives)).out
    assert "with all 1 archives" in " ".join(found.split())
    unset = " ".join(old.run("doctor").out.split())
    assert "the log has events in 1 archives, and WS_ARCHIVE_DIR is not set" in unset
    file.rename(tmp_path / "elsewhere")
    missing = " ".join(old.run("doctor", WS_ARCHIVE_DIR=str(archives)).out.split())
    assert f"{file.name} can't be read in" in missing


def test_a_directory_is_named_in_a_way_that_holds_elsewhere(
    old: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty one, as of a variable that is not set, would be the current directory."""
    refused = old.run("log", "archive", "--before", "1h", "--to", "")
    assert (refused.code, "it is empty" in refused.err) == (2, True)
    monkeypatch.chdir(tmp_path)
    said = old("log", "archive", "--before", "1h", "--to", "archives")
    assert f"set WS_ARCHIVE_DIR={tmp_path}/archives on every node" in said


@pytest.mark.parametrize("wrong", [("--before", "10m"), ("--before", "soon"), ()])
def test_an_archive_needs_a_time_in_the_past_and_a_directory(
    old: CommandLine, tmp_path: Path, wrong: tuple[str, ...]
) -> None:
    arguments = (*wrong, "--to", str(tmp_path / "archives")) if wrong else ("--before", "1h")
    assert old.run("log", "archive", *arguments).code == 2
    assert not (tmp_path / "archives").exists()


def test_the_api_serves_archived_matches_or_names_the_missing_file(
    old: CommandLine, tmp_path: Path
) -> None:
    archives = tmp_path / "archives"
    old("log", "archive", "--before", "1h", "--to", str(archives))
    (file,) = archives.iterdir()
    for directory, expected in ((archives, 200), (tmp_path / "elsewhere", 503)):
        settings = {**SETTINGS, "WS_ARCHIVE_DIR": str(directory)}
        service = Running(old.data_dir, settings, dev=False)
        service.start()
        try:
            asyncio.run(ask_for_archived(service.url, expected, file.name))
        finally:
            service.stop()


async def ask_for_archived(url: str, expected: int, file: str) -> None:
    bearer = {"Authorization": f"Bearer {token(ANA)}"}
    async with aiohttp.ClientSession(url, headers=bearer) as session:
        for path in ("events", "frames", "verify"):
            async with session.get(f"/api/v1/matches/r1-1/{path}") as answer:
                assert answer.status == expected, path
                if expected == 200:
                    assert await answer.read()
                    continue
                problem = await answer.json()
                assert problem["code"] == "ARCHIVED"
                assert file in problem["detail"]
        async with session.get("/api/v1/matches") as answer:
            assert len((await answer.json())["matches"]) == 3
