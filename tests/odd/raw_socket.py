"""A raw WebSocket client that sends many frames at once, with any text."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Sequence
from typing import Self
from urllib.parse import urlsplit

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

PATIENCE_S = 30.0

_MASKED = 0x80
_LENGTH_16, _LENGTH_64 = 126, 127


class SocketEnded(Exception):
    """The service has ended the connection."""


class RawSocket:
    """One WebSocket. What comes in one segment stays until it is asked for."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak over a connection whose handshake is done; see `open`."""
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, url: str, target: str, protocols: Sequence[str] = ()) -> Self:
        """Connect to the service at `url`, whose scheme is ignored, and request `target`."""
        at = urlsplit(url)
        reader, writer = await asyncio.open_connection(at.hostname, at.port, limit=1 << 22)
        lines = [
            f"GET {target} HTTP/1.1",
            f"Host: {at.netloc}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        ]
        if protocols:
            lines.append(f"Sec-WebSocket-Protocol: {', '.join(protocols)}")
        writer.write("\r\n".join([*lines, "", ""]).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            raise SocketEnded(head.decode())
        return cls(reader, writer)

    def send(self, *texts: str) -> None:
        """Write text frames; a lone surrogate goes as the bytes that it would have."""
        self._writer.write(b"".join(_frame(TEXT, _bytes(text)) for text in texts))

    async def next(self) -> str:
        """Return the next text; raise `SocketEnded`."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    opcode, payload = await self._frame()
                except (asyncio.IncompleteReadError, ConnectionError) as error:
                    raise SocketEnded("without a close") from error
                if opcode == TEXT:
                    return payload.decode()
                if opcode == PING:
                    self._writer.write(_frame(PONG, payload))
                elif opcode == CLOSE:
                    code = int.from_bytes(payload[:2], "big")
                    raise SocketEnded(f"{code} {payload[2:].decode()}")

    async def until(self, begin: str) -> str:
        """Return the next text that begins so."""
        while not (text := await self.next()).startswith(begin):
            pass
        return text

    async def message(self, type_: str) -> dict[str, object]:
        """Return the next plain message of this type."""
        found: dict[str, object] = json.loads(await self.until(f'{{"type":"{type_}"'))
        return found

    async def close(self) -> None:
        """Close it, as a logout does."""
        self._writer.write(_frame(CLOSE, (1000).to_bytes(2, "big")))
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    await self.next()
        except SocketEnded:
            self._writer.close()

    async def _frame(self) -> tuple[int, bytes]:
        first, length = await self._reader.readexactly(2)
        if length >= _LENGTH_16:
            size = await self._reader.readexactly(2 if length == _LENGTH_16 else 8)
            length = int.from_bytes(size, "big")
        return first & 0x0F, await self._reader.readexactly(length)


def _frame(opcode: int, payload: bytes) -> bytes:
    """Write a frame whose mask is all zeros, so that its payload stays as it is."""
    length = len(payload)
    if length < _LENGTH_16:
        head = bytes((0x80 | opcode, _MASKED | length))
    elif length < 1 << 16:
        head = bytes((0x80 | opcode, _MASKED | _LENGTH_16)) + length.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, _MASKED | _LENGTH_64)) + length.to_bytes(8, "big")
    return head + bytes(4) + payload


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
