"""Rooms: who sits where, who is missing, and what becomes of the match when somebody goes.

A room's life is this table; a room in any phase may be closed:

    gathering  --all seats taken-->  ready  --match.started-->  playing
    playing  --match.ended-->  finished  --match.started (rematch)-->  playing
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import msgspec

from service.domain.event import Event, Position, room_stream, user_stream
from service.domain.ids import MatchId, RoomId, SocketId, UserId, opened_on
from service.domain.matches import MatchEnded, MatchResumed, MatchStarted, ended, paused, released
from service.domain.presence import NodeStarted, SocketClosed, SocketOpened
from service.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from service.domain.command import Context
    from service.domain.matches import Match
    from service.domain.world import World

Phase = Literal["gathering", "ready", "playing", "finished"]
CloseReason = Literal["untaken", "left", "forfeited", "empty"]

REMEMBERED_MAX = 10_000
"""How many users' lost seats and left rooms are remembered; the oldest are forgotten."""


class AlreadyInRoom(ClientError):
    """You have a seat in another room; leave it first."""

    code = "ALREADY_IN_ROOM"


class UserBusy(ClientError):
    """That user is in a match; try again when it is over."""

    code = "USER_BUSY"


class RoomNotFound(ClientError):
    """There is no such room, or it has been closed."""

    code = "ROOM_NOT_FOUND"


class NotInRoom(ClientError):
    """You have no seat in this room."""

    code = "NOT_IN_ROOM"


class RoomNotReady(ClientError):
    """Not every seat is taken just now; wait for `game:ready`."""

    code = "ROOM_NOT_READY"


class MatchAlreadyStarted(ClientError):
    """The match in this room has begun already."""

    code = "MATCH_ALREADY_STARTED"


class RoomEvent(Event, frozen=True):
    """Something in a room."""

    room: RoomId

    @property
    def stream(self) -> str:
        """The room's own stream."""
        return room_stream(self.room)


class RoomCreated(RoomEvent, frozen=True):
    """A room was made for `players`, who sit in this order."""

    type: ClassVar[str] = "room.created"
    opens_stream: ClassVar[bool] = True
    game: str
    players: list[UserId]
    options: dict[str, Any]


class _SeatEvent(RoomEvent, frozen=True):
    user: UserId


class SeatTaken(_SeatEvent, frozen=True):
    """A tab of a player shows the game."""

    type: ClassVar[str] = "seat.taken"
    socket: SocketId


class SeatLeft(_SeatEvent, frozen=True):
    """A player gave his seat up."""

    type: ClassVar[str] = "seat.left"


class SeatForfeited(_SeatEvent, frozen=True):
    """A player was away for longer than the grace of the room."""

    type: ClassVar[str] = "seat.forfeited"


class RoomBecameReady(RoomEvent, frozen=True):
    """All seats are taken for the first time."""

    type: ClassVar[str] = "room.became_ready"


class RematchAsked(_SeatEvent, frozen=True):
    """A player wants to play again; the match starts when all have asked."""

    type: ClassVar[str] = "rematch.asked"


class RoomClosed(RoomEvent, frozen=True):
    """The room is no more."""

    type: ClassVar[str] = "room.closed"
    reason: CloseReason


class Seat(msgspec.Struct):
    """One player's place; it belongs to the user, not to a tab."""

    user: UserId
    sockets: set[SocketId] = set()
    """The tabs that show the game."""
    away_since: Position | None = None
    """The event that took the last of these tabs."""
    gone: bool = False
    """Left or forfeited: the seat stays empty, once the end of its match has been told."""


class Room(msgspec.Struct):
    """One room."""

    id: RoomId
    game: str
    options: dict[str, Any]
    seats: list[Seat]
    created_at: Position
    phase: Phase = "gathering"
    match: MatchId | None = None
    matches_played: int = 0
    rematch: set[UserId] = set()
    empty_since: Position | None = None
    """In a finished room: the event since which nobody looks at it."""

    @property
    def players(self) -> list[UserId]:
        """The users of all seats, in their order."""
        return [seat.user for seat in self.seats]

    @property
    def sockets(self) -> list[SocketId]:
        """Every tab that shows the game."""
        return [socket for seat in self.seats for socket in seat.sockets]

    @property
    def staying(self) -> list[int]:
        """The seats whose players have neither left nor forfeited."""
        return [index for index, seat in enumerate(self.seats) if not seat.gone]

    @property
    def away(self) -> list[UserId]:
        """Those who are missing and may come back."""
        return [seat.user for seat in self.seats if seat.away_since is not None and not seat.gone]

    def seat_of(self, user: UserId) -> int | None:
        """Return where `user` sits, or None when he has no seat here, or no longer."""
        for index, seat in enumerate(self.seats):
            if seat.user == user and not seat.gone:
                return index
        return None


