"""The WebSocket endpoint: accepts connections, serves each to its end, and records that end."""

from __future__ import annotations

import asyncio
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from service.domain.events.access import SessionsRevoked
from service.domain.events.presence import SocketClosed
from service.edge.auth import AuthenticationError, Identity, token_of
from service.edge.close_codes import CloseCode
from service.edge.connection import Connection
from service.edge.dialect import PROTOCOLS, dialect_of
from service.edge.handshake import Handshake, checked
from service.edge.http.server import admit, call_when_lost
from service.edge.inbound import EagerResponse
from service.edge.internals import descriptor
from service.edge.upgraded import switching_protocols
from service.edge.url_params import frame_hz_of, resume_of
from service.edge.visits import Visits
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
    from service.edge.session.rate_limit import Budgets
    from service.edge.wire.interface import SendQueue, Transport
    from service.settings.sections.connections import ConnectionLimits

    NewQueue: TypeAlias = Callable[[Transport], SendQueue]
    Connect: TypeAlias = Callable[[SocketId, UserId, NewQueue], Connection]

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
        self._hub = backend.hub
        self.admission = backend.admission
        self._tasks = backend.tasks
        self._metrics = backend.metrics
        self._limits = limits
        self._new_socket_id = new_socket_id
        self._refuses_new = False
        self._visits = Visits(backend, budgets, limits, new_token=new_token)

    # Accepting

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Take a WebSocket from its handshake to its end."""
        if self.is_draining:
            raise web.HTTPServiceUnavailable(text="restarting, try again")
        handshake = checked(request, PROTOCOLS)
        ws = self._new_response()
        await ws.prepare(handshake)
        if request.transport is None:
            ws.release()
            return ws
        try:
            connect = partial(self._connect, request, ws.ws_protocol)
            await self.attend(request, token_of(request), ws, connect)
        finally:
            ws.release()
        return ws

    def upgrade(
        self, request: web.BaseRequest, handshake: Handshake, identity: Identity, token: str
    ) -> None:
        """Upgrade a connection whose user is authenticated, and serve it without a coroutine.

        The head of the response leaves with the greeting, or soon.
        """
        offered = handshake.offered
        subprotocol = next((one for one in offered if one in PROTOCOLS), None)
        ws = self._new_response()
        ws.accept(request.protocol, subprotocol)
        new_queue = self._hub.flush_scope.wire.new_queue
        connection = self._connect(
            request, subprotocol, self._new_socket_id(), identity.user, new_queue
        )
        connection.frames.append(switching_protocols(handshake.key, subprotocol))
        self._visits.begin(ws, connection, identity, token, _new_correlation_id())

    def _new_response(self) -> EagerResponse:
        return EagerResponse(
            self._hub.flush_scope,
            self._hub.flush_scope.new_reader,
            protocols=PROTOCOLS,
            # aiohttp refuses a message as long as its maximum.
            max_msg_size=self._limits.session.message_bytes_max + 1,
            heartbeat=self._limits.heartbeat_s,
            compress=False,
        )

    def _connect(
        self,
        request: web.BaseRequest,
        subprotocol: str | None,
        socket: SocketId,
        user: UserId,
        new_queue: NewQueue,
    ) -> Connection:
        """Return the connection of a WebSocket whose user is authenticated."""
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client is gone")
        admit(request)
        dialect = dialect_of(subprotocol)
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

    def attach(self, queue: SendQueue, request: web.BaseRequest) -> None:
        """Let output go past the transport, straight to its socket, until that is lost."""
        output = self._hub.flush_scope.output
        if call_when_lost(request, partial(output.detach, queue)):
            output.attach(queue, descriptor(queue.transport))

    async def attend(
        self, request: web.Request, token: str | None, channel: Channel, connect: Connect
    ) -> None:
        """Authenticate the user, and serve them over `channel` to its end."""
        correlation_id = _new_correlation_id()
        try:
            identity = await self.admission.admit(request, token)
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
        if self.is_draining:
            # The service began to stop while a key was fetched.
            await channel.close(code=CloseCode.DRAINING, message=b"Server is restarting")
            return
        await self._visits.serve(channel, connection, identity, token or "", correlation_id)

    # Ending

    def observe(self, event: Event, _position: Position) -> None:
        """Close sockets whose user's sessions are revoked, or that were replaced by another."""
        if isinstance(event, SocketClosed) and event.code == CloseCode.TOO_MANY_SOCKETS:
            replaced = self._visits.open.get(event.socket)
            if replaced is not None:
                replaced.close(CloseCode.TOO_MANY_SOCKETS, "Replaced by another tab")
        if isinstance(event, SessionsRevoked):
            for socket in self._hub.sockets_of(event.user):
                self._visits.open[socket].close(CloseCode.REVOKED, "Revoked")

    @property
    def is_draining(self) -> bool:
        """Whether no more connections are accepted."""
        return self._refuses_new

    def refuse_new(self) -> None:
        """Accept no more connections."""
        self._refuses_new = True

    def send_away(self, closes_in_ms: int) -> None:
        """Accept no more, and tell the clients of v1 to connect elsewhere before they are closed.

        They stay as long as they like, at most until `stop`, in about `closes_in_ms`.
        """
        self._refuses_new = True
        self._tell_draining(v1.ServerDraining(self._limits.drain_retry_ms, closes_in_ms))

    def _tell_draining(self, draining: v1.ServerDraining) -> None:
        """Send this to all clients of v1, and write what is queued for any client."""
        for conversation in self._visits.open.values():
            if conversation.connection.is_v1:
                self._hub.send(conversation.connection, draining)
        self._hub.flush_arriving()
        self._hub.flush()

    @property
    def has_v1(self) -> bool:
        """Whether clients of v1 are connected."""
        return any(one.connection.is_v1 for one in self._visits.open.values())

    async def output_released(self) -> bool:
        """Wait while output is suspended, for what does not leave by the hub.

        Return whether it may leave; not if this node is lost.
        """
        return await self._hub.flush_scope.released()

    async def stop(self, *, is_lost: bool = False) -> None:
        """Accept no more, and close all with 4001; an event of the node records their ends.

        With `is_lost`, as after a lost lease, what is queued is dropped first.
        """
        self._refuses_new = True
        self._visits.is_ending = True
        if is_lost:
            # Their responses are queued as well.
            self._hub.abort_arriving()
            connections = (one.connection for one in self._visits.open.values())
            self._hub.flush_scope.begin_farewell(connections)
        self._tell_draining(v1.ServerDraining(self._limits.drain_retry_ms))
        closing = [
            asyncio.create_task(
                conversation.channel.close(code=CloseCode.DRAINING, message=b"Server is restarting")
            )
            for conversation in self._visits.open.values()
        ]
        if closing:
            await asyncio.wait(closing, timeout=STOP_S)
        for task in closing:
            task.cancel()
        self._tasks.cancel()
        # What is committed from here on is sent to nobody: clients resume.
        self._hub.flush_scope.output.stop()


def _new_correlation_id() -> str:
    """Return a unique text, which is no secret; random bytes of the system cost far more."""
    return new_event_id().hex()
