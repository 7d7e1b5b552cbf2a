"""Handshakes that are upgraded where their request is read, without a task for the connection."""

import asyncio
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest

from service.edge import hub, internals
from service.edge.close_codes import CloseCode
from service.edge.http import site
from service.errors import Unavailable
from tests.acceptance.service_process import SECRET
from tests.integration.stage import Stage

WITHIN_S = 10.0

CLOSE = b"\x88\x82\0\0\0\0\x03\xe8"
"""A close frame of a client, with code 1000."""


def token(user: int = 1) -> str:
    return jwt.encode({"id": user, "name": "A", "exp": time.time() + 600}, SECRET)


def upgrade(path: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Protocol: ws-service.v1\r\n\r\n"
    ).encode()


def text(message: str) -> bytes:
    """Return a masked text frame, with a mask of zeros."""
    return bytes([0x81, 0x80 | len(message)]) + bytes(4) + message.encode()


class Client:
    """A connection of bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.read = b""

    async def until(self, part: bytes) -> bytes:
        """Read until `part`; return all that was read since the last one."""
        async with asyncio.timeout(WITHIN_S):
            while part not in self.read:
                some = await self.reader.read(65536)
                assert some, self.read
                self.read += some
        found, self.read = self.read, b""
        return found

    async def to_the_end(self) -> bytes:
        async with asyncio.timeout(WITHIN_S):
            return self.read + await self.reader.read()


@asynccontextmanager
async def connected(stage: Stage, user: int = 1) -> Any:
    """Send a handshake."""
    host, port = stage.service.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(upgrade(f"/?token={token(user)}"))
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


@asynccontextmanager
async def warm_stage(data_dir: Path, **settings: object) -> Any:
    """Run a service that has accepted a token: the first one is decoded by the library."""
    async with Stage(data_dir, **settings) as stage:
        async with connected(stage, 99) as client:
            await client.until(b'"greeted"')
        await nobody_left(stage)
        yield stage


async def holds(condition: Callable[[], bool]) -> None:
    """Wait until the service is in a state of which it tells nobody."""
    async with asyncio.timeout(WITHIN_S):
        while not condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.001)


async def nobody_left(stage: Stage) -> None:
    visits = stage.service.parts.endpoint._visits  # noqa: SLF001 - they have all there is
    await holds(lambda: not visits.open)


@contextmanager
def no_new_tasks() -> Iterator[None]:
    before = asyncio.all_tasks()
    yield
    assert asyncio.all_tasks() <= before


async def test_an_open_socket_has_no_task_until_it_needs_one(tmp_path: Path) -> None:
    assert internals.UPGRADES_DIRECTLY
    async with warm_stage(tmp_path) as stage, connected(stage) as client:
        with no_new_tasks():
            answer = await client.until(b'"greeted"')
            assert answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
            assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer
            assert b"Sec-WebSocket-Protocol: ws-service.v1\r\n" in answer
            client.writer.write(b"\x89\x82\0\0\0\0hi")
            await client.until(b"\x8a\x02hi")
            client.writer.write(b"\x8a\x80\0\0\0\0" + text('{"type":"ping","id":"1"}'))
            await client.until(b'"pong"')
            client.writer.write(text('{"type":"lobby:join","id":"2"}'))
            await client.until(b'"ack"')
        client.writer.write(CLOSE)
        assert (await client.to_the_end()).endswith(b"\x88\x02\x03\xe8")


async def test_frames_that_come_with_the_request_are_handled_in_order(tmp_path: Path) -> None:
    async with warm_stage(tmp_path) as stage, connected(stage) as client:
        for number in range(5):
            client.writer.write(text(f'{{"type":"ping","id":"{number}"}}'))
        answer = await client.until(b'"id":"4"')
        assert b'"greeted"' in answer
        places = [answer.index(b'"id":"%d"' % number) for number in range(5)]
        assert places == sorted(places)


async def test_a_message_that_must_wait_begins_the_task(tmp_path: Path) -> None:
    async with warm_stage(tmp_path) as stage, connected(stage) as client:
        await client.until(b'"greeted"')
        renewed = token()
        head = f'{{"type":"auth:refresh","id":"1","token":"{renewed}"}}'.encode()
        client.writer.write(b"\x81\xfe" + struct.pack("!H", len(head)) + bytes(4) + head)
        await client.until(b'"ack"')
        client.writer.write(text('{"type":"ping","id":"2"}'))
        await client.until(b'"pong"')


@pytest.mark.parametrize("is_cut", [False, True])
async def test_the_end_of_a_connection_is_recorded(tmp_path: Path, is_cut: bool) -> None:  # noqa: FBT001
    async with warm_stage(tmp_path, WS_PRESENCE_GRACE_S=0.01) as stage:
        async with connected(stage) as client:
            await client.until(b'"greeted"')
            assert 1 in stage.service.parts.world.presence.sockets
            if is_cut:
                client.writer.transport.abort()
            else:
                client.writer.write(CLOSE)
            await nobody_left(stage)
        await holds(lambda: 1 not in stage.service.parts.world.presence.sockets)


async def test_a_connection_that_ends_before_its_opening_is_committed_is_forgotten(
    tmp_path: Path,
) -> None:
    async with warm_stage(tmp_path, WS_PRESENCE_GRACE_S=0.01) as stage:
        for _ in range(20):
            async with connected(stage) as client:
                await client.writer.drain()
                client.writer.transport.abort()
        sockets = stage.service.parts.world.presence.sockets
        await holds(lambda: 1 not in sockets)
        await nobody_left(stage)


async def test_the_response_does_not_wait_for_a_log_that_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "STALL_CHECK_S", 0.01)
    async with warm_stage(tmp_path) as stage:
        monkeypatch.setattr(stage.service.parts.engine, "dispatch", lambda *_, **__: None)
        async with connected(stage) as client:
            assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")


async def test_a_log_that_can_not_be_written_closes_the_socket_after_the_response(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with warm_stage(tmp_path) as stage:

        def fail(_command: object, _origin: object, done: Any, **_others: object) -> None:
            done(Unavailable())

        monkeypatch.setattr(stage.service.parts.engine, "dispatch", fail)
        async with connected(stage) as client:
            answer = await client.until(b"UNAVAILABLE")
            head, _, frame = answer.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 ")
            assert frame[:1] == b"\x88"
            assert struct.unpack("!H", frame[2:4])[0] == CloseCode.TRY_AGAIN


async def test_a_user_with_too_many_sockets_loses_the_oldest(tmp_path: Path) -> None:
    async with (
        warm_stage(tmp_path, WS_SOCKETS_PER_USER_MAX=1) as stage,
        connected(stage) as first,
    ):
        await first.until(b'"greeted"')
        async with connected(stage) as second:
            await second.until(b'"greeted"')
            assert struct.pack("!H", CloseCode.TOO_MANY_SOCKETS) in await first.until(b"another")
            second.writer.write(text('{"type":"ping","id":"1"}'))
            await second.until(b'"pong"')


async def test_a_connection_waits_for_its_admission_or_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with warm_stage(tmp_path, WS_ADMISSION_QUEUE_MAX=1) as stage:
        control = stage.service.http.admission_control
        async with connected(stage, 1) as waiting:
            with monkeypatch.context() as patched:
                patched.setattr(type(control._rate), "take", lambda _: False)  # noqa: SLF001 - busy
                patched.setattr(control, "_timer", None)
                await holds(lambda: len(control) == 1)
                async with connected(stage, 2) as refused:
                    assert (await refused.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 503 ")
            assert b" 101 " in await waiting.until(b'"greeted"')


async def test_a_service_that_stops_closes_a_socket_without_a_task(tmp_path: Path) -> None:
    async with warm_stage(tmp_path) as stage, connected(stage) as client:
        await client.until(b'"greeted"')
        stop = asyncio.create_task(stage.service.parts.endpoint.stop())
        answer = await client.until(b"restarting")
        assert b'"server:draining"' in answer
        assert struct.pack("!H", CloseCode.DRAINING) in answer
        client.writer.write(b"\x88\x82\0\0\0\0\x0f\xa1")
        await stop


@pytest.mark.parametrize("missing", ["UPGRADES_DIRECTLY", "IS_EAGER"])
async def test_without_the_private_parts_a_task_serves_each_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setattr(site, "UPGRADES_DIRECTLY", False)
    monkeypatch.setattr(internals, missing, False)
    async with Stage(tmp_path) as stage, connected(stage) as client:
        assert (await client.until(b'"greeted"')).startswith(b"HTTP/1.1 101 ")
        client.writer.write(text('{"type":"ping","id":"1"}'))
        await client.until(b'"pong"')
        client.writer.write(CLOSE)
        assert (await client.to_the_end()).endswith(b"\x88\x02\x03\xe8")
