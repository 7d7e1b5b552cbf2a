"""The whole service in this process, on an accelerated event loop, with clients."""

from __future__ import annotations

import asyncio
import itertools
import json
import selectors
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from logging import CRITICAL
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import aiohttp
import jwt
import pytest
import structlog
from aiohttp import WSMsgType

from service import app, lifecycle
from service.edge import conversation, visits
from service.lifecycle import Service
from service.settings import load_settings
from tests.acceptance.service_process import SECRET

SPEED = 40
"""How many seconds of the loop pass in one second."""

PATIENCE_S = 20 * SPEED
"""The longest wait for anything, in seconds of the loop."""

Message = dict[str, Any]


class _FastSelector(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> Any:
        return super().select(None if timeout is None else timeout / SPEED)


class FastLoop(asyncio.SelectorEventLoop):
    """A loop on which a second passes `SPEED` times in each second."""

    def __init__(self) -> None:
        super().__init__(_FastSelector())

    def time(self) -> float:
        """Return the time of the loop, in its own seconds."""
        return fast_now()


def fast_now() -> float:
    """Return the time of the loop."""
    return time.monotonic() * SPEED


CLOCK = SimpleNamespace(monotonic=fast_now, time=time.time, time_ns=time.time_ns)
"""Replaces the module `time` in the composition root."""

users = itertools.count(1000)


class Stage:
    """A running service; its parts are there to be looked at, and to be made to fail."""

    def __init__(self, data_dir: Path, **settings: object) -> None:
        given = {
            "WS_DATA_DIR": data_dir,
            "WS_PORT": 0,
            "JWT_SECRET": SECRET,
            "WS_HANDSHAKES_PER_S_PER_IP": 0,
            "WS_REQUESTS_PER_S_PER_IP": 0,
            "WS_DATABASE_BUSY_MS": 20,
            **settings,
        }
        self.service = Service(load_settings(given), SECRET, dev=False)
        self.http: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        await self.service.fetch_keys()
        await self.service.start()
        # On a busy machine a connection may take long, by the clock of this loop.
        unlimited = aiohttp.ClientTimeout(total=None, sock_connect=None)
        self.http = aiohttp.ClientSession(timeout=unlimited)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()
        await self.service.stop()

    async def connect(self, user: int | None = None, *, classic: bool = False) -> Tab:
        """Open a tab of a user, or of a new one; try again while it is refused."""
        user = next(users) if user is None else user
        async with asyncio.timeout(PATIENCE_S):
            while True:
                token = jwt.encode(
                    {"id": user, "name": f"U{user}", "exp": time.time() + 600}, SECRET
                )
                ws = await self.http.ws_connect(
                    f"{self.service.url}/?token={token}",
                    protocols=() if classic else ("ws-service.v1",),
                )
                tab = Tab(user, ws)
                if await tab.is_greeted():
                    return tab
                await asyncio.sleep(0.2)


class Tab:
    """One socket of a user, and all messages that it received."""

    def __init__(self, user: int, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.user = user
        self.ws = ws
        self.got: list[Message] = []
        self.is_open = True
        self._news = asyncio.Event()
        self._ids = itertools.count()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self.ws:
            if message.type is WSMsgType.TEXT:
                self.got.append(json.loads(message.data))
                self._news.set()
        self.is_open = False
        self._news.set()

    async def is_greeted(self) -> bool:
        """Wait for the greeting; return whether it was received."""
        async with asyncio.timeout(PATIENCE_S):
            while self.is_open and not self.of("user:list"):
                self._news.clear()
                await self._news.wait()
        return bool(self.of("user:list"))

    def of(self, *types: str) -> list[Message]:
        """Return the messages of these types."""
        return [message for message in self.got if message["type"] in types]

    async def until(self, what: Callable[[Message], bool] | str, since: int = 0) -> Message:
        """Wait for a message, by its type or a test of it."""
        is_it = what if callable(what) else lambda message: message["type"] == what
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for message in self.got[since:]:
                    if is_it(message):
                        return message
                since = len(self.got)
                assert self.is_open, f"closed with {self.ws.close_code}, waiting for {what}"
                self._news.clear()
                if len(self.got) == since:
                    await self._news.wait()

    async def ask(self, type_: str, **fields: object) -> Message:
        """Send a command, and return what answers it."""
        id_ = f"{self.user}-{id(self)}-{next(self._ids)}"
        since = len(self.got)
        await self.send(type_, id=id_, **fields)
        return await self.until(lambda message: message.get("id") == id_, since)

    async def send(self, type_: str, **fields: object) -> None:
        """Send a message."""
        await self.ws.send_str(json.dumps({"type": type_, **fields}))

    async def insist(self, type_: str, **fields: object) -> Message:
        """Send a command until it is taken; only what passes may keep it from that."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                answer = await self.ask(type_, **fields)
                if answer["type"] == "ack":
                    return answer
                assert answer["code"] in {"UNAVAILABLE", "RATE_LIMITED"}, answer
                await asyncio.sleep(0.5)

    async def close(self) -> None:
        """Close it, as a logout does."""
        await self.ws.close(code=1000)

    async def drop(self) -> None:
        """Break the connection off."""
        response: Any = self.ws._response  # noqa: SLF001 - there is no other way to it
        response.connection.transport.abort()
        await asyncio.wait([self._reading])


async def holds(condition: Callable[[], bool], what: str) -> None:
    """Wait until a condition holds."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - whatever makes it so tells nobody
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(what) from None


async def room_of(tabs: tuple[Tab, ...], game: str, **options: object) -> str:
    """Let tabs come together in a room and begin a match; return the room."""
    first, *others = tabs
    plan: Mapping[str, object] = {"game": game, "options": options}
    room = str((await first.insist("room:create", **plan))["roomId"])
    for tab in others:
        await tab.insist("room:join", roomId=room)
    for tab in tabs:
        await tab.insist("room:ready", roomId=room)
    for tab in tabs:
        await tab.until(lambda message: message["type"] == "game:start")
    return room


class Theatre:
    """A stage with its own event loop, shared by many tests; each uses its own users."""

    def __init__(self, runner: asyncio.Runner, stage: Stage) -> None:
        self.runner = runner
        self.stage = stage

    @classmethod
    @contextmanager
    def opened(cls, data_dir: Path, **settings: object) -> Iterator[Self]:
        """Run a service with these settings, at the speed of the loop."""
        with pytest.MonkeyPatch.context() as patch, asyncio.Runner(loop_factory=FastLoop) as runner:
            patch.setattr(app, "time", CLOCK)
            for module in (lifecycle, conversation, visits):
                patch.setattr(module, "time", CLOCK)
            # Tracebacks of faults that are wanted would take most of the time.
            structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(CRITICAL))
            try:
                stage = Stage(data_dir, **settings)
                runner.run(stage.__aenter__())
                try:
                    yield cls(runner, stage)
                finally:
                    runner.run(stage.__aexit__())
            finally:
                structlog.reset_defaults()
