"""One Socket.IO session, with the queue of its incoming messages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from service.edge.close_codes import CloseCode
from service.edge.socketio import packets
from service.edge.socketio.packets import Kind

if TYPE_CHECKING:
    from service.edge.channel import Count, Handle
    from service.edge.connection import Connection
    from service.edge.socketio.link import Link

NORMAL = 1000

AHEAD_MAX = 64
"""Events that are taken in before the one that is carried out is done."""

AHEAD_BYTES_MAX = 128 * 1024
"""How long those may be together, before the last one."""

_FINAL = {CloseCode.POLICY, CloseCode.REVOKED, CloseCode.TOO_MANY_SOCKETS}
"""After these a client is not to try again by itself, as it does when its transport is closed."""


class SocketIoSession:
    """One Socket.IO session, read and closed as a WebSocket is (`Channel`)."""

    def __init__(self, link: Link) -> None:
        """Begin, before anything is known of its user."""
        self.connection: Connection | None = None
        self.close_code: int | None = None
        self._link = link
        self._inbox: asyncio.Queue[str | int | None] = asyncio.Queue(AHEAD_MAX)
        self._handle: Handle | None = None
        self._bytes = 0
        self._has_room = asyncio.Event()
        self.count: Count | None = None
        """Counts what the client sends beside events, once it is known whose it is."""

    async def take(self, packet: packets.Packet) -> None:
        """Take a packet of the session; what the client acknowledges, nobody has asked about."""
        match packet.kind:
            case Kind.EVENT:
                await self._hand_in(packets.message_of(packet))
            case Kind.BINARY_EVENT:
                await self._hand_in(None)
            case Kind.DISCONNECT:
                self._link.leave(self)
                await self._inbox.put(NORMAL)
            case _:
                pass

    def set_message_handler(self, handle: Handle, count: Count) -> None:
        """Call `handle` with each event as it comes, unless others wait before it."""
        self._handle, self.count = handle, count

    async def _hand_in(self, text: str | None) -> None:
        """Let a message be handled at once, or keep it; wait while too much is kept."""
        if self._handle is not None and self._inbox.empty() and self._handle(text):
            return
        while self._bytes > AHEAD_BYTES_MAX and self.close_code is None:
            self._has_room.clear()
            await self._has_room.wait()
        self._bytes += _size(text)
        await self._inbox.put(text)

    def end(self, code: int) -> None:
        """Begin no more; what was taken in before is still carried out."""
        self._link.leave(self)
        if self.close_code is None:
            self.close_code = code
            self._has_room.set()
            if self._inbox.empty():
                self._inbox.put_nowait(code)

    def drop(self) -> None:
        """Carry out nothing of what waits."""
        while not self._inbox.empty():
            self._taken(self._inbox.get_nowait())

    def exception(self) -> BaseException | None:
        """Return what broke the connection."""
        return self._link.error

    async def answers(self, within_s: float) -> bool:
        """Ping the client, and tell whether anything comes from it in time."""
        return await self._link.answers(within_s)

    async def close(self, *, code: int, message: bytes) -> bool:
        """End it, and say so in the way after which its client does what the code asks for."""
        if self.close_code is not None:
            return False
        self.drop()
        self.end(code)
        reason = message.decode()
        if code not in _FINAL:
            await self._link.close(code, reason)
        elif self.connection is not None and self.connection.opened_at:
            self._link.send(packets.DISCONNECT_FRAME)
        else:
            self._link.send(packets.connect_error_frame(reason, code))
        return True

    def texts(self) -> SocketIoSession:
        """Iterate over the messages of the client that were kept; None is a binary one."""
        return self

    def __aiter__(self) -> SocketIoSession:
        """Iterate over the messages that were kept."""
        return self

    async def __anext__(self) -> str | None:
        """Return the next one."""
        if self.close_code is not None and self._inbox.empty():
            raise StopAsyncIteration
        item = await self._inbox.get()
        self._taken(item)
        if isinstance(item, int):
            self.close_code = self.close_code or item
            raise StopAsyncIteration
        return item

    def _taken(self, item: str | int | None) -> None:
        """Let further messages in."""
        self._bytes -= _size(item)
        self._has_room.set()


def _size(item: str | int | None) -> int:
    return len(item) if isinstance(item, str) else 0
