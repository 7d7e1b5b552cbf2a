"""Fan-out: deliver messages to the open sockets; never awaits.

A message is encoded and framed once for each dialect, whoever gets it; the frames that one socket
gets within a turn of the loop, or within a frame tick where that is allowed, leave in one write.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, NamedTuple, TypeVar, assert_never

import msgspec

from service.domain.events.presence import SocketOpened
from service.domain.events.rooms import RoomClosed
from service.edge.delays import Delays
from service.edge.dialect import CLASSIC, SOCKET_IO
from service.edge.feeds import RoomFeed, UserFeed, broadcast_interval_s
from service.edge.frames import frame, type_in, type_of
from service.edge.loss import MAY_BE_MISSED, kind_of
from service.edge.tail import keep
from service.errors import InternalError
from service.fanout.audience import (
    Delivery,
    Everyone,
    InRoom,
    Refresh,
    RoomChanged,
    Sockets,
    UserChanged,
    Users,
    Watchers,
    lobby_sockets,
)
from service.fanout.views import lobby_list, user_list
from service.protocol import classic, v1
from service.telemetry import note_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from service.domain.events.base import Event, Position
    from service.domain.ids import RoomId, SocketId, UserId
    from service.domain.projections.world import World
    from service.edge.backlog import Backlog
    from service.edge.connection import Connection
    from service.edge.dialect import Dialect
    from service.edge.greeting import Greeter
    from service.fanout.audience import Audience, Message
    from service.fanout.profiles import Profiles
    from service.protocol import ToClient
    from service.telemetry import Metrics

STALL_CHECK_S = 1.0

LIST_ENTRY_BYTES = 32
"""About what a user adds to the list of all."""

SENDERS_KEPT_MAX = 16
"""Maximum number of per-sender recipient lists cached for a room."""

Answer = TypeVar("Answer")


class Intervals(msgspec.Struct, frozen=True, kw_only=True):
    """The least times between two of the same kind."""

    list_s: float
    diff_s: float
    heartbeat_s: float


class Recipients(NamedTuple):
    """Sockets by the dialect that they speak."""

    classics: list[Connection]
    socket_ios: list[Connection]
    ones: list[Connection]


class RoomRecipients(NamedTuple):
    """The sockets that show a room, as of its last change."""

    changed_at: Position
    everybody: Recipients
    players: Recipients
    spectators: Recipients
    others: dict[SocketId, Recipients]
    """Everybody but one, for those who have sent something."""


class Hub:
    """All open sockets of this node."""

    def __init__(  # noqa: PLR0913 - the parts are given by the composition root
        self,
        world: World,
        people: Profiles,
        backlog: Backlog,
        intervals: Intervals,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
        delayed_bytes_max: int = 64 * 1024 * 1024,
    ) -> None:
        """Tell of `world`, and keep in `backlog` what those who are away are to get.

        `clock` is that of the backlog's ages, in seconds.
        """
        self._clock = clock
        self._metrics = metrics
        self._world = world
        self._people = people
        self._backlog = backlog
        self._delays = Delays(delayed_bytes_max)
        self._intervals = intervals
        self._connections: dict[SocketId, Connection] = {}
        self._arriving: dict[SocketId, Connection] = {}
        self._of_users: dict[UserId, dict[SocketId, Connection]] = {}
        self._watchers: dict[UserId, set[SocketId]] = {}
        self._unflushed: set[Connection] = set()
        self._flushes = False
        """Whether a flush is about to come anyway."""
        self._waiting: set[Connection] = set()
        """Sockets whose frames may wait for the next frame tick."""
        self._stale: set[str] = set()
        self._rooms_shown: dict[RoomId, RoomRecipients] = {}
        self._shown_late: dict[RoomId, Position] = {}
        """How far the log was shown to spectators who see everything later."""
        self._user_lists: dict[Dialect, bytes] = {}
        """The lists for clients without protocol v1, while nobody has come, gone or changed."""
        self.users = UserFeed(world, people, self._diff_pause_s, self._send_to_v1, metrics)
        self.rooms = RoomFeed(world, people, intervals.diff_s, self._send_to_sockets, metrics)
        self.greeter: Greeter

    def __len__(self) -> int:
        """Count the open sockets."""
        return len(self._connections)

    def start(self, greeter: Greeter) -> None:
        """Begin with the world as it is; nobody is connected."""
        self.greeter = greeter
        self.users.start()
        self.rooms.start()
        self._stale = set()

    # Sockets

    def expect(self, connection: Connection) -> None:
        """Greet this socket when its opening is committed."""
        self._arriving[connection.socket] = connection

    def observe(self, event: Event, position: Position) -> None:
        """Greet a socket that was opened, and reach it from now on; forget a closed room."""
        if isinstance(event, RoomClosed):
            self._rooms_shown.pop(event.room, None)
            self._shown_late.pop(event.room, None)
        if isinstance(event, SocketOpened) and event.socket in self._arriving:
            connection = self._arriving.pop(event.socket)
            connection.opened_at = position
            self._connections[connection.socket] = connection
            self._of_users.setdefault(connection.user, {})[connection.socket] = connection
            self._greet(connection, event)

    def _greet(self, connection: Connection, opened: SocketOpened) -> None:
        """Send a greeting, up to where it fails; the socket stays, and hears what happens."""
        try:
            for data in self.greeter.greet(connection, opened):
                self.send_frames(connection, (data,))
                if connection.resume is None:
                    connection.greeting_bytes += len(data)
                else:
                    connection.resume_bytes += len(data)
        except Exception as error:  # noqa: BLE001 - it costs this greeting alone
            note_fault(self._metrics, "greeting", error, socket=connection.socket)
            failed = InternalError()
            self.send(connection, classic.Error(failed.code, failed.message))

    def remove(self, connection: Connection) -> None:
        """Reach this socket no longer."""
        self.watch(connection, frozenset())
        self.rooms.unsubscribe(connection.socket)
        self._arriving.pop(connection.socket, None)
        self._connections.pop(connection.socket, None)
        self._unflushed.discard(connection)
        self._waiting.discard(connection)
        sockets = self._of_users.get(connection.user, {})
        sockets.pop(connection.socket, None)
        if not sockets:
            self._of_users.pop(connection.user, None)

    def connection(self, socket: SocketId) -> Connection | None:
        """Return an open socket."""
        return self._connections.get(socket)

    def shown_late(self, room: RoomId) -> Position:
        """Return how far the log was shown to the spectators of a room who see it later."""
        return self._shown_late.get(room, 0)

    def sockets_of(self, user: UserId) -> tuple[SocketId, ...]:
        """Name the open sockets of a user."""
        return tuple(self._of_users.get(user, ()))

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

    # Messages

    def publish(self, message: Message, position: Position = 0) -> None:
        """Tell all who are to be told; `position` is that of the event behind it."""
        match message:
            case Delivery():
                self._deliver(message, position)
            case Refresh():
                self._refresh(message.list)
            case UserChanged():
                self._user_lists.clear()
                self.users.change(message.user)
            case RoomChanged():
                self.rooms.change(message.room)
            case _:
                assert_never(message)

    def count(self, delivery: Delivery) -> int:
        """Count the sockets that would get something of `delivery` now."""
        told = self._resolve(delivery.audience)
        classics = 0 if delivery.classic is None else len(told.classics) + len(told.socket_ios)
        return classics + (0 if delivery.v1 is None else len(told.ones))

    def published(self, position: Position) -> None:
        """Close the event at `position` in the backlog."""
        self._backlog.close(position, self._clock())

    def send(self, connection: Connection, message: ToClient) -> None:
        """Send one message to one socket."""
        connection.frames.append(connection.dialect.frame(message))
        self._metrics.sent(type_of(message), 1)
        self._flush_soon((connection,))

    def send_frames(self, connection: Connection, frames: Iterable[bytes]) -> None:
        """Send frames to one socket."""
        for data in frames:
            connection.frames.append(data)
            self._metrics.sent(type_in(data), 1)
        self._flush_soon((connection,))

    def send_withheld(self, connection: Connection, data: bytes) -> None:
        """Send a frame before those that are withheld until it has been read."""
        connection.insert(data)
        self._metrics.sent(type_in(data), 1)
        self._flush_soon((connection,))

    def user_list(self, dialect: Dialect) -> bytes:
        """Return the frame of everyone online, for clients without protocol v1."""
        if dialect not in self._user_lists:
            self._user_lists[dialect] = dialect.frame(user_list(self._world, self._people))
        return self._user_lists[dialect]

    def flush(self) -> None:
        """Write what is queued for every socket and waits for nothing."""
        unflushed = self._unflushed
        if unflushed:
            self._unflushed = set()
            self._write(unflushed)

    def flush_after(self, read: Callable[[bytes], Answer], data: bytes) -> Answer:
        """Let `read` have what a socket has received, and flush what that has led to.

        It saves the loop a callback. What others bring about in the same turn is written apart.
        """
        self._flushes = True
        try:
            return read(data)
        finally:
            self._flushes = False
            self.flush()

    async def beat(self) -> None:
        """Tell v1 clients how far the log is, for ever, so that they can resume from there."""
        while True:
            await asyncio.sleep(self._intervals.heartbeat_s)
            heartbeat = v1.Heartbeat(self._world.position)
            self._send_to_v1(frame(heartbeat), heartbeat)

    async def watch_stalls(self) -> None:
        """Give up sockets that make no progress, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(STALL_CHECK_S)
            for connection in list(self._connections.values()):
                connection.check_progress(loop.time())

    def _deliver(self, delivery: Delivery, position: Position) -> None:
        if delivery.delay_s:
            self._deliver_later(delivery, position)
            return
        kept = keep(self._backlog, delivery, position)
        told = self._resolve(delivery.audience)
        if told.classics and delivery.classic is not None:
            self._metrics.sent(type_of(delivery.classic), len(told.classics))
            self._hand_out(frame(delivery.classic), told.classics, delivery, delivery.classic)
        if told.socket_ios and delivery.classic is not None:
            self._metrics.sent(type_of(delivery.classic), len(told.socket_ios))
            data = SOCKET_IO.frame(delivery.classic)
            self._hand_out(data, told.socket_ios, delivery, delivery.classic)
        if told.ones and delivery.v1 is not None:
            self._metrics.sent(type_of(delivery.v1), len(told.ones))
            self._hand_out(kept or frame(delivery.v1), told.ones, delivery, delivery.v1)

    def _deliver_later(self, delivery: Delivery, position: Position) -> None:
        """Tell spectators, who all speak protocol v1, when the delay of their room is over."""
        message, audience = delivery.v1, delivery.audience
        if message is None or not isinstance(audience, InRoom):
            raise AssertionError(delivery)
        data = frame(message)
        is_state = isinstance(message, v1.GameUpdate)
        if not self._delays.take(audience.room, len(data), is_state=is_state):
            return
        if is_state:
            # The state is in the frame.
            message = msgspec.structs.replace(message, state=None)

        def tell() -> None:
            self._delays.give_back(audience.room, len(data))
            if audience.room in self._world.rooms.rooms:
                shown = self._shown_late.get(audience.room, 0)
                self._shown_late[audience.room] = max(shown, position)
            self._send(self._resolve(audience).ones, data, message)

        asyncio.get_running_loop().call_later(delivery.delay_s, tell)

    def _hand_out(
        self, data: bytes, connections: list[Connection], delivery: Delivery, message: ToClient
    ) -> None:
        """Queue a frame for each of these sockets, and see to it that they are flushed."""
        may_be_missed = type_of(message) in MAY_BE_MISSED
        for connection in connections:
            if may_be_missed and connection.is_slow:
                connection.hold_back(kind_of(message), data)
            else:
                connection.frames.append(data)
        if delivery.frame_ms:
            self._flush_at_tick(connections, delivery.frame_ms)
        else:
            self._flush_soon(connections)

    def _resolve(self, audience: Audience) -> Recipients:
        match audience:
            case InRoom():
                return self._shown(audience)
            case Sockets(sockets):
                return _by_dialect(self._known(sockets))
            case Users(users):
                return _by_dialect(
                    connection
                    for user in users
                    for connection in self._of_users.get(user, {}).values()
                )
            case Everyone():
                return _by_dialect(self._connections.values())
            case Watchers(user):
                return _by_dialect(self._known(self._watchers.get(user, ())))

    def _shown(self, audience: InRoom) -> Recipients:
        """Find the sockets that show a room; they are kept until the room changes."""
        room = self._world.rooms.rooms.get(audience.room)
        if room is None:
            return Recipients([], [], [])
        shown = self._rooms_shown.get(room.id)
        if shown is None or shown.changed_at != room.changed_at:
            shown = self._rooms_shown[room.id] = RoomRecipients(
                room.changed_at,
                _by_dialect(self._known(room.sockets)),
                _by_dialect(self._known(room.player_sockets)),
                _by_dialect(self._known(room.spectator_sockets)),
                {},
            )
        if audience.but is not None:
            return _others(shown, audience.but)
        if audience.players and audience.spectators:
            return shown.everybody
        return shown.players if audience.players else shown.spectators

    def _known(self, sockets: Iterable[SocketId]) -> Iterator[Connection]:
        for socket in sockets:
            connection = self._connections.get(socket)
            if connection is not None:
                yield connection

    def _send_to_v1(self, data: bytes, message: ToClient) -> None:
        self._send([one for one in self._connections.values() if one.is_v1], data, message)

    def _send_to_sockets(
        self, sockets: tuple[SocketId, ...], data: bytes, message: ToClient
    ) -> None:
        self._send([one for one in self._known(sockets) if one.is_v1], data, message)

    def _send(self, connections: list[Connection], data: bytes, message: ToClient) -> None:
        """Queue a frame, or hold it back where a slow client may miss it."""
        self._metrics.sent(type_of(message), len(connections))
        may_be_missed = type_of(message) in MAY_BE_MISSED
        for connection in connections:
            if may_be_missed and connection.is_slow:
                connection.hold_back(kind_of(message), data)
            else:
                connection.frames.append(data)
        self._flush_soon(connections)

    def _flush_soon(self, connections: Iterable[Connection]) -> None:
        if not self._unflushed and not self._flushes:
            asyncio.get_running_loop().call_soon(self.flush)
        self._unflushed.update(connections)

    def _flush_at_tick(self, connections: Iterable[Connection], frame_ms: int) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_later(frame_ms / 1000, self._flush_waiting)
        self._waiting.update(connections)

    def _flush_waiting(self) -> None:
        waiting, self._waiting = self._waiting, set()
        self._write(waiting)

    def _write(self, connections: Iterable[Connection]) -> None:
        started_at = time.perf_counter()
        written = 0
        for connection in connections:
            try:
                written += connection.flush()
            except Exception as error:  # noqa: BLE001 - it costs this socket alone, which resumes
                note_fault(self._metrics, "delivery", error, socket=connection.socket)
                connection.abort("not written")
        self._metrics.flushed(written, time.perf_counter() - started_at)

    # Lists of classic clients

    def _refresh(self, list_: str) -> None:
        if not self._stale:
            asyncio.get_running_loop().call_later(self._list_pause_s(), self._send_stale)
        self._stale.add(list_)

    def _list_pause_s(self) -> float:
        bytes_ = LIST_ENTRY_BYTES * len(self._world.presence.sockets)
        return broadcast_interval_s(self._intervals.list_s, len(self._connections), bytes_)

    def _diff_pause_s(self) -> float:
        return broadcast_interval_s(self._intervals.diff_s, len(self._connections))

    def _send_stale(self) -> None:
        stale, self._stale = self._stale, set()
        if "user:list" in stale:
            told = _by_dialect(self._connections.values())
            anybody = classic.UserList([])
            if told.classics:
                self._send(told.classics, self.user_list(CLASSIC), anybody)
            if told.socket_ios:
                self._send(told.socket_ios, self.user_list(SOCKET_IO), anybody)
        if "lobby:list" in stale:
            lobby = lobby_list(self._world, self._people)
            self.publish(Delivery(lobby_sockets(self._world), classic=lobby))


def _others(shown: RoomRecipients, but: SocketId) -> Recipients:
    others = shown.others.get(but)
    if others is None:
        others = Recipients(
            *([one for one in some if one.socket != but] for some in shown.everybody)
        )
        if len(shown.others) < SENDERS_KEPT_MAX:
            shown.others[but] = others
    return others


def _by_dialect(connections: Iterable[Connection]) -> Recipients:
    told = Recipients([], [], [])
    for connection in connections:
        if connection.is_v1:
            told.ones.append(connection)
        elif connection.dialect is SOCKET_IO:
            told.socket_ios.append(connection)
        else:
            told.classics.append(connection)
    return told
