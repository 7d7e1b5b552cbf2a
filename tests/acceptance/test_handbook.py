"""The procedures in docs/operations do what the pages say."""

from __future__ import annotations

import re
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import aiohttp
import psycopg
import pytest
import typer

from service.cli.commands import app
from service.eventstore.postgres_schema import conninfo
from service.settings import Settings, describe
from tests.acceptance import handbook
from tests.acceptance.handbook import Command, Sandbox, pattern_of, procedures
from tests.acceptance.service_process import Running, make_token
from tests.nats_server import running as nats_running
from tests.postgres import running
from tests.unit.test_deploy import series
from tests.unit.test_security import anchors

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted(handbook.PAGES.glob("*.md")),
    ROOT / "docs" / "operations.md",
    ROOT / "docs" / "scaling.md",
]
SETTING = re.compile(r"`((?:WS|JWT|VAULT|USER_SERVICE)_[A-Z_]+)\b")


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """A machine on which the service runs."""
    made = Sandbox(tmp_path)
    made.systemctl("start")
    try:
        yield made
    finally:
        made.systemctl("stop")


async def chat(sandbox: Sandbox, user: int = 7) -> None:
    """Let a user open a room and say something in it."""
    service = Running(sandbox.data_dir, sandbox.settings, dev=False)
    service.url = sandbox.url
    ana = await service.connect_v1(user, "Ana")
    room = (await ana.command("room:create", game="pong"))["roomId"]
    assert (await ana.command("chat:send", roomId=room, text="hello"))["type"] == "ack"
    await ana.close()


def rows(sandbox: Sandbox, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(sandbox.data_dir / "ws-service.db")) as log:
        return log.execute(query).fetchall()


def run(sandbox: Sandbox, name: str, **environment: str) -> None:
    sandbox.run(procedures()[name], **environment)


@pytest.mark.timeout(300)
async def test_the_procedures_of_the_handbook_work_one_after_the_other(sandbox: Sandbox) -> None:
    await chat(sandbox)
    run(sandbox, "upgrade")
    await chat(sandbox, 8)
    run(sandbox, "rollback")
    # The second text came after the backup.
    assert rows(sandbox, "SELECT count(*) FROM texts") == [(1,)]
    run(sandbox, "compare")
    run(sandbox, "erase")
    assert rows(sandbox, "SELECT count(*) FROM texts") == [(0,)]
    assert rows(sandbox, "SELECT count(*) FROM profiles") == [(0,)]
    run(sandbox, "backup-drill")
    assert [stat.S_IMODE(made.stat().st_mode) for made in sandbox.backups.iterdir()] == [0o700] * 2
    with closing(sqlite3.connect(sandbox.data_dir / "ws-service.db")) as log, log:
        log.execute("INSERT INTO consumers VALUES ('nobody')")
    assert sandbox.shell("ws-service log verify").returncode == 1
    run(sandbox, "rebuild")

    sandbox.systemctl("stop")
    file = sandbox.data_dir / "ws-service.db"
    file.write_bytes(b"\xff" * 4096 + file.read_bytes()[4096:])
    run(sandbox, "corrupt")

    run(sandbox, "leaked")
    headers = {"Authorization": f"Bearer {make_token({'id': 7})}"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.get(f"{sandbox.url}/api/v1/rooms") as answer,
    ):
        assert answer.status == 401
        assert "Server" not in answer.headers


async def meet_at_another_node(sandbox: Sandbox, database: str, bus: str) -> None:
    """Start a second node of the cluster, at which a user meets one of the first."""
    settings = sandbox.settings | {
        "WS_DATA_DIR": str(sandbox.directory / "node2"),
        "WS_DATABASE_URL": database,
        "WS_BUS_URL": bus,
        "WS_NODE": "node2",
    }
    first, second = (
        Running(sandbox.directory / f"node{number}", settings, dev=False) for number in (1, 2)
    )
    first.url = sandbox.url
    second.start()
    try:
        ana, ben = await first.connect_v1(11, "Ana"), await second.connect_v1(12, "Ben")
        room = (await ana.command("room:create", game="pong"))["roomId"]
        assert (await ben.command("room:join", roomId=room))["type"] == "ack"
        await ana.close()
        await ben.close()
    finally:
        second.stop()


OLD = ROOT / "tests" / "compat" / "0.1.0"


@pytest.mark.postgres
async def test_the_data_of_0_1_0_moves_to_postgresql_as_the_handbook_says(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path)
    sandbox.data_dir.mkdir()
    with closing(sqlite3.connect(sandbox.data_dir / "ws-service.db")) as log:
        log.executescript((OLD / "data.sql").read_text())
    shutil.copy(OLD / "data.head", sandbox.data_dir / "ws-service.head")
    with running() as server:
        url = server.create_database()
        run(sandbox, "to-postgres", POSTGRES_URL=url)
        try:
            # The match that was live goes on, for players who come back.
            assert '"match recovered"' in (sandbox.directory / "log").read_text()
            # By another user than in the old log, which has commands with the same ids.
            await chat(sandbox, 9)
            with nats_running() as nats:
                run(sandbox, "to-cluster", WS_DATABASE_URL=url, NATS_URL=nats.url)
                await meet_at_another_node(sandbox, url, nats.url)
                sandbox.systemctl("stop")
        finally:
            sandbox.systemctl("stop")
        with psycopg.connect(conninfo(url)) as moved:
            texts = moved.execute("SELECT text FROM texts ORDER BY text").fetchall()
        assert texts == [("hello",), ("hello from 0.1.0",)]


def test_every_procedure_is_run_by_a_test() -> None:
    text = Path(__file__).read_text()
    assert len(procedures()) >= 7
    assert not [name for name in procedures() if f'"{name}"' not in text]


def test_a_procedure_that_fails_or_prints_other_is_noticed(tmp_path: Path) -> None:
    made = Sandbox(tmp_path)
    made.run([Command("echo 12 events in /var/lib/ws-service", ["7 events in ..."])])
    with pytest.raises(AssertionError):
        made.run([Command("echo twelve events", ["7 events"])])
    with pytest.raises(AssertionError):
        made.run([Command("false"), Command("true")])


def test_numbers_of_a_page_stand_for_any() -> None:
    assert pattern_of("ok: 81234 events, ...").search("ok: 7 events, 0 matches")
    assert not pattern_of("ok: 81234 events, ...").search("ok: no events")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_settings_commands_metrics_and_links_of_a_page_exist(page: Path) -> None:
    text = page.read_text()
    known = {row.env for row in describe(Settings())} | NOT_SETTINGS
    assert set(SETTING.findall(text)) - known == set()
    metrics = set(re.findall(r"\bws_(?!append\b|service\b)[a-z_]+\b", text))
    assert not [name for name in metrics if not any(one.startswith(name) for one in series())]
    commands = {*typer.main.get_group(app).commands, "--version"}
    assert set(re.findall(r"(?:^\$ |`)ws-service ([\w-]+)", text, re.MULTILINE)) - commands == set()
    for link, heading in re.findall(r"\]\(([^)#:]*)#?([^)]*)\)", text):
        if link.startswith("http"):
            continue
        target = (page.parent / link).resolve() if link else page
        assert target.exists(), link
        assert not heading or heading in anchors(target), f"{link}#{heading}"


NOT_SETTINGS = {"USER_SERVICE_UNAVAILABLE", "VAULT_READ_ERROR"}
"""Error codes, and a setting that is still to come."""
