"""A TCP proxy with injected faults: delays, trickling, cuts, resets, and stalls.

async with Proxy(port) as proxy:
    proxy.to_client = Way(delay_s=0.1, cut_after=700)   # for connections that come from now on
    await websockets.connect(f"ws://127.0.0.1:{proxy.port}/")
    proxy.reset_all()
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

CHUNK_BYTES = 64 * 1024


@dataclass
class Way:
    """How bytes travel in one direction, on all connections; it may be changed while they do."""

    delay_s: float = 0
    """How long each chunk takes; nothing else is read meanwhile."""
    latency_s: float = 0
    """How much later every byte arrives, as over a long line; for connections from now on."""
    trickle_bytes: int = 0
    """At most so many bytes at once, each `trickle_s` after the ones before; 0: all at once."""
    trickle_s: float = 0.001
    cut_after: int | None = None
    """After so many bytes of a connection it is reset."""
    flows: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set, nothing is read, as by a peer that has stopped."""

    def __post_init__(self) -> None:
        """Let it flow at first."""
        self.flows.set()


class Proxy:
    """Passes TCP connections on to a port of this machine."""

    def __init__(self, target: int) -> None:
        """Pass on to the port `target`, which may change between connections."""
        self.target = target
        self.to_client = Way()
        self.to_server = Way()
        self.next_to_client: list[Way] = []
        """The ways of the next connections, one each, before `to_client` counts again."""
        self.port = 0
        self.accepted = 0
        """How many connections have come."""
        self._server: asyncio.Server
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None
    ) -> None:
        """End all connections, and listen no more."""
        self._server.close()
        self.reset_all()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def heal(self) -> None:
        """Let everything flow again, for the connections of now and those to come."""
        for way in (self.to_client, self.to_server):
            way.delay_s = way.trickle_bytes = 0
            way.cut_after = None
            way.flows.set()

    def reset_all(self) -> None:
        """Reset every connection (RST), to both sides."""
        for pair in list(self._pairs):
            for writer in pair:
                _reset(writer)

    def close_all(self) -> None:
        """End every connection in order (FIN), without a close frame."""
        for pair in list(self._pairs):
            for writer in pair:
                writer.close()

    def _line(self, reader: asyncio.StreamReader, way: Way) -> asyncio.StreamReader:
        """Return what comes out of the far end of a long line."""
        if not way.latency_s:
            return reader
        far = asyncio.StreamReader()
        self._tasks.add(asyncio.create_task(_carry(reader, far, way.latency_s)))
        return far

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        to_client = self.next_to_client.pop(0) if self.next_to_client else self.to_client
        try:
            target_reader, target = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            _reset(writer)
            return
        pair = (writer, target)
        self._pairs.add(pair)
        ways = [
            asyncio.create_task(
                _pump(self._line(reader, self.to_server), target, self.to_server, pair)
            ),
            asyncio.create_task(
                _pump(self._line(target_reader, to_client), writer, to_client, pair)
            ),
        ]
        self._tasks.update(ways)
        await asyncio.wait(ways)
        self._tasks.difference_update(ways)
        self._pairs.discard(pair)
        for one in pair:
            one.close()


async def _carry(reader: asyncio.StreamReader, far: asyncio.StreamReader, latency_s: float) -> None:
    loop = asyncio.get_running_loop()
    with suppress(ConnectionError, OSError):
        while data := await reader.read(CHUNK_BYTES):
            loop.call_later(latency_s, far.feed_data, data)
    loop.call_later(latency_s, far.feed_eof)


async def _pump(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    way: Way,
    pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
) -> None:
    """Pass on what comes, until one side has ended."""
    passed = 0
    with suppress(ConnectionError, OSError):
        while True:
            await way.flows.wait()
            data = await reader.read(way.trickle_bytes or CHUNK_BYTES)
            # It may have been stopped while it was idle.
            await way.flows.wait()
            if way.delay_s or way.trickle_bytes:
                await asyncio.sleep(way.delay_s + (way.trickle_s if way.trickle_bytes else 0))
            if not data:
                break
            if way.cut_after is not None and passed + len(data) >= way.cut_after:
                writer.write(data[: way.cut_after - passed])
                # A disconnected client must first get what was sent before the cut.
                await writer.drain()
                for one in pair:
                    one.close() if one is writer else _reset(one)
                return
            passed += len(data)
            writer.write(data)
            await writer.drain()
    for one in pair:
        one.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a reset (RST) in place of an orderly end."""
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