class Rooms(msgspec.Struct):
    """All rooms, and who sits in which."""

    rooms: dict[RoomId, Room] = {}
    seated: dict[UserId, RoomId] = {}
    kicked: dict[UserId, RoomId] = {}
    """Who lost a seat while away and has not been told."""
    left: dict[UserId, RoomId] = {}
    """The last room of a user, so that leaving it again is fine."""

    def is_busy(self, user: UserId) -> bool:
        """Tell whether `user` is needed in a room whose match is not over."""
        room = self.seated.get(user)
        return room is not None and self.rooms[room].phase != "finished"

    def check_free(self, user: UserId) -> None:
        """Raise `AlreadyInRoom` when `user` is needed in a room."""
        if self.is_busy(user):
            raise AlreadyInRoom

    def streams_of(self, users: Iterable[UserId]) -> set[str]:
        """Name the streams of the rooms where `users` sit."""
        return {room_stream(self.seated[user]) for user in users if user in self.seated}

    def seat_of(self, user: UserId, room_id: RoomId) -> tuple[Room, int]:
        """Return the room and the seat of `user`; raise `RoomNotFound` or `NotInRoom`."""
        room = self.rooms.get(room_id)
        if room is None:
            raise RoomNotFound
        seat = room.seat_of(user)
        if seat is None:
            raise NotInRoom
        return room, seat

    def missing(
        self, user: UserId, socket: SocketId, world: World, context: Context
    ) -> Sequence[Event]:
        """Say what the loss of `socket` means for the match that `user` plays."""
        room = self.rooms.get(self.seated.get(user, ""))
        match = world.matches.live.get(room.match or "") if room else None
        if room is None or match is None or match.paused:
            return []
        index = room.players.index(user)
        if room.seats[index].sockets == {socket}:
            return paused(match, context)
        if match.pressing.get(index) == socket:
            return released(match, index, context.standing(match.id), context)
        return []

    def created(self, event: RoomCreated, position: Position) -> None:
        """Make the room and seat its players."""
        seats = [Seat(user=user) for user in event.players]
        self.rooms[event.room] = Room(event.room, event.game, event.options, seats, position)
        for user in event.players:
            self.seated[user] = event.room

    def taken(self, event: SeatTaken, _position: Position) -> None:
        """The player is here."""
        room = self.rooms[event.room]
        seat = room.seats[room.players.index(event.user)]
        seat.sockets.add(event.socket)
        seat.away_since = None
        room.empty_since = None

    def gone(self, event: SeatLeft | SeatForfeited, position: Position) -> None:
        """The seat stays empty."""
        room = self.rooms[event.room]
        seat = room.seats[room.players.index(event.user)]
        seat.gone = True
        if room.phase != "playing":
            seat.sockets = set()
        self.seated.pop(event.user, None)
        room.rematch.discard(event.user)
        if isinstance(event, SeatForfeited):
            _remember(self.kicked, event.user, event.room)
        else:
            _remember(self.left, event.user, event.room)
        _note_empty(room, position)

    def ready(self, event: RoomBecameReady, _position: Position) -> None:
        """The match may begin."""
        self.rooms[event.room].phase = "ready"

    def rematch_asked(self, event: RematchAsked, _position: Position) -> None:
        """Note the wish."""
        self.rooms[event.room].rematch.add(event.user)

    def match_started(self, event: MatchStarted, _position: Position) -> None:
        """Play."""
        room = self.rooms[event.room]
        room.phase = "playing"
        room.match = event.match
        room.matches_played += 1
        room.rematch = set()

    def match_ended(self, event: MatchEnded, position: Position) -> None:
        """Keep the room for a rematch."""
        room = self.rooms[event.room]
        room.phase = "finished"
        room.match = None
        for seat in room.seats:
            if seat.gone:
                seat.sockets = set()
        _note_empty(room, position)

    def closed(self, event: RoomClosed, _position: Position) -> None:
        """Forget the room."""
        for user in self.rooms.pop(event.room).players:
            if self.seated.get(user) == event.room:
                del self.seated[user]
                _remember(self.left, user, event.room)

    def socket_opened(self, event: SocketOpened, _position: Position) -> None:
        """Whoever was kicked has now been told."""
        if event.kicked:
            self.kicked.pop(event.user, None)

    def socket_closed(self, event: SocketClosed, position: Position) -> None:
        """The player has a tab less, maybe none."""
        room = self.rooms.get(self.seated.get(event.user, ""))
        if room is not None:
            seat = room.seats[room.players.index(event.user)]
            _lose(room, seat, {event.socket}, position)

    def node_started(self, event: NodeStarted, position: Position) -> None:
        """All tabs of the node's earlier lives are gone."""
        for room in self.rooms.values():
            for seat in room.seats:
                lost = {socket for socket in seat.sockets if opened_on(socket, event.node)}
                _lose(room, seat, lost, position)


