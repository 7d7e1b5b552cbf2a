"""Projection of rooms: its state, and how it folds events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.domain.errors import AlreadyInRoom, NotInRoom, RoomNotFound
from service.domain.events.base import Position, room_stream
from service.domain.events.matches import MatchEnded, MatchStarted
from service.domain.events.nodes import NodeLost, NodeStarted
from service.domain.events.presence import SocketClosed, SocketOpened
from service.domain.events.rooms import (
    HostChanged,
    PlayerReadied,
    PlayerSeated,
    RoomBecameReady,
    RoomClosed,
    RoomCreated,
    RoomLocked,
    SeatForfeited,
    SeatLeft,
    SeatTaken,
    SpectatorJoined,
    SpectatorLeft,
)
from service.domain.ids import RoomId, SocketId, UserId, is_bot, opened_on, opened_until
from service.domain.projections.room import Room, Seat
from service.domain.projections.room_options import RoomOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


REMEMBERED_MAX = 10_000
"""Maximum number of entries in `kicked` and `left` each; the oldest are evicted."""


class Rooms(msgspec.Struct):
    """All rooms, and the users and sockets in them."""

    rooms: dict[RoomId, Room] = {}
    seated: dict[UserId, RoomId] = {}
    watching: dict[SocketId, set[RoomId]] = {}
    """The rooms that each socket of a spectator has joined."""
    kicked: dict[UserId, RoomId] = {}
    """Users who forfeited a seat while they were away, and were not notified yet."""
    left: dict[UserId, RoomId] = {}
    """The room that each user left last, so that leaving it again succeeds."""

    def is_busy(self, user: UserId) -> bool:
        """Return whether `user` has a seat in a room whose match is not over."""
        room = self.seated.get(user)
        return room is not None and self.rooms[room].phase != "finished"

    def is_playing(self, user: UserId) -> bool:
        """Return whether `user` has a seat in a running match."""
        room = self.seated.get(user)
        return room is not None and self.rooms[room].phase == "playing"

    def check_free(self, user: UserId) -> None:
        """Raise `AlreadyInRoom` if `user` is busy in a room."""
        if self.is_busy(user):
            raise AlreadyInRoom

    def streams_of(self, users: Iterable[UserId]) -> set[str]:
        """Return the streams of the rooms where `users` have seats."""
        return {room_stream(self.seated[user]) for user in users if user in self.seated}

    def get(self, room_id: RoomId) -> Room:
        """Return a room; raise `RoomNotFound`."""
        room = self.rooms.get(room_id)
        if room is None:
            raise RoomNotFound
        return room

    def seat_of(self, user: UserId, room_id: RoomId) -> tuple[Room, int]:
        """Return the room and the seat of `user`; raise `RoomNotFound` or `NotInRoom`."""
        room = self.get(room_id)
        seat = room.seat_of(user)
        if seat is None:
            raise NotInRoom
        return room, seat

    def rooms_of(self, user: UserId, sockets: Iterable[SocketId]) -> list[Room]:
        """Return the rooms where `user` has a seat, or which their `sockets` watch."""
        ids = self.watched_by(sockets)
        if user in self.seated:
            ids.add(self.seated[user])
        return [self.rooms[room] for room in sorted(ids)]

    def share_a_room(self, user: UserId, sockets: Iterable[SocketId], other: UserId) -> bool:
        """Return whether `user`, with these `sockets`, and `other` are members of one room."""
        return any(room.has_member(other) for room in self.rooms_of(user, sockets))

    def watched_by(self, sockets: Iterable[SocketId]) -> set[RoomId]:
        """Return the rooms that any of `sockets` watches."""
        return {room for socket in sockets for room in self.watching.get(socket, ())}

    # The fold

    def on_room_created(self, event: RoomCreated, position: Position) -> None:
        """Add the room and seat its players."""
        seats = [Seat(user=user) for user in event.players]
        seats += [Seat() for _ in range(event.seats_max - len(seats))]
        self.rooms[event.room] = Room(
            id=event.room,
            game=event.game,
            options=RoomOptions.read(event.options),
            seats=seats,
            seats_min=event.seats_min,
            created_at=position,
            hosted=event.host is not None,
            host=event.host,
            visibility=event.visibility,
            password=event.password,
            metadata=event.metadata,
            spectators_max=event.spectators_max,
            last_match=position if event.named else 0,
            changed_at=position,
        )
        for user in event.players:
            self._seat(user, event.room)

    def on_player_seated(self, event: PlayerSeated, position: Position) -> None:
        """Give the user the seat; they stop watching."""
        room = self.rooms[event.room]
        room.seats[event.seat] = Seat(user=event.user)
        room.changed_at = position
        self._stop_watching(room, event.user)
        self._seat(event.user, event.room)

    def on_seat_taken(self, event: SeatTaken, position: Position) -> None:
        """Add a socket of the player, who is no longer away."""
        room = self.rooms[event.room]
        seat = room.seats[room.index_of(event.user)]
        seat.sockets.add(event.socket)
        seat.away_since = None
        seat.excused = False
        room.empty_since = None
        room.changed_at = position

    def on_seat_gone(self, event: SeatLeft | SeatForfeited, position: Position) -> None:
        """Free the seat; during a match it stays reserved as `gone` until the end."""
        room = self.rooms[event.room]
        index = room.index_of(event.user)
        if room.phase == "playing":
            room.seats[index] = Seat(user=event.user, gone=True)
        else:
            room.seats[index] = Seat()
        self.seated.pop(event.user, None)
        room.ready.discard(event.user)
        room.changed_at = position
        if is_bot(event.user):
            pass
        elif isinstance(event, SeatLeft):
            _remember(self.left, event.user, event.room)
            if event.reason == "kicked":
                room.ban(event.user)
        elif room.phase == "playing" or not room.hosted:
            _remember(self.kicked, event.user, event.room)
        if room.phase == "ready" and len(room.staying) < room.seats_min:
            room.phase = "gathering"
        room.note_empty(position)

    def on_spectator_joined(self, event: SpectatorJoined, position: Position) -> None:
        """Add a socket of a spectator."""
        room = self.rooms[event.room]
        room.spectators.setdefault(event.user, set()).add(event.socket)
        room.empty_since = None
        room.changed_at = position
        self.watching.setdefault(event.socket, set()).add(event.room)

    def on_spectator_left(self, event: SpectatorLeft, position: Position) -> None:
        """Remove the spectator with all sockets."""
        room = self.rooms[event.room]
        self._stop_watching(room, event.user)
        if event.reason == "kicked":
            room.ban(event.user)
        room.changed_at = position
        room.note_empty(position)

    def on_room_became_ready(self, event: RoomBecameReady, position: Position) -> None:
        """Mark the room as ready for a match."""
        room = self.rooms[event.room]
        room.phase = "ready"
        room.changed_at = position

    def on_player_readied(self, event: PlayerReadied, position: Position) -> None:
        """Record whether the player is ready."""
        room = self.rooms[event.room]
        room.changed_at = position
        if event.ready:
            room.ready.add(event.user)
        else:
            room.ready.discard(event.user)

    def on_host_changed(self, event: HostChanged, position: Position) -> None:
        """Change the room's host."""
        room = self.rooms[event.room]
        room.host = event.user
        room.changed_at = position

    def on_room_locked(self, event: RoomLocked, position: Position) -> None:
        """Lock or unlock the room."""
        room = self.rooms[event.room]
        room.locked = event.locked
        room.changed_at = position

    def on_match_started(self, event: MatchStarted, position: Position) -> None:
        """Mark the room as playing.

        The players move up to the first seats, so that seats are numbered as in the match.
        """
        room = self.rooms[event.room]
        room.seats.sort(key=lambda seat: seat.user is None)
        room.phase = "playing"
        room.match = event.match
        room.last_match += 1
        room.ready = set()
        room.changed_at = position

    def on_match_ended(self, event: MatchEnded, position: Position) -> None:
        """Mark the room as finished, ready for a rematch.

        The room may be gone, if the operator has skipped an earlier end (`log skip`).
        """
        room = self.rooms.get(event.room)
        if room is None:
            return
        room.phase = "finished"
        room.match = None
        room.seats = [Seat() if seat.gone else seat for seat in room.seats]
        room.changed_at = position
        room.note_empty(position)

    def on_room_closed(self, event: RoomClosed, _position: Position) -> None:
        """Remove the room with its members."""
        room = self.rooms.pop(event.room)
        for user in room.players:
            if self.seated.get(user) == event.room:
                del self.seated[user]
                _remember(self.left, user, event.room)
        for user in list(room.spectators):
            self._stop_watching(room, user)

    def on_socket_opened(self, event: SocketOpened, _position: Position) -> None:
        """Forget a forfeited seat of which the user is notified now."""
        if event.kicked:
            self.kicked.pop(event.user, None)

    def on_socket_closed(self, event: SocketClosed, position: Position) -> None:
        """Remove the socket from the rooms that it has joined."""
        room = self.rooms.get(self.seated.get(event.user, ""))
        if room is not None:
            seat = room.seats[room.index_of(event.user)]
            room.remove_player_sockets(seat, {event.socket}, position)
        for watched in self.watching.pop(event.socket, ()):
            self.rooms[watched].remove_spectator_sockets(event.user, {event.socket}, position)

    def on_node_started(self, event: NodeStarted, position: Position) -> None:
        """Remove the sockets of the node's earlier incarnations; their players are excused.

        So are all who are away, if the service was down and nobody could come back.
        """
        self._lose_sockets(lambda socket: opened_on(socket, event.node), position)
        if event.alone:
            for room in self.rooms.values():
                for seat in room.seats:
                    seat.excused = seat.away_since is not None

    def on_node_lost(self, event: NodeLost, position: Position) -> None:
        """Remove the sockets of the node; players without another one are excused."""
        node, incarnation = event.node, event.incarnation
        self._lose_sockets(lambda socket: opened_until(socket, node, incarnation), position)

    def _lose_sockets(self, is_lost: Callable[[SocketId], bool], position: Position) -> None:
        for room in self.rooms.values():
            for seat in room.seats:
                lost = {socket for socket in seat.sockets if is_lost(socket)}
                room.remove_player_sockets(seat, lost, position)
                if seat.away_since == position:
                    seat.excused = True
            for user, sockets in list(room.spectators.items()):
                lost = {socket for socket in sockets if is_lost(socket)}
                room.remove_spectator_sockets(user, lost, position)
        for socket in [socket for socket in self.watching if is_lost(socket)]:
            del self.watching[socket]

    def _seat(self, user: UserId, room: RoomId) -> None:
        """Note the room of a player; a bot may play in many."""
        if not is_bot(user):
            self.seated[user] = room

    def _stop_watching(self, room: Room, user: UserId) -> None:
        for socket in room.spectators.pop(user, ()):
            watched = self.watching[socket]
            watched.discard(room.id)
            if not watched:
                del self.watching[socket]


def _remember(memory: dict[UserId, RoomId], user: UserId, room: RoomId) -> None:
    memory.pop(user, None)
    memory[user] = room
    if len(memory) > REMEMBERED_MAX:
        del memory[next(iter(memory))]


FOLD = {
    RoomCreated: Rooms.on_room_created,
    PlayerSeated: Rooms.on_player_seated,
    SeatTaken: Rooms.on_seat_taken,
    SeatLeft: Rooms.on_seat_gone,
    SeatForfeited: Rooms.on_seat_gone,
    SpectatorJoined: Rooms.on_spectator_joined,
    SpectatorLeft: Rooms.on_spectator_left,
    RoomBecameReady: Rooms.on_room_became_ready,
    PlayerReadied: Rooms.on_player_readied,
    HostChanged: Rooms.on_host_changed,
    RoomLocked: Rooms.on_room_locked,
    RoomClosed: Rooms.on_room_closed,
    MatchStarted: Rooms.on_match_started,
    MatchEnded: Rooms.on_match_ended,
    SocketOpened: Rooms.on_socket_opened,
    SocketClosed: Rooms.on_socket_closed,
    NodeStarted: Rooms.on_node_started,
    NodeLost: Rooms.on_node_lost,
}
