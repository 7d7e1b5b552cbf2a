"""One WebSocket from its handshake to its end: the thin glue around `Session`."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, assert_never

import msgspec
from aiohttp import WSMsgType, web

from service import messages as wire
from service.deliveries import Refresh, lobby_list, user_list
from service.domain.presence import CloseSocket, OpenSocket, TooManySockets
from service.edge.auth import AuthenticationError, Identity, token_of
from service.edge.close_codes import CloseCode
from service.edge.hub import Connection
from service.edge.session import (
    BinaryFrame,
    Close,
    Execute,
    Session,
    ShowFriends,
    ShowLobby,
    ShowUsers,
    WatchFriends,
)
from service.errors import ClientError, Unavailable
from service.log.records import Origin
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.domain.ids import SocketId
    from service.edge.auth import Authenticator
    from service.edge.hub import Hub
    from service.edge.session import Action, SessionLimits
    from service.engine import Engine
    from service.people import People
    from service.ticker import Ticker

CLASSIC_PROTOCOL = "ws-service.classic"
"""What a client offers beside its `bearer.<JWT>`; a server must select one of those offered."""

CLOSE_RETRY_S = 1.0
"""How long to wait with the end of a socket that could not be written down."""

logger = get_logger(__name__)


class WebSocketLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one connection may do."""

    session: SessionLimits
    message_bytes_max: int
    heartbeat_s: float
    origins: tuple[str, ...]


