"""A user service as ws-service expects it: profiles, friends, and the matches of everybody.

    JWT_SECRET=... python -m examples.user_service --port 3000

| request | answer |
|---|---|
| `GET /users/public/{id}` | `{id, name}` |
| `GET /users/me` | `{user: {id, name, friends: [{id, name}], matches: [...]}}` |
| `PUT /users/me` | takes `{name}` |
| `POST /users/me` | takes `{action: "add_friend", friendId}` |
| | or `{action: "create_match", matchData}`, as docs/integrations.md has it |

A `create_match` with an `Idempotency-Key` that was seen before changes nothing and is answered
as the first was; a sender that has missed the answer may so ask again.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
from typing import Any

import jwt
from aiohttp import web

from examples.secret import ALGORITHM, read_secret
from examples.serving import serve

SCHEMA = """
CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS friends (user INTEGER, friend INTEGER, PRIMARY KEY (user, friend));
CREATE TABLE IF NOT EXISTS matches (
    id INTEGER PRIMARY KEY,
    key TEXT UNIQUE,
    date TEXT NOT NULL,
    player1 INTEGER NOT NULL,
    player2 INTEGER NOT NULL,
    score1 INTEGER NOT NULL,
    score2 INTEGER NOT NULL
);
"""

MATCHES_SHOWN = 20


class UserService:
    """The service, over one SQLite database."""

    def __init__(self, secret: str, database: str = ":memory:") -> None:
        """Check tokens by `secret`; keep everything in `database`."""
        self._secret = secret
        self._database = sqlite3.connect(database, isolation_level=None)
        self._database.executescript(SCHEMA)

    def app(self) -> web.Application:
        """Return the web application."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/users/public/{id}", self.public),
                web.get("/users/me", self.me),
                web.put("/users/me", self.rename),
                web.post("/users/me", self.act),
            ]
        )
        return app

    async def public(self, request: web.Request) -> web.Response:
        """Return the public profile of a user."""
        row = self._one("SELECT id, name FROM users WHERE id = ?", request.match_info["id"])
        if row is None:
            raise web.HTTPNotFound
        return web.json_response({"id": row[0], "name": row[1]})

    async def me(self, request: web.Request) -> web.Response:
        """Return the caller's profile, friends and matches."""
        user = self._user(request)
        row = self._one("SELECT name FROM users WHERE id = ?", user)
        friends = self._all(
            "SELECT friend, name FROM friends LEFT JOIN users ON id = friend WHERE user = ?", user
        )
        me = {
            "id": user,
            "name": row and row[0],
            "friends": [{"id": id_, "name": name} for id_, name in friends],
            "matches": self.matches_of(user),
        }
        return web.json_response({"user": me})

    async def rename(self, request: web.Request) -> web.Response:
        """Change a user's name."""
        user, name = self._user(request), (await request.json())["name"]
        self._database.execute("INSERT OR REPLACE INTO users VALUES (?, ?)", (user, name))
        return web.json_response({"id": user, "name": name})

    async def act(self, request: web.Request) -> web.Response:
        """Run the action in the body."""
        user, body = self._user(request), await request.json()
        match body:
            case {"action": "add_friend", "friendId": int(friend)}:
                for pair in ((user, friend), (friend, user)):
                    self._database.execute("INSERT OR IGNORE INTO friends VALUES (?, ?)", pair)
                return web.json_response({"ok": True})
            case {"action": "create_match", "matchData": {"type": "ONE_VS_ONE", **data}}:
                return self._create_match(user, data, request.headers.get("Idempotency-Key"))
            case _:
                raise web.HTTPBadRequest(text="unknown action")

    def matches_of(self, user: int) -> list[dict[str, Any]]:
        """Return the newest matches of a user."""
        rows = self._all(
            "SELECT id, date, player1, player2, score1, score2 FROM matches"
            " WHERE ? IN (player1, player2) ORDER BY id DESC LIMIT ?",
            user,
            MATCHES_SHOWN,
        )
        names = ("id", "date", "player1Id", "player2Id", "player1Score", "player2Score")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _create_match(self, user: int, data: dict[Any, Any], key: str | None) -> web.Response:
        if user != data["player1Id"]:
            raise web.HTTPForbidden(text="a match is saved by its player1")
        # The key is unique, or NULL: what was saved under it is what stays.
        self._database.execute(
            "INSERT OR IGNORE INTO matches (key, date, player1, player2, score1, score2)"
            " VALUES (:key, :date, :player1Id, :player2Id, :player1Score, :player2Score)",
            {"key": key, **data},
        )
        row = self._one("SELECT max(id) FROM matches WHERE key IS ?", key)
        return web.json_response({"id": row and row[0]}, status=201)

    def _user(self, request: web.Request) -> int:
        """Return the user of the request's token."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            user: int = jwt.decode(token, self._secret, algorithms=[ALGORITHM])["id"]
        except (jwt.PyJWTError, KeyError) as error:
            raise web.HTTPUnauthorized from error
        return user

    def _one(self, query: str, *values: object) -> tuple[Any, ...] | None:
        rows = self._all(query, *values)
        return rows[0] if rows else None

    def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self._database.execute(query, values).fetchall()


async def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(description="The example user service.")
    parser.add_argument("--port", type=int, default=3000)
    parser.add_argument("--database", default=":memory:")
    arguments = parser.parse_args()
    service = UserService(await read_secret(), arguments.database)
    await serve(service.app(), arguments.port)


if __name__ == "__main__":
    asyncio.run(main())
