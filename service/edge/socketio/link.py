"""One Engine.IO connection: long polling, a WebSocket, or an upgrade from one to the other.

It has at most one Socket.IO session at a time, and may have several in succession.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

from aiohttp import WSCloseCode

from service.edge.close_codes import CloseCode
from service.edge.connection import Connection
from service.edge.dialect import SOCKET_IO
from service.edge.inbound import is_set_within
from service.edge.session.costs import BYTES_PER_UNIT
from service.edge.session.rate_limit import Bucket
from service.edge.socketio import packets
from service.edge.socketio.packets import MAIN, EngineType, InvalidPacket, PacketKind
from service.edge.socketio.polling import Polling
from service.edge.socketio.session import SocketIoSession

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from service.domain.ids import SocketId, UserId
    from service.edge.endpoint import Connect, NewQueue
    from service.edge.wire.interface import SendQueue, Transport
    from service.settings.sections.connections import ConnectionLimits

    Serve: TypeAlias = Callable[["Link", "SocketIoSession", str | None, Connect], Awaitable[None]]


_FINAL_RESPONSE = {CloseCode.PROTOCOL, CloseCode.TOO_BIG}
"""Close codes whose reason the client learns by the response to the request that caused them."""


class Link:
    """One Engine.IO connection."""

    def __init__(  # noqa: PLR0913 - the request, the limits and four callbacks
        self,
        sid: str,
        request: web.Request,
        limits: ConnectionLimits,
        *,
        serve: Serve,
        closed: Callable[[Link], None],
        changed: Callable[[Link], None],
        attach: Callable[[SendQueue, web.Request], None],
    ) -> None:
        """Begin by polling; `serve` serves a session to its end, `closed` is called at the end.

        `changed` is called for a new `is_admitted` while open, `attach` for a session's WebSocket.
        """
        self.sid = sid
        self.request = request
        """The request of the handshake."""
        self.error: BaseException | None = None
        self.is_closed = False
        self.has_unread_reason = False
        """Whether the service closed it, and the client may still poll the reason."""
        self.is_upgrading = self.is_posting = False
        self.sessions = 0
        """The number of sessions so far."""
        self._limits = limits
        self._serve, self._closed, self._changed, self._attach = serve, closed, changed, attach
        self.carrier: web.Request | None = None
        """The request that was upgraded to its WebSocket."""
        self._loop = asyncio.get_running_loop()
        self._ws: web.WebSocketResponse | None = None
        self.polling = Polling(self._on_abort)
        self.transport: Transport = self.polling
        self._session: SocketIoSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._received = asyncio.Event()
        """Set by any received packet."""
        self._packets = Bucket(limits.session.messages, self._loop.time())
        self._connect_timer = self._loop.call_later(
            limits.socketio_connect_s, self._connect_timeout
        )
        self._heartbeat = self._loop.call_later(limits.heartbeat_s, self._ping)

    @property
    def is_upgraded(self) -> bool:
        """Whether its transport is a WebSocket."""
        return self._ws is not None

    @property
    def is_admitted(self) -> bool:
        """Whether its session is authenticated."""
        return self._session is not None and self._session.connection is not None

    # The transport

    def open(self) -> None:
        """Send the Engine.IO open packet."""
        opened = packets.Opened(
            self.sid,
            [] if self._ws is not None else ["websocket"],
            round(self._limits.heartbeat_s * 1000),
            round(self._limits.pong_s * 1000),
            self._limits.session.message_bytes_max,
        )
        self.send(packets.open_frame(opened))

    def upgrade(self, ws: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        """Switch to a WebSocket, and send what was not polled yet."""
        waiting = self.polling.drain()
        self.polling.close()
        self._ws, self.transport = ws, transport
        if waiting:
            transport.write(waiting)
        if self._session is not None and self._session.connection is not None:
            self._session.connection.transport = transport
        self._attach_session()

    def _attach_session(self) -> None:
        """Let output go straight to the WebSocket, if there is one, and a session."""
        connection = None if self._session is None else self._session.connection
        if self.carrier is not None and connection is not None:
            self._attach(connection.send_queue, self.carrier)

    def send(self, frame: bytes) -> None:
        """Send a packet; abort if the client has too much unread."""
        if self._is_full:
            self.transport.abort()
        elif not self.transport.is_closing():
            self.transport.write(frame)

    @property
    def _is_full(self) -> bool:
        return self.transport.get_write_buffer_size() > self._limits.slow.bytes_max

    async def close(self, code: int, reason: str) -> None:
        """Close the transport; depending on the code, the client reconnects."""
        if self.is_closed:
            return
        if self._ws is None:
            self.send(packets.CLOSE_FRAME)
            self.has_unread_reason = code not in _FINAL_RESPONSE
        self.lost(code)
        if self._ws is not None:
            await self._ws.close(code=code, message=reason.encode())

    def lost(self, code: int) -> None:
        """Note that the transport is closed."""
        if self.is_closed:
            return
        self.is_closed = True
        self._heartbeat.cancel()
        self._connect_timer.cancel()
        self.polling.close()
        if self._session is not None:
            self._session.end(code)
        self._closed(self)

    async def ended(self) -> None:
        """Wait for the end of all sessions."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _on_abort(self) -> None:
        self.lost(CloseCode.ABNORMAL)

    def _connect_timeout(self) -> None:
        self._spawn(self.close(CloseCode.POLICY, "Nobody has connected"))

    # Heartbeat

    def _ping(self) -> None:
        # With a full buffer the ping would not be read; the missing pong closes the connection.
        if not self._is_full:
            self.send(packets.PING_FRAME)
        self._heartbeat = self._loop.call_later(self._limits.pong_s, self._no_pong)

    def _pong(self) -> None:
        self._heartbeat.cancel()
        self._heartbeat = self._loop.call_later(self._limits.heartbeat_s, self._ping)

    async def answers(self, within_s: float) -> bool:
        """Ping the client; return whether any packet is received in time."""
        self._received.clear()
        self.send(packets.PING_FRAME)
        return await is_set_within(self._received, within_s)

    def _no_pong(self) -> None:
        self.error = TimeoutError()
        self.lost(CloseCode.ABNORMAL)
        self.transport.abort()

    # Packets of the client

    async def receive(self, packet: str) -> None:
        """Handle an Engine.IO packet; waits while too many events are queued.

        An invalid one closes the connection, and raises `InvalidPacket`.
        """
        if self.is_closed:
            return
        self._received.set()
        kind = packet[:1]
        if kind != EngineType.MESSAGE and not await self.spend(len(packet)):
            return
        try:
            match kind:
                case EngineType.MESSAGE:
                    await self._receive_packet(packet[1:])
                case EngineType.PONG:
                    self._pong()
                case EngineType.CLOSE:
                    # Clients send this after a broken poll as well; a logout is `DISCONNECT`.
                    self.lost(WSCloseCode.GOING_AWAY)
                case packets.BINARY | EngineType.NOOP:
                    # An attachment: its event was refused before.
                    pass
                case _:
                    raise InvalidPacket  # noqa: TRY301 - handled below, as those of `_receive_packet`
        except InvalidPacket:
            await self.close(CloseCode.PROTOCOL, "Invalid packet")
            raise

    async def _receive_packet(self, text: str) -> None:
        packet = packets.read(text)
        is_message = packet.kind is PacketKind.EVENT and packet.namespace == MAIN
        if not is_message and not await self.spend(len(text)):
            return
        if packet.namespace != MAIN:
            if packet.kind is PacketKind.CONNECT:
                self.send(packets.unknown_namespace_frame(packet.namespace))
            return
        session = self._session
        if session is None and packet.kind is PacketKind.CONNECT:
            self._connect(packets.token_in(packet))
        elif session is None or packet.kind in {PacketKind.CONNECT, PacketKind.CONNECT_ERROR}:
            raise InvalidPacket
        else:
            await session.receive(packet)

    async def spend(self, size: int = 0) -> bool:
        """Charge a packet or a request that is no message; return whether it is allowed.

        Too many of them close the connection, and long ones count for more. A user's own are
        counted over all of their sockets.
        """
        units = min(1 + size // BYTES_PER_UNIT, self._packets.burst)
        if not self._packets.take(self._loop.time(), units):
            await self.close(CloseCode.RATE_LIMITED, "Rate limited")
            return False
        session = self._session
        return session is None or session.count is None or session.count()

    # The session

    def _connect(self, token: str | None) -> None:
        self._connect_timer.cancel()
        self._session = session = SocketIoSession(self)
        self.sessions += 1

        def connect(socket: SocketId, user: UserId, new_queue: NewQueue) -> Connection:
            session.connection = connection = Connection(
                socket,
                user,
                SOCKET_IO,
                transport=self.transport,
                limits=self._limits.slow,
                new_queue=new_queue,
            )
            # It is sent with the greeting, when the opening is committed.
            connection.frames.append(packets.connected_frame(socket))
            self._attach_session()
            if not self.is_closed:
                # Else it would be counted again, as unauthenticated, and for ever.
                self._changed(self)
            return connection

        async def serve() -> None:
            try:
                await self._serve(self, session, token, connect)
            finally:
                session.end(CloseCode.ABNORMAL)
                session.drop()
                session.release()

        self._spawn(serve())

    def leave(self, session: SocketIoSession) -> None:
        """Detach this session; the client may begin another one."""
        if self._session is session:
            self._session = None
            if not self.is_closed:
                self._changed(self)
                self._connect_timer = self._loop.call_later(
                    self._limits.socketio_connect_s, self._connect_timeout
                )

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
