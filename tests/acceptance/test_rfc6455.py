"""RFC 6455: an external test suite, invalid frames, and size limits to the byte."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import struct
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import kosoku
import pytest
from aiohttp import WSMsgType, web

from service.edge.dialect import PROTOCOLS
from service.edge.flush import FlushScope
from service.edge.handshake import checked
from service.edge.inbound import EagerResponse
from service.edge.wire.choice import choose
from service.telemetry import Metrics
from tests.acceptance.service_process import PATIENCE_S, Running, token
from tests.wire.kinds import missing

CASES = 247
NOT_OFFERED = ["9.*", "12.*", "13.*"]
"""Speed with messages above the limit, and compression."""

WITHOUT_ECHO = ["3.*", "4.*", "7.9.*"]
"""Cases of what ends the connection, whatever was answered before."""

SOCKET_IO = "/socket.io/?EIO=4&transport=websocket"
DOORS = ["classic", "v1", "socket.io"]
MESSAGE_BYTES_MAX = 65536


STAND_INS = Path(kosoku.__file__).parent / "shim"
"""Modules of kosoku by the names of packages that it does without, as `pkg_resources`."""


@pytest.fixture(scope="module", autouse=True)
def _stand_ins_are_left_behind() -> Iterator[None]:
    """Let no test behind these import a stand-in, of which pytest expects what the package has."""
    path = sys.path[:]
    yield
    sys.path[:] = path
    for name, module in list(sys.modules.items()):
        if STAND_INS in Path(getattr(module, "__file__", None) or "").parents:
            del sys.modules[name]


@pytest.fixture(params=["python", "native"])
async def echo(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """Echo by the service's own WebSocket, since no door of the service sends back what it gets."""
    if request.param == "native" and "send" in missing():
        pytest.skip("the native wire is not installed")
    scope = FlushScope(choose(request.param), Metrics())

    async def serve(request: web.Request) -> web.StreamResponse:
        ws = EagerResponse(
            scope,
            scope.new_reader,
            max_msg_size=1 << 26,
            compress=False,
            protocols=PROTOCOLS,
        )
        await ws.prepare(checked(request, PROTOCOLS))
        # Texts are left to this task, by whatever they are read.
        ws.set_message_handler(lambda _text: False, lambda: True)
        async for message in ws:
            if message.type is WSMsgType.TEXT:
                await ws.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await ws.send_bytes(message.data)
        return ws

    app = web.Application()
    app.router.add_get("/", serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield f"ws://{host}:{port}/"
    await runner.cleanup()


async def test_the_autobahn_cases_pass(echo: str) -> None:
    # It raises with all that failed.
    results = await kosoku.run_fuzzingclient(echo, None, NOT_OFFERED, concurrency=4)
    assert len(results) >= CASES


async def test_the_service_closes_for_the_same_protocol_errors_as_the_echo_server(
    echo: str, service: Running
) -> None:
    expected = await kosoku.run_fuzzingclient(echo, WITHOUT_ECHO, concurrency=4)
    url = f"{service.ws_url}/?token={token(7_200_001)}"
    try:
        found = await kosoku.run_fuzzingclient(url, WITHOUT_ECHO)
    except kosoku.FailureError as failure:
        # The service greets and answers errors where the cases want an echo.
        found = failure.results
    codes = [{one.case_id: one.remote_close_code for one in each} for each in (expected, found)]
    assert len(codes[0]) > 20
    assert codes[0] == codes[1]


class Raw:
    """A client that writes its frames by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.head = b""

    @classmethod
    async def open(cls, service: Running, path: str, *lines: str) -> Raw:
        """Send a handshake with these lines."""
        address = urlsplit(service.url)
        self = cls(*await asyncio.open_connection(address.hostname, address.port))
        head = [f"GET {path} HTTP/1.1", "Host: x", *lines, "", ""]
        self.writer.write("\r\n".join(head).encode())
        async with asyncio.timeout(PATIENCE_S):
            self.head = await self.reader.readuntil(b"\r\n\r\n")
        return self

    @property
    def status(self) -> int:
        return int(self.head.split()[1])

    async def frame(self) -> tuple[int, bytes]:
        """Return the opcode and the payload of the next frame."""
        async with asyncio.timeout(PATIENCE_S):
            first, length = await self.reader.readexactly(2)
            if length == 126:
                (length,) = struct.unpack(">H", await self.reader.readexactly(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", await self.reader.readexactly(8))
            return first & 15, await self.reader.readexactly(length)

    async def until(self, what: bytes) -> bytes:
        """Return the next text that has this in it."""
        while True:
            opcode, payload = await self.frame()
            assert opcode != 8, payload
            if what in payload:
                return payload

    async def close_code(self) -> int:
        """Read to the close, and return its code."""
        while True:
            opcode, payload = await self.frame()
            if opcode == 8:
                return int(struct.unpack_from(">H", payload)[0])


def masked(opcode: int, payload: bytes = b"", first: int = 0x80) -> bytes:
    """Make a frame of a client; the mask is that of nothing."""
    length = len(payload)
    size = (
        bytes([0x80 | length]) if length < 126
        else b"\xfe" + struct.pack(">H", length) if length < 1 << 16
        else b"\xff" + struct.pack(">Q", length)
    )  # fmt: skip
    return bytes([first | opcode]) + size + bytes(4) + payload


def handshake(*protocols: str) -> list[str]:
    """Return the lines of a right handshake."""
    key = base64.b64encode(os.urandom(16)).decode()
    return [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
        *(f"Sec-WebSocket-Protocol: {one}" for one in protocols),
    ]


async def enter(service: Running, door: str, user: int) -> Raw:
    """Open a socket of a user at a door, and wait for its greeting."""
    if door == "socket.io":
        raw = await Raw.open(service, SOCKET_IO, *handshake())
        await raw.until(b"sid")
        raw.writer.write(masked(1, b"40" + json.dumps({"token": token(user)}).encode()))
    else:
        # Each subprotocol in a line of its own.
        raw = await Raw.open(
            service, "/ws", *handshake(f"ws-service.{door}", f"bearer.{token(user)}")
        )
        assert f"ws-service.{door}".encode() in raw.head
    await raw.until(b"user:list")
    return raw


@pytest.mark.parametrize("door", DOORS)
async def test_invalid_frames_are_refused_on_every_path(service: Running, door: str) -> None:
    bad = {
        "not masked": (b"\x81\x02{}", 1002),
        "cut by another": (masked(1, first=0) + masked(1, b"{}"), 1002),
        "goes on without a beginning": (masked(0, b"{}"), 1002),
        "a reserved bit": (masked(1, b"{}", first=0xC0), 1002),
        "a reserved opcode": (masked(3), 1002),
        "a long ping": (masked(9, b"x" * 126), 1002),
        "a fragmented ping": (masked(9, first=0), 1002),
        "no text": (masked(1, b"\xff\xfe"), 1007),
        "1006 can't be sent": (masked(8, struct.pack(">H", 1006)), 1002),
        "a close of one byte": (masked(8, b"x"), 1002),
    }
    for number, (name, (frames, code)) in enumerate(bad.items()):
        raw = await enter(service, door, 7_210_000 + number)
        raw.writer.write(frames)
        assert await raw.close_code() == code, name
        raw.writer.transport.abort()


@pytest.mark.parametrize("path", ["/", "/ws", SOCKET_IO])
async def test_handshakes_are_accepted_and_refused_as_rfc_6455_says(
    service: Running, path: str
) -> None:
    right = handshake()

    async def status(*changes: str) -> int:
        names = {one.partition(":")[0].lower() for one in changes}
        kept = [one for one in right if one.partition(":")[0].lower() not in names]
        raw = await Raw.open(service, path, *kept, *(one for one in changes if one[-1] != ":"))
        raw.writer.transport.abort()
        if raw.status == 426:
            assert b"Sec-WebSocket-Version: 13" in raw.head
        return raw.status

    assert await status("UPGRADE: WebSocket", "connection: keep-alive, UPGRADE") == 101
    assert await status("Upgrade: h2c, websocket") == 101
    assert await status("Connection: keep-alive", "Connection: upgrade") == 101
    for version in ("7", "8", "14", "13, 8"):
        assert await status(f"Sec-WebSocket-Version: {version}") == 426
    assert await status("Sec-WebSocket-Version:") == 426
    assert await status("Sec-WebSocket-Key: AAAA") == 400
    assert await status("Sec-WebSocket-Key:") == 400
    assert await status("Connection:") == 400


def filled(text: bytes, size: int) -> bytes:
    """Fill a JSON object up with blanks."""
    return text[:-1] + b" " * (size - len(text)) + text[-1:]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("pieces", [1, 3])
async def test_the_message_size_limit_is_the_announced_one(
    service: Running, door: str, pieces: int
) -> None:
    text, answer = b'{"type":"user:list:request"}', b"user:list"
    if door == "socket.io":
        text, answer = b'42["user:list:request"]', b"user:list"
    for size, is_taken in ((MESSAGE_BYTES_MAX, True), (MESSAGE_BYTES_MAX + 1, False)):
        raw = await enter(service, door, 7_230_001)
        data = filled(text, size)
        cuts = [len(data) * at // pieces for at in range(pieces + 1)]
        for at in range(pieces):
            is_last = 0x80 if at == pieces - 1 else 0
            raw.writer.write(masked(0 if at else 1, data[cuts[at] : cuts[at + 1]], first=is_last))
        if is_taken:
            await raw.until(answer)
        else:
            assert await raw.close_code() == 1009
        raw.writer.transport.abort()


async def test_the_body_size_limit_equals_the_message_size_limit(service: Running) -> None:
    polling = "/socket.io/?EIO=4&transport=polling"
    async with aiohttp.ClientSession(service.url) as http:
        for size, is_taken in ((MESSAGE_BYTES_MAX, True), (MESSAGE_BYTES_MAX + 1, False)):
            async with http.get(polling) as opened:
                sid = json.loads((await opened.text())[1:])["sid"]
            connect = filled(b'40{"token":"' + token(7_240_001).encode() + b'"}', size)
            async with http.post(f"{polling}&sid={sid}", data=connect) as answer:
                assert answer.status == (200 if is_taken else 413)
            body = filled(b'{"name":"Ana"}', size)
            async with http.post("/dev/token", data=body) as answer:
                assert answer.status == (200 if is_taken else 413)
