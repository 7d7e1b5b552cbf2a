"""`ws-service serve`: start, refused starts, and shutdown."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.acceptance.service_process import PATIENCE_S, SECRET
from tests.command_line import CommandLine
from tests.integration.log_file import LogFile

STOP_S_MAX = 5


@pytest.fixture
def ws_service(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "data")


class Serving:
    """A service that has been started, and what it has logged."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []

    async def listening(self) -> str:
        """Wait until it listens, and return where."""
        url = (await self._line(lambda line: line["message"] == "listening"))["url"]
        return str(url["full"])

    async def logged(self, logger: str) -> None:
        """Wait until a logger has said something."""
        await self._line(lambda line: line["log"]["logger"] == logger)

    async def _line(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            async for line in self.process.stdout:
                self.lines.append(json.loads(line))
                if wanted(self.lines[-1]):
                    return self.lines[-1]
        raise AssertionError("it ended before")

    async def ended_by(self, signal_: signal.Signals) -> int | None:
        """Send a signal, and return the exit code; it must not take long."""
        self.process.send_signal(signal_)
        async with asyncio.timeout(STOP_S_MAX):
            out, errors = await self.process.communicate()
        self.lines += [json.loads(line) for line in out.splitlines()]
        assert errors == b""
        return self.process.returncode


@asynccontextmanager
async def serving(
    ws_service: CommandLine, *options: str, **settings: str
) -> AsyncIterator[Serving]:
    process = await asyncio.create_subprocess_exec(
        *ws_service.arguments("serve", *options),
        env=ws_service.environment(**{"WS_PORT": "0", "WS_LOG_FORMAT": "ecs", **settings}),
        cwd=ws_service.data_dir.parent,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Serving(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_stops_the_service_cleanly(
    ws_service: CommandLine, signal_: signal.Signals
) -> None:
    async with serving(ws_service, JWT_SECRET=SECRET) as service:
        await service.listening()
        assert await service.ended_by(signal_) == 0
    assert service.lines[-1]["message"] == "stopped"
    # All is in the database: a copy of this one file is a copy of the log.
    assert not list(ws_service.data_dir.glob("*-wal"))
    assert ws_service.run_apart("log", "verify").output.startswith("ok: 1 events")


async def test_a_signal_during_the_start_stops_the_service_cleanly(
    ws_service: CommandLine,
) -> None:
    async with serving(ws_service, JWT_SECRET=SECRET, LOG_LEVEL="debug") as service:
        await service.logged("service.app")
        assert await service.ended_by(signal.SIGTERM) == 0


def test_a_start_without_a_secret_says_what_to_set(ws_service: CommandLine) -> None:
    refused = ws_service.run_apart("serve", WS_PORT="0")
    assert refused.code == 2
    assert "JWT_SECRET" in refused.complaint
    assert "serve --dev" in refused.complaint
    assert not ws_service.data_dir.exists()


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({}, "START_REFUSED"),
        ({"JWT_SECRET": SECRET, "WS_PORT": "x"}, "START_REFUSED"),
        ({"JWT_SECRET": SECRET, "WS_HOST": "192.0.2.1"}, "CANNOT_LISTEN"),
        # What a server of PostgreSQL has lost can't be told by a file here.
        pytest.param({"JWT_SECRET": SECRET}, "LOG_MISSING", marks=pytest.mark.sqlite),
    ],
)
def test_a_refused_start_is_one_log_line_and_changes_nothing(
    ws_service: CommandLine, settings: dict[str, str], code: str
) -> None:
    ws_service.data_dir.mkdir()
    (ws_service.data_dir / "ws-service.head").write_text("of a log that was here")
    refused = ws_service.run_apart("serve", **({"WS_PORT": "0"} | settings))
    lines = [json.loads(line) for line in refused.out.splitlines()]
    (line,) = [line for line in lines if line["log.level"] == "critical"]
    assert (line["message"], line["error_code"]) == ("start refused", code)
    assert line["error_type"] == "internal_error"
    assert refused.err == f"error: {line['metadata']['reason']}\n"
    assert [path.name for path in ws_service.data_dir.iterdir()] == ["ws-service.head"]


def test_wrong_settings_are_named_in_one_line(ws_service: CommandLine) -> None:
    refused = ws_service.run_apart(
        "serve", WS_PORT="x", WS_INVITE_TTL_S="-1", JWT_SECRET="short", LOG_LEVEL="loud"
    )
    assert refused.code == 2
    for name in ("WS_PORT=x", "WS_INVITE_TTL_S=-1", "JWT_SECRET", "LOG_LEVEL=loud"):
        assert name in refused.complaint
    assert "short" not in refused.complaint


def test_a_port_that_is_taken_is_named_in_one_line(ws_service: CommandLine) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        refused = ws_service.run_apart(
            "serve", WS_PORT=str(port), JWT_SECRET=SECRET, LOG_LEVEL="error"
        )
    assert refused.code == 2
    assert "127.0.0.1" in refused.complaint
    assert f"{port}): address already in use" in refused.complaint
    assert not ws_service.data_dir.exists()


def test_a_foreign_address_is_one_clear_line(ws_service: CommandLine) -> None:
    refused = ws_service.run_apart(
        "serve", WS_HOST="192.0.2.1", WS_PORT="0", JWT_SECRET=SECRET, LOG_LEVEL="error"
    )
    assert refused.code == 2
    assert "192.0.2.1" in refused.complaint


def test_an_unusable_data_directory_is_one_clear_line(ws_service: CommandLine) -> None:
    ws_service.data_dir.write_text("a file where a directory should be")
    for options in ((), ("--dev",)):
        secret = {} if options else {"JWT_SECRET": SECRET}
        refused = ws_service.run_apart(
            "serve", *options, WS_PORT="0", LOG_LEVEL="critical", **secret
        )
        assert refused.code == 2
        assert str(ws_service.data_dir) in refused.complaint


async def token_for(url: str, name: str) -> tuple[int, dict[str, object]]:
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{url}/dev/token", json={"name": name}) as response,
    ):
        body = await response.json() if response.status == 200 else {}
        return response.status, body


