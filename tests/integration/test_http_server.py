"""Deadlines and the cap of unauthenticated connections, over real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import TypeAlias

import pytest
from aiohttp import web

from service.edge.http.address_cap import AddressCap
from service.edge.http.addresses import Addresses
from service.edge.http.limiter import ConnectionLimiter
from service.edge.http.runner import Runner
from service.edge.http.server import TOO_MANY, admit
from service.settings.sections.http import HttpLimits

SHORT_S = 0.15
LONG_S = 30.0
PATIENCE_S = 5.0
LARGE = 1 << 26

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
ADMITTED = b"GET /held?admitted HTTP/1.1\r\nHost: x\r\n\r\n"
HELD = b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


class Server:
    """A server with an answer for all, at short deadlines where a test asks for them."""

    def __init__(self, trusted_hops: int = 0, **limits: float) -> None:
        every = {"head_s": LONG_S, "body_s": LONG_S, "idle_s": LONG_S}
        every |= {"unauthenticated_max": 100, **limits}
        self.refused: list[str] = []
        self.go_on = asyncio.Event()
        self.large_ended = asyncio.Event()
        self.large_sent = 0
        limiter = ConnectionLimiter(
            HttpLimits(**every),  # type: ignore[arg-type]  # the numbers of a test
            Addresses(trusted_hops),
            lambda code, _address: self.refused.append(code),
            head_bytes_max=4096,
        )
        app = web.Application(client_max_size=1024)
        app.router.add_route("*", "/", self._answer)
        app.router.add_get("/held", self._hold)
        app.router.add_get("/large", self._large)
        self.runner = Runner(
            app, limiter, shutdown_timeout=0.1, max_line_size=65536, max_field_size=65536
        )
        self.port = 0
        self.begun: asyncio.Queue[None] = asyncio.Queue()
        self.writers: list[asyncio.StreamWriter] = []

    async def _answer(self, request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async def _large(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while self.large_sent < LARGE:
                await response.write(bytes(1 << 16))
                self.large_sent += 1 << 16
        finally:
            self.large_ended.set()
        return response

    async def _hold(self, request: web.Request) -> web.Response:
        if "admitted" in request.query:
            admit(request)
        self.begun.put_nowait(None)
        await self.go_on.wait()
        return web.Response(text="done")

    async def start(self) -> Server:
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.port = self.runner.addresses[0][1]
        return self

    async def open(self, data: bytes = b"") -> asyncio.StreamReader:
        reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(self.writer)
        self.writer.write(data)
        return reader


Start: TypeAlias = Callable[..., "asyncio.Future[Server]"]


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., asyncio.Task[Server]]]:
    servers: list[Server] = []

    def make(trusted_hops: int = 0, **limits: float) -> asyncio.Task[Server]:
        servers.append(Server(trusted_hops, **limits))
        return asyncio.create_task(servers[-1].start())

    yield make
    for server in servers:
        server.go_on.set()
        for writer in server.writers:
            writer.transport.abort()
        await server.runner.cleanup()


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    """Return all that comes until the server closes."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await reader.read()
    except ConnectionError:
        return b""


async def answer(reader: asyncio.StreamReader) -> bytes:
    """Return the head of one answer."""
    async with asyncio.timeout(PATIENCE_S):
        return await reader.readuntil(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", b""),
        (b"GET /", b" 408 "),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: ", b" 408 "),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", b" 408 "),
        (b"\r\n\r\n\r\n", b" 408 "),
    ],
)
async def test_an_incomplete_request_head_times_out(
    start: Start, data: bytes, status: bytes
) -> None:
    server = await start(head_s=SHORT_S)
    assert status in await until_closed(await server.open(data))


async def test_a_trickling_request_head_times_out(start: Start) -> None:
    server = await start(head_s=SHORT_S)
    reader = await server.open(b"GET / HTTP/1.1\r\nHost: x\r\n")
    closed = asyncio.create_task(until_closed(reader))
    while not closed.done():
        server.writer.write(b"X: y\r\n")
        await asyncio.wait([closed], timeout=SHORT_S / 10)
    assert b" 408 " in closed.result()


async def test_endless_headers_are_refused_by_size(start: Start) -> None:
    server = await start()
    assert b" 431 " in await until_closed(await server.open(b"GET / HTTP/1.1\r\nX: " + b"y" * 5000))