def _lose(room: Room, seat: Seat, lost: set[SocketId], position: Position) -> None:
    if seat.sockets & lost:
        seat.sockets -= lost
        if not seat.sockets:
            seat.away_since = position
            _note_empty(room, position)


def _note_empty(room: Room, position: Position) -> None:
    if room.phase == "finished" and room.empty_since is None and not room.sockets:
        room.empty_since = position


def _remember(memory: dict[UserId, RoomId], user: UserId, room: RoomId) -> None:
    memory.pop(user, None)
    memory[user] = room
    if len(memory) > REMEMBERED_MAX:
        del memory[next(iter(memory))]


def room_for(players: list[UserId], game: str, world: World, context: Context) -> list[Event]:
    """Make a room for `players`, who leave the finished rooms where they still sit."""
    leaving: dict[RoomId, set[UserId]] = {}
    for player in players:
        if player in world.rooms.seated:
            leaving.setdefault(world.rooms.seated[player], set()).add(player)
    events: list[Event] = []
    for room_id, leavers in leaving.items():
        events += _left(world.rooms.rooms[room_id], leavers)
    options = {
        "duration_s": context.rules.match_duration_s,
        "reconnect_grace_s": context.rules.reconnect_grace_s,
    }
    room_id = context.new_room_id()
    return [*events, RoomCreated(room=room_id, game=game, players=players, options=options)]


def _left(room: Room, leavers: set[UserId]) -> list[Event]:
    """Let `leavers` go from a room where nothing is played; the last one closes it."""
    staying = {room.seats[index].user for index in room.staying}
    events: list[Event] = [
        SeatLeft(room=room.id, user=user) for user in room.players if user in leavers
    ]
    if room.phase != "finished" or staying <= leavers:
        events.append(RoomClosed(room=room.id, reason="left"))
    return events


class TakeSeat(msgspec.Struct, frozen=True):
    """A tab of a player shows the game."""

    user: UserId
    socket: SocketId
    room: RoomId

    def streams(self, _world: World) -> set[str]:
        """The user and the room."""
        return {user_stream(self.user), room_stream(self.room)}

    def decide(self, world: World, context: Context) -> list[Event]:
        """Take it; the last one to come makes the room ready, or lets a paused match go on."""
        room, index = world.rooms.seat_of(self.user, self.room)
        if self.socket in room.seats[index].sockets:
            return []
        taken = SeatTaken(room=room.id, user=self.user, socket=self.socket)
        others = [room.seats[seat] for seat in room.staying if seat != index]
        if not all(other.sockets for other in others):
            return [taken]
        match = world.matches.live.get(room.match or "")
        if room.phase == "gathering":
            return [taken, RoomBecameReady(room=room.id)]
        if match is not None and match.paused:
            return [taken, _everybody_back(room, match, context)]
        return [taken]


def _everybody_back(room: Room, match: Match, context: Context) -> Event:
    standing = context.standing(match.id)
    if len(room.staying) == 1:
        return ended(match, standing, context, reason="forfeit", winner=room.staying[0])
    return MatchResumed(match=match.id, tick=standing.tick, run=match.run + 1)


class BeginMatch(msgspec.Struct, frozen=True):
    """A player wants to start the match, or a rematch."""

    user: UserId
    room: RoomId

    def streams(self, _world: World) -> set[str]:
        """The room."""
        return {room_stream(self.room)}

    def decide(self, world: World, context: Context) -> list[Event]:
        """Start it when everybody is here, and after a result when everybody asks for it."""
        room, _ = world.rooms.seat_of(self.user, self.room)
        if room.phase == "playing":
            raise MatchAlreadyStarted
        if room.phase == "gathering" or not all(seat.sockets for seat in room.seats):
            raise RoomNotReady
        if room.phase == "ready":
            return [_started(room, context)]
        if self.user in room.rematch:
            return []
        asked = RematchAsked(room=room.id, user=self.user)
        if room.rematch | {self.user} == set(room.players):
            return [asked, _started(room, context)]
        return [asked]


