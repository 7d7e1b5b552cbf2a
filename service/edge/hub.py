"""Fan-out: deliver messages to the open sockets; never awaits.

A message is encoded and framed once per dialect, for all recipients. The frames that one socket
gets within a turn of the loop, or within a frame tick where that is allowed, are one write.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, assert_never

import msgspec

from service.domain.events.presence import SocketOpened
from service.domain.events.rooms import RoomClosed
from service.edge.classic_lists import ClassicLists
from service.edge.delays import DelayedBytes
from service.edge.dialect import SOCKET_IO
from service.edge.feeds import RoomFeed, UserFeed, broadcast_interval_s
from service.edge.flush import FlushScope
from service.edge.frames import frame, type_in, type_of
from service.edge.lobby_feed import LobbyFeed
from service.edge.recipients import RecipientIndex
from service.edge.slow_consumer import SKIPPABLE, conflation_key
from service.edge.tail import keep
from service.edge.wire.choice import PYTHON
from service.fanout.audience import (
    Delivery,
    Everyone,
    InRoom,
    ListChanged,
    RoomChanged,
    SaidInLobby,
    UserChanged,
)
from service.protocol import v1
from service.protocol.frame_rates import FRAME_HZ_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from service.domain.events.base import Event, Position
    from service.domain.ids import RoomId, SocketId, UserId
    from service.domain.projections.world import World
    from service.edge.backlog import Backlog
    from service.edge.connection import Connection
    from service.edge.wire.interface import Wire
    from service.fanout.audience import Message
    from service.fanout.profiles import Profiles
    from service.protocol import ToClient
    from service.settings.sections.broadcasts import BroadcastLimits
    from service.telemetry import Metrics

STALL_CHECK_S = 1.0

STATES_JOINED_MS = 1000 / FRAME_HZ_MAX
"""How long, in ms, a state may wait for those of other matches, at a lower frame rate."""

_STATE = "game:update"


class Hub:
    """All open sockets of this node."""

    def __init__(  # noqa: PLR0913 - the parts are given by the composition root
        self,
        world: World,
        profiles: Profiles,
        backlog: Backlog,
        limits: BroadcastLimits,
        metrics: Metrics,
        *,
        wire: Wire = PYTHON,
        clock: Callable[[], float] = time.monotonic,
        is_suspended: Callable[[], bool] | None = None,
    ) -> None:
        """Resolve audiences by `world`, and keep durable messages in `backlog`; send by `wire`.

        `clock` is that of the backlog's ages, in seconds. Nothing is sent while `is_suspended`.
        """
        self._clock = clock
        self._metrics = metrics
        self._world = world
        self._backlog = backlog
        self._delays = DelayedBytes(limits.delayed_bytes_max)
        self._limits = limits
        self._index = RecipientIndex(world)
        self._connections = self._index.connections
        self._arriving: dict[SocketId, Connection] = {}
        self.flush_scope = FlushScope(wire, metrics, is_suspended)
        self._queue = self.flush_scope.output.queue
        self._shown_late: dict[RoomId, Position] = {}
        """Per room, the position up to which delayed spectators have been sent everything."""
        self.users = UserFeed(world, profiles, self._diff_pause_s, self._send_to_v1, metrics)
        self.rooms = RoomFeed(world, profiles, limits.user_diff_s, self._send_to_sockets, metrics)
        self.lobby = LobbyFeed(world, profiles, self._send_to_sockets, metrics)
        self.lists = ClassicLists(world, profiles, self._index, limits.user_list_s, self._send)

    def __len__(self) -> int:
        """Count the open sockets."""
        return len(self._connections)

    def start(self) -> None:
        """Take the first snapshots of the feeds, of the world as it is."""
        self.users.start()
        self.rooms.start()

    # Sockets

    def expect(self, connection: Connection) -> None:
        """Add this socket as soon as its opening is committed."""
        self._arriving[connection.socket] = connection

    def observe(self, event: Event, position: Position) -> None:
        """Add a socket when it is opened; drop the caches of a room when it is closed."""
        if isinstance(event, RoomClosed):
            self._index.forget_room(event.room)
            self._shown_late.pop(event.room, None)
        if isinstance(event, SocketOpened) and event.socket in self._arriving:
            connection = self._arriving.pop(event.socket)
            connection.opened_at = position
            self._index.add(connection)

    def remove(self, connection: Connection) -> None:
        """Remove a socket that is closed."""
        self._index.remove(connection)
        self.rooms.unsubscribe(connection.socket)
        self.lobby.unwatch(connection.socket)
        self._arriving.pop(connection.socket, None)
        self.flush_scope.discard(connection)

    def connection(self, socket: SocketId) -> Connection | None:
        """Return an open socket."""
        return self._connections.get(socket)

    def shown_late(self, room: RoomId) -> Position:
        """Return the position up to which the delayed spectators of a room have been sent all."""
        return self._shown_late.get(room, 0)

    def sockets_of(self, user: UserId) -> tuple[SocketId, ...]:
        """Return the open sockets of a user."""
        return self._index.sockets_of(user)

    def watch(self, connection: Connection, friends: frozenset[UserId]) -> None:
        """Notify this socket when one of `friends` comes or goes, and no longer of others."""
        self._index.watch(connection, friends)

    def set_frame_hz(self, connection: Connection, frame_hz: int) -> None:
        """Send this socket the states of live matches at another frame rate from now on."""
        self._index.set_frame_hz(connection, frame_hz)

    def frame_rates(self, room: RoomId) -> frozenset[int]:
        """Return the frame rates of the sockets in a room."""
        return self._index.frame_rates(room)

    # Messages

    def publish(self, message: Message, position: Position = 0) -> None:
        """Broadcast a message to its audience; `position` is that of its event."""
        match message:
            case Delivery():
                self.deliver(message, position)
            case ListChanged():
                self.lists.refresh(message.list)
            case UserChanged():
                self.lists.on_user_changed()
                self.users.change(message.user)
            case RoomChanged():
                self.rooms.change(message.room)
            case SaidInLobby():
                self.lobby.said(message.message)
            case _:
                assert_never(message)

    def count(self, delivery: Delivery) -> int:
        """Return the number of sockets that `delivery` would reach now."""
        recipients = self._index.resolve(delivery.audience)
        classics = (
            0 if delivery.classic is None else len(recipients.classic) + len(recipients.socketio)
        )
        return classics + (0 if delivery.v1 is None else len(recipients.v1))

    def ask_to_show(self, room: RoomId, user: UserId, socket: SocketId) -> None:
        """Do nothing: there is no other node that could run the match of the room."""

    async def announce(self, delivery: Delivery) -> int:
        """Broadcast a message of another service; return how many sockets it reaches."""
        count = self.count(delivery)
        self.deliver(delivery)
        return count

    def published(self, position: Position) -> None:
        """Note that all messages of the event at `position` were published."""
        self._backlog.close(position, self._clock())

    def send(self, connection: Connection, message: ToClient) -> None:
        """Send one message to one socket."""
        self._metrics.sent.counts[type_of(message)] += 1
        self._queue(connection.dialect.frame(message), (connection,))

    def send_frames(self, connection: Connection, frames: Iterable[bytes]) -> None:
        """Send frames to one socket."""
        queued = connection.frames
        before = len(queued)
        queued.extend(frames)
        for data in queued[before:]:
            self._metrics.sent.counts[type_in(data)] += 1
        self.flush_scope.flush_soon((connection,))

    def send_before_hold(self, connection: Connection, data: bytes) -> None:
        """Send a frame before those that a hold keeps back."""
        connection.insert(data)
        self._metrics.sent.counts[type_in(data)] += 1
        self.flush_scope.flush_soon((connection,))

    def flush_arriving(self) -> None:
        """Send what sockets whose opening is not committed have, soon: the response itself."""
        if self._arriving:
            self.flush_scope.flush_soon([*self._arriving.values()])

    def abort_arriving(self) -> None:
        """Abort the connections whose opening is not committed."""
        for connection in self._arriving.values():
            connection.transport.abort()

    def flush(self) -> None:
        """Flush the send queues of all sockets."""
        self.flush_scope.flush()

    async def beat(self, interval_s: float) -> None:
        """Broadcast the position of the log to v1 clients for ever, as the cursor of resumes."""
        while True:
            await asyncio.sleep(interval_s)
            heartbeat = v1.Heartbeat(self._world.position)
            self._send_to_v1(frame(heartbeat), heartbeat)

    async def watch_stalls(self) -> None:
        """Abort the connections of clients that read nothing, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(STALL_CHECK_S)
            if self.flush_scope.is_suspended():
                continue
            for connection in list(self._connections.values()):
                connection.check_progress(loop.time())
            # A log that is slow must not let handshakes fail.
            self.flush_arriving()

    def deliver(self, delivery: Delivery, position: Position = 0) -> None:
        """Broadcast a delivery; `position` is that of its event."""
        if delivery.delay_s:
            self._deliver_later(delivery, position)
            return
        kept = keep(self._backlog, delivery, position) if delivery.durable else None
        if delivery.v1 is None and isinstance(delivery.audience, Everyone):
            # Each join has such a delivery, and most clients speak protocol v1.
            recipients = self._index.without_v1()
        else:
            recipients = self._index.resolve_at(delivery.audience, delivery.rates)
        message, frame_ms = delivery.classic, delivery.frame_ms
        if recipients.classic and message is not None:
            self._send(recipients.classic, frame(message), message, frame_ms)
        if recipients.socketio and message is not None:
            self._send(recipients.socketio, SOCKET_IO.frame(message), message, frame_ms)
        if recipients.v1 and delivery.v1 is not None:
            data = kept or frame(delivery.v1)
            if isinstance(delivery.v1, v1.GameUpdate):
                self._send_state(recipients.v1, data, delivery.v1)
            else:
                self._send(recipients.v1, data, delivery.v1, frame_ms)

    def _deliver_later(self, delivery: Delivery, position: Position) -> None:
        """Send to spectators, who all speak protocol v1, after the delay of their room."""
        message, audience, rates = delivery.v1, delivery.audience, delivery.rates
        if message is None or not isinstance(audience, InRoom):
            raise AssertionError(delivery)
        data = frame(message)
        is_state = isinstance(message, v1.GameUpdate)
        if not self._delays.reserve(audience.room, len(data), is_state=is_state):
            return
        if is_state:
            # The frame is all that is needed later: don't keep the state in memory.
            message = msgspec.structs.replace(message, state=None)

        def send() -> None:
            self._delays.release(audience.room, len(data))
            if audience.room in self._world.rooms.rooms:
                shown = self._shown_late.get(audience.room, 0)
                self._shown_late[audience.room] = max(shown, position)
            connections = self._index.resolve_at(audience, rates).v1
            if isinstance(message, v1.GameUpdate):
                self._send_state(connections, data, message)
            else:
                self._send(connections, data, message)

        asyncio.get_running_loop().call_later(delivery.delay_s, send)

    def _send_to_v1(self, data: bytes, message: ToClient) -> None:
        self._send(self._index.everyone().v1, data, message)

    def _send_to_sockets(
        self, sockets: tuple[SocketId, ...], data: bytes, message: ToClient
    ) -> None:
        self._send([one for one in self._index.known(sockets) if one.is_v1], data, message)

    def _send(
        self, connections: list[Connection], data: bytes, message: ToClient, frame_ms: float = 0
    ) -> None:
        """Queue a frame for each of these sockets, conflated for slow clients.

        It is flushed soon, or at the next frame tick where `frame_ms` allows that.
        """
        if not connections:
            return
        type_ = type_of(message)
        self._metrics.sent.counts[type_] += len(connections)
        may_miss = type_ in SKIPPABLE
        slow = self.flush_scope.queue(data, connections, may_miss=may_miss, frame_ms=frame_ms)
        for connection in slow:
            connection.retain(conflation_key(message), data)

    def _send_state(
        self, connections: list[Connection], data: bytes, message: v1.GameUpdate
    ) -> None:
        """Queue the state of a match, for some sockets to leave with those of other matches."""
        room = message.room_id
        if not connections:
            return
        # The first condition saves a call for each recipient: most get the states of one match.
        waiting = [
            one for one in connections if one.state_room != room and one.may_join_states(room)
        ]
        if not waiting:
            self._queue_state(connections, data, message, 0)
            return
        self._queue_state(waiting, data, message, STATES_JOINED_MS)
        others = [one for one in connections if one not in waiting]
        if others:
            self._queue_state(others, data, message, 0)

    def _queue_state(
        self, connections: list[Connection], data: bytes, message: v1.GameUpdate, frame_ms: float
    ) -> None:
        self._metrics.sent.counts[_STATE] += len(connections)
        slow = self.flush_scope.queue(data, connections, may_miss=True, frame_ms=frame_ms)
        for connection in slow:
            connection.retain(conflation_key(message), data)

    def _diff_pause_s(self) -> float:
        return broadcast_interval_s(self._limits.user_diff_s, len(self._connections))
