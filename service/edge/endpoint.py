"""The WebSocket endpoint: accepts connections, serves each to its end, and records that end."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from service.domain.commands.presence import CLEAN_CLOSES, CloseSocket, OpenSocket, ReplaceSocket
from service.domain.errors import TooManySockets
from service.domain.events.access import SessionsRevoked
from service.domain.events.presence import SocketClosed
from service.domain.personal_data import NO_PERSONAL_DATA, PersonalData
from service.edge.auth import AuthenticationError, Identity, token_of
from service.edge.close_codes import CloseCode, label_of
from service.edge.connection import Connection
from service.edge.conversation import Conversation
from service.edge.dialect import PROTOCOLS, dialect_of
from service.edge.handshake import checked
from service.edge.http.server import admit, call_when_lost
from service.edge.inbound import EagerResponse
from service.edge.internals import descriptor
from service.edge.session.costs import BYTES_PER_UNIT, HANDSHAKE_UNITS, SOCKET_LOGGED_BYTES
from service.edge.session.session import Session
from service.edge.token_timer import TokenTimer
from service.edge.url_params import frame_hz_of, resume_of
from service.errors import InternalError, Unavailable
from service.eventstore.records import new_event_id
from service.protocol import v1
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from service.domain.events.base import Event, Position
    from service.domain.ids import SocketId, UserId
    from service.edge.backend import Backend
    from service.edge.channel import Channel
    from service.edge.session.rate_limit import Budgets, UserBudget
    from service.edge.wire.interface import SendQueue, Transport
    from service.eventstore.records import Origin
    from service.settings.sections.connections import ConnectionLimits

    NewQueue: TypeAlias = Callable[[Transport], SendQueue]
    Connect: TypeAlias = Callable[[SocketId, UserId, NewQueue], Connection]

ANSWER_S = 1.0
"""How long the sockets of a user may take to answer a ping, before one is replaced, in seconds."""

CLOSE_RETRY_S = 1.0
"""Pause before the end of a socket is recorded again, after the log could not be written."""

CLOSE_RETRY_MAX_S = 30.0
"""The longest pause before the end of a socket that could not be decided is tried again."""

STOP_S = 2.0
"""How long the closing handshakes may take when the service stops."""

logger = get_logger(__name__)


class Endpoint:
    """All connections of this node, over whichever channel."""

    def __init__(
        self,
        backend: Backend,
        budgets: Budgets,
        limits: ConnectionLimits,
        *,
        new_socket_id: Callable[[], SocketId],
        new_token: Callable[[], str],
    ) -> None:
        """Let `backend` carry out what clients ask for."""
        self._backend = backend
        self._engine = backend.engine
        self._hub = backend.hub
        self._admission = backend.admission
        self._tasks = backend.tasks
        self._metrics = backend.metrics
        self._budgets = budgets
        self._limits = limits
        self._new_socket_id = new_socket_id
        self._new_token = new_token
        self._open: dict[SocketId, Conversation] = {}
        self._draining = False

    # Accepting

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Take a WebSocket from its handshake to its end."""
        if self._draining:
            raise web.HTTPServiceUnavailable(text="restarting, try again")
        handshake = checked(request, PROTOCOLS)
        ws = EagerResponse(
            self._hub.flush_scope,
            self._hub.flush_scope.wire.read_texts,
            protocols=PROTOCOLS,
            # aiohttp refuses a message as long as its maximum.
            max_msg_size=self._limits.session.message_bytes_max + 1,
            heartbeat=self._limits.heartbeat_s,
            compress=False,
        )
        await ws.prepare(handshake)
        transport = request.transport
        if transport is None:
            ws.release()
            return ws

        def connect(socket: SocketId, user: UserId, new_queue: NewQueue) -> Connection:
            admit(request)
            dialect = dialect_of(ws.ws_protocol)
            frame_hz, refused = frame_hz_of(request, dialect)
            connection = Connection(
                socket,
                user,
                dialect,
                transport=transport,
                limits=self._limits.slow,
                resume=resume_of(request),
                frame_hz=frame_hz,
                new_queue=new_queue,
            )
            connection.refused = refused
            self.attach(connection.send_queue, request)
            return connection

        try:
            await self.attend(request, token_of(request), ws, connect)
        finally:
            ws.release()
        return ws

    def attach(self, queue: SendQueue, request: web.Request) -> None:
        """Let output go past the transport, straight to its socket, until that is lost."""
        output = self._hub.flush_scope.output
        if call_when_lost(request, partial(output.detach, queue)):
            output.attach(queue, descriptor(queue.transport))

    async def attend(
        self, request: web.Request, token: str | None, channel: Channel, connect: Connect
    ) -> None:
        """Authenticate the user, and serve them over `channel` to its end."""
        # Unique, and no secret; random bytes of the system cost a tenth of a handshake.
        correlation_id = new_event_id().hex()
        try:
            identity = await self._admission.admit(request, token)
        except AuthenticationError as error:
            self._metrics.handshake_refused(error.error_code)
            logger.warning(
                "handshake refused",
                correlation_id=correlation_id,
                error_type="authentication_error",
                error_code=error.error_code,
                # The status without the upgrade, which was completed to send a close code.
                http_status=int(HTTPStatus.UNAUTHORIZED),
            )
            await channel.close(code=error.close_code, message=error.message.encode())
            return
        connection = connect(
            self._new_socket_id(), identity.user, self._hub.flush_scope.wire.new_queue
        )
        if self._draining:
            # The service began to stop while a key was fetched.
            await channel.close(code=CloseCode.DRAINING, message=b"Server is restarting")
            return
        opened_at = time.monotonic()
        budget = self._budgets.acquire(identity.user)
        try:
            if not _may_open(budget, opened_at):
                self._metrics.handshake_refused("RATE_LIMITED")
                await channel.close(code=CloseCode.RATE_LIMITED, message=b"Rate limited")
                return
            session = self._session(connection, budget, opened_at)
            conversation = Conversation(channel, connection, session, correlation_id, self._backend)
            await self._serve_user(conversation, session, identity, token or "")
        finally:
            self._budgets.release(identity.user)

    def _session(self, connection: Connection, budget: UserBudget, now: float) -> Session:
        session = Session(
            connection.user,
            connection.socket,
            connection.dialect,
            limits=self._limits.session,
            budget=budget,
            new_token=self._new_token,
            now=now,
        )
        connection.spend = session.spend
        return session

    async def _serve_user(
        self, conversation: Conversation, session: Session, identity: Identity, token: str
    ) -> None:
        connection = conversation.connection
        opened_at = time.monotonic()
        self._hub.expect(connection)
        self._open[connection.socket] = conversation
        try:
            if not await self._opened(conversation, identity):
                return
            session.spend(connection.resume_bytes / BYTES_PER_UNIT)
            session.spend_list(connection.greeting_bytes / BYTES_PER_UNIT)
            if self._admission.is_revoked(identity):
                # Revoked before `observe` could find this socket by its user.
                await conversation.channel.close(code=CloseCode.REVOKED, message=b"Revoked")
                return
            if connection.is_v1:
                conversation.token_timer = self._token_timer(conversation)
                conversation.token_timer.begin(identity.expires_at_s)
            self._admission.connected(identity, token)
            await conversation.run()
        finally:
            self._ended(conversation, time.monotonic() - opened_at)

    def _token_timer(self, conversation: Conversation) -> TokenTimer:
        def warn(left_ms: int) -> None:
            self._hub.send(conversation.connection, v1.TokenExpiring(left_ms))

        def close() -> None:
            conversation.close(CloseCode.TOKEN_EXPIRED, "Token expired")

        return TokenTimer(self._limits.token, warn, close)

    async def _opened(self, conversation: Conversation, identity: Identity) -> bool:
        """Record the opening of the socket; the event makes `Greeter` greet the client."""
        user, opening = identity.user, conversation.connection.socket
        execute, origin, name = (
            self._engine.execute,
            conversation.origin(),
            self._new_name(identity),
        )
        try:
            try:
                await execute(OpenSocket(user, opening), origin, personal_data=name)
            except TooManySockets:
                code = int(CloseCode.TOO_MANY_SOCKETS)
                replace = ReplaceSocket(user, opening, await self._silent(user), code)
                await execute(replace, origin, personal_data=name)
        except (InternalError, Unavailable) as error:
            self._metrics.handshake_refused(error.code)
            await conversation.channel.close(code=CloseCode.TRY_AGAIN, message=error.code.encode())
            return False
        logger.info(
            "connected",
            correlation_id=conversation.correlation_id,
            **{"user.id": str(user)},
            metadata={
                "socket": opening,
                "protocol": conversation.connection.dialect.protocol,
            },
        )
        return True

    async def _silent(self, user: UserId) -> frozenset[SocketId]:
        """Ping all sockets of a user, and return those that do not answer."""
        sockets = self._hub.sockets_of(user)
        answers = await asyncio.gather(
            *(self._open[socket].channel.answers(ANSWER_S) for socket in sockets)
        )
        return frozenset(
            socket for socket, is_alive in zip(sockets, answers, strict=True) if not is_alive
        )

    def _new_name(self, identity: Identity) -> PersonalData:
        """Return the display name that a token contains, if it is not known already."""
        user, name = identity.user, identity.name
        if name is None or self._engine.profiles.names.get(user) == name:
            return NO_PERSONAL_DATA
        return PersonalData(names={str(user): name})

    # Ending

    def observe(self, event: Event, _position: Position) -> None:
        """Close sockets whose user's sessions are revoked, or that were replaced by another."""
        if isinstance(event, SocketClosed) and event.code == CloseCode.TOO_MANY_SOCKETS:
            replaced = self._open.get(event.socket)
            if replaced is not None:
                replaced.close(CloseCode.TOO_MANY_SOCKETS, "Replaced by another tab")
        if isinstance(event, SessionsRevoked):
            for socket in self._hub.sockets_of(event.user):
                self._open[socket].close(CloseCode.REVOKED, "Revoked")

    @property
    def is_draining(self) -> bool:
        """Whether no more connections are accepted."""
        return self._draining

    def refuse_new(self) -> None:
        """Accept no more connections."""
        self._draining = True

    async def output_released(self) -> None:
        """Wait while output is suspended, for what does not leave by the hub."""
        await self._hub.flush_scope.released()

    async def stop(self, *, is_lost: bool = False) -> None:
        """Accept no more, and close all with 4001; an event of the node records their ends.

        With `is_lost`, as after a lost lease, what is queued is dropped first.
        """
        self._draining = True
        if is_lost:
            connections = (conversation.connection for conversation in self._open.values())
            self._hub.flush_scope.begin_farewell(connections)
        for conversation in self._open.values():
            if conversation.connection.is_v1:
                draining = v1.ServerDraining(self._limits.drain_retry_ms)
                self._hub.send(conversation.connection, draining)
        self._hub.flush()
        closing = [
            asyncio.create_task(
                conversation.channel.close(code=CloseCode.DRAINING, message=b"Server is restarting")
            )
            for conversation in self._open.values()
        ]
        if closing:
            await asyncio.wait(closing, timeout=STOP_S)
        for task in closing:
            task.cancel()
        self._tasks.cancel()
        # What is committed from here on is sent to nobody: clients resume.
        self._hub.flush_scope.output.stop()

    def _ended(self, conversation: Conversation, lasted_s: float) -> None:
        """Forget a connection, and record its end, retrying until that is committed."""
        connection = conversation.connection
        del self._open[connection.socket]
        self._hub.remove(connection)
        if conversation.token_timer is not None:
            conversation.token_timer.stop()
            # The timer refers to the conversation.
            conversation.token_timer = None
        self._log_end(conversation, lasted_s)
        code = conversation.end_code
        if code in CLEAN_CLOSES:
            connection.on_message()
        if not self._draining:
            command = CloseSocket(connection.user, connection.socket, code)
            self._tasks.spawn(self._record_end(command, conversation.origin()))

    def _log_end(self, conversation: Conversation, lasted_s: float) -> None:
        """Log and count how a connection ended, by the code that says most."""
        connection, code = conversation.connection, conversation.end_code
        if connection.aborted:
            code = CloseCode.TOO_SLOW
            self._metrics.slow_client_dropped()
        elif isinstance(conversation.channel.exception(), TimeoutError):
            code = CloseCode.NO_PONG
            logger.warning(
                "client did not answer a ping",
                correlation_id=conversation.correlation_id,
                error_type="websocket_error",
                error_code=str(int(code)),
            )
        self._metrics.disconnected(label_of(code))
        logger.info(
            "disconnected",
            correlation_id=conversation.correlation_id,
            # ECS counts in nanoseconds.
            **{"user.id": str(connection.user), "event.duration": int(lasted_s * 1e9)},
            metadata={"socket": connection.socket, "close_code": int(code)},
        )

    async def _record_end(self, command: CloseSocket, origin: Origin) -> None:
        pause_s = CLOSE_RETRY_S
        while True:
            try:
                await self._engine.execute(command, origin)
            except Unavailable:
                await asyncio.sleep(CLOSE_RETRY_S)
            except InternalError:
                # Without it the user would stay online for ever.
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, CLOSE_RETRY_MAX_S)
            else:
                return


def _may_open(budget: UserBudget, now: float) -> bool:
    """Charge a user for opening a socket; return whether they may do so now."""
    return budget.messages.take(now, HANDSHAKE_UNITS) and budget.logged(now).take(
        now, SOCKET_LOGGED_BYTES
    )
