"""Serve one WebSocket connection: handshake, reading, writing, close."""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import TYPE_CHECKING, assert_never

import msgspec
from aiohttp import WSMessage, WSMsgType, web

from service.domain.commands.hosting import CreateRoom, JoinRoom
from service.domain.commands.presence import CLEAN_CLOSES, CloseSocket, OpenSocket, ReplaceSocket
from service.domain.errors import TooManySockets, WrongPassword
from service.domain.events.access import SessionsRevoked
from service.domain.events.presence import SocketClosed
from service.domain.personal_data import NO_PERSONAL_DATA, PersonalData
from service.edge.auth import AuthenticationError, Identity, token_of
from service.edge.close_codes import CloseCode, label_of, noted
from service.edge.connection import Connection
from service.edge.dialect import PROTOCOLS, V1, dialect_of
from service.edge.handshake import checked
from service.edge.http.server import admit
from service.edge.inbound import EagerResponse
from service.edge.room_list import room_page
from service.edge.session.actions import (
    Close,
    Execute,
    PassSignal,
    RefreshToken,
    Reply,
    Request,
    ResumeFrom,
    SendMissed,
    ShowFriends,
    ShowLobby,
    ShowMoves,
    ShowRooms,
    ShowUsers,
    SubscribeRooms,
    WatchFriends,
)
from service.edge.session.costs import (
    BYTES_PER_UNIT,
    HANDSHAKE_UNITS,
    RECEIVERS_PER_UNIT,
    SOCKET_LOGGED_BYTES,
)
from service.edge.session.errors import MessageRefused, RateLimited
from service.edge.session.session import Session
from service.edge.token_timer import TokenTimer
from service.errors import ClientError, InternalError, Unavailable
from service.eventstore.records import Origin
from service.fanout.signals import signal
from service.fanout.views import lobby_list
from service.protocol import FromClient, classic, v1
from service.telemetry import Metrics, get_logger, note_fault, traces
from service.telemetry.metrics import INVALID

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import TypeAlias

    from service.domain.events.base import Event, Position
    from service.domain.ids import RoomId, SocketId, UserId
    from service.edge.auth import Authenticator
    from service.edge.channel import Channel
    from service.edge.greeting import Greeter
    from service.edge.hub import Hub
    from service.edge.moves import MoveHistory
    from service.edge.passwords import Passwords
    from service.edge.session.actions import Action
    from service.edge.session.rate_limit import Budgets, UserBudget
    from service.integrations.profile_lookup import ProfileLookup
    from service.runtime.engine import Engine, Executed
    from service.runtime.idempotency import Fingerprints
    from service.runtime.ticker import Ticker
    from service.settings.sections.connections import ConnectionLimits

    Connect: TypeAlias = Callable[[SocketId, UserId], Connection]

POSITION_DIGITS_MAX = 18

ANSWER_S = 1.0
"""How long the sockets of a user who has too many may take to answer a ping."""

CLOSE_RETRY_S = 1.0
"""How long to wait with the end of a socket that could not be written down."""

CLOSE_RETRY_MAX_S = 30.0
"""The longest pause before the end of a socket that could not be decided is tried again."""

_TEXT = WSMsgType.TEXT

_ANSWERED_BY_ID = (Reply, ShowFriends)
"""The actions that acknowledge the id of their message by themselves."""

_LISTS = (ShowUsers, ShowLobby, ShowRooms, WatchFriends)
"""The actions that are charged by the bytes of their answer as well."""

_FOR_THE_TASK = (Execute, RefreshToken, Close)
"""The actions that have to wait for something."""

logger = get_logger(__name__)


class OtherUser(ClientError):
    """The token is that of another user; connect again to be that user."""

    code = "OTHER_USER"


class BadToken(ClientError):
    """The token is missing, wrong or expired."""

    code = "BAD_TOKEN"


