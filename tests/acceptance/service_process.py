"""Run the real service in its own process, with clients that use only the public protocols.

Nothing here imports the service: it is started as its users start it, and spoken to with
`websockets`, which shares no code with it.

    async def test_somebody_comes(start_service: StartService) -> None:
        service = start_service(WS_PRESENCE_GRACE_S="0.2")  # settings, over fresh data
        ana = await service.connect(7, "Ana")               # has got `welcome` ... `user:list`
        await ana.send("invite", to=8)
        await ana.expect("error", code="USER_OFFLINE")      # skips what comes before it
        assert await ana.sync() == []                       # what came until now, without waiting
        service.kill()                                      # kill -9
        service.restart()                                   # same data, new port
        assert await service.terminate() == 0               # SIGTERM

Everything that a test opens is closed after it by the fixtures in conftest.py.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast
from urllib.parse import quote

import jwt
import psycopg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.acceptance import log_databases
from tests.ecs import validation as ecs

Message: TypeAlias = dict[str, Any]

SECRET = "a-secret-of-the-acceptance-tests-of-forty-bytes"
PATIENCE_S = 20.0
"""How long to wait for what must come; much longer than it takes, for busy machines."""

_SETTINGS = ("WS_", "JWT_", "LOG_LEVEL", "VAULT_", "USER_SERVICE_")
_user_ids = itertools.count(1001)
_numbers = itertools.count(1)
_open_clients: list[Client] = []


class StartService(Protocol):
    """Starts a service with these settings; `dev` is `serve --dev`."""

    def __call__(self, *, dev: bool = False, **settings: str) -> Running: ...


def fresh_id() -> int:
    """Return a user id that no other test uses."""
    return next(_user_ids)


def make_token(claims: Mapping[str, Any], *, secret: str = SECRET, ttl_s: float = 3600) -> str:
    """Sign a token with these claims and nothing else but `exp`."""
    return jwt.encode({"exp": int(time.time() + ttl_s), **claims}, secret, algorithm="HS256")


def token(user: int | str, name: str | None = None) -> str:
    """Return a token of a user, as the auth service makes it."""
    return make_token({"id": user} | ({} if name is None else {"name": name}))


def clean_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return this environment with only these settings of the service."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
    return kept | dict(settings)


def of_type(messages: Sequence[Message], *types: str) -> list[Message]:
    """Keep the messages of these types."""
    return [message for message in messages if message["type"] in types]


def without(messages: Sequence[Message], *types: str) -> list[Message]:
    """Keep the messages of all other types."""
    return [message for message in messages if message["type"] not in types]


class Running:
    """A service; it may live several times on the same data."""

    def __init__(self, data_dir: Path, settings: Mapping[str, str], *, dev: bool) -> None:
        self.data_dir = data_dir
        self.settings = {
            "WS_PORT": "0",
            "WS_DATA_DIR": str(data_dir),
            "WS_LOG_FORMAT": "ecs",
            "JWT_SECRET": SECRET,
            # All clients come from one address.
            "WS_HANDSHAKES_PER_S_PER_IP": "0",
            "WS_REQUESTS_PER_S_PER_IP": "0",
            **log_databases.settings_of(data_dir, is_migrated=True),
            **settings,
        }
        self.lines: list[str] = []
        """All log lines of all lives."""
        self.errors: list[str] = []
        """All that was written to standard error."""
        self._lines_checked = 0
        self.url = ""
        self.command = [sys.executable, "-m", "service"]
        """What is started; a test may put something around it."""
        self._dev = dev
        self._process: subprocess.Popen[str] | None = None
        self._readers: list[threading.Thread] = []

    def start(self, *options: str) -> None:
        """Start the process with these options of `serve`, and wait until it listens."""
        assert self._process is None, "it runs already"
        self._process = subprocess.Popen(
            [*self.command, "serve", *(["--dev"] if self._dev else []), *options],
            env=clean_environment(self.settings),
            cwd=self.data_dir.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        listening = threading.Event()
        self.url = ""
        self._readers = [
            threading.Thread(target=self._read_logs, args=(self._process, listening), daemon=True),
            threading.Thread(target=self._read_errors, args=(self._process,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        if not listening.wait(PATIENCE_S) or not self.url:
            self.kill()
            raise AssertionError(f"it does not listen:\n{self.output}")

    @property
    def output(self) -> str:
        """All that the process has written."""
        return "\n".join([*self.lines, *self.errors])

    @property
    def logs(self) -> list[dict[str, Any]]:
        """All log lines of all lives, read."""
        return [json.loads(line) for line in self.lines]

    @property
    def ws_url(self) -> str:
        """Where sockets connect, without a path."""
        return self.url.replace("http", "ws", 1)

    @property
    def pid(self) -> int:
        """The process; it must be running."""
        assert self._process is not None, "it does not run"
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it runs; it may have died by itself."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Take its life at once (`kill -9`)."""
        assert self._process is not None, "it does not run"
        self._process.kill()
        self._wait()

    def restart(self, *options: str, **settings: str) -> None:
        """Start it again on the same data, after a `kill` if it still runs."""
        if self._process is not None:
            self.kill()
        self.settings |= settings
        self.start(*options)

    async def terminate(self) -> int:
        """Ask it to stop (SIGTERM), wait until it has, and return its exit code."""
        assert self._process is not None, "it does not run"
        self._process.send_signal(signal.SIGTERM)
        # Clients must be able to answer the close meanwhile.
        return await asyncio.to_thread(self._wait)

    def wait(self) -> int:
        """Wait until it has ended by itself, and return its exit code."""
        return self._wait()

    def stop(self) -> None:
        """End it, if it still runs; for the end of a fixture."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._wait()

    async def connect(
        self,
        user: int | str | None = None,
        name: str | None = None,
        *,
        token_: str | None = None,
        path: str = "/",
        greeted: bool = True,
        **options: Any,
    ) -> Client:
        """Open a tab of a user, and wait for its greeting unless `greeted` is false.

        `token_` takes the place of the token of `user`; without both there is none. Options are
        those of `websockets.connect`.
        """
        if user is not None:
            token_ = token(user, name)
        query = "" if token_ is None else f"?token={quote(token_)}"
        options = {"proxy": None, "open_timeout": PATIENCE_S, **options}
        client = Client(await connect(f"{self.ws_url}{path}{query}", **options))
        if greeted:
            client.user = (await client.expect("welcome"))["user"]
            await client.expect("user:list")
        return client

    async def connect_v1(
        self,
        user: int | str,
        name: str | None = None,
        *,
        since: int | None = None,
        epoch: str = "",
        token_: str | None = None,
    ) -> Client:
        """Open a tab that speaks protocol v1; it resumes if `since` is given."""
        query = "" if since is None else f"?since={since}&epoch={epoch}"
        client = await self.connect(
            path=f"/{query}",
            greeted=False,
            subprotocols=subprotocols("ws-service.v1", f"bearer.{token_ or token(user, name)}"),
        )
        client.welcome = await client.expect("welcome")
        client.user = client.welcome["user"]
        await client.expect("user:list")
        return client

    def database(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Read the database of the log, without writing to it."""
        url = self.settings.get("WS_DATABASE_URL", "")
        if url.startswith("postgresql"):
            with psycopg.connect(url.replace("+psycopg", "")) as connection:
                found = query.replace("?", "%s").encode()
                return connection.execute(found, parameters).fetchall()
        uri = f"file:{self.data_dir / 'ws-service.db'}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=PATIENCE_S)) as database:
            return cast("list[tuple[Any, ...]]", database.execute(query, parameters).fetchall())

    def change(self, statement: str) -> None:
        """Change the database of the log, as only a test does."""
        url = self.settings.get("WS_DATABASE_URL", "")
        if url.startswith("postgresql"):
            with psycopg.connect(url.replace("+psycopg", "")) as connection:
                connection.execute(statement.encode())
            return
        with closing(sqlite3.connect(self.data_dir / "ws-service.db")) as database, database:
            database.execute(statement)

    def events(self, *, after: int = 0) -> list[Event]:
        """Return the events of the log after a position."""
        rows = self.database(
            "SELECT position, stream, type, data FROM events WHERE position > ? ORDER BY position",
            after,
        )
        return [Event(*row) for row in rows]

    def _wait(self) -> int:
        process = self._process
        assert process is not None
        try:
            code = process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"it does not stop:\n{self.output}") from None
        finally:
            for reader in self._readers:
                reader.join()
            self._process = None
        self._check_lines()
        return code

    def _check_lines(self) -> None:
        """Check that all it has logged in this life is ECS, as the contract wants it."""
        new, self._lines_checked = self.lines[self._lines_checked :], len(self.lines)
        if self.settings["WS_LOG_FORMAT"] == "ecs":
            ecs.check(new)

    def _read_logs(self, process: subprocess.Popen[str], listening: threading.Event) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                if not line.endswith("\n"):
                    # It was killed in the middle of a line.
                    break
                self.lines.append(line.rstrip("\n"))
                entry = json.loads(line)
                if entry.get("message") == "listening":
                    self.url = entry["url"]["full"]
                    listening.set()
        # At the end there is nothing more to wait for.
        listening.set()

    def _read_errors(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            self.errors += [line.rstrip("\n") for line in lines]


class Event:
    """A row of the table of events."""

    def __init__(self, position: int, stream: str, type_: str, data: bytes) -> None:
        self.position = position
        self.stream = stream
        self.type = type_
        self.data: dict[str, Any] = json.loads(data)

    def __repr__(self) -> str:
        return f"<{self.position} {self.stream} {self.type} {self.data}>"


class Client:
    """One tab of a user. `received` has its messages; `expect` goes through them in order."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.user: dict[str, Any] = {}
        self.welcome: Message = {}
        """Protocol v1: what the service said of itself."""
        self.received: list[Message] = []
        self._next = 0
        self._friends: list[int | str] = []
        self._news = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())
        _open_clients.append(self)

    @property
    def id(self) -> int | str:
        """The id of the user."""
        return cast("int | str", self.user["id"])

    async def send(self, type_: str, **fields: Any) -> None:
        """Send a message; a field that is a keyword goes as `**{"from": 7}`."""
        await self.send_raw(json.dumps({"type": type_, **fields}))

    async def send_raw(self, frame: str | bytes) -> None:
        """Send any frame."""
        await self.connection.send(frame)

    async def expect(
        self,
        type_: str,
        *,
        where: Callable[[Message], bool] = lambda _: True,
        timeout: float = PATIENCE_S,  # noqa: ASYNC109 - it says what was missed
        **fields: Any,
    ) -> Message:
        """Return the next message of this type, with these fields, and skip all before it."""
        skipped: list[Message] = []
        try:
            async with asyncio.timeout(timeout):
                while True:
                    message = await self.next()
                    if (
                        message["type"] == type_
                        and all(message.get(name) == value for name, value in fields.items())
                        and where(message)
                    ):
                        return message
                    skipped.append(message)
        except (TimeoutError, ConnectionError) as error:
            shown = "\n".join(map(str, without(skipped, "game:update"))) or "nothing"
            raise AssertionError(
                f"no {type_} {fields or ''} for {self.user} ({error!r}); what came:\n{shown}"
            ) from None

    async def next(self) -> Message:
        """Return the next message, whatever it is."""
        async with self._news:
            await self._news.wait_for(
                lambda: self._next < len(self.received) or self._reader.done()
            )
        if self._next == len(self.received):
            raise ConnectionError(f"closed with {self.close_code} {self.close_reason}")
        self._next += 1
        return self.received[self._next - 1]

    async def sync(self) -> list[Message]:
        """Return all that has come and was not yet looked at, and go past it.

        It asks for something, and takes what comes before the answer. By then all that this
        client has sent before is carried out; and all that another client's `sync` came after.
        Lists that are sent for many changes at once (`user:list`, `lobby:list`) may still come.
        """
        mark = f"nobody-{next(_numbers)}"
        await self.send("friends:subscribe", friendIds=[*self._friends, mark])
        before = self._next
        answer = await self.expect("friends:status", where=lambda one: mark in one["statuses"])
        return [message for message in self.received[before : self._next] if message is not answer]

    def forget(self) -> None:
        """Let go of all that has come; a client that lives long would keep it."""
        self.received.clear()
        self._next = 0

    async def command(self, type_: str, *, id_: str | None = None, **fields: Any) -> Message:
        """Send a command of protocol v1, and return its `ack` or `error`."""
        id_ = id_ or f"c{next(_numbers)}"
        before = len(self.received)

        def answers() -> list[Message]:
            return [one for one in self.received[before:] if _answers(one, id_)]

        await self.send(type_, id=id_, **fields)
        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(lambda: answers() or self._reader.done())
        if not answers():
            raise ConnectionError(f"closed with {self.close_code} {self.close_reason}")
        return answers()[0]

    @property
    def cursor(self) -> int:
        """Protocol v1: how far this client has come."""
        moved = [one["position"] for one in self.received if _moves_cursor(one)]
        return int(max([self.welcome["position"], *moved]))

    async def watch(self, *friends: int | str) -> Message:
        """Subscribe to the status of friends, so that `sync` keeps the subscription."""
        self._friends = [*friends]
        await self.send("friends:subscribe", friendIds=self._friends)
        return await self.expect("friends:status")

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the tab."""
        await self.connection.close(code, reason)
        await self._reader

    async def drop(self) -> None:
        """Break the connection, without a close."""
        self.connection.transport.abort()
        await self._reader

    async def closed(self) -> tuple[int | None, str | None]:
        """Wait until the service closes; return its code and reason."""
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.shield(self._reader)
        return self.close_code, self.close_reason

    @property
    def close_code(self) -> int | None:
        """How it was closed, or None while it is open."""
        return self.connection.close_code

    @property
    def close_reason(self) -> str | None:
        """Why it was closed, or None while it is open."""
        return self.connection.close_reason

    async def _read(self) -> None:
        try:
            async for frame in self.connection:
                assert isinstance(frame, str), "the service sends text frames only"
                self.received.append(json.loads(frame))
                async with self._news:
                    self._news.notify_all()
        except ConnectionClosed:
            pass
        finally:
            # Waiting tasks are notified after this task is done.
            asyncio.get_running_loop().call_soon(self._tell_end)

    def _tell_end(self) -> None:
        self._end = asyncio.create_task(self._notify())

    async def _notify(self) -> None:
        async with self._news:
            self._news.notify_all()


def _answers(message: Message, id_: str) -> bool:
    return message["type"] in {"ack", "error"} and message.get("id") == id_


def _moves_cursor(message: Message) -> bool:
    return "position" in message and message["type"] not in {"ack", "welcome", "resync"}


async def close_clients() -> None:
    """Close every tab that a test has left open."""
    while _open_clients:
        await _open_clients.pop().close()


def subprotocols(*names: str) -> list[Subprotocol]:
    """Write the subprotocols that a client offers."""
    return [Subprotocol(name) for name in names]