class WebSockets:
    """All connections of this node."""

    def __init__(  # noqa: PLR0913 - the parts are given by the composition root
        self,
        engine: Engine,
        hub: Hub,
        ticker: Ticker,
        people: People,
        *,
        authenticator: Authenticator,
        limits: WebSocketLimits,
        new_socket_id: Callable[[], SocketId],
    ) -> None:
        """Serve connections with these parts."""
        self._engine = engine
        self._hub = hub
        self._ticker = ticker
        self._people = people
        self._authenticator = authenticator
        self._limits = limits
        self._new_socket_id = new_socket_id
        self._open: set[web.WebSocketResponse] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._asking: set[SocketId] = set()
        self._draining = False

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Take a connection from its handshake to its end."""
        if self._draining:
            raise web.HTTPServiceUnavailable(text="restarting, try again")
        correlation_id = uuid.uuid4().hex
        ws = web.WebSocketResponse(
            protocols=(CLASSIC_PROTOCOL,),
            max_msg_size=self._limits.message_bytes_max,
            heartbeat=self._limits.heartbeat_s,
            compress=False,
        )
        await ws.prepare(request)
        try:
            identity = self._admit(request)
        except AuthenticationError as error:
            logger.warning(
                "handshake refused",
                correlation_id=correlation_id,
                error_type="authentication_error",
                error_code=error.error_code,
            )
            await ws.close(code=CloseCode.POLICY, message=error.message.encode())
            return ws
        self._open.add(ws)
        try:
            await self._serve_user(request, ws, identity, correlation_id)
        finally:
            self._open.discard(ws)
        return ws

    async def stop(self) -> None:
        """Accept no more, and close all with 4001; the next `node.started` tells of their ends."""
        self._draining = True
        closing = [
            asyncio.create_task(ws.close(code=CloseCode.DRAINING, message=b"Server is restarting"))
            for ws in self._open
        ]
        if closing:
            await asyncio.wait(closing, timeout=2)
        for task in [*closing, *self._tasks]:
            task.cancel()

    def refuse_new(self) -> None:
        """Accept no more connections."""
        self._draining = True

    def _admit(self, request: web.Request) -> Identity:
        origin = request.headers.get("Origin")
        if origin is not None and not {"*", origin} & set(self._limits.origins):
            raise AuthenticationError("Origin not allowed", "ORIGIN_NOT_ALLOWED")
        return self._authenticator.check(token_of(request))

    async def _serve_user(
        self,
        request: web.Request,
        ws: web.WebSocketResponse,
        identity: Identity,
        correlation_id: str,
    ) -> None:
        transport = request.transport
        if transport is None:
            return
        loop = asyncio.get_running_loop()
        socket = self._new_socket_id()
        session = Session(identity.user, socket, self._limits.session, loop.time())
        connection = Connection(socket, identity.user, transport)
        origin = Origin(correlation_id, identity.user)
        self._hub.expect(connection)
        try:
            if not await self._opened(ws, identity, socket, origin):
                return
            token = token_of(request) or ""
            self._people.came(identity.user, token, named=identity.name is not None)
            await self._converse(ws, session, connection, origin)
        finally:
            self._hub.remove(connection)
            if isinstance(ws.exception(), TimeoutError):
                logger.warning(
                    "client did not answer a ping",
                    correlation_id=correlation_id,
                    error_type="websocket_error",
                    error_code=str(int(CloseCode.NO_PONG)),
                )
            code = ws.close_code or CloseCode.ABNORMAL
            if not self._draining:
                self._end(CloseSocket(identity.user, socket, code), origin)

    async def _opened(
        self, ws: web.WebSocketResponse, identity: Identity, socket: SocketId, origin: Origin
    ) -> bool:
        """Append the opening of the socket; what follows from it greets the client."""
        names, user = self._engine.names, identity.user
        renamed = identity.name is not None and names.get(user) != identity.name
        was_online = self._engine.world.presence.is_online(user)
        if renamed:
            names[user] = identity.name or ""
        try:
            await self._engine.execute(
                OpenSocket(user, socket),
                origin,
                names={str(user): names[user]} if renamed else None,
            )
        except TooManySockets as error:
            await ws.close(code=CloseCode.TOO_MANY_SOCKETS, message=error.code.encode())
            return False
        except Unavailable as error:
            await ws.close(code=CloseCode.TRY_AGAIN, message=error.code.encode())
            return False
        if renamed and was_online:
            self._hub.publish(Refresh("user:list"))
        return True

    async def _converse(
        self,
        ws: web.WebSocketResponse,
        session: Session,
        connection: Connection,
        origin: Origin,
    ) -> None:
        loop = asyncio.get_running_loop()
        async for frame in ws:
            if frame.type is WSMsgType.ERROR:
                return
            try:
                if frame.type is not WSMsgType.TEXT:
                    raise BinaryFrame
                action = session.receive(frame.data, loop.time())
                if isinstance(action, Close):
                    self._hub.flush()
                    await ws.close(code=action.code, message=action.reason.encode())
                    return
                await self._perform(action, connection, origin)
            except ClientError as error:
                logger.debug(
                    "message refused",
                    correlation_id=origin.correlation_id,
                    error_type="validation_error",
                    error_code=error.code,
                )
                self._hub.send(connection, wire.Error(error.code, error.message))

    async def _perform(self, action: Action, connection: Connection, origin: Origin) -> None:
        world, names = self._engine.world, self._engine.names
        match action:
            case Execute(command, message):
                events = await self._engine.execute(command, origin)
                if not events:
                    self._answer_again(message, connection)
            case ShowUsers():
                self._hub.send(connection, user_list(world, names))
            case ShowLobby():
                self._hub.send(connection, lobby_list(world, names).message)
            case ShowFriends():
                self._show_friends(connection)
            case WatchFriends(friends):
                self._hub.watch(connection, friends)
                statuses = {friend: world.presence.is_online(friend) for friend in friends}
                self._hub.send(connection, wire.FriendsStatus(statuses))
            case Close():
                raise AssertionError(action)
            case _:
                assert_never(action)

    def _show_friends(self, connection: Connection) -> None:
        """Ask for the user's friends, beside whatever else he does; one answer serves many asks."""
        if connection.socket in self._asking:
            return
        self._asking.add(connection.socket)
        task = asyncio.create_task(self._answer_friends(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_friends(self, connection: Connection) -> None:
        message: wire.FriendsStatusResponse | wire.Error
        try:
            friends = await self._people.friends(connection.user)
        except ClientError as error:
            message = wire.Error(error.code, error.message)
        else:
            online = self._engine.world.presence.is_online
            some = friends[: self._limits.session.friends_max]
            message = wire.FriendsStatusResponse(
                [wire.FriendStatus(friend, online(friend)) for friend in some]
            )
        finally:
            self._asking.discard(connection.socket)
        self._hub.send(connection, message)

    def _answer_again(self, message: wire.FromClient, connection: Connection) -> None:
        """Answer a command that changed nothing with what its sender wants to know."""
        match message:
            case wire.MatchmakingLeave():
                self._hub.send(connection, wire.MatchmakingCancelled())
            case wire.LobbyJoin():
                lobby = lobby_list(self._engine.world, self._engine.names)
                self._hub.send(connection, lobby.message)
            case wire.GameJoin():
                room, seat = self._engine.world.rooms.seat_of(connection.user, message.room_id)
                self._ticker.show_again(room, seat, connection.socket)
            case _:
                pass

    def _end(self, command: CloseSocket, origin: Origin) -> None:
        """Write the end of a socket down, however long that takes."""
        task = asyncio.create_task(self._write_end(command, origin))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write_end(self, command: CloseSocket, origin: Origin) -> None:
        while True:
            try:
                await self._engine.execute(command, origin)
            except Unavailable:
                await asyncio.sleep(CLOSE_RETRY_S)
            else:
                return
