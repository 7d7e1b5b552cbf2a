"""Carry out what one client asks for: one frame after the other.

A frame is handled in the callback that reads it, without waking a task, wherever that is possible.
While a request is under way, and while earlier frames wait, further ones stay unread in the
channel, which stops reading from the client when there are too many (backpressure). This keeps the
order and bounds the memory of a client.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from service.domain.commands.hosting import CreateRoom, JoinRoom
from service.edge.close_codes import CloseCode, recorded_code
from service.edge.early import in_time, is_early
from service.edge.relaying import relay_signal
from service.edge.repeats import SEATING, missed_seat, with_seat
from service.edge.replies import Replies
from service.edge.session.actions import (
    Close,
    Execute,
    RefreshToken,
    RelaySignal,
    Reply,
    Request,
    ShowFriends,
    ShowLobby,
    ShowRooms,
    ShowUsers,
    WatchFriends,
)
from service.edge.session.costs import BYTES_PER_UNIT, RECEIVERS_PER_UNIT
from service.edge.session.errors import MessageRefused
from service.eventstore.records import Origin
from service.telemetry import get_logger, traces
from service.telemetry.metrics import INVALID

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from service.domain.ids import RoomId
    from service.edge.backend import Backend
    from service.edge.channel import Channel
    from service.edge.connection import Connection
    from service.edge.session.actions import Action
    from service.edge.session.session import Session
    from service.edge.token_timer import TokenTimer
    from service.runtime.pending import Executed, OnResult

_ACKNOWLEDGED_LATER = (Reply, ShowFriends)
"""Actions that acknowledge the id of their message by themselves."""

_AWAITED: frozenset[type] = frozenset({Execute, RefreshToken, Close})
"""Actions that have to be waited for."""

logger = get_logger(__name__)


class Conversation:
    """The dialogue with one client over its channel."""

    __slots__ = (
        "_admission",
        "_deferred",
        "_engine",
        "_fingerprints",
        "_friend_requests",
        "_hub",
        "_is_busy",
        "_is_closing",
        "_metrics",
        "_passwords",
        "_queries",
        "_relay_to",
        "_replies",
        "_session",
        "_tasks",
        "_turn",
        "channel",
        "closed_with",
        "connection",
        "correlation_id",
        "token_timer",
    )

    def __init__(
        self,
        channel: Channel,
        connection: Connection,
        session: Session,
        correlation_id: str,
        backend: Backend,
    ) -> None:
        """Converse over `channel`; answers leave by `connection`."""
        self.channel = channel
        self.connection = connection
        self.correlation_id = correlation_id
        self.token_timer: TokenTimer | None = None
        self.closed_with: int | None = None
        """The close code sent by the service: the channel may report what the client answered."""
        self._session = session
        self._engine = backend.engine
        self._hub = backend.hub
        self._relay_to = backend.relay
        self._queries = backend.queries
        self._admission = backend.admission
        self._passwords = backend.passwords
        self._fingerprints = backend.fingerprints
        self._tasks = backend.tasks
        self._metrics = backend.metrics
        self._replies = Replies(connection, correlation_id, backend.hub, backend.metrics)
        self._is_busy = False
        """Whether a request is under way, so that later frames have to wait."""
        self._turn: asyncio.Future[None] | None = None
        """Set when the request under way is done, for the frame that waits for it."""
        self._deferred: Request | None = None
        """What the first of the waiting frames asks for, if it was read already."""
        self._is_closing = False
        """Whether it is being closed for its control frames."""
        self._friend_requests: list[str] | None = None
        """The ids of pending requests for the user's friends; None while there is none."""

    @property
    def end_code(self) -> int:
        """The close code by which its end is recorded."""
        code = self.closed_with
        return recorded_code(self.channel.close_code) if code is None else code

    def origin(self, command: str | None = None, digest: bytes | None = None) -> Origin:
        """Return who causes what follows; only ids of v1 clients are idempotency keys."""
        named = command if self.connection.is_v1 else None
        return Origin(self.correlation_id, self.connection.user, named, digest)

    async def run(self) -> None:
        """Carry out requests until the channel is closed."""
        self.channel.set_message_handler(self.handle, self.count)
        async for text in self.channel.texts():
            request, self._deferred = self._deferred, None
            if request is None:
                await self._take_turn()
                request = self._read(text)
            request = await in_time(request, self._engine, self._queries, self._replies.fail)
            if request is None:
                self._end_turn()
            elif isinstance(request.action, Close):
                # It stays busy: whatever the client still sends is not read.
                await self._close_now(request.action.code, request.action.reason)
                return
            elif isinstance(request.action, Execute) and request.action.password is None:
                self._dispatch(request.action, request.id)
            elif isinstance(request.action, Execute | RefreshToken):
                await self._carry_out(request.action, request.id)
                self._end_turn()
            else:
                self._carry_out_at_once(request)
                self._end_turn()

    def handle(self, text: str | None) -> bool:
        """Handle a frame as it is read; return False if the channel has to keep it for `run`.

        The channel must not call this while it keeps an earlier frame.
        """
        if self._is_busy:
            return False
        request = self._read(text)
        if request is None:
            return True
        action = request.action
        is_too_early = is_early(request, self._engine, self._queries)
        if not is_too_early and action.__class__ not in _AWAITED:
            self._carry_out_at_once(request)
            return True
        self._is_busy = True
        if not is_too_early and isinstance(action, Execute) and action.password is None:
            self._dispatch(action, request.id)
            return True
        self._deferred = request
        return False

    def count(self) -> bool:
        """Count a control frame; return whether it is allowed."""
        self.connection.on_message()
        verdict = self._session.count(time.monotonic())
        if isinstance(verdict, Close) and not self._is_closing:
            self._is_closing = True
            self.close(verdict.code, verdict.reason)
        return verdict is True

    def close(self, code: CloseCode, reason: str) -> None:
        """Close the channel, from outside of `run`."""
        # By now, not when the task begins: the channel may end before.
        self.closed_with = code
        self._hub.flush()
        self._tasks.spawn(self._close_now(code, reason))

    async def _close_now(self, code: CloseCode, reason: str) -> None:
        self.closed_with = code
        self._hub.flush()
        await self.channel.close(code=code, message=reason.encode())

    # One request at a time

    async def _take_turn(self) -> None:
        """Wait for the request that is under way, and be the next one."""
        if self._is_busy:
            self._turn = asyncio.get_running_loop().create_future()
            # A cancelled waiter must not make `_end_turn` fail.
            await asyncio.shield(self._turn)
        self._is_busy = True

    def _end_turn(self) -> None:
        """Go on with later frames."""
        turn = self._turn
        if turn is None:
            self._is_busy = False
        else:
            # Still busy, for the frame that waits: one that is read before its task has woken up
            # must not overtake it.
            self._turn = None
            turn.set_result(None)

    def _read(self, text: str | None) -> Request | None:
        """Decode a frame, and count it by its type; answer an error if it is refused."""
        if self.connection.on_first_message is not None:
            self.connection.on_message()
        session = self._session
        try:
            return session.receive(text, time.monotonic())
        except MessageRefused as refused:
            self._replies.refuse(refused.error, refused.id)
        except Exception as error:  # noqa: BLE001 - it costs this frame alone
            self._replies.fail(error, None)
        finally:
            self._metrics.received.counts[session.type_received or INVALID] += 1
        return None

    def _carry_out_at_once(self, request: Request) -> None:
        if traces.is_on:
            with self._span():
                self._perform(request.action, request.id)
        else:
            self._perform(request.action, request.id)

    def _perform(self, action: Action, id_: str | None) -> None:
        try:
            if id_ is not None:
                self._check_unused(id_)
            # The most frequent ones first.
            if isinstance(action, RelaySignal):
                self._relay(action)
            elif isinstance(action, Reply):
                self._hub.send(self.connection, action.message)
            else:
                self._answer(action)
        except Exception as error:  # noqa: BLE001 - it costs this message alone
            self._replies.fail(error, id_)
        else:
            if id_ is not None and not isinstance(action, _ACKNOWLEDGED_LATER):
                self._replies.acknowledge(id_, self._engine.world.position)

    def _answer(self, action: Action) -> None:
        match action:
            case ShowFriends(id_):
                self._show_friends(id_)
            case ShowUsers() | ShowLobby() | ShowRooms() | WatchFriends():
                self._list(action)
            case Execute() | RefreshToken() | Close() | RelaySignal() | Reply():
                raise AssertionError(action)
            case _:
                self._queries.answer(action, self.connection)

    def _check_unused(self, id_: str) -> None:
        """Raise `IdReused` if a command had this id, which is an idempotency key in v1 alone."""
        if self.connection.is_v1:
            self._engine.check_unused(self.connection.user, id_)

    def _list(self, action: ShowUsers | ShowLobby | ShowRooms | WatchFriends) -> None:
        """Answer with a list, and charge it by the bytes of the answer as well."""
        before = len(self.connection.frames)
        self._queries.answer(action, self.connection)
        self._session.spend_list(sum(map(len, self.connection.frames[before:])) / BYTES_PER_UNIT)

    def _relay(self, action: RelaySignal) -> None:
        relay_signal(action, self.connection, self._engine, self._relay_to)
        self._charge_recipients(action.message.room_id, units=1)

    # Commands

    def _dispatch(self, action: Execute, id_: str | None) -> None:
        """Dispatch a command to the engine; its result ends the turn, without a task that waits.

        Only later frames of this connection wait for the commit.
        """

        def report(result: Executed | Exception) -> None:
            self._report(action, id_, result)
            self._end_turn()

        done: OnResult = report
        with self._span():
            try:
                self._charge_recipients(getattr(action.command, "room", None), units=2)
                origin, data = self._origin_of(action, id_), action.personal_data
                command = action.command
                if isinstance(command, SEATING):
                    done = with_seat(command, report, self.connection, self._engine, self.origin)
                self._engine.dispatch(command, origin, done, personal_data=data)
            except Exception as error:  # noqa: BLE001 - it costs this message alone
                report(error)

    def _report(self, action: Execute, id_: str | None, result: Executed | Exception) -> None:
        """Answer a command that was carried out or refused."""
        try:
            if isinstance(result, Exception):
                self._replies.fail(result, id_)
                return
            if not (result.events or result.is_elsewhere):
                self._queries.show_again(action.message, self.connection)
            self._replies.acknowledge(id_, result.result.position, result.result.room)
        except Exception as error:  # noqa: BLE001 - it costs this message alone
            self._replies.fail(error, id_)

    def _origin_of(self, action: Execute, id_: str | None) -> Origin:
        digest = None if id_ is None else self._fingerprints.of(action.message)
        return self.origin(id_, digest)

    async def _carry_out(self, action: Execute | RefreshToken, id_: str | None) -> None:
        """Carry out what awaits something else than the log: a hash, or a key for a token."""
        with self._span():
            try:
                if isinstance(action, RefreshToken):
                    await self._refresh(action.token, id_)
                else:
                    self._charge_recipients(getattr(action.command, "room", None), units=2)
                    self._report(action, id_, await self._execute(action, id_))
            except Exception as error:  # noqa: BLE001 - it costs this message alone
                self._replies.fail(error, id_)

    async def _execute(self, action: Execute, id_: str | None) -> Executed:
        """Carry a command out whose password is hashed before."""
        command, origin, data = action.command, self._origin_of(action, id_), action.personal_data
        engine = self._engine
        if not isinstance(command, CreateRoom | JoinRoom):
            raise TypeError(command)
        result = await self._passwords.execute(
            command, action.password, lambda one: engine.execute(one, origin, personal_data=data)
        )
        seat = missed_seat(command, result, self.connection, engine.world)
        if seat is not None:
            await engine.execute(seat, self.origin())
        return result

    def _charge_recipients(self, room_id: RoomId | None, *, units: int) -> None:
        """Charge for the spectators who receive it; durable messages cost twice."""
        room = self._engine.world.rooms.rooms.get(room_id or "")
        if room is not None and len(room.spectators) >= RECEIVERS_PER_UNIT:
            self._session.spend(units * len(room.spectators) // RECEIVERS_PER_UNIT)

    async def _refresh(self, token: str, id_: str | None) -> None:
        """Take a newer token of the same user."""
        if id_ is not None:
            self._check_unused(id_)
        identity = await self._admission.renew(self.connection.user, token)
        if self.token_timer is not None:
            self.token_timer.begin(identity.expires_at_s)
        self._admission.connected(identity, token)
        self._replies.acknowledge(id_, self._engine.world.position)

    # Friends: requested in the background, so that later frames need not wait

    def _show_friends(self, id_: str | None) -> None:
        """Ask the user service for the user's friends; one answer serves many requests."""
        if self._friend_requests is None:
            self._friend_requests = []
            self._tasks.spawn(self._answer_friends())
        if id_ is not None:
            self._friend_requests.append(id_)

    async def _answer_friends(self) -> None:
        """Send the friends' status and then the acks, or the error under each id."""
        try:
            status = await self._queries.friends_of(self.connection.user)
        except Exception as error:  # noqa: BLE001 - it costs this message alone
            for id_ in self._friend_requests or (None,):
                self._replies.fail(error, id_)
        else:
            self._hub.send(self.connection, status)
            for id_ in self._friend_requests or ():
                self._replies.acknowledge(id_, self._engine.world.position)
        finally:
            self._friend_requests = None

    def _span(self) -> AbstractContextManager[object]:
        return traces.span(
            "websocket.message",
            type=self._session.type_received,
            correlation_id=self.correlation_id,
        )
