"""`make cluster` as its users run it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.acceptance.service_process import Running, clean_environment, fresh_id, make_token
from tests.ports import free_port
from tools.cluster import chosen_port

pytestmark = [pytest.mark.postgres, pytest.mark.balancers]

ROOT = Path(__file__).parent.parent.parent
STARTS_WITHIN_S = 60.0
SECRET = "a-secret-of-this-test-alone-of-forty-bytes"


async def test_make_cluster_serves_the_page_and_ends_all_that_it_has_started(
    tmp_path: Path,
) -> None:
    port = free_port()
    settings = {"WS_PORT": str(port), "JWT_SECRET": SECRET}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tools.cluster"),
        cwd=ROOT,
        env=clean_environment(settings),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    lines: list[str] = []
    async with asyncio.timeout(STARTS_WITHIN_S):
        while not lines or not lines[-1].startswith("open http"):
            lines.append((await process.stdout.readline()).decode())
            assert lines[-1], lines
    balancer = Running(tmp_path, {}, dev=True)
    balancer.url = f"http://127.0.0.1:{port}"
    ana = await balancer.connect_v1(7, token_=make_token({"id": fresh_id()}, secret=SECRET))
    assert (await ana.command("room:create", game="pong"))["type"] == "ack"
    os.kill(process.pid, signal.SIGINT)
    assert await process.wait() == 0
    assert await ana.closed() == (4001, "Server is restarting")


@pytest.mark.parametrize("wrong", ["in use", "abc", "70000"])
def test_make_cluster_says_at_once_that_its_port_can_not_be_used(
    monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1]) if wrong == "in use" else wrong
        monkeypatch.setenv("WS_PORT", port)
        with pytest.raises(SystemExit, match=port):
            chosen_port()
    monkeypatch.setenv("WS_PORT", str(free_port()))
    assert chosen_port()
