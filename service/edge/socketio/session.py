"""One Socket.IO session, with the bounded queue of its incoming messages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from service.edge.close_codes import CloseCode
from service.edge.socketio import packets
from service.edge.socketio.packets import PacketKind

if TYPE_CHECKING:
    from service.edge.channel import Count, Handle
    from service.edge.connection import Connection

NORMAL = 1000

AHEAD_MAX = 64
"""Maximum number of queued messages."""

AHEAD_BYTES_MAX = 128 * 1024
"""Maximum size of the queued messages, without the last one, in bytes."""

_FINAL = {CloseCode.POLICY, CloseCode.REVOKED, CloseCode.TOO_MANY_SOCKETS}
"""Close codes after which the client must not reconnect, as it does if its transport closes."""


class Carrier(Protocol):
    """The Engine.IO connection that carries a session."""

    error: BaseException | None
    """The error that closed it, if any."""

    def leave(self, session: SocketIoSession) -> None:
        """Detach the session; the client may begin another one."""

    def send(self, frame: bytes) -> None:
        """Send a packet."""

    async def close(self, code: int, reason: str) -> None:
        """Close the connection; depending on the code, the client reconnects."""

    async def answers(self, within_s: float) -> bool:
        """Ping the client; return whether any packet is received in time."""


class SocketIoSession:
    """One Socket.IO session, with the same interface as a WebSocket (`Channel`)."""

    def __init__(self, carrier: Carrier) -> None:
        """Begin unauthenticated."""
        self.connection: Connection | None = None
        self.close_code: int | None = None
        self._carrier = carrier
        self._inbox: asyncio.Queue[str | int | None] = asyncio.Queue(AHEAD_MAX)
        self._handle: Handle | None = None
        self._bytes = 0
        self._has_room = asyncio.Event()
        self.count: Count | None = None
        """Counts the packets that are no events, from the authentication on."""

    async def receive(self, packet: packets.Packet) -> None:
        """Handle a packet of the session; acks are ignored, since the service asks for none."""
        match packet.kind:
            case PacketKind.EVENT:
                await self._hand_in(packets.message_of(packet))
            case PacketKind.BINARY_EVENT:
                await self._hand_in(None)
            case PacketKind.DISCONNECT:
                self._carrier.leave(self)
                await self._inbox.put(NORMAL)
            case _:
                pass

    def set_message_handler(self, handle: Handle, count: Count) -> None:
        """Call `handle` with each message as it is received (`Channel`)."""
        self._handle, self.count = handle, count

    async def _hand_in(self, text: str | None) -> None:
        """Handle a message at once, or queue it; wait while the queue is full."""
        if self._handle is not None and self._inbox.empty() and self._handle(text):
            return
        while self._bytes > AHEAD_BYTES_MAX and self.close_code is None:
            self._has_room.clear()
            await self._has_room.wait()
        self._bytes += _size(text)
        await self._inbox.put(text)

    def end(self, code: int) -> None:
        """End the session; what is queued is still carried out."""
        self._carrier.leave(self)
        if self.close_code is None:
            self.close_code = code
            self._has_room.set()
            if self._inbox.empty():
                self._inbox.put_nowait(code)

    def drop(self) -> None:
        """Drop what is queued."""
        while not self._inbox.empty():
            self._dequeued(self._inbox.get_nowait())

    def release(self) -> None:
        """Drop the references to what refers to this, when it was served to its end."""
        self._handle = self.count = None

    def exception(self) -> BaseException | None:
        """Return the error that closed the connection."""
        return self._carrier.error

    async def answers(self, within_s: float) -> bool:
        """Ping the client; return whether any packet is received in time."""
        return await self._carrier.answers(within_s)

    async def close(self, *, code: int, message: bytes) -> bool:
        """Close it by a packet after which the client reconnects, or not, as the code requires."""
        if self.close_code is not None:
            return False
        self.drop()
        self.end(code)
        reason = message.decode()
        if code not in _FINAL:
            await self._carrier.close(code, reason)
        elif self.connection is not None and self.connection.opened_at:
            self._carrier.send(packets.DISCONNECT_FRAME)
        else:
            self._carrier.send(packets.connect_error_frame(reason, code))
        return True

    def texts(self) -> SocketIoSession:
        """Iterate over the queued messages; None is a binary one."""
        return self

    def __aiter__(self) -> SocketIoSession:
        """Iterate over the queued messages."""
        return self

    async def __anext__(self) -> str | None:
        """Return the next message."""
        if self.close_code is not None and self._inbox.empty():
            raise StopAsyncIteration
        item = await self._inbox.get()
        self._dequeued(item)
        if isinstance(item, int):
            self.close_code = self.close_code or item
            raise StopAsyncIteration
        return item

    def _dequeued(self, item: str | int | None) -> None:
        """Note that an item was dequeued, for a sender that waits."""
        self._bytes -= _size(item)
        self._has_room.set()


def _size(item: str | int | None) -> int:
    return len(item) if isinstance(item, str) else 0
