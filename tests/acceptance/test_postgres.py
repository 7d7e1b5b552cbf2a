"""A service moves to PostgreSQL and back, and goes on there through what may happen."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from tests.acceptance.crash import begin_match, check_data, logged
from tests.acceptance.service_process import (
    Running,
    StartService,
    clean_environment,
    make_token,
    token,
)
from tests.command_line import Finished
from tests.postgres import Postgres, running

pytestmark = pytest.mark.postgres

PART = (
    "tests/acceptance/cli/test_log.py",
    "tests/acceptance/cli/test_skip.py",
    "tests/acceptance/cli/test_archive.py",
)
"""Files that use all of a log, and take half a minute together."""


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A server for the tests of this file."""
    with running() as server:
        yield server


async def command(service: Running, *arguments: str) -> Finished:
    """Run `ws-service` with the settings of a service."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service", *arguments),
        env=clean_environment(service.settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return Finished(process.returncode or 0, out.decode(), err.decode())


async def test_a_service_moves_to_postgresql_and_back(
    start_service: StartService, postgres: Postgres
) -> None:
    url = postgres.create_database()
    service = start_service(WS_MATCH_DURATION_S="1")
    file_url = service.settings.get("WS_DATABASE_URL", "")
    if file_url:
        pytest.skip("the first log is on SQLite here")
    seated = await begin_match(service)
    await logged(service, "match.ended")
    (first,) = service.database("SELECT match FROM matches")[0]
    service.stop()
    before: list[Any] = service.database("SELECT epoch FROM log_head")

    copied = await command(service, "db", "copy", "--to", url)
    assert copied.output.startswith("ok: ")
    service.settings["WS_DATABASE_URL"] = url
    assert (await command(service, "db", "check")).output == "the database has the newest schema\n"
    assert (await command(service, "log", "verify")).output.startswith("ok: ")

    # The client of before finds its room, and plays there; the service dies of a SIGKILL.
    service.restart()
    assert service.database("SELECT epoch FROM log_head") == before
    refused = await command(
        service, "db", "copy", "--to", f"sqlite+aiosqlite:///{service.data_dir}/x.db"
    )
    assert "is using the log" in refused.complaint
    await (await service.connect(seated.left.id, "Ana")).sync()
    service.kill()
    log = await check_data(service)
    assert len(
        log.of_type["service.started" if "service.started" in log.of_type else "node.started"]
    )

    shown = (await command(service, "matches", "--json")).output
    assert first in shown
    assert "hash" in (await command(service, "log", "stats", "--json")).output
    assert (await command(service, "replay", first, "--verify")).code == 0
    assert (await command(service, "log", "verify")).output.startswith("ok: ")
    assert (await command(service, "log", "rebuild")).output.startswith("ok: derived tables")

    target = service.data_dir / "ws-service.db"
    back = f"sqlite+aiosqlite:///{target}"
    assert "move it away first" in (await command(service, "db", "copy", "--to", back)).complaint
    target.unlink()
    assert (await command(service, "db", "copy", "--to", back)).output.startswith("ok: ")
    del service.settings["WS_DATABASE_URL"]
    assert (await command(service, "log", "verify")).output.startswith("ok: ")
    service.restart()
    assert service.database("SELECT epoch FROM log_head") == before


async def test_a_service_survives_a_crash_of_the_server(
    start_service: StartService, postgres: Postgres
) -> None:
    service = start_service(WS_DATABASE_URL=postgres.create_database(), WS_DATABASE_BUSY_MS="10000")
    ana = await service.connect_v1(1, "Ana")
    room = (await ana.command("room:create", game="pong"))["roomId"]
    first = await ana.command("chat:send", roomId=room, text="before")
    assert first["type"] == "ack"
    postgres.kill()
    waiting = asyncio.create_task(ana.command("chat:send", roomId=room, text="meanwhile"))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await asyncio.to_thread(postgres.start)
    assert (await waiting)["type"] == "ack"
    service.kill()
    log = await check_data(service)
    assert len(log.of_type["chat.said"]) == 2


async def test_texts_that_postgresql_cannot_hold_are_not_found(
    start_service: StartService, postgres: Postgres
) -> None:
    service = start_service(WS_DATABASE_URL=postgres.create_log())
    headers = {"Authorization": f"Bearer {token(7)}"}
    async with aiohttp.ClientSession(service.url, headers=headers) as http:
        for path, status in (("matches/%00", 404), ("matches?user=%00", 200)):
            async with http.get(f"/api/v1/{path}") as answer:
                assert answer.status == status, path
    admin = {"Authorization": f"Bearer {make_token({'id': 'ops', 'scope': 'admin'})}"}
    async with aiohttp.ClientSession(service.url, headers=admin) as http:
        for user in ("%00", "9"):
            async with http.delete(f"/api/v1/sessions?user={user}") as answer:
                assert answer.status == 204, user
    assert [line for line in service.logs if line["log.level"] == "error"] == []


def test_a_part_of_the_acceptance_tests_passes_on_postgresql() -> None:
    """The rest of them is run by `make postgres`."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", *PART],
        env=os.environ | {"TEST_DATABASE": "postgres"},
        capture_output=True,
        check=False,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout
