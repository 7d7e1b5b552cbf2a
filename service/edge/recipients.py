"""Resolves an audience to connections, by the dialect that they speak."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from service.edge.dialect import SOCKET_IO
from service.fanout.audience import Audience, Everyone, InRoom, Sockets, Users, Watchers
from service.protocol.frame_rates import FRAME_HZ_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from service.domain.events.base import Position
    from service.domain.ids import RoomId, SocketId, UserId
    from service.domain.projections.world import World
    from service.edge.connection import Connection

SENDERS_KEPT_MAX = 16
"""Maximum number of per-sender recipient lists cached for a room."""


class Recipients(NamedTuple):
    """Connections by the dialect that they speak."""

    classic: list[Connection]
    socketio: list[Connection]
    v1: list[Connection]


class _ByDialect(NamedTuple):
    """The open connections by dialect and socket, in the order of `Recipients`."""

    classic: dict[SocketId, Connection]
    socketio: dict[SocketId, Connection]
    v1: dict[SocketId, Connection]

    def of(self, connection: Connection) -> dict[SocketId, Connection]:
        """Return those that speak the dialect of `connection`."""
        if connection.is_v1:
            return self.v1
        return self.socketio if connection.dialect is SOCKET_IO else self.classic


class RoomRecipients(NamedTuple):
    """The connections that have joined a room, as of its last change."""

    changed_at: Position
    everybody: Recipients
    players: Recipients
    spectators: Recipients
    others: dict[SocketId, Recipients]
    """Everybody except a sender, by sender."""
    rates: frozenset[int]
    """The frame rates of all of them."""
    at_rates: dict[tuple[bool, bool, int | None, frozenset[int]], Recipients]
    """Players, spectators or both, or those of a seat, that have one of these frame rates."""
    seats: dict[int, Recipients]
    """The players by seat, where they are shown different things."""


NOBODY = Recipients([], [], [])


class RecipientIndex:
    """All open connections of this node, indexed by socket, user, room and watched user."""

    def __init__(self, world: World) -> None:
        """Resolve rooms by `world`."""
        self._world = world
        self.connections: dict[SocketId, Connection] = {}
        self._by_dialect = _ByDialect({}, {}, {})
        self._by_user: dict[UserId, dict[SocketId, Connection]] = {}
        self._watchers: dict[UserId, set[SocketId]] = {}
        self._rooms: dict[RoomId, RoomRecipients] = {}

    def add(self, connection: Connection) -> None:
        """Add an open connection."""
        self.connections[connection.socket] = connection
        self._by_dialect.of(connection)[connection.socket] = connection
        self._by_user.setdefault(connection.user, {})[connection.socket] = connection

    def remove(self, connection: Connection) -> None:
        """Remove a connection."""
        self.watch(connection, frozenset())
        self.connections.pop(connection.socket, None)
        self._by_dialect.of(connection).pop(connection.socket, None)
        sockets = self._by_user.get(connection.user, {})
        sockets.pop(connection.socket, None)
        if not sockets:
            self._by_user.pop(connection.user, None)

    def watch(self, connection: Connection, friends: frozenset[UserId]) -> None:
        """Make this connection a watcher of exactly `friends`."""
        for friend in connection.friends - friends:
            watchers = self._watchers[friend]
            watchers.discard(connection.socket)
            if not watchers:
                del self._watchers[friend]
        for friend in friends - connection.friends:
            self._watchers.setdefault(friend, set()).add(connection.socket)
        connection.friends = friends

    def forget_room(self, room: RoomId) -> None:
        """Drop what is cached for a room that is closed."""
        self._rooms.pop(room, None)

    def set_frame_hz(self, connection: Connection, frame_hz: int) -> None:
        """Change the frame rate of a connection, in all rooms that it has joined."""
        connection.frame_hz = frame_hz
        for room in self._world.rooms.rooms_of(connection.user, [connection.socket]):
            self._rooms.pop(room.id, None)

    def frame_rates(self, room: RoomId) -> frozenset[int]:
        """Return the frame rates of the connections that have joined a room."""
        shown = self._in_room(room)
        return frozenset() if shown is None else shown.rates

    def sockets_of(self, user: UserId) -> tuple[SocketId, ...]:
        """Return the open sockets of a user."""
        return tuple(self._by_user.get(user, ()))

    def known(self, sockets: Iterable[SocketId]) -> Iterator[Connection]:
        """Yield the connections of those sockets that are open."""
        for socket in sockets:
            connection = self.connections.get(socket)
            if connection is not None:
                yield connection

    def everyone(self) -> Recipients:
        """Return all open connections.

        Each join asks for them, so that they are not grouped again each time.
        """
        return Recipients(*(list(some.values()) for some in self._by_dialect))

    def without_v1(self) -> Recipients:
        """Return all open connections of clients that do not speak protocol v1."""
        some = self._by_dialect
        return Recipients([*some.classic.values()], [*some.socketio.values()], [])

    def resolve(self, audience: Audience) -> Recipients:
        """Return the connections that belong to `audience` now."""
        match audience:
            case InRoom():
                return self._of_room(audience)
            case Sockets(sockets):
                return by_dialect(self.known(sockets))
            case Users(users):
                return by_dialect(
                    connection
                    for user in users
                    for connection in self._by_user.get(user, {}).values()
                )
            case Everyone():
                return self.everyone()
            case Watchers(user):
                return by_dialect(self.known(self._watchers.get(user, ())))

    def resolve_at(self, audience: Audience, rates: frozenset[int] | None) -> Recipients:
        """Return those of an audience in a room that have one of these frame rates; None for all.

        Classic and Socket.IO clients have the highest one.
        """
        if not isinstance(audience, InRoom):
            return self.resolve(audience)
        if rates is None:
            return self._of_room(audience)
        shown = self._in_room(audience.room)
        if shown is None:
            return NOBODY
        key = audience.players, audience.spectators, audience.seat, rates
        found = shown.at_rates.get(key)
        if found is None:
            found = shown.at_rates[key] = _at_rates(self._of_room(audience), rates)
        return found

    def _in_room(self, room_id: RoomId) -> RoomRecipients | None:
        """Return the connections that have joined a room, cached until the room changes."""
        room = self._world.rooms.rooms.get(room_id)
        if room is None:
            return None
        shown = self._rooms.get(room.id)
        if shown is None or shown.changed_at != room.changed_at:
            everybody = by_dialect(self.known(room.sockets))
            shown = self._rooms[room.id] = RoomRecipients(
                room.changed_at,
                everybody,
                by_dialect(self.known(room.player_sockets)),
                by_dialect(self.known(room.spectator_sockets)),
                {},
                frozenset(one.frame_hz for some in everybody for one in some),
                {},
                {},
            )
        return shown

    def _of_room(self, audience: InRoom) -> Recipients:
        shown = self._in_room(audience.room)
        if shown is None:
            return NOBODY
        if audience.excluding is not None:
            return shown.others.get(audience.excluding) or _others(shown, audience.excluding)
        if audience.seat is not None:
            return shown.seats.get(audience.seat) or self._in_seat(
                shown, audience.room, audience.seat
            )
        if audience.players and audience.spectators:
            return shown.everybody
        return shown.players if audience.players else shown.spectators

    def _in_seat(self, shown: RoomRecipients, room: RoomId, seat: int) -> Recipients:
        seats = self._world.rooms.rooms[room].seats
        sockets = seats[seat].sockets if seat < len(seats) else ()
        found = shown.seats[seat] = by_dialect(self.known(sockets))
        return found


def by_dialect(connections: Iterable[Connection]) -> Recipients:
    """Group connections by dialect."""
    found = Recipients([], [], [])
    for connection in connections:
        if connection.is_v1:
            found.v1.append(connection)
        elif connection.dialect is SOCKET_IO:
            found.socketio.append(connection)
        else:
            found.classic.append(connection)
    return found


def _at_rates(recipients: Recipients, rates: frozenset[int]) -> Recipients:
    has_classic = FRAME_HZ_MAX in rates
    return Recipients(
        recipients.classic if has_classic else [],
        recipients.socketio if has_classic else [],
        [one for one in recipients.v1 if one.frame_hz in rates],
    )


def _others(shown: RoomRecipients, but: SocketId) -> Recipients:
    others = Recipients(*([one for one in some if one.socket != but] for some in shown.everybody))
    if len(shown.others) < SENDERS_KEPT_MAX:
        shown.others[but] = others
    return others