class WebSockets:
    """All connections of this node."""

    def __init__(  # noqa: PLR0913 - the parts are given by the composition root
        self,
        engine: Engine,
        hub: Hub,
        ticker: Ticker,
        profile_lookup: ProfileLookup,
        history: MoveHistory,
        *,
        greeter: Greeter,
        authenticator: Authenticator,
        limits: ConnectionLimits,
        new_socket_id: Callable[[], SocketId],
        new_token: Callable[[], str],
        budgets: Budgets,
        passwords: Passwords,
        fingerprints: Fingerprints,
        metrics: Metrics,
    ) -> None:
        """Serve connections with these parts."""
        self._budgets = budgets
        self._passwords = passwords
        self._fingerprints = fingerprints
        self._metrics = metrics
        self._engine = engine
        self._hub = hub
        self._greeter = greeter
        self._ticker = ticker
        self._profile_lookup = profile_lookup
        self._history = history
        self._authenticator = authenticator
        self._limits = limits
        self._new_socket_id = new_socket_id
        self._new_token = new_token
        self._open: dict[SocketId, _Socket] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._asking: dict[SocketId, list[str]] = {}
        """Whose friends are asked for, and the ids under which that is to be answered."""
        self._draining = False

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Take a connection from its handshake to its end."""
        if self._draining:
            raise web.HTTPServiceUnavailable(text="restarting, try again")
        handshake = checked(request, PROTOCOLS)
        ws = EagerResponse(
            self._hub.flush_scope,
            protocols=PROTOCOLS,
            # aiohttp refuses what is as long as its maximum.
            max_msg_size=self._limits.session.message_bytes_max + 1,
            heartbeat=self._limits.heartbeat_s,
            compress=False,
        )
        await ws.prepare(handshake)
        transport = request.transport
        if transport is None:
            return ws

        def connect(socket: SocketId, user: UserId) -> Connection:
            admit(request)
            return Connection(
                socket,
                user,
                dialect_of(ws.ws_protocol),
                transport=transport,
                limits=self._limits.slow,
                resume=_resume_of(request),
            )

        await self.attend(request, token_of(request), ws, connect)
        return ws

    async def attend(
        self, request: web.Request, token: str | None, ws: Channel, connect: Connect
    ) -> None:
        """Authenticate the user, and serve them over `ws` to its end."""
        correlation_id = uuid.uuid4().hex
        try:
            identity = await self._admit(request, token)
        except AuthenticationError as error:
            self._metrics.handshake_refused(error.error_code)
            logger.warning(
                "handshake refused",
                correlation_id=correlation_id,
                error_type="authentication_error",
                error_code=error.error_code,
                # What HTTP would have said, had the upgrade not been completed to say more.
                http_status=int(HTTPStatus.UNAUTHORIZED),
            )
            await ws.close(code=error.close_code, message=error.message.encode())
            return
        connection = connect(self._new_socket_id(), identity.user)
        await self._serve_user(_Socket(ws, connection, correlation_id), identity, token or "")

    async def stop(self) -> None:
        """Accept no more, and close all with 4001; the next `node.started` tells of their ends."""
        self._draining = True
        for socket in self._open.values():
            if socket.connection.dialect is V1:
                draining = v1.ServerDraining(self._limits.drain_retry_ms)
                self._hub.send(socket.connection, draining)
        self._hub.flush()
        closing = [
            asyncio.create_task(
                socket.ws.close(code=CloseCode.DRAINING, message=b"Server is restarting")
            )
            for socket in self._open.values()
        ]
        if closing:
            await asyncio.wait(closing, timeout=2)
        for task in [*closing, *self._tasks]:
            task.cancel()

    @property
    def is_draining(self) -> bool:
        """Whether no more connections are accepted."""
        return self._draining

    def refuse_new(self) -> None:
        """Accept no more connections."""
        self._draining = True

    def observe(self, event: Event, _position: Position) -> None:
        """Close the sockets of a user who was sent away, and one that had to go for another."""
        if isinstance(event, SocketClosed) and event.code == CloseCode.TOO_MANY_SOCKETS:
            replaced = self._open.get(event.socket)
            if replaced is not None:
                self._close(replaced, CloseCode.TOO_MANY_SOCKETS, "Replaced by another tab")
        if isinstance(event, SessionsRevoked):
            for socket in self._hub.sockets_of(event.user):
                self._close(self._open[socket], CloseCode.REVOKED, "Revoked")

    async def _admit(self, request: web.Request, token: str | None) -> Identity:
        origin = request.headers.get("Origin")
        if origin is not None and not {"*", origin} & set(self._limits.origins):
            raise AuthenticationError("Origin not allowed", "ORIGIN_NOT_ALLOWED")
        identity = await self._authenticator.check(token)
        if not self._is_allowed(identity):
            raise AuthenticationError("Revoked", "TOKEN_REVOKED", CloseCode.REVOKED)
        return identity

    def _is_allowed(self, identity: Identity) -> bool:
        """Tell whether this token was issued after its user was last sent away, if ever."""
        return self._engine.world.access.allows(identity.user, identity.issued_at_s)

    async def _serve_user(self, socket: _Socket, identity: Identity, token: str) -> None:
        connection, ws = socket.connection, socket.ws
        if self._draining:
            # The service was told to stop while a key was fetched.
            await ws.close(code=CloseCode.DRAINING, message=b"Server is restarting")
            return
        opened_at = time.monotonic()
        budget = self._budgets.acquire(identity.user)
        session = Session(
            identity.user,
            connection.socket,
            connection.dialect,
            limits=self._limits.session,
            budget=budget,
            new_token=self._new_token,
            now=opened_at,
        )
        if not _may_open(budget, opened_at):
            self._budgets.release(identity.user)
            self._metrics.handshake_refused("RATE_LIMITED")
            await ws.close(code=CloseCode.RATE_LIMITED, message=b"Rate limited")
            return
        connection.spend = session.spend
        self._hub.expect(connection)
        self._open[connection.socket] = socket
        try:
            if not await self._opened(socket, identity):
                return
            session.spend(connection.resume_bytes / BYTES_PER_UNIT)
            session.spend_list(connection.greeting_bytes / BYTES_PER_UNIT)
            if not self._is_allowed(identity):
                # The user was sent away while this socket was not yet among those to be closed.
                await ws.close(code=CloseCode.REVOKED, message=b"Revoked")
                return
            if connection.dialect is V1:
                socket.timer = self._token_timer(socket)
                socket.timer.begin(identity.expires_at_s)
            self._came(identity, token)
            await self._converse(socket, session)
        finally:
            del self._open[connection.socket]
            self._budgets.release(identity.user)
            self._hub.remove(connection)
            if socket.timer is not None:
                socket.timer.stop()
            self._tell_end(socket, time.monotonic() - opened_at)
            code = socket.end_code
            if code in CLEAN_CLOSES:
                connection.spoke()
            if not self._draining:
                self._end(CloseSocket(identity.user, connection.socket, code), socket.origin())

    def _tell_end(self, socket: _Socket, lasted_s: float) -> None:
        """Log and count how a connection ended, by the code that says most."""
        code = socket.end_code
        if socket.connection.aborted:
            code = CloseCode.TOO_SLOW
            self._metrics.slow_client_dropped()
        elif isinstance(socket.ws.exception(), TimeoutError):
            code = CloseCode.NO_PONG
            logger.warning(
                "client did not answer a ping",
                correlation_id=socket.correlation_id,
                error_type="websocket_error",
                error_code=str(int(code)),
            )
        self._metrics.disconnected(label_of(code))
        logger.info(
            "disconnected",
            correlation_id=socket.correlation_id,
            # ECS counts in nanoseconds.
            **{"user.id": str(socket.connection.user), "event.duration": int(lasted_s * 1e9)},
            metadata={"socket": socket.connection.socket, "close_code": int(code)},
        )

    def _token_timer(self, socket: _Socket) -> TokenTimer:
        def warn(left_ms: int) -> None:
            self._hub.send(socket.connection, v1.TokenExpiring(left_ms))

        def close() -> None:
            self._close(socket, CloseCode.TOKEN_EXPIRED, "Token expired")

        return TokenTimer(self._limits.token, warn, close)

    async def _opened(self, socket: _Socket, identity: Identity) -> bool:
        """Append the opening of the socket; what follows from it greets the client."""
        user, opening = identity.user, socket.connection.socket
        execute, origin, name = self._engine.execute, socket.origin(), self._renamed(identity)
        try:
            try:
                await execute(OpenSocket(user, opening), origin, personal_data=name)
            except TooManySockets:
                code = int(CloseCode.TOO_MANY_SOCKETS)
                replace = ReplaceSocket(user, opening, await self._silent(user), code)
                await execute(replace, origin, personal_data=name)
        except (InternalError, Unavailable) as error:
            self._metrics.handshake_refused(error.code)
            await socket.ws.close(code=CloseCode.TRY_AGAIN, message=error.code.encode())
            return False
        logger.info(
            "connected",
            correlation_id=socket.correlation_id,
            **{"user.id": str(user)},
            metadata={
                "socket": socket.connection.socket,
                "protocol": socket.connection.dialect.protocol,
            },
        )
        return True

    async def _silent(self, user: UserId) -> frozenset[SocketId]:
        """Ping all sockets of a user, and name those that do not answer."""
        sockets = [self._open[one] for one in self._hub.sockets_of(user)]
        answers = await asyncio.gather(*(one.ws.answers(ANSWER_S) for one in sockets))
        return frozenset(
            one.connection.socket
            for one, is_alive in zip(sockets, answers, strict=True)
            if not is_alive
        )

    def _renamed(self, identity: Identity) -> PersonalData:
        """Return the name that a token says, if it is not known already."""
        user, name = identity.user, identity.name
        if name is None or self._engine.profiles.names.get(user) == name:
            return NO_PERSONAL_DATA
        return PersonalData(names={str(user): name})

    async def _converse(self, socket: _Socket, session: Session) -> None:
        """Carry out a message after the other; those that need not wait are taken as they come."""

        def take(frame: WSMessage) -> WSMessage | None:
            if socket.is_busy:
                return frame
            request = self._read(frame, socket, session)
            if request is None:
                return None
            action = request.action
            if isinstance(action, Execute) and action.password is None:
                self._dispatch(action, request.id, socket, session)
                return None
            if isinstance(action, _FOR_THE_TASK):
                return WSMessage(WSMsgType.TEXT, request, None)
            self._carry_out_at_once(request, socket, session)
            return None

        socket.ws.set_message_handler(take, lambda: self._count(socket, session))
        async for frame in socket.ws:
            if frame.type is WSMsgType.ERROR:
                return
            await socket.until_idle()
            socket.is_busy = True
            try:
                is_read = isinstance(frame.data, Request)
                request = frame.data if is_read else self._read(frame, socket, session)
                if request is None:
                    continue
                if isinstance(request.action, Close):
                    self._hub.flush()
                    code, reason = request.action.code, request.action.reason
                    socket.closed_with = code
                    await socket.ws.close(code=code, message=reason.encode())
                    return
                await self._carry_out(request, socket, session)
            finally:
                socket.idle()

    def _count(self, socket: _Socket, session: Session) -> bool:
        """Count a control frame, and tell whether it is one of those that are allowed."""
        socket.connection.spoke()
        verdict = session.count(time.monotonic())
        if isinstance(verdict, Close) and not socket.is_closing:
            socket.is_closing = True
            self._close(socket, verdict.code, verdict.reason)
        return verdict is True

    def _read(self, frame: WSMessage, socket: _Socket, session: Session) -> Request | None:
        """Read a frame, and count it by the type of its message; refuse what nobody can ask."""
        socket.connection.spoke()
        try:
            text = frame.data if frame.type is _TEXT else None
            return session.receive(text, time.monotonic())
        except MessageRefused as refused:
            self._refuse(socket, refused.error, refused.id)
        except Exception as error:  # noqa: BLE001 - it costs this frame alone
            self._failed(socket, error, None)
        finally:
            self._metrics.received(session.type_received or INVALID)
        return None

    async def _carry_out(self, request: Request, socket: _Socket, session: Session) -> None:
        action = request.action
        if not isinstance(action, Execute | RefreshToken):
            self._carry_out_at_once(request, socket, session)
            return
        with _span(socket, session):
            try:
                if isinstance(action, Execute):
                    self._charge_crowd(action, session)
                    await self._execute(action, request.id, socket)
                else:
                    self._engine.check_unused(socket.origin(request.id))
                    await self._refresh(socket, action.token)
                    self._acknowledge(socket, request.id, self._engine.world.position)
            except ClientError as error:
                self._refuse(socket, error, request.id)
            except Exception as error:  # noqa: BLE001 - it costs this message alone
                self._failed(socket, error, request.id)

    def _carry_out_at_once(self, request: Request, socket: _Socket, session: Session) -> None:
        action = request.action
        with _span(socket, session):
            try:
                if request.id is not None:
                    self._engine.check_unused(socket.origin(request.id))
                if isinstance(action, _LISTS):
                    self._list(action, socket, session)
                else:
                    self._perform(action, socket, session)
            except ClientError as error:
                self._refuse(socket, error, request.id)
            except Exception as error:  # noqa: BLE001 - it costs this message alone
                self._failed(socket, error, request.id)
            else:
                if request.id is not None and not isinstance(action, _ANSWERED_BY_ID):
                    self._acknowledge(socket, request.id, self._engine.world.position)

    def _dispatch(
        self, action: Execute, id_: str | None, socket: _Socket, session: Session
    ) -> None:
        """Carry a command out; no task waits for its commit, but the messages after it do."""

        def done(result: Executed | Exception) -> None:
            try:
                self._report(action, id_, socket, result)
            finally:
                socket.idle()

        socket.is_busy = True
        with _span(socket, session):
            self._charge_crowd(action, session)
            origin, data = self._origin(action, id_, socket), action.beside
            self._engine.dispatch(action.command, origin, done, personal_data=data)

    def _report(
        self, action: Execute, id_: str | None, socket: _Socket, result: Executed | Exception
    ) -> None:
        """Answer a command that was carried out or refused."""
        try:
            if isinstance(result, ClientError):
                self._refuse(socket, result, id_)
            elif isinstance(result, Exception):
                self._failed(socket, result, id_)
            else:
                if not result.events:
                    self._answer_again(action.message, socket.connection)
                self._acknowledge(socket, id_, result.result.position, result.result.room)
        except Exception as error:  # noqa: BLE001 - it costs this message alone
            self._failed(socket, error, id_)

    def _origin(self, action: Execute, id_: str | None, socket: _Socket) -> Origin:
        digest = None if id_ is None else self._fingerprints.of(action.message)
        return socket.origin(id_, digest)

    async def _execute(self, action: Execute, id_: str | None, socket: _Socket) -> None:
        self._report(action, id_, socket, await self._decided(action, id_, socket))

    async def _decided(self, action: Execute, id_: str | None, socket: _Socket) -> Executed:
        """Carry a command out, with its password hashed where it has one."""
        command, origin, data = action.command, self._origin(action, id_, socket), action.beside
        if not isinstance(command, CreateRoom | JoinRoom):
            return await self._engine.execute(command, origin, personal_data=data)
        for is_last in (False, True):
            sealed = self._passwords.sealed_for(command)
            prepared = await self._passwords.prepare(command, action.password)
            try:
                return await self._engine.execute(prepared, origin, personal_data=data)
            except WrongPassword:
                # The room may have become another one, with another password, meanwhile.
                if is_last or self._passwords.sealed_for(command) == sealed:
                    raise
        raise AssertionError(command)

    def _acknowledge(
        self, socket: _Socket, id_: str | None, position: Position, room: RoomId | None = None
    ) -> None:
        if id_ is not None:
            ack = v1.Ack(id_, position, msgspec.UNSET if room is None else room)
            self._hub.send(socket.connection, ack)

    def _refuse(self, socket: _Socket, error: ClientError, id_: str | None) -> None:
        logger.debug(
            "message refused",
            correlation_id=socket.correlation_id,
            error_type="validation_error",
            error_code=error.code,
        )
        self._metrics.refused(error.code)
        answer = classic.Error(
            error.code,
            error.message,
            msgspec.UNSET if id_ is None else id_,
            msgspec.UNSET if error.retry_after_ms is None else error.retry_after_ms,
        )
        self._hub.send(socket.connection, answer)

    def _failed(self, socket: _Socket, error: Exception, id_: str | None) -> None:
        """Tell of a fault of ours over one message, and answer it; the socket stays."""
        note_fault(self._metrics, "message", error, socket=socket.connection.socket)
        self._refuse(socket, InternalError(), id_)

    def _list(self, action: Action, socket: _Socket, session: Session) -> None:
        """Answer with a list, and charge it by its bytes."""
        frames = socket.connection.frames
        before = len(frames)
        self._perform(action, socket, session)
        session.spend_list(sum(map(len, frames[before:])) / BYTES_PER_UNIT)

    def _perform(self, action: Action, socket: _Socket, session: Session) -> None:  # noqa: C901, PLR0912 - one each
        world, profiles = self._engine.world, self._engine.profiles
        hub, connection = self._hub, socket.connection
        match action:
            case PassSignal(message, to):
                hub.publish(
                    signal(
                        message,
                        to,
                        user=connection.user,
                        socket=connection.socket,
                        world=world,
                        sockets_of=hub.sockets_of,
                        to_anybody=self._engine.context.rules.signals_to_anybody,
                    )
                )
                self._charge_crowd(action, session)
            case Reply(message):
                hub.send(connection, message)
            case ShowUsers() if connection.dialect is V1:
                hub.send_frames(connection, hub.users.frames())
            case ShowUsers():
                hub.send_frames(connection, (hub.lists.user_list(connection.dialect),))
            case ShowLobby():
                hub.send(connection, lobby_list(world, profiles))
            case ShowRooms(game, after, limit):
                hub.send(connection, room_page(world, profiles, game, after, limit))
            case SubscribeRooms(game, wanted):
                if wanted:
                    hub.rooms.subscribe(connection.socket, game)
                else:
                    hub.rooms.unsubscribe(connection.socket)
            case ShowFriends(id_):
                self._show_friends(socket, id_)
            case WatchFriends(friends):
                hub.watch(connection, friends)
                statuses = {friend: world.presence.is_online(friend) for friend in friends}
                hub.send(connection, classic.FriendsStatus(statuses))
            case ShowMoves(room, after):
                self._history.ask(connection, room, after)
            case SendMissed(wanted):
                self._send_missed(wanted, connection, session)
            case Execute() | RefreshToken() | Close():
                raise AssertionError(action)
            case _:
                assert_never(action)

    def _send_missed(self, wanted: ResumeFrom, connection: Connection, session: Session) -> None:
        """Send again what was missed, one resume at a time, and charge it by its bytes."""
        if connection.is_resuming:
            raise RateLimited("A resume is under way; wait for what it sends.")
        missed = list(self._greeter.resume(connection.user, wanted, connection.opened_at))
        session.spend(sum(map(len, missed)) / BYTES_PER_UNIT)
        self._hub.send_frames(connection, missed)
        connection.begin_resume()

    def _charge_crowd(self, action: Execute | PassSignal, session: Session) -> None:
        """Charge what it costs that many in a room are told; what is kept for them costs twice."""
        if isinstance(action, Execute):
            room_id, units = getattr(action.command, "room", None), 2
        else:
            room_id, units = action.message.room_id, 1
        room = self._engine.world.rooms.rooms.get(room_id or "")
        if room is not None and len(room.spectators) >= RECEIVERS_PER_UNIT:
            session.spend(units * len(room.spectators) // RECEIVERS_PER_UNIT)

    def _show_friends(self, socket: _Socket, id_: str | None) -> None:
        """Ask for the user's friends, beside whatever else they do; one answer serves many asks."""
        asked = socket.connection.socket
        if asked not in self._asking:
            self._asking[asked] = []
            self._spawn(self._answer_friends(socket))
        if id_ is not None:
            self._asking[asked].append(id_)

    async def _answer_friends(self, socket: _Socket) -> None:
        """Send the friends' status and then the acks, or the error under each id."""
        connection, failed = socket.connection, None
        friends: Sequence[UserId] = ()
        try:
            friends = await self._profile_lookup.friends(connection.user)
        except ClientError as error:
            failed = error
        except Exception as error:  # noqa: BLE001 - it costs this message alone
            note_fault(self._metrics, "message", error, socket=connection.socket)
            failed = InternalError()
        finally:
            ids = self._asking.pop(connection.socket)
        if failed is not None:
            for id_ in ids or (None,):
                self._refuse(socket, failed, id_)
            return
        online = self._engine.world.presence.is_online
        some = friends[: self._limits.session.friends_max]
        statuses = [classic.FriendStatus(friend, online(friend)) for friend in some]
        self._hub.send(connection, classic.FriendsStatusResponse(statuses))
        for id_ in ids:
            self._acknowledge(socket, id_, self._engine.world.position)

    async def _refresh(self, socket: _Socket, token: str) -> None:
        """Take a newer token of the same user."""
        try:
            identity = await self._authenticator.check(token)
        except AuthenticationError as error:
            raise BadToken from error
        if identity.user != socket.connection.user:
            raise OtherUser
        if not self._is_allowed(identity):
            raise BadToken
        if socket.timer is not None:
            socket.timer.begin(identity.expires_at_s)
        self._came(identity, token)

    def _came(self, identity: Identity, token: str) -> None:
        """Let the directory know of a token; a fault there costs at most a name."""
        try:
            self._profile_lookup.connected(identity.user, token, named=identity.name is not None)
        except Exception as error:  # noqa: BLE001 - see above
            note_fault(self._metrics, "task", error, user=identity.user)

    def _answer_again(self, message: FromClient, connection: Connection) -> None:
        """Answer a command that changed nothing with what its sender wants to know."""
        world, profiles = self._engine.world, self._engine.profiles
        match message:
            case classic.MatchmakingLeave():
                self._hub.send(connection, classic.MatchmakingCancelled())
            case classic.LobbyJoin():
                self._hub.send(connection, lobby_list(world, profiles))
            case classic.GameJoin() | v1.RoomJoin():
                self._ticker.show_again(message.room_id, connection.user, connection.socket)
            case _:
                pass

    def _close(self, socket: _Socket, code: CloseCode, reason: str) -> None:
        """Close a socket from outside of its own task."""
        socket.closed_with = code
        self._hub.flush()
        self._spawn(_closed(socket.ws, code, reason))

    def _end(self, command: CloseSocket, origin: Origin) -> None:
        """Record the end of a socket, retrying until it is committed."""
        self._spawn(self._write_end(command, origin))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write_end(self, command: CloseSocket, origin: Origin) -> None:
        pause_s = CLOSE_RETRY_S
        while True:
            try:
                await self._engine.execute(command, origin)
            except Unavailable:
                await asyncio.sleep(CLOSE_RETRY_S)
            except InternalError:
                # Its user would stay online for ever.
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, CLOSE_RETRY_MAX_S)
            else:
                return


