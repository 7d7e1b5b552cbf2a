"""The hub: all open sockets, and the way of a message to them. Nothing here ever waits.

A message is encoded and framed once, whoever gets it; the frames that one socket gets within a
turn of the loop leave in one write. A slow socket loses states that newer ones replace, then
itself; never does it delay another.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from service.deliveries import (
    Delivery,
    Everyone,
    Refresh,
    Sockets,
    Users,
    Watchers,
    lobby_list,
    user_list,
)
from service.domain.presence import SocketOpened
from service.edge.close_codes import CloseCode
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from service.deliveries import Audience, Names
    from service.domain.event import Event, Position
    from service.domain.ids import SocketId, UserId
    from service.domain.world import World
    from service.messages import ToClient

TEXT_FRAME = 0x81
"""FIN and the opcode of a text frame (RFC 6455, section 5.2)."""

_LENGTH_7_MAX = 125
_LENGTH_16_MAX = 0xFFFF

STALL_CHECK_S = 1.0

logger = get_logger(__name__)

_encoder = msgspec.json.Encoder()


def frame(message: ToClient) -> bytes:
    """Write a message as an unmasked text frame, ready for any socket."""
    payload = _encoder.encode(message)
    length = len(payload)
    if length <= _LENGTH_7_MAX:
        return bytes((TEXT_FRAME, length)) + payload
    if length <= _LENGTH_16_MAX:
        return bytes((TEXT_FRAME, 126)) + length.to_bytes(2, "big") + payload
    return bytes((TEXT_FRAME, 127)) + length.to_bytes(8, "big") + payload


class SlowLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much a socket may leave unread."""

    bytes_newest_only: int = 256 * 1024
    bytes_max: int = 1024 * 1024
    stall_s: float = 10


class Connection:
    """One open socket, as far as writing goes."""

    def __init__(self, socket: SocketId, user: UserId, transport: asyncio.Transport) -> None:
        """Write to `transport`, whose handshake is over."""
        self.socket = socket
        self.user = user
        self.friends: frozenset[UserId] = frozenset()
        self.transport = transport
        self.aborted = False
        self._frames: list[bytes] = []
        self._newest: bytes | None = None
        self._written = 0
        self._progress = (0, 0.0)

    def queue(self, data: bytes) -> None:
        """Send a frame with the next flush."""
        self._frames.append(data)

    def queue_newest(self, data: bytes, limits: SlowLimits) -> None:
        """Send a state with the next flush, or only the newest one when the socket is slow."""
        if self.transport.get_write_buffer_size() > limits.bytes_newest_only:
            self._newest = data
        else:
            self._newest = None
            self._frames.append(data)

    def flush(self, limits: SlowLimits) -> None:
        """Write what is queued, at once; give a socket up that has left too much unread."""
        if self.transport.is_closing():
            self._frames.clear()
            return
        buffered = self.transport.get_write_buffer_size()
        if self._newest is not None and buffered <= limits.bytes_newest_only:
            self._frames.append(self._newest)
            self._newest = None
        if not self._frames:
            return
        data = self._frames[0] if len(self._frames) == 1 else b"".join(self._frames)
        self._frames.clear()
        self._written += len(data)
        if buffered + len(data) > limits.bytes_max and buffered:
            self.abort("too much unread")
        else:
            self.transport.write(data)

    def check_progress(self, now: float, limits: SlowLimits) -> None:
        """Give up a socket that has read nothing for too long."""
        buffered = self.transport.get_write_buffer_size()
        read = self._written - buffered
        if not buffered or read > self._progress[0]:
            self._progress = (read, now)
            self.flush(limits)
        elif now - self._progress[1] > limits.stall_s:
            self.abort("nothing read")

    def abort(self, reason: str) -> None:
        """Drop the connection; a close frame could not reach the client any more."""
        self.aborted = True
        logger.warning(
            "slow client dropped",
            error_type="websocket_error",
            error_code=str(int(CloseCode.TOO_SLOW)),
            metadata={"socket": self.socket, "reason": reason},
        )
        self.transport.abort()


