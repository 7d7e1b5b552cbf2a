"""Closed connections are freed at once: none of their objects is part of a cycle.

Else they would stay in memory until a full garbage collection, which a service rarely has. Here the
collector is off, and the objects of each kind of connection are counted before and after.
"""

import asyncio
import gc
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import jwt
import pytest

from service.edge import internals
from service.edge.session import rate_limit
from tests.acceptance.service_process import SECRET
from tests.integration.stage import Stage

CONNECTIONS = 3

WITHIN_S = 10.0
"""How long the ends of connections may take to be recorded."""

CLOSE = b"\x88\x82\0\0\0\0\x03\xe8"
"""A close frame of a client, with code 1000."""

Visit: TypeAlias = Callable[[str], Awaitable[None]]


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Turn the garbage collector off, and let it not see what there is already."""
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()


async def talk(url: str, request: str, until: bytes, say: bytes = b"", *, cut: bool = False) -> str:
    """Send a request, read up to `until`, `say` something and read to the end, or cut it off."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request.encode())
    read = b""
    while until not in read:
        some = await reader.read(65536)
        assert some, read
        read += some
    if cut:
        writer.transport.abort()
    else:
        writer.write(say)
        if say:
            await reader.read()
        writer.close()
    return read.decode(errors="replace")


def text(message: str) -> bytes:
    """Return a masked text frame, with a mask of zeros."""
    return bytes([0x81, 0x80 | len(message)]) + bytes(4) + message.encode()


def token() -> str:
    return jwt.encode({"id": 1, "name": "A", "exp": time.time() + 600}, SECRET)


def upgrade(path: str, protocol: str = "ws-service.v1", version: str = "13") -> str:
    return (
        f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: {version}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Sec-WebSocket-Protocol: {protocol}\r\n\r\n"
    )


def get(path: str, headers: str = "") -> str:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"


async def v1(url: str) -> None:
    command = text('{"type":"lobby:join","id":"1"}')
    await talk(url, upgrade(f"/?token={token()}"), b'"greeted"', command + CLOSE)


async def v1_cut_off(url: str) -> None:
    await talk(url, upgrade(f"/?token={token()}"), b'"greeted"', cut=True)


async def classic(url: str) -> None:
    await talk(url, upgrade(f"/?token={token()}", "other"), b'"user:list"', CLOSE)


async def bad_token(url: str) -> None:
    await talk(url, upgrade("/?token=bad"), b"Invalid or expired", CLOSE)


async def bad_handshake(url: str) -> None:
    await talk(url, upgrade("/?token=bad", version="12"), b" 426 ")


async def no_http(url: str) -> None:
    await talk(url, "GARBAGE\r\n\r\n", b" 400 ")


async def socket_io(url: str) -> None:
    path = f"/socket.io/?EIO=4&transport=websocket&token={token()}"
    await talk(url, upgrade(path), b"0{", text("40") + text("41") + CLOSE)


async def socket_io_cut_off(url: str) -> None:
    path = f"/socket.io/?EIO=4&transport=websocket&token={token()}"
    await talk(url, upgrade(path), b"0{", text("40") + CLOSE)


async def polling(url: str) -> None:
    path = "/socket.io/?EIO=4&transport=polling"
    opened = await talk(url, get(f"{path}&token={token()}"), b"}")
    path += "&sid=" + json.loads(opened[opened.index("0{") + 1 :])["sid"]

    async def post(packet: str) -> None:
        head = get(path, f"Content-Length: {len(packet)}\r\n").replace("GET", "POST", 1)
        await talk(url, head + packet, b"ok")

    await post("40")
    await talk(url, get(path), b"40{")
    await post("41")
    await post("1")


async def request(url: str) -> None:
    await talk(url, get("/api/v1/rooms", f"Authorization: Bearer {token()}\r\n"), b" 200 ")


async def refused_request(url: str) -> None:
    await talk(url, get("/api/v1/rooms"), b" 401 ")


async def unknown_page(url: str) -> None:
    await talk(url, get("/nothing"), b" 404 ")


async def page(url: str) -> None:
    await talk(url, get("/"), b"</html>")


KINDS = (
    v1,
    v1_cut_off,
    classic,
    bad_token,
    bad_handshake,
    no_http,
    socket_io,
    socket_io_cut_off,
    polling,
    request,
    refused_request,
    unknown_page,
    page,
)


def objects() -> Counter[str]:
    """Count the objects of connections, of the service and of aiohttp's server.

    Without budgets: those of a user stay until they are full again.
    """
    return Counter(kind.__qualname__ for kind in map(type, gc.get_objects()) if _is_counted(kind))


def _is_counted(kind: type) -> bool:
    module = str(kind.__module__)
    parts = ("service.edge", "service.runtime", "aiohttp.web_request")
    return module.startswith(parts) and module != rate_limit.__name__


@pytest.mark.usefixtures("no_collector")
async def test_closed_connections_leave_nothing_in_memory(tmp_path: Path) -> None:
    assert internals.IS_EAGER
    async with Stage(tmp_path, WS_PRESENCE_GRACE_S=0.01) as stage:
        for visit in KINDS:
            # The first one makes what stays.
            await visit(stage.service.url)
            before = await _objects_without_connections(stage)
            for _ in range(CONNECTIONS):
                await visit(stage.service.url)
            assert await _objects_more_than(before, stage) == Counter(), visit.__name__


async def _objects_without_connections(stage: Stage) -> Counter[str]:
    """Count the objects when all that belongs to connections that ended is done."""
    parts = stage.service.parts
    counted = objects()
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        await asyncio.sleep(0.02)
        now = objects()
        is_idle = not len(parts.hub) and not parts.log.waiting and not now["HttpConnection"]
        if is_idle and now == counted:
            return now
        counted = now
    return counted


async def _objects_more_than(before: Counter[str], stage: Stage) -> Counter[str]:
    """Return the objects that are left; what only ends late is waited for.

    What is part of a cycle stays, since the collector is off.
    """
    deadline = time.monotonic() + WITHIN_S
    while (left := await _objects_without_connections(stage) - before) != Counter():
        if time.monotonic() > deadline:
            break
    return left
