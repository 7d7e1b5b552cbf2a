"""What stays of the HTTP request of a WebSocket, and the response that upgrades it.

aiohttp keeps the request with all headers, and a writer that can compress, for each WebSocket. The
service needs neither: the head of the response leaves with the first frames, and aiohttp itself
writes control frames only.
"""

from __future__ import annotations

import base64
import hashlib
import struct
import time
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING

from aiohttp import ClientConnectionResetError

if TYPE_CHECKING:
    import asyncio

    from aiohttp import web

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""What the key of a handshake is hashed with (RFC 6455, section 1.3)."""

_CLOSE = 0x8
_FIN = 0x80


def switching_protocols(key: str, protocol: str | None) -> bytes:
    """Return the head of the response to a handshake, as aiohttp writes it."""
    accepted = base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest())
    selected = b"" if protocol is None else b"Sec-WebSocket-Protocol: %b\r\n" % protocol.encode()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n%bDate: %b\r\n\r\n"
    ) % (accepted, selected, _date(int(time.time())))


@lru_cache(1)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()


class UpgradedRequest:
    """The part of a request that aiohttp asks for after the upgrade."""

    __slots__ = ("protocol",)

    method = "GET"
    path = "/"
    task = None

    def __init__(self, protocol: web.RequestHandler) -> None:
        """Stand for the request of this connection."""
        self.protocol = protocol

    @property
    def _protocol(self) -> web.RequestHandler:
        return self.protocol

    @property
    def transport(self) -> asyncio.Transport | None:
        """The transport; None if the connection is lost."""
        return self.protocol.transport


class ControlWriter:
    """Writes the control frames of a WebSocket, and waits while the client does not read."""

    __slots__ = ("_is_closing", "_protocol")

    def __init__(self, protocol: web.RequestHandler) -> None:
        """Write to the transport of this connection."""
        self._protocol = protocol
        self._is_closing = False

    @property
    def transport(self) -> asyncio.Transport | None:
        """The transport; None if the connection is lost."""
        return self._protocol.transport

    async def send_frame(self, message: bytes, opcode: int, _compress: int | None = None) -> None:
        """Write a control frame; raise `ClientConnectionResetError` if nothing can be written."""
        transport = self._protocol.transport
        if transport is None or transport.is_closing():
            raise ClientConnectionResetError("Cannot write to closing transport")
        if self._is_closing and opcode != _CLOSE:
            raise ClientConnectionResetError("Cannot write to closing transport")
        transport.write(control_frame(opcode, message))
        await self.drain()

    async def close(self, code: int = 1000, message: bytes = b"") -> None:
        """Write a close frame, after which there are no others."""
        try:
            await self.send_frame(struct.pack("!H", code) + message, _CLOSE)
        finally:
            self._is_closing = True

    async def drain(self) -> None:
        """Wait while too much is unread."""
        if self._protocol.transport is not None and self._protocol.writing_paused:
            await self._protocol._drain_helper()  # noqa: SLF001 - as aiohttp's writers do


def control_frame(opcode: int, payload: bytes) -> bytes:
    """Return an unmasked control frame, whose payload has at most 125 bytes."""
    return bytes((_FIN | opcode, len(payload))) + payload
