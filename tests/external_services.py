"""External services for tests: the example user service with injected faults, and a webhook.

async with ExampleUsers(SECRET) as users:
    users.fault = Fault.CUT            # saves what it is sent, and cuts its own answer
    ...
    users.fault = None
    await users.saved(1)               # waits until so many matches are there
    assert users.requests == 3
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable, Callable
from typing import Any, Self

from aiohttp import web

from examples.user_service import UserService

PATIENCE_S = 20.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Fault(enum.Enum):
    """What goes wrong with every request."""

    ERROR = "answers 500"
    BUSY = "answers 429"
    CONFLICT = "answers 409"
    HANG = "never answers"
    CUT = "does what was asked, and closes in the middle of its answer"
    NONSENSE = "answers nonsense"


_STATUS = {Fault.ERROR: 500, Fault.BUSY: 429, Fault.CONFLICT: 409}


class _Server:
    """An application on a port that stays the same however often it is stopped and started."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[web.Request] = []
        self._port = 0
        self._news = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    def app(self) -> web.Application:
        raise NotImplementedError

    async def start(self) -> None:
        self._runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a request after which something is so."""
        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(condition)

    async def requested(self, count: int) -> None:
        """Wait until so many requests have come."""
        await self.until(lambda: len(self.requests) >= count)

    async def _note(self, request: web.Request) -> None:
        async with self._news:
            self.requests.append(request)
            self._news.notify_all()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


class ExampleUsers(_Server):
    """The example user service, whose answers may be spoilt on their way."""

    def __init__(self, secret: str) -> None:
        super().__init__()
        self.service = UserService(secret)
        self.fault: Fault | None = None
        self._released = asyncio.Event()

    def app(self) -> web.Application:
        @web.middleware
        async def spoil(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._spoil(request, handler)

        app = self.service.app()
        app.middlewares.append(spoil)
        return app

    def name(self, user: int, name: str) -> None:
        """Give a user a profile."""
        self.service._database.execute("INSERT OR REPLACE INTO users VALUES (?, ?)", (user, name))  # noqa: SLF001 - a fixture of it

    def befriend(self, user: int, *friends: int) -> None:
        """Give a user friends."""
        for friend in friends:
            self.service._database.execute("INSERT INTO friends VALUES (?, ?)", (user, friend))  # noqa: SLF001 - a fixture of it

    def matches(self) -> list[tuple[Any, ...]]:
        """List what was saved: players and scores."""
        return self.service._all(  # noqa: SLF001 - no request shows all
            "SELECT player1, player2, score1, score2 FROM matches ORDER BY id"
        )

    async def saved(self, count: int) -> None:
        """Wait until so many matches are saved."""
        await self.until(lambda: len(self.matches()) >= count)

    async def stop(self) -> None:
        self._released.set()
        await super().stop()
        self._released = asyncio.Event()

    async def _spoil(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        await request.read()
        await self._note(request)
        fault = self.fault
        if fault is Fault.HANG:
            await self._released.wait()
            return web.Response(status=503)
        if fault in _STATUS:
            return web.Response(status=_STATUS[fault])
        answer = await handler(request)
        await self._tell()
        if fault is Fault.NONSENSE:
            return web.Response(body=b'{"name": [')
        if fault is Fault.CUT:
            return await _cut(request)
        return answer


async def _cut(request: web.Request) -> web.StreamResponse:
    cut = web.StreamResponse(headers={"Content-Length": "100"})
    await cut.prepare(request)
    await cut.write(b'{"id": ')
    assert request.transport is not None
    request.transport.abort()
    return cut


class Hook(_Server):
    """A consumer of webhooks."""

    def __init__(self) -> None:
        super().__init__()
        self.status = 200
        self.bodies: list[bytes] = []

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes([web.post("/hook", self._take)])
        return app

    @property
    def ids(self) -> list[str]:
        """What was sent, in its order."""
        return [request.headers["webhook-id"] for request in self.requests]

    async def _take(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        await self._note(request)
        return web.Response(status=self.status)
