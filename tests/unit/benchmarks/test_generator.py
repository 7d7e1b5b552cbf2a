"""The load generator against a minimal server that counts for itself."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from benchmarks import generator
from benchmarks.generator import Connection, Plan
from benchmarks.processes import BenchmarkError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc compiles the generator")

ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
TEXT, PING, PONG = 1, 9, 10


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """Write a frame without a mask (RFC 6455, section 5.2)."""
    length = len(payload)
    if length < 126:
        head = bytes((length,))
    elif length < 1 << 16:
        head = b"\x7e" + length.to_bytes(2, "big")
    else:
        head = b"\x7f" + length.to_bytes(8, "big")
    return bytes((0x80 | opcode,)) + head + payload


class Server:
    """Answers each text frame with what `answer` makes of it; keeps all that it has got."""

    def __init__(self, answer: Callable[[bytes], list[bytes]], greeting: bytes = b"") -> None:
        self.received: list[tuple[int, bytes]] = []
        self.requests: list[bytes] = []
        self.port = 0
        self._answer = answer
        self._greeting = greeting

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Server]:
        """Listen at a free port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    @property
    def texts(self) -> list[bytes]:
        """The payloads of the text frames."""
        return [payload for opcode, payload in self.received if opcode == TEXT]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(ANSWER + self._greeting)
            while True:
                opcode, payload = await self._read(reader)
                self.received.append((opcode, payload))
                if opcode == TEXT:
                    for part in self._answer(payload):
                        writer.write(part)
                        await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionResetError):
            pass
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        first, second = await reader.readexactly(2)
        assert second & 0x80, "a client masks all that it sends"
        length = second & 0x7F
        if length == 126:
            length = int.from_bytes(await reader.readexactly(2), "big")
        mask = await reader.readexactly(4)
        payload = await reader.readexactly(length)
        return first & 0x0F, bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


async def run(plan: Plan) -> generator.Result:
    """Let the generator work while the server in this loop does."""
    return await asyncio.to_thread(generator.run, plan)


def sender(messages: list[str], script: tuple[str, ...] = ()) -> Connection:
    return Connection("/", script, messages)


async def test_all_deliveries_are_counted_however_their_frames_are_cut_and_joined() -> None:
    def answer(payload: bytes) -> list[bytes]:
        long, longest = b"x" * 300 + payload, b"x" * 70_000 + payload
        data = b"".join(frame(one) for one in (payload, b"other", long, longest, payload))
        # In pieces, none of which ends where a frame does.
        return [data[:1], data[1:170], data[170:171], data[171:60_000], data[60_000:]]

    async with Server(answer).running() as server:
        plan = Plan(
            server.port,
            [sender(['{"t":$T}']) for _ in range(3)],
            period_s=0.02,
            window_s=0.2,
            drain_s=20,
            fanout=4,
            stamp='"t":',
            count="other",
        )
        counts = (await run(plan)).counts
    assert len(server.texts) == counts.sent_all == 3 * 10
    assert counts.delivered_all == 4 * counts.sent_all
    assert counts.counted == counts.sent_all


async def test_each_sender_sends_its_messages_in_turn_with_the_time_at_which_they_were_due() -> (
    None
):
    async with Server(lambda payload: [frame(payload)]).running() as server:
        plan = Plan(
            server.port,
            [sender(["a $T", "b $T"])],
            period_s=0.05,
            burst=2,
            window_s=0.2,
            drain_s=20,
            fanout=1,
            stamp=" ",
        )
        await run(plan)
    kinds = [text.split()[0] for text in server.texts]
    times = [int(text.split()[1]) for text in server.texts]
    assert kinds == [b"a", b"b"] * 4
    assert [at - times[0] for at in times[::2]] == [0, 50_000, 100_000, 150_000]
    assert times[::2] == times[1::2]


async def test_a_script_waits_stores_the_room_and_responds_to_frames() -> None:
    answers = {
        b"hello": [frame(b'{"type":"nothing"}'), frame(b'{"type":"room","roomId":"r-7"}')],
        b"join r-7": [frame(b'{"type":"seat","you":1}')],
        b"second of r-7": [frame(b"bye")],
    }
    script = (
        "send hello",
        'room "type":"room"',
        "send join $R",
        'await "type":"seat"',
        'if "you":0\tfirst of $R',
        'if "you":1\tsecond of $R',
        "await bye",
    )
    async with Server(lambda payload: answers[payload]).running() as server:
        await run(Plan(server.port, [sender([], script)], window_s=0, drain_s=0))
    assert server.texts == [b"hello", b"join r-7", b"second of r-7"]


async def test_a_barrier_holds_until_all_clients_arrive() -> None:
    script = ("send come", "await come", "barrier", "send go", "await go")
    async with Server(lambda payload: [frame(payload)]).running() as server:
        connections = [sender([], script) for _ in range(5)]
        await run(Plan(server.port, connections, concurrency=2, window_s=0, drain_s=0))
    assert server.texts == [b"come"] * 5 + [b"go"] * 5


async def test_pings_are_answered() -> None:
    def answer(payload: bytes) -> list[bytes]:
        return [frame(b"are you there", PING) + frame(payload)]

    async with Server(answer).running() as server:
        await run(
            Plan(server.port, [sender([], ("send a", "await a", "send b", "await b"))], window_s=0)
        )
    assert server.received == [
        (TEXT, b"a"),
        (PONG, b"are you there"),
        (TEXT, b"b"),
        (PONG, b"are you there"),
    ]


async def test_a_server_refusal_is_reported() -> None:
    refusal = frame(b'{"type":"error","code":"ROOM_FULL"}')
    async with Server(lambda _: [refusal]).running() as server:
        with pytest.raises(BenchmarkError, match="ROOM_FULL"):
            await run(Plan(server.port, [sender([], ("send a", "await b"))]))


async def test_a_server_that_is_not_ready_in_time_is_abandoned() -> None:
    async with Server(lambda payload: [frame(payload)]).running() as server:
        plan = Plan(
            server.port,
            [sender([], ("send a", "await a")), sender([], ("send a", "await b"))],
            patience_s=0.3,
        )
        with pytest.raises(BenchmarkError, match="1 of 2 connections were ready in"):
            await run(plan)


async def test_watched_frames_are_counted_by_connection_with_their_arrivals() -> None:
    async with Server(lambda _: [frame(b"tick") * 3]).running() as server:
        plan = Plan(
            server.port,
            [sender([]), sender(["$T"])],
            period_s=0.02,
            window_s=0.2,
            watch="tick",
        )
        result = await run(plan)
    assert list(result.arrivals_us) == [1]
    arrivals = result.arrivals_us[1]
    assert len(arrivals) == result.counts.watched
    assert arrivals == sorted(arrivals)


async def test_the_header_is_sent_with_the_handshake() -> None:
    async with Server(lambda _: []).running() as server:
        await run(Plan(server.port, [Connection("/?token=x")], header="X-Test: yes", window_s=0))
    assert server.requests[0].startswith(b"GET /?token=x HTTP/1.1\r\n")
    assert b"\r\nX-Test: yes\r\n\r\n" in server.requests[0]


async def test_connections_may_go_to_several_servers() -> None:
    def answer(payload: bytes) -> list[bytes]:
        return [frame(payload)]

    async with Server(answer).running() as one, Server(answer).running() as other:
        script = ("send hello", "await hello")
        connections = [sender([], script), Connection("/", script, port=other.port)]
        await run(Plan(one.port, connections, window_s=0, drain_s=0))
    assert one.texts == other.texts == [b"hello"]
    assert f"Host: 127.0.0.1:{other.port}".encode() in other.requests[0]
