"""One Engine.IO connection, by polling, by a WebSocket, or from the one to the other.

It carries at most one Socket.IO session at a time, of which it is the `Channel`'s other end.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

import msgspec
from aiohttp import WSMessage, WSMsgType, web

from service.edge.close_codes import CloseCode
from service.edge.connection import Connection
from service.edge.dialect import SOCKET_IO
from service.edge.session import Bucket
from service.edge.socketio import packets
from service.edge.socketio.packets import MAIN, Engine, InvalidPacket, Kind
from service.edge.socketio.polling import Polling

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from service.domain.ids import SocketId, UserId
    from service.edge.channel import Take
    from service.edge.connection import SlowLimits, Transport
    from service.edge.session import SessionLimits
    from service.edge.websocket import Connect

    Serve: TypeAlias = Callable[["Link", "Session", str | None, Connect], Awaitable[None]]

NORMAL = 1000
NO_STATUS = 1005
"""What a browser notes when a WebSocket is closed without a code, as this client closes one."""

AHEAD_MAX = 64
"""Events that are taken in before the one that is carried out is done."""

_FINAL = {CloseCode.POLICY, CloseCode.REVOKED, CloseCode.TOO_MANY_SOCKETS}
"""After these a client is not to try again by itself, as it does when its transport is closed."""


class LinkLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one connection may do."""

    session: SessionLimits
    slow: SlowLimits
    payload_bytes_max: int
    ping_s: float
    pong_s: float
    connect_s: float


