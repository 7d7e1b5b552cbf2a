"""`ws-service log`: verify, rebuild, stats, tail and export."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from service.runtime.snapshots import dump, restore
from tests.acceptance import log_databases
from tests.acceptance.cli.conftest import Recorded
from tests.acceptance.service_process import PATIENCE_S, StartService, fresh_id
from tests.command_line import CommandLine
from tests.integration.log_file import LogFile


def head_of(recorded: Recorded) -> int:
    ((position,),) = recorded.file.query("SELECT position FROM log_head")
    assert isinstance(position, int)
    return position


def contents(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def test_an_intact_log_verifies(recorded: Recorded) -> None:
    out = recorded.ws_service("log", "verify")
    assert out.startswith(f"ok: {head_of(recorded)} events, 2 matches, 0 texts, 1 snapshot")


@pytest.mark.sqlite
def test_verify_changes_no_file_even_after_a_crash(spoiled: Recorded) -> None:
    """A WAL that is left over is looked into; it is moved into the database by a start only."""
    assert isinstance(spoiled.file, LogFile)
    with closing(spoiled.file.connect()) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("INSERT INTO profiles VALUES ('somebody', 'Somebody')")
        database.commit()
        crashed = spoiled.ws_service.data_dir.parent / "crashed"
        shutil.copytree(spoiled.ws_service.data_dir, crashed)
    (crashed / "ws-service.db-shm").unlink()
    before = contents(crashed)
    assert before["ws-service.db-wal"]
    assert CommandLine(crashed)("log", "verify").startswith("ok")
    after = contents(crashed)
    after.pop("ws-service.db-shm", None)
    assert after == before


def test_a_side_file_beyond_the_log_is_named(spoiled: Recorded) -> None:
    side = spoiled.ws_service.data_dir / "ws-service.head"
    remembered = json.loads(side.read_text())
    further = {"position": remembered["position"] + 1, "checksum": None}
    side.write_text(json.dumps(remembered | further))
    refused = spoiled.ws_service.run("log", "verify")
    assert refused.code == 1
    assert "it once had the event" in refused.complaint


def test_derived_tables_are_rebuilt(spoiled: Recorded) -> None:
    rows = "SELECT * FROM match_players ORDER BY match, seat", "SELECT * FROM matches ORDER BY 1"
    before = [spoiled.file.query(one) for one in rows]
    spoiled.file.change("DELETE FROM match_players", "DELETE FROM matches")
    refused = spoiled.ws_service.run("log", "verify")
    assert "run `ws-service log rebuild`" in refused.complaint
    assert spoiled.ws_service("log", "rebuild").startswith(
        f"ok: derived tables and indexes rebuilt from {head_of(spoiled)}"
    )
    assert [spoiled.file.query(one) for one in rows] == before
    assert spoiled.ws_service("log", "verify").startswith("ok")


async def test_a_rebuild_refuses_a_running_service(
    start_service: StartService,
) -> None:
    service = start_service()
    refused = await asyncio.to_thread(CommandLine(service.data_dir).run_apart, "log", "rebuild")
    assert refused.code == 2
    assert "another ws-service is using the log" in refused.complaint


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:9000]), "restore a backup"),
        (lambda path: path.write_bytes(path.read_bytes()[:4096] + b"\xaa" * 90_000), "restore a"),
    ],
    ids=["cut", "overwritten"],
)
@pytest.mark.parametrize(
    "command", [("log", "verify"), ("log", "stats"), ("log", "rebuild"), ("matches",)]
)
def test_a_damaged_database_is_one_clear_line(
    spoiled: Recorded, damage: Callable[[Path], object], what: str, command: tuple[str, ...]
) -> None:
    assert isinstance(spoiled.file, LogFile)
    damage(spoiled.file.path)
    refused = spoiled.ws_service.run(*command)
    assert refused.code in {1, 2}
    assert what in refused.complaint


def test_an_event_that_cannot_be_read_is_named(spoiled: Recorded) -> None:
    spoiled.file.change("UPDATE events SET data = '{' WHERE position = 4")
    spoiled.file.chain_anew()
    (spoiled.ws_service.data_dir / "ws-service.head").unlink()
    refused = spoiled.ws_service.run("log", "verify")
    assert refused.code == 1
    assert "position 4" in refused.complaint


def test_an_empty_log_verifies(tmp_path: Path) -> None:
    ws_service = CommandLine(tmp_path / "data")
    ws_service("db", "upgrade")
    assert ws_service("log", "verify").startswith("ok: 0 events, 0 matches")
    assert ws_service("log", "tail") == ""


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        (
            [
                "UPDATE events SET data = (SELECT data FROM events LIMIT 1) WHERE position = 9",
            ],
            "position 9 was changed",
        ),
        (["UPDATE events SET actor = '9' WHERE position = 3"], "position 3 was changed"),
        (["DELETE FROM events WHERE position = 5"], "position 5 is missing"),
        (
            ["DELETE FROM events WHERE position = (SELECT max(position) FROM events)"],
            "the log ends at",
        ),
        (
            ["UPDATE log_head SET hash = (SELECT event_id FROM events WHERE position = 1)"],
            "the log ends at",
        ),
        (["UPDATE matches SET scores = '[99,0]'"], "the history of match"),
        (["UPDATE matches SET winner = 1 WHERE reason = 'left'"], "the history of match"),
        (["UPDATE matches SET ticks = 1"], "the history of match"),
        (['UPDATE match_players SET "user" = 1 WHERE seat = 0'], "the history of match"),
        (["DELETE FROM match_players", "DELETE FROM matches"], "is in the history or"),
        (
            ["INSERT INTO matches VALUES ('x-1', 'pong', 1, 1, 1, 1, 1, 'left', 1, '[]')"],
            "match x-1 is in the history",
        ),
    ],
)
def test_each_kind_of_damage_is_named(spoiled: Recorded, changes: list[str], what: str) -> None:
    spoiled.file.change(*changes)
    refused = spoiled.ws_service.run("log", "verify")
    assert refused.code == 1
    assert what in refused.complaint


def test_a_wrong_snapshot_is_named(spoiled: Recorded) -> None:
    """A user more in it would be online for ever."""
    ((data,),) = spoiled.file.query("SELECT data FROM snapshots")
    world = restore(data)
    world.presence.sockets[999] = set()
    spoiled.file.change(f"UPDATE snapshots SET data = {spoiled.file.blob(dump(world))}")  # noqa: S608 - hex
    refused = spoiled.ws_service.run("log", "verify")
    assert refused.code == 1
    assert "the snapshot at position" in refused.complaint


def test_tail_shows_the_last_events(recorded: Recorded) -> None:
    head = head_of(recorded)
    lines = recorded.ws_service("log", "tail", "-n", "3").splitlines()
    assert [int(line.split()[0]) for line in lines] == [head - 2, head - 1, head]
    (ended,) = recorded.ws_service(
        "log", "tail", "-n", "1", "--stream", f"match:{recorded.left}"
    ).splitlines()
    assert "match.ended" in ended
    assert '"reason":"left"' in ended


async def test_tail_follow_shows_new_events_until_interrupted(
    start_service: StartService,
) -> None:
    service = start_service()
    ws_service = CommandLine(service.data_dir)
    following = await asyncio.create_subprocess_exec(
        *ws_service.arguments("log", "tail", "-n", "0", "--follow"),
        env=ws_service.environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert following.stdout is not None
    user = fresh_id()
    async with asyncio.timeout(PATIENCE_S):
        # What happens before it looks is not news; so somebody comes and goes until it does.
        seen = asyncio.create_task(following.stdout.readline())
        while not seen.done():
            tab = await service.connect(user, "Ana")
            await tab.close()
            await asyncio.wait([seen], timeout=0.2)
    assert f'"user":{user}' in (await seen).decode()
    following.send_signal(signal.SIGINT)
    _, errors = await following.communicate()
    assert (following.returncode, errors) == (130, b"")


def test_export_writes_complete_events(recorded: Recorded, tmp_path: Path) -> None:
    out = recorded.ws_service("log", "export")
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["position"] for event in events] == list(range(1, head_of(recorded) + 1))
    data = events[0]["data"]
    assert (events[0]["type"], data["node"], data["incarnation"]) == ("node.started", "n1", 1)
    assert {len(event["hash"]) for event in events} == {64}
    assert {len(event["event_id"]) for event in events} == {32}

    file = tmp_path / "events.ndjson"
    assert recorded.ws_service.run("log", "export", "-o", str(file)).code == 0
    assert file.read_text() == out
    some = recorded.ws_service("log", "export", "--after", "3", "--stream", "node:n1")
    assert some == ""


@pytest.mark.parametrize("command", [("log", "export"), ("replay", "", "--export", "ndjson")])
def test_a_file_that_cannot_be_written_is_one_clear_line(
    recorded: Recorded, command: tuple[str, ...]
) -> None:
    arguments = [part or recorded.played for part in command]
    refused = recorded.ws_service.run(*arguments, "--output", "/does/not/exist")
    assert refused.code == 1
    assert "/does/not/exist" in refused.complaint


def test_stats_counts_the_events(recorded: Recorded) -> None:
    stats = json.loads(recorded.ws_service("log", "stats", "--json"))
    assert (stats["events"], stats["types"]["match.ended"]) == (head_of(recorded), 2)
    assert sum(stats["types"].values()) == stats["events"]
    file = recorded.ws_service.data_dir / "ws-service.db"
    assert stats["bytes"] >= (0 if log_databases.IS_POSTGRES else file.stat().st_size)
    table = recorded.ws_service("log", "stats")
    assert "match.ended" in table
    assert stats["hash"][:16] in table
