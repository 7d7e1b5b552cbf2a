"""Serve the connections of authenticated users: each from its opening to its recorded end.

A visit is opened by an event, whose commit greets the client. Then messages are handled in the
callbacks that read them, and a coroutine is needed for what has to be awaited, and for the end.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

from service.domain.commands.presence import CLEAN_CLOSES, CloseSocket, OpenSocket, ReplaceSocket
from service.domain.errors import TooManySockets
from service.domain.personal_data import NO_PERSONAL_DATA, PersonalData
from service.edge.close_codes import CloseCode
from service.edge.conversation import Conversation
from service.edge.session.costs import BYTES_PER_UNIT, HANDSHAKE_UNITS, SOCKET_LOGGED_BYTES
from service.edge.session.session import Session
from service.edge.token_timer import TokenTimer
from service.edge.turns import Turns
from service.edge.visit_log import log_end, log_opened
from service.errors import InternalError, Unavailable
from service.protocol import v1
from service.telemetry import note_fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.domain.ids import SocketId, UserId
    from service.edge.auth import Identity
    from service.edge.backend import Backend
    from service.edge.channel import Channel
    from service.edge.connection import Connection
    from service.edge.inbound import EagerResponse
    from service.edge.session.rate_limit import Budgets
    from service.eventstore.records import Origin
    from service.runtime.pending import Executed
    from service.settings.sections.connections import ConnectionLimits

ANSWER_S = 1.0
"""How long the sockets of a user may take to answer a ping, before one is replaced, in seconds."""

CLOSE_RETRY_S = 1.0
"""Pause before the end of a socket is recorded again, after the log could not be written."""

CLOSE_RETRY_MAX_S = 30.0
"""The longest pause before the end of a socket that could not be decided is tried again."""


class Visit:
    """A connection that is being opened, and who opens it."""

    __slots__ = ("conversation", "identity", "opened_at", "session", "token")

    def __init__(
        self, conversation: Conversation, session: Session, identity: Identity, token: str
    ) -> None:
        """Begin now."""
        self.conversation = conversation
        self.session = session
        self.identity = identity
        self.token = token
        self.opened_at = time.monotonic()


class Visits:
    """The visits of all users on this node."""

    def __init__(
        self,
        backend: Backend,
        budgets: Budgets,
        limits: ConnectionLimits,
        *,
        new_token: Callable[[], str],
    ) -> None:
        """Let `backend` carry out what clients ask for."""
        self._backend = backend
        self._engine = backend.engine
        self._hub = backend.hub
        self._queries = backend.queries
        self._admission = backend.admission
        self._tasks = backend.tasks
        self._metrics = backend.metrics
        self._budgets = budgets
        self._limits = limits
        self._new_token = new_token
        self._ends = Turns()
        self.open: dict[SocketId, Conversation] = {}
        self.is_ending = False
        """Whether the ends of visits are not recorded: an event of the node does that."""

    # Opening

    async def serve(
        self,
        channel: Channel,
        connection: Connection,
        identity: Identity,
        token: str,
        correlation_id: str,
    ) -> None:
        """Open a socket, and serve it to its end."""
        visit = self._visit(channel, connection, identity, token, correlation_id)
        if visit is None:
            await channel.close(code=CloseCode.RATE_LIMITED, message=b"Rate limited")
            return
        conversation = visit.conversation
        try:
            try:
                await self._engine.execute(
                    OpenSocket(identity.user, connection.socket),
                    conversation.origin(),
                    personal_data=self._new_name(identity),
                )
            except (TooManySockets, InternalError, Unavailable) as error:
                if not await self._replaced(visit, error):
                    return
            await self._converse(visit)
        finally:
            self._ended(conversation, visit.opened_at)

    def begin(
        self,
        ws: EagerResponse,
        connection: Connection,
        identity: Identity,
        token: str,
        correlation_id: str,
    ) -> None:
        """Open the socket of a WebSocket, and serve it to its end by a task once it needs one."""
        visit = self._visit(ws, connection, identity, token, correlation_id)
        if visit is None:
            self._tasks.spawn(self._refuse(ws, connection))
            return
        try:
            self._engine.dispatch(
                OpenSocket(identity.user, connection.socket),
                visit.conversation.origin(),
                partial(self._on_opened, ws, visit),
                personal_data=self._new_name(identity),
            )
        except Exception as error:  # noqa: BLE001 - the log is closing
            self._on_opened(ws, visit, error)

    def _visit(
        self,
        channel: Channel,
        connection: Connection,
        identity: Identity,
        token: str,
        correlation_id: str,
    ) -> Visit | None:
        """Return a visit that begins; None if the user opens too many sockets."""
        budget = self._budgets.acquire(identity.user)
        now = time.monotonic()
        may_open = budget.messages.take(now, HANDSHAKE_UNITS) and budget.logged(now).take(
            now, SOCKET_LOGGED_BYTES
        )
        if not may_open:
            self._budgets.release(identity.user)
            self._metrics.handshake_refused("RATE_LIMITED")
            return None
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
        conversation = Conversation(channel, connection, session, correlation_id, self._backend)
        self._hub.expect(connection)
        self.open[connection.socket] = conversation
        return Visit(conversation, session, identity, token)

    def _on_opened(self, ws: EagerResponse, visit: Visit, result: Executed | Exception) -> None:
        """Go on when the opening is committed, or has failed."""
        conversation = visit.conversation
        if isinstance(result, Exception):
            self._tasks.spawn(self._serve_after(ws, visit, result))
            return
        if not self._queries.is_greeted(conversation.connection):
            self._tasks.spawn(self._serve_after(ws, visit, None))
            return
        try:
            is_welcome = self._welcomed(visit)
        except Exception as error:  # noqa: BLE001 - it costs this connection alone
            note_fault(self._metrics, "task", error, socket=conversation.connection.socket)
            is_welcome = False
        if is_welcome:
            wake = partial(self._wake, ws, conversation, visit.opened_at)
            ws.begin(conversation.handle, conversation.count, wake)
        else:
            self._wake(ws, conversation, visit.opened_at, CloseCode.REVOKED)

    def _wake(
        self,
        ws: EagerResponse,
        conversation: Conversation,
        opened_at: float,
        close_code: CloseCode | None = None,
    ) -> None:
        serve = self._serve_on
        if ws.is_over:
            # When many are closed at once, their ends must not keep live matches from their ticks.
            self._ends.add(lambda: self._tasks.spawn(serve(ws, conversation, opened_at, None)))
        else:
            self._tasks.spawn(serve(ws, conversation, opened_at, close_code))

    async def _serve_on(
        self,
        ws: EagerResponse,
        conversation: Conversation,
        opened_at: float,
        close_code: CloseCode | None,
    ) -> None:
        """Serve an open socket to its end, or close it."""
        try:
            if close_code is None:
                await conversation.run()
            else:
                self._hub.flush()
                await ws.close(code=close_code, message=b"Revoked")
        finally:
            self._ended(conversation, opened_at)
            ws.release()

    async def _serve_after(self, ws: EagerResponse, visit: Visit, error: Exception | None) -> None:
        """Serve a socket whose opening was refused at first, or whose greeting is not complete."""
        conversation = visit.conversation
        try:
            # It has the head of the response, which the greeting would send.
            self._flush(conversation.connection)
            if error is None or await self._replaced(visit, error):
                await self._converse(visit)
        finally:
            self._ended(conversation, visit.opened_at)
            ws.release()

    async def _converse(self, visit: Visit) -> None:
        """Serve an open socket once it is greeted, or close it."""
        conversation = visit.conversation
        await self._queries.greeted(conversation.connection)
        if self._welcomed(visit):
            await conversation.run()
        else:
            await conversation.channel.close(code=CloseCode.REVOKED, message=b"Revoked")

    async def _refuse(self, ws: EagerResponse, connection: Connection) -> None:
        try:
            self._flush(connection)
            await ws.close(code=CloseCode.RATE_LIMITED, message=b"Rate limited")
        finally:
            self._hub.remove(connection)
            ws.release()

    def _flush(self, connection: Connection) -> None:
        self._hub.flush_scope.flush_soon((connection,))
        self._hub.flush()

    async def _replaced(self, visit: Visit, error: Exception) -> bool:
        """Open the socket in place of another one if there are too many, or close it."""
        conversation = visit.conversation
        user, opening = visit.identity.user, conversation.connection.socket
        try:
            if not isinstance(error, TooManySockets):
                raise error
            code = int(CloseCode.TOO_MANY_SOCKETS)
            replace = ReplaceSocket(user, opening, await self._silent(user), code)
            name = self._new_name(visit.identity)
            await self._engine.execute(replace, conversation.origin(), personal_data=name)
        except (InternalError, Unavailable) as failed:
            self._metrics.handshake_refused(failed.code)
            await conversation.channel.close(code=CloseCode.TRY_AGAIN, message=failed.code.encode())
            return False
        return True

    def _welcomed(self, visit: Visit) -> bool:
        """Begin with an open socket, which the client was greeted on; return False to close it."""
        conversation, session, identity = visit.conversation, visit.session, visit.identity
        connection = conversation.connection
        log_opened(conversation)
        session.spend(connection.resume_bytes / BYTES_PER_UNIT)
        session.spend_list(connection.greeting_bytes / BYTES_PER_UNIT)
        if self._admission.is_revoked(identity):
            # Revoked before `Endpoint.observe` could find this socket by its user.
            return False
        if connection.is_v1:
            conversation.token_timer = self._token_timer(conversation)
            conversation.token_timer.begin(identity.expires_at_s)
        self._admission.connected(identity, visit.token)
        return True

    def _token_timer(self, conversation: Conversation) -> TokenTimer:
        def warn(left_ms: int) -> None:
            self._hub.send(conversation.connection, v1.TokenExpiring(left_ms))

        def close() -> None:
            conversation.close(CloseCode.TOKEN_EXPIRED, "Token expired")

        return TokenTimer(self._limits.token, warn, close)

    async def _silent(self, user: UserId) -> frozenset[SocketId]:
        """Ping all sockets of a user, and return those that do not answer."""
        sockets = self._hub.sockets_of(user)
        answers = await asyncio.gather(
            *(self.open[socket].channel.answers(ANSWER_S) for socket in sockets)
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

    def _ended(self, conversation: Conversation, opened_at: float) -> None:
        """Forget a connection, and record its end, retrying until that is committed."""
        connection = conversation.connection
        del self.open[connection.socket]
        self._hub.remove(connection)
        self._budgets.release(connection.user)
        if conversation.token_timer is not None:
            conversation.token_timer.stop()
            # The timer refers to the conversation.
            conversation.token_timer = None
        log_end(conversation, time.monotonic() - opened_at, self._metrics)
        code = conversation.end_code
        if code in CLEAN_CLOSES:
            connection.on_message()
        if not self.is_ending:
            command = CloseSocket(connection.user, connection.socket, code)
            self._tasks.spawn(self._record_end(command, conversation.origin()))

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