class Link:
    """One Engine.IO connection."""

    def __init__(
        self,
        sid: str,
        request: web.Request,
        limits: LinkLimits,
        *,
        serve: Serve,
        closed: Callable[[Link], None],
    ) -> None:
        """Begin by polling; `serve` serves a session to its end, and `closed` is told the end."""
        self.sid = sid
        self.request = request
        """The handshake."""
        self.error: BaseException | None = None
        self.is_closed = False
        self.is_upgrading = False
        self.is_posting = False
        self.sessions = 0
        """How many it has carried."""
        self._limits = limits
        self._serve = serve
        self._closed = closed
        self._loop = asyncio.get_running_loop()
        self._ws: web.WebSocketResponse | None = None
        self.polling = Polling(self._given_up)
        self.transport: Transport = self.polling
        self._session: Session | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._packets = Bucket(
            limits.session.messages_per_s, limits.session.messages_burst, self._loop.time()
        )
        self._connect_timer = self._loop.call_later(limits.connect_s, self._nobody_came)
        self._heart = self._loop.call_later(limits.ping_s, self._ping)

    @property
    def is_upgraded(self) -> bool:
        """Whether it goes over a WebSocket."""
        return self._ws is not None

    # The transport

    def open(self) -> None:
        """Tell the client how this connection goes."""
        opened = packets.Opened(
            self.sid,
            [] if self._ws is not None else ["websocket"],
            round(self._limits.ping_s * 1000),
            round(self._limits.pong_s * 1000),
            self._limits.payload_bytes_max,
        )
        self.send(packets.open_frame(opened))

    def go_over(self, ws: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        """Use a WebSocket from now on; it begins with what was not yet polled."""
        waiting = self.polling.take()
        self.polling.close()
        self._ws, self.transport = ws, transport
        if waiting:
            transport.write(waiting)
        if self._session is not None and self._session.connection is not None:
            self._session.connection.transport = transport

    def send(self, frame: bytes) -> None:
        """Send a packet after what was written before."""
        if not self.transport.is_closing():
            self.transport.write(frame)

    async def close(self, code: int, reason: str) -> None:
        """Close the transport; unless it was to end, its client connects again."""
        if self.is_closed:
            return
        if self._ws is None:
            self.send(packets.CLOSE_FRAME)
        self.lost(code)
        if self._ws is not None:
            await self._ws.close(code=code, message=reason.encode())

    def lost(self, code: int) -> None:
        """Take note that the transport has ended."""
        if self.is_closed:
            return
        self.is_closed = True
        self._heart.cancel()
        self._connect_timer.cancel()
        self.polling.close()
        if self._session is not None:
            self._session.end(code)
        self._closed(self)

    async def ended(self) -> None:
        """Return when the sessions that it has carried are over."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _given_up(self) -> None:
        self.lost(CloseCode.ABNORMAL)

    def _nobody_came(self) -> None:
        self._spawn(self.close(CloseCode.POLICY, "Nobody has connected"))

    # The heart

    def _ping(self) -> None:
        self.send(packets.PING_FRAME)
        self._heart = self._loop.call_later(self._limits.pong_s, self._no_pong)

    def _pong(self) -> None:
        self._heart.cancel()
        self._heart = self._loop.call_later(self._limits.ping_s, self._ping)

    def _no_pong(self) -> None:
        self.error = TimeoutError()
        self.lost(CloseCode.ABNORMAL)
        self.transport.abort()

    # What the client sends

    async def receive(self, packet: str) -> None:
        """Take an Engine.IO packet; the client waits while too many events do.

        One that is wrong closes the connection, and raises `InvalidPacket`.
        """
        if self.is_closed:
            return
        try:
            match packet[:1]:
                case Engine.MESSAGE:
                    await self._take(packet[1:])
                case Engine.PONG:
                    self._pong()
                case Engine.CLOSE:
                    self.lost(NO_STATUS)
                case packets.BINARY:
                    await self.receive_binary()
                case Engine.NOOP:
                    pass
                case _:
                    raise InvalidPacket  # noqa: TRY301 - what no packet is, is said in one place
        except InvalidPacket:
            await self.close(CloseCode.PROTOCOL, "Invalid packet")
            raise

    async def receive_binary(self) -> None:
        """Take a binary packet, which nobody understands; the event before it was answered."""
        await self._spend()

    async def _take(self, text: str) -> None:
        packet = packets.read(text)
        if packet.kind is not Kind.EVENT and not await self._spend():
            return
        if packet.namespace != MAIN:
            if packet.kind is Kind.CONNECT:
                self.send(packets.unknown_namespace_frame(packet.namespace))
            return
        session = self._session
        if session is None and packet.kind is Kind.CONNECT:
            self._connect(packets.token_in(packet))
        elif session is None or packet.kind in {Kind.CONNECT, Kind.CONNECT_ERROR}:
            raise InvalidPacket
        else:
            await session.take(packet)

    async def _spend(self) -> bool:
        """Count a packet that no session counts; too many of them close the connection."""
        if self._packets.take(self._loop.time()):
            return True
        await self.close(CloseCode.RATE_LIMITED, "Rate limited")
        return False

    # The session

    def _connect(self, token: str | None) -> None:
        self._connect_timer.cancel()
        self._session = session = Session(self)
        self.sessions += 1

        def connect(socket: SocketId, user: UserId) -> Connection:
            session.connection = connection = Connection(
                socket, user, SOCKET_IO, transport=self.transport, limits=self._limits.slow
            )
            # It goes out with the greeting, once the opening is committed.
            connection.frames.append(packets.connected_frame(socket))
            return connection

        async def serve() -> None:
            try:
                await self._serve(self, session, token, connect)
            finally:
                session.end(CloseCode.ABNORMAL)
                session.drop()

        self._spawn(serve())

    def leave(self, session: Session) -> None:
        """Carry this session no longer; another one may begin."""
        if self._session is session:
            self._session = None
            if not self.is_closed:
                self._connect_timer = self._loop.call_later(
                    self._limits.connect_s, self._nobody_came
                )

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Session:
    """One Socket.IO session, read and closed as a WebSocket is (`Channel`)."""

    def __init__(self, link: Link) -> None:
        """Begin, before anything is known of its user."""
        self.connection: Connection | None = None
        self.close_code: int | None = None
        self._link = link
        self._inbox: asyncio.Queue[WSMessage | int] = asyncio.Queue(AHEAD_MAX)
        self._take: Take | None = None

    async def take(self, packet: packets.Packet) -> None:
        """Take a packet of the session; what the client acknowledges, nobody has asked about."""
        match packet.kind:
            case Kind.EVENT:
                text = packets.message_of(packet)
                await self._hand_in(WSMessage(WSMsgType.TEXT, text, None))
            case Kind.BINARY_EVENT:
                await self._hand_in(WSMessage(WSMsgType.BINARY, b"", None))
            case Kind.DISCONNECT:
                self._link.leave(self)
                await self._inbox.put(NORMAL)
            case _:
                pass

    def take_by(self, take: Take) -> None:
        """Let `take` have each event as it comes, unless others wait before it."""
        self._take = take

    async def _hand_in(self, frame: WSMessage) -> None:
        left: WSMessage | None = frame
        if self._take is not None and self._inbox.empty():
            left = self._take(frame)
        if left is not None:
            await self._inbox.put(left)

    def end(self, code: int) -> None:
        """Begin no more; what was taken in before is still carried out."""
        self._link.leave(self)
        if self.close_code is None:
            self.close_code = code
            if self._inbox.empty():
                self._inbox.put_nowait(code)

    def drop(self) -> None:
        """Carry out nothing of what waits."""
        while not self._inbox.empty():
            self._inbox.get_nowait()

    def exception(self) -> BaseException | None:
        """Return what broke the connection."""
        return self._link.error

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

    def __aiter__(self) -> Session:
        """Iterate over the events of the client."""
        return self

    async def __anext__(self) -> WSMessage:
        """Return the next event."""
        if self.close_code is not None and self._inbox.empty():
            raise StopAsyncIteration
        item = await self._inbox.get()
        if isinstance(item, int):
            self.close_code = self.close_code or item
            raise StopAsyncIteration
        return item