async def test_dev_mode_creates_a_secret_once_and_logs_it(ws_service: CommandLine) -> None:
    async with serving(ws_service, "--dev") as service:
        url = await service.listening()
        status, body = await token_for(url, "Ana")
        assert status == 200
        await service.ended_by(signal.SIGTERM)
    warnings = [line["message"] for line in service.lines if line["log.level"] == "warning"]
    assert any("DEVELOPMENT" in str(warning) for warning in warnings)
    secret = ws_service.data_dir / "dev-secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600

    # The same secret after a restart, so a page that has a token stays who it is.
    async with serving(ws_service, "--dev") as service:
        url = await service.listening()
        assert (await token_for(url, "Ana"))[1]["user"] == body["user"]
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(f"{url}/ws?token={body['token']}") as tab,
        ):
            assert (await tab.receive_json())["user"] == body["user"]


@pytest.mark.parametrize("options", [("--dev",), ()])
async def test_dev_mode_logs_in_console_form(
    ws_service: CommandLine, options: tuple[str, ...]
) -> None:
    secret = {} if options else {"JWT_SECRET": SECRET}
    async with serving(ws_service, *options, WS_LOG_FORMAT="", **secret) as service:
        assert service.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            line = await service.process.stdout.readline()
        assert line.startswith(b"{") == (not options)
        service.process.send_signal(signal.SIGTERM)
        await service.process.communicate()


async def test_dev_tokens_are_not_served_without_dev_mode(ws_service: CommandLine) -> None:
    async with serving(ws_service, JWT_SECRET=SECRET) as service:
        url = await service.listening()
        assert (await token_for(url, "Ana"))[0] in {404, 405}


async def test_a_dev_token_is_accepted(
    ws_service: CommandLine,
) -> None:
    settings = {"JWT_AUDIENCE": "games", "JWT_ISSUER": "auth", "JWT_ALGORITHMS": "HS512,HS256"}
    async with serving(ws_service, "--dev", **settings) as service:
        url = await service.listening()
        _, body = await token_for(url, "Ana")
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(f"{url}/?token={body['token']}") as tab,
        ):
            assert (await tab.receive_json())["type"] == "welcome"


@pytest.mark.sqlite
def test_an_unwritable_log_at_start_is_one_clear_line(
    ws_service: CommandLine,
) -> None:
    ws_service("db", "upgrade")
    database = LogFile(ws_service.data_dir / "ws-service.db")
    database.store().close()
    with closing(database.connect()) as other:
        other.execute("BEGIN IMMEDIATE")
        settings = {"WS_PORT": "0", "WS_DATABASE_BUSY_MS": "50", "JWT_SECRET": SECRET}
        refused = ws_service.run_apart("serve", LOG_LEVEL="critical", **settings)
    assert refused.code == 1
    assert "database is locked" in refused.complaint