def _started(room: Room, context: Context) -> MatchStarted:
    return MatchStarted(
        match=f"{room.id}-{room.matches_played + 1}",
        tick=0,
        game=room.game,
        rules_version=context.games[room.game].rules_version,
        players=room.players,
        seed=context.new_seed(),
        options=room.options,
    )


class LeaveRoom(msgspec.Struct, frozen=True):
    """A player gives his seat up."""

    user: UserId
    room: RoomId

    def streams(self, _world: World) -> set[str]:
        """The user and the room."""
        return {user_stream(self.user), room_stream(self.room)}

    def decide(self, world: World, context: Context) -> list[Event]:
        """Let him go; in a match the other one wins at once."""
        if world.rooms.seated.get(self.user) != self.room:
            if world.rooms.left.get(self.user) == self.room:
                return []
            world.rooms.seat_of(self.user, self.room)
        room, index = world.rooms.seat_of(self.user, self.room)
        match = world.matches.live.get(room.match or "")
        if match is None:
            return _left(room, {self.user})
        left = SeatLeft(room=room.id, user=self.user)
        staying = [seat for seat in room.staying if seat != index]
        return [left, *_decided(room, match, staying, "left", context)]


class ForfeitSeat(msgspec.Struct, frozen=True):
    """The grace that began at `since` is over."""

    user: UserId
    room: RoomId
    since: Position

    def streams(self, _world: World) -> set[str]:
        """The user and the room."""
        return {user_stream(self.user), room_stream(self.room)}

    def decide(self, world: World, context: Context) -> list[Event]:
        """Take the seat, unless he came back; whoever is here wins, else the next to come."""
        room = world.rooms.rooms.get(self.room)
        index = room.seat_of(self.user) if room else None
        if room is None or index is None or room.seats[index].away_since != self.since:
            return []
        forfeited = SeatForfeited(room=room.id, user=self.user)
        match = world.matches.live.get(room.match or "")
        if match is None:
            return [forfeited, RoomClosed(room=room.id, reason="forfeited")]
        staying = [seat for seat in room.staying if seat != index]
        if staying and not room.seats[staying[0]].sockets:
            return [forfeited]
        return [forfeited, *_decided(room, match, staying, "forfeit", context)]


def _decided(
    room: Room,
    match: Match,
    staying: list[int],
    reason: Literal["left", "forfeit"],
    context: Context,
) -> list[Event]:
    """End a match that only those who are `staying` could still play."""
    standing = context.standing(match.id)
    if staying:
        return [ended(match, standing, context, reason=reason, winner=staying[0])]
    abandoned = ended(match, standing, context, reason="abandoned", winner=None)
    return [abandoned, RoomClosed(room=room.id, reason="forfeited")]


class CloseUntakenRoom(msgspec.Struct, frozen=True):
    """The time to take the seats is over."""

    room: RoomId

    def streams(self, _world: World) -> set[str]:
        """The room."""
        return {room_stream(self.room)}

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Close the room if somebody never came."""
        room = world.rooms.rooms.get(self.room)
        if room is None or room.phase != "gathering":
            return []
        return [RoomClosed(room=room.id, reason="untaken")]


class CloseEmptyRoom(msgspec.Struct, frozen=True):
    """Nobody has looked at this finished room since `since`."""

    room: RoomId
    since: Position

    def streams(self, _world: World) -> set[str]:
        """The room."""
        return {room_stream(self.room)}

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Close it, unless somebody came back."""
        room = world.rooms.rooms.get(self.room)
        if room is None or room.empty_since != self.since:
            return []
        return [RoomClosed(room=room.id, reason="empty")]


FOLD = {
    RoomCreated: Rooms.created,
    SeatTaken: Rooms.taken,
    SeatLeft: Rooms.gone,
    SeatForfeited: Rooms.gone,
    RoomBecameReady: Rooms.ready,
    RematchAsked: Rooms.rematch_asked,
    RoomClosed: Rooms.closed,
    MatchStarted: Rooms.match_started,
    MatchEnded: Rooms.match_ended,
    SocketOpened: Rooms.socket_opened,
    SocketClosed: Rooms.socket_closed,
    NodeStarted: Rooms.node_started,
}