class Hub:
    """All open sockets of this node."""

    def __init__(
        self, world: World, names: Names, limits: SlowLimits, list_interval_s: float
    ) -> None:
        """Send lists of `world` at most every `list_interval_s`."""
        self._world = world
        self._names = names
        self._limits = limits
        self._list_interval_s = list_interval_s
        self._connections: dict[SocketId, Connection] = {}
        self._arriving: dict[SocketId, Connection] = {}
        self._of_users: dict[UserId, dict[SocketId, Connection]] = {}
        self._watchers: dict[UserId, set[SocketId]] = {}
        self._unflushed: set[Connection] = set()
        self._stale: set[str] = set()

    def __len__(self) -> int:
        """Count the open sockets."""
        return len(self._connections)

    def expect(self, connection: Connection) -> None:
        """Reach this socket by its id alone, so that its greeting is the first that it gets."""
        self._arriving[connection.socket] = connection

    def observe(self, event: Event, _position: Position) -> None:
        """Reach a socket by all ways as soon as it has been greeted."""
        if isinstance(event, SocketOpened) and event.socket in self._arriving:
            self.add(self._arriving.pop(event.socket))

    def add(self, connection: Connection) -> None:
        """Reach this socket from now on."""
        self._connections[connection.socket] = connection
        self._of_users.setdefault(connection.user, {})[connection.socket] = connection

    def remove(self, connection: Connection) -> None:
        """Reach this socket no longer."""
        self.watch(connection, frozenset())
        self._arriving.pop(connection.socket, None)
        self._connections.pop(connection.socket, None)
        self._unflushed.discard(connection)
        sockets = self._of_users.get(connection.user, {})
        sockets.pop(connection.socket, None)
        if not sockets:
            self._of_users.pop(connection.user, None)

    def watch(self, connection: Connection, friends: frozenset[UserId]) -> None:
        """Tell this socket when one of `friends` comes or goes, and of nobody else."""
        for friend in connection.friends - friends:
            watchers = self._watchers[friend]
            watchers.discard(connection.socket)
            if not watchers:
                del self._watchers[friend]
        for friend in friends - connection.friends:
            self._watchers.setdefault(friend, set()).add(connection.socket)
        connection.friends = friends

    def publish(self, delivery: Delivery | Refresh) -> None:
        """Send one message to all who are to get it, or let a list be sent soon."""
        if isinstance(delivery, Refresh):
            self._refresh(delivery.list)
            return
        connections = list(self._resolve(delivery.audience))
        if not connections:
            return
        data = frame(delivery.message)
        for connection in connections:
            if delivery.newest_only:
                connection.queue_newest(data, self._limits)
            else:
                connection.queue(data)
        self._flush_soon(connections)

    def send(self, connection: Connection, message: ToClient) -> None:
        """Send one message to one socket."""
        connection.queue(frame(message))
        self._flush_soon((connection,))

    def flush(self) -> None:
        """Write what is queued for every socket."""
        unflushed, self._unflushed = self._unflushed, set()
        for connection in unflushed:
            connection.flush(self._limits)

    async def watch_stalls(self) -> None:
        """Give up sockets that make no progress, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(STALL_CHECK_S)
            for connection in list(self._connections.values()):
                connection.check_progress(loop.time(), self._limits)

    def _resolve(self, audience: Audience) -> Iterator[Connection]:
        match audience:
            case Everyone():
                yield from self._connections.values()
            case Users(users):
                for user in users:
                    yield from self._of_users.get(user, {}).values()
            case Sockets(sockets):
                yield from self._known(sockets)
            case Watchers(user):
                yield from self._known(self._watchers.get(user, ()))

    def _known(self, sockets: Iterable[SocketId]) -> Iterator[Connection]:
        for socket in sockets:
            connection = self._connections.get(socket) or self._arriving.get(socket)
            if connection is not None:
                yield connection

    def _flush_soon(self, connections: Iterable[Connection]) -> None:
        if not self._unflushed:
            asyncio.get_running_loop().call_soon(self.flush)
        self._unflushed.update(connections)

    def _refresh(self, list_: str) -> None:
        if not self._stale:
            asyncio.get_running_loop().call_later(self._list_interval_s, self._send_stale)
        self._stale.add(list_)

    def _send_stale(self) -> None:
        stale, self._stale = self._stale, set()
        if "user:list" in stale:
            self.publish(Delivery(Everyone(), user_list(self._world, self._names)))
        if "lobby:list" in stale:
            self.publish(lobby_list(self._world, self._names))
