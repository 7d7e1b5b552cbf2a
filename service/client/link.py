"""One WebSocket connection."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import aiohttp
import msgspec

from service.client.errors import Closed

if TYPE_CHECKING:
    from service.client.state import Message

PROTOCOL = "ws-service.v1"
CLOSE_WITHIN_S = 1.0
CODE_NORMAL = 1000
CODE_ABNORMAL = 1006
CODE_SILENT = 4000
"""Sent when the service is silent: no clean close, since this client is going to reconnect."""

LAST_READ_WITHIN_S = 1.0
"""After a timeout one more read: a suspended process finds messages waiting and timers expired."""


async def open_link(
    http: aiohttp.ClientSession, url: str, token: str, query: dict[str, str]
) -> Link:
    """Connect; raise aiohttp's errors when that fails."""
    ws = await http.ws_connect(
        url,
        params=query,
        headers={"Authorization": f"Bearer {token}"},
        protocols=(PROTOCOL,),
        max_msg_size=0,
        timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_WITHIN_S),
    )
    return Link(ws)


def encode(message: Message, bytes_max: int) -> str:
    """Encode a message; raise `ValueError` above the limit, which would be fatal."""
    frame = msgspec.json.encode(message)
    if len(frame) > bytes_max:
        raise ValueError(f"{message['type']} has more than {bytes_max} bytes")
    return frame.decode()


class Link:
    """A connection to the service."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        """Do not call this; use `open_link`."""
        self._ws = ws

    async def send(self, frame: str) -> None:
        """Send a text frame; raise `ConnectionError` if the link is broken."""
        await self._ws.send_str(frame)

    async def receive(self, within_s: float) -> Message:
        """Return the next message; raise `Closed` at the end, and `TimeoutError`."""
        try:
            frame = await self._ws.receive(within_s)
        except TimeoutError:
            frame = await self._ws.receive(LAST_READ_WITHIN_S)
        if frame.type is not aiohttp.WSMsgType.TEXT:
            reason = frame.extra if isinstance(frame.extra, str) else ""
            raise Closed(self._ws.close_code or CODE_ABNORMAL, reason)
        message: Message = msgspec.json.decode(frame.data)
        return message

    async def drop(self, code: int) -> None:
        """Send a close frame and shut the socket down, so that no sender waits for a dead link."""
        transport = self._ws.get_extra_info("socket")
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await self._ws.close(code=code)
        if transport is not None:
            with suppress(OSError):
                transport.shutdown(socket.SHUT_RDWR)
