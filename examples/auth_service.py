"""An auth service: sign up, sign in, and the frontend, which so needs no other origin.

    python -m examples.auth_service --port 8000

It reads JWT_SECRET (or VAULT_ADDR and VAULT_TOKEN), WS_URL and USER_SERVICE_URL.

A token has only the id of a user; ws-service gets the display name from the user service.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import os
import secrets
import sqlite3
import time
from pathlib import Path

import jwt
from aiohttp import ClientError, ClientSession, ClientTimeout, web

from examples.secret import ALGORITHM, read_secret
from examples.serving import serve

FRONTEND = Path(__file__).parent / "frontend"
SOCKET_IO = Path(__file__).parents[1] / "node_modules/socket.io-client/dist/socket.io.esm.min.js"
"""The Socket.IO client for pages, installed by `npm ci`."""

TOKEN_TTL_S = 8 * 3600
NAME_LENGTH_MAX = 32
SCRYPT = {"n": 2**14, "r": 8, "p": 1}

SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    salt BLOB NOT NULL,
    hash BLOB NOT NULL
);
"""


class AuthService:
    """The service, over one SQLite database."""

    def __init__(
        self, secret: str, ws_url: str, user_service_url: str, database: str = ":memory:"
    ) -> None:
        """Sign tokens with `secret`, and pass the addresses of the other services to the page."""
        self._secret = secret
        self._ws_url = ws_url
        self._user_service_url = user_service_url
        self._database = sqlite3.connect(database, isolation_level=None)
        self._database.executescript(SCHEMA)

    def app(self) -> web.Application:
        """Return the web application."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/", self.page),
                web.get("/config", self.config),
                web.post("/sign-up", self.sign_up),
                web.post("/sign-in", self.sign_in),
                web.route("*", "/users/{path:.*}", self.forward),
                web.get("/socket.io.js", self.socket_io),
                web.static("/frontend", FRONTEND),
            ]
        )
        return app

    async def page(self, _request: web.Request) -> web.StreamResponse:
        """Serve the frontend."""
        return web.FileResponse(FRONTEND / "index.html")

    async def socket_io(self, _request: web.Request) -> web.StreamResponse:
        """Serve the Socket.IO client if it is installed."""
        if not SOCKET_IO.exists():
            raise web.HTTPNotFound
        return web.FileResponse(SOCKET_IO)

    async def config(self, _request: web.Request) -> web.Response:
        """Return the addresses that the page connects to."""
        return web.json_response({"wsUrl": self._ws_url})

    async def sign_up(self, request: web.Request) -> web.Response:
        """Create an account, and register it with the user service."""
        name, password = await _credentials(request)
        salt = secrets.token_bytes(16)
        hash_ = await asyncio.to_thread(_hash, password, salt)
        try:
            made = self._database.execute(
                "INSERT INTO accounts (name, salt, hash) VALUES (?, ?, ?)", (name, salt, hash_)
            )
        except sqlite3.IntegrityError as error:
            raise web.HTTPConflict(text="That name is taken.") from error
        assert made.lastrowid is not None
        token = self._token(made.lastrowid)
        await self._tell_name(token, name)
        return web.json_response({"token": token}, status=201)

    async def sign_in(self, request: web.Request) -> web.Response:
        """Return a token for the right password."""
        name, password = await _credentials(request)
        query = "SELECT id, salt, hash FROM accounts WHERE name = ?"
        row = self._database.execute(query, (name,)).fetchone()
        id_, salt, hash_ = row or (0, b"", b"")
        given = await asyncio.to_thread(_hash, password, salt)
        if not hmac.compare_digest(given, hash_):
            raise web.HTTPUnauthorized(text="Name and password do not belong together.")
        return web.json_response({"token": self._token(id_)})

    async def forward(self, request: web.Request) -> web.Response:
        """Forward requests of the page to the user service, as a gateway does."""
        kept = ("Authorization", "Content-Type")
        headers = {name: request.headers[name] for name in kept if name in request.headers}
        url, body = self._user_service_url + request.path, await request.read()
        try:
            async with (
                ClientSession(timeout=ClientTimeout(total=5)) as session,
                session.request(request.method, url, data=body, headers=headers) as answer,
            ):
                return web.Response(
                    body=await answer.read(),
                    status=answer.status,
                    content_type=answer.content_type,
                )
        except (ClientError, TimeoutError) as error:
            raise web.HTTPBadGateway(text="The user service does not answer.") from error

    def _token(self, id_: int) -> str:
        claims = {"id": id_, "exp": int(time.time()) + TOKEN_TTL_S}
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    async def _tell_name(self, token: str, name: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        async with ClientSession(headers=headers, raise_for_status=True) as session:
            await session.put(f"{self._user_service_url}/users/me", json={"name": name})


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, **SCRYPT)


async def _credentials(request: web.Request) -> tuple[str, str]:
    match await request.json():
        case {"name": str(name), "password": str(password)} if name.strip() and password:
            return name.strip()[:NAME_LENGTH_MAX], password
        case _:
            raise web.HTTPBadRequest(text="Give a name and a password.")


async def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(description="The example auth service.")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--database", default=":memory:")
    arguments = parser.parse_args()
    service = AuthService(
        await read_secret(),
        os.environ["WS_URL"],
        os.environ["USER_SERVICE_URL"],
        arguments.database,
    )
    await serve(service.app(), arguments.port)


if __name__ == "__main__":
    asyncio.run(main())