class _Socket:
    """One connection, and the glue around it."""

    def __init__(self, ws: Channel, connection: Connection, correlation_id: str) -> None:
        self.ws = ws
        self.connection = connection
        self.correlation_id = correlation_id
        self.timer: TokenTimer | None = None
        self.closed_with: int | None = None
        """The code by which the service closes it: aiohttp would say what the client answers."""
        self.is_busy = False
        """Whether a command is under way, so that later messages have to wait."""
        self.is_closing = False
        """Whether it is being closed for its control frames."""
        self._became_idle: asyncio.Future[None] | None = None

    @property
    def end_code(self) -> int:
        """The close code by which its end is noted."""
        return noted(self.ws.close_code) if self.closed_with is None else self.closed_with

    def idle(self) -> None:
        """Go on with later messages."""
        if self._became_idle is None:
            self.is_busy = False
        else:
            # It stays busy: one that is read before the task goes on must not overtake.
            self._became_idle.set_result(None)
            self._became_idle = None

    async def until_idle(self) -> None:
        """Wait for the command that is under way."""
        if self.is_busy:
            self._became_idle = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._became_idle)

    def origin(self, command: str | None = None, digest: bytes | None = None) -> Origin:
        """Say who causes what follows; the ids of other clients than v1 begin again and again."""
        named = command if self.connection.dialect is V1 else None
        return Origin(self.correlation_id, self.connection.user, named, digest)


def _may_open(budget: UserBudget, now: float) -> bool:
    """Charge a user for opening a socket, and tell whether they may do so now."""
    return budget.messages.take(now, HANDSHAKE_UNITS) and budget.logged(now).take(
        now, SOCKET_LOGGED_BYTES
    )


def _span(socket: _Socket, session: Session) -> AbstractContextManager[object]:
    return traces.span(
        "websocket.message", type=session.type_received, correlation_id=socket.correlation_id
    )


async def _closed(ws: Channel, code: CloseCode, reason: str) -> None:
    await ws.close(code=code, message=reason.encode())


def _resume_of(request: web.Request) -> ResumeFrom | None:
    """Read `?since=N&epoch=E`; what can't be a position is answered by a `resync`."""
    since = request.query.get("since")
    if since is None:
        return None
    position = int(since) if since.isdecimal() and len(since) <= POSITION_DIGITS_MAX else -1
    return ResumeFrom(position, request.query.get("epoch", ""))
