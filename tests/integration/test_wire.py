"""Both kinds of wire within the service: handshakes that end early, and the end of all output."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from pathlib import Path
from urllib.parse import urlsplit

import jwt
import pytest

from service.protocol import v1
from tests.acceptance.service_process import SECRET
from tests.integration.stage import Stage, Tab, Theatre, holds, users
from tests.integration.test_fault_isolation import faults
from tests.wire.kinds import missing

KINDS = ["python", "native"]
RESET = struct.pack("ii", 1, 0)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "native" and "send" in missing():
        pytest.skip("the native wire is not installed")
    kind: str = request.param
    return kind


def request_of(url: str) -> bytes:
    token = jwt.encode({"id": next(users), "exp": time.time() + 600}, SECRET)
    lines = [
        f"GET /?token={token} HTTP/1.1",
        f"Host: {urlsplit(url).netloc}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


async def leave_early(url: str, how: int) -> None:
    """Reset a connection: within its request, right after it, or after some of the response."""
    address = urlsplit(url)
    loop = asyncio.get_running_loop()
    request = request_of(url)
    with socket.socket() as client:
        client.settimeout(0)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        await loop.sock_connect(client, (address.hostname, address.port))
        await loop.sock_sendall(client, request[: len(request) // 2 if how == 0 else None])
        if how > 1:
            await loop.sock_recv(client, 12 if how == 2 else 4096)


def test_a_handshake_that_ends_early_disturbs_nobody(kind: str, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        tab = await stage.connect()
        for number in range(60):
            await leave_early(stage.service.url, number % 4)
            # What is sent meanwhile may go by a descriptor that was another's before.
            await tab.ask("ping")
        await holds(lambda: len(stage.service.parts.hub) == 1, "early ends are noticed")
        await tab.ask("ping")
        assert tab.is_open
        assert faults(stage) == 0

    with Theatre.opened(tmp_path, WS_WIRE=kind) as theatre:
        theatre.runner.run(story(theatre.stage))


def test_nothing_is_sent_any_more_when_the_sockets_are_closed(kind: str, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        parts = stage.service.parts
        tab: Tab = await stage.connect()
        (connection,) = parts.hub._connections.values()  # noqa: SLF001 - nothing else has all
        await parts.endpoint.stop()
        written = connection.send_queue.written
        parts.hub.send(connection, v1.Heartbeat(7))
        parts.hub.flush()
        assert parts.hub.flush_scope.output.is_stopped
        assert connection.send_queue.written == written
        assert connection.frames == []
        assert not tab.of("heartbeat")

    with Theatre.opened(tmp_path, WS_WIRE=kind) as theatre:
        theatre.runner.run(story(theatre.stage))