@pytest.mark.parametrize("data", [POST, POST + b"1234", CHUNKED, CHUNKED + b"5\r\nab"])
async def test_a_missing_body_times_out(start: Start, data: bytes) -> None:
    server = await start(body_s=SHORT_S)
    assert await until_closed(await server.open(data)) == b""


async def test_an_unread_response_times_out(start: Start) -> None:
    server = await start(body_s=SHORT_S)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(PATIENCE_S):
            await server.large_ended.wait()
        assert server.large_sent < LARGE


async def test_requests_in_time_are_answered_on_one_connection(start: Start) -> None:
    server = await start(head_s=SHORT_S, body_s=SHORT_S, idle_s=LONG_S)
    reader = await server.open(REQUEST)
    assert b" 200 " in await answer(reader)
    # Between requests neither deadline counts, so this waits for longer than both.
    await asyncio.sleep(2 * SHORT_S)
    server.writer.write(POST + b"123456789")
    assert b" 200 " in await answer(reader)
    assert await reader.readexactly(9) == b"123456789"
    server.writer.write(b"GET / HT")
    assert b" 408 " in await until_closed(reader)


async def test_an_idle_connection_is_closed(start: Start) -> None:
    server = await start(idle_s=SHORT_S)
    assert b" 200 " in await until_closed(await server.open(REQUEST))


async def test_unauthenticated_connections_per_address_are_limited(start: Start) -> None:
    server = await start(unauthenticated_max=3)
    silent = [await server.open() for _ in range(3)]
    assert b" 429 " in await until_closed(await server.open())
    assert server.refused == [TOO_MANY]
    assert not any(reader.at_eof() for reader in silent)


async def test_an_idle_connection_is_replaced_by_a_new_one(start: Start) -> None:
    server = await start(unauthenticated_max=2)
    first, second = await server.open(REQUEST), await server.open(REQUEST)
    assert b" 200 " in await answer(first)
    assert b" 200 " in await answer(second)
    third = await server.open(REQUEST)
    assert b" 200 " in await answer(third)
    assert await until_closed(first) == b""
    assert server.refused == []


async def test_an_authenticated_connection_is_no_longer_counted(start: Start) -> None:
    server = await start(unauthenticated_max=2)
    held = []
    for _ in range(5):
        held.append(await server.open(ADMITTED))
        await server.begun.get()
    ordinary = await server.open(REQUEST)
    assert b" 200 " in await answer(ordinary)
    server.go_on.set()
    assert [b" 200 " in await answer(reader) for reader in held] == [True] * 5


async def test_a_long_request_does_not_count_as_idle(start: Start) -> None:
    server = await start(unauthenticated_max=2)
    held = [await server.open(HELD) for _ in range(2)]
    assert b" 429 " in await until_closed(await server.open())
    server.go_on.set()
    assert [b" 200 " in await answer(reader) for reader in held] == [True] * 2


async def test_behind_a_proxy_the_forwarded_address_is_counted(start: Start) -> None:
    server = await start(trusted_hops=1, unauthenticated_max=1)

    def held(address: str) -> bytes:
        return HELD.replace(b"Host: x", b"Host: x\r\nX-Forwarded-For: " + address.encode())

    await server.open(held("2001:db8::1"))
    await server.open(held("203.0.113.9:5000"))
    for _ in range(2):
        await server.begun.get()
    for spelling in ("[2001:db8::2]:80", "::ffff:203.0.113.9"):
        assert b" 429 " in await answer(await server.open(held(spelling)))
    server.go_on.set()
    assert b" 200 " in await answer(await server.open(held("203.0.113.10")))


async def test_no_response_has_a_server_header(start: Start) -> None:
    server = await start()
    for request in (REQUEST, b"nonsense\r\n\r\n", b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"):
        assert b"\r\nserver:" not in (await answer(await server.open(request))).lower()


def test_the_connection_cap_is_per_address() -> None:
    cap = AddressCap[str](2, evict=lambda holder: holder.startswith("idle"))
    assert [cap.enter("a", name) for name in ("one", "two", "three")] == [True, True, False]
    assert cap.enter("b", "one")
    cap.leave("a", "one")
    cap.leave("a", "one")
    assert cap.enter("a", "idle")
    assert cap.enter("a", "four")
    assert not cap.enter("a", "five")
    cap.enter_again("a", "five")
    assert not cap.has_room("a")
    assert AddressCap[str](0).enter("a", "any")
