"""Commands of rooms: create, join as player or spectator, kick, lock, close."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from service.domain.commands.boundaries import MemberCommand, RoomCommand
from service.domain.commands.ending import end_match
from service.domain.commands.room_options import checked_options, seats_of
from service.domain.commands.rooms import (
    new_host,
    owner_of_new_room,
    release_keys_of_tab,
)
from service.domain.commands.seats import (
    TakeSeat,
    become_ready,
    check_game,
    continue_without,
    leave_finished_rooms,
    stop_spectating,
)
from service.domain.errors import (
    Banned,
    ContradictoryRoom,
    MatchAlreadyStarted,
    NotHost,
    NotInRoom,
    RoomExists,
    RoomFull,
    RoomIsLocked,
    TooManyRooms,
    WrongPassword,
)
from service.domain.events.base import Event, Position, room_stream, user_stream
from service.domain.events.rooms import (
    HostChanged,
    PlayerSeated,
    RoomBecameReady,
    RoomClosed,
    RoomCreated,
    RoomLocked,
    SeatLeft,
    SeatTaken,
    SpectatorJoined,
    Visibility,
)
from service.domain.ids import RoomId, SocketId, UserId
from service.domain.projections.room import Room

if TYPE_CHECKING:
    from service.domain.commands.base import Context
    from service.domain.projections.world import World


class RoomPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a room is to be created with."""

    game: str
    options: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    visibility: Visibility | None = None
    """None means `password` if there is one, else `public`."""
    password: str | None = None
    """The hashed password (see `passwords`): hashing takes too long for a decision."""
    spectators_max: int | None = None


class CreateRoom(msgspec.Struct, frozen=True):
    """Create a room and take its first seat; `room` None lets the service choose the id."""

    user: UserId
    socket: SocketId
    room: RoomId | None
    plan: RoomPlan

    def streams(self, world: World) -> set[str]:
        """The user, the finished room that they leave, and the new one if its id is given."""
        new = set() if self.room is None else {room_stream(self.room)}
        return new | {user_stream(self.user)} | world.rooms.streams_of([self.user])

    def decide(self, world: World, context: Context) -> list[Event]:
        """Create it, unless the id is in use or the user is busy in another room."""
        world.presence.check_socket_open(self.user, self.socket)
        if self.room in world.rooms.rooms:
            raise RoomExists
        return _open_room(self, self.plan, self.room or context.new_room_id(), world, context)


class JoinRoom(msgspec.Struct, frozen=True):
    """Join a room with a socket; with a `plan` the room is created if it does not exist."""

    user: UserId
    socket: SocketId
    room: RoomId
    role: Literal["player", "spectator"]
    verified_password: str | None
    """The password hash that the user's password was verified against, or None."""
    plan: RoomPlan | None

    def streams(self, world: World) -> set[str]:
        """The user, the room, and the finished room that they leave."""
        ours = {user_stream(self.user), room_stream(self.room)}
        return ours | world.rooms.streams_of([self.user])

    def decide(self, world: World, context: Context) -> list[Event]:
        """Take a seat or watch; a member joins with one more socket."""
        world.presence.check_socket_open(self.user, self.socket)
        room = world.rooms.rooms.get(self.room)
        if room is None and self.plan is not None:
            return _open_room(self, self.plan, self.room, world, context)
        room = world.rooms.get(self.room)
        if room.seat_of(self.user) is not None:
            return TakeSeat(self.user, self.socket, self.room).decide(world, context)
        if room.has_joined(self.user, self.socket) and self.role == "spectator":
            return []
        if self.user not in room.spectators:
            self._check_may_come_in(room)
        if self.role == "spectator":
            return [
                *release_keys_of_tab(self.user, self.socket, world, context),
                self._spectate(room, world, context),
                *self._become_host(room),
            ]
        return self._sit_down(room, world, context)

    def _check_may_come_in(self, room: Room) -> None:
        if self.user in room.banned:
            raise Banned
        if room.locked:
            raise RoomIsLocked
        if room.password is not None and room.password != self.verified_password:
            raise WrongPassword

    def _spectate(self, room: Room, world: World, context: Context) -> Event:
        if self.user not in room.spectators and len(room.spectators) >= room.spectators_max:
            raise RoomFull
        _check_may_watch(self.user, room.id, world, context)
        return SpectatorJoined(room=room.id, user=self.user, socket=self.socket)

    def _sit_down(self, room: Room, world: World, context: Context) -> list[Event]:
        world.rooms.check_free(self.user)
        seat = room.free_seat
        if seat is None or room.phase == "playing":
            raise RoomFull
        others = room.seats_without(())
        everybody = all(other.is_present for other in others)
        return [
            *leave_finished_rooms([self.user], world, context),
            PlayerSeated(room=room.id, user=self.user, seat=seat),
            *(
                SeatTaken(room=room.id, user=self.user, socket=tab)
                for tab in [self.socket, *self._other_watching_tabs(room)]
            ),
            *self._become_host(room),
            *(become_ready(room, len(others) + 1) if everybody else ()),
        ]

    def _other_watching_tabs(self, room: Room) -> list[SocketId]:
        """Return the user's other sockets that watch the room: they become a player's."""
        return sorted(room.spectators.get(self.user, set()) - {self.socket})

    def _become_host(self, room: Room) -> list[Event]:
        """Make the first user to join an empty hosted room its host."""
        if not room.hosted or room.members:
            return []
        return [HostChanged(room=room.id, user=self.user)]


def _open_room(
    command: CreateRoom | JoinRoom, plan: RoomPlan, room_id: RoomId, world: World, context: Context
) -> list[Event]:
    """Create the room as planned, with the user in its first seat or as its first spectator."""
    user, socket = command.user, command.socket
    game = check_game(plan.game, context)
    plays = not isinstance(command, JoinRoom) or command.role == "player"
    if plays:
        world.rooms.check_free(user)
    seats_min, seats_max = seats_of(game, plan.options)
    options = checked_options(game, plan.options, seats_max, context)
    spectators_max = _spectators_max(plan, context)
    if not plays:
        if not spectators_max:
            raise RoomFull
        _check_may_watch(user, room_id, world, context)
    created = RoomCreated(
        room=room_id,
        game=game.name,
        players=[],
        options=options,
        seats_min=seats_min,
        seats_max=seats_max,
        host=user,
        visibility=_visibility(plan),
        password=plan.password,
        metadata=plan.metadata,
        spectators_max=spectators_max,
        named=command.room is not None,
        owner=owner_of_new_room(room_id, game.name, socket, world, context),
    )
    if not plays:
        released = release_keys_of_tab(user, socket, world, context)
        return [*released, created, SpectatorJoined(room=room_id, user=user, socket=socket)]
    ready = [RoomBecameReady(room=room_id)] if seats_min == 1 else []
    return [
        *leave_finished_rooms([user], world, context),
        created,
        PlayerSeated(room=room_id, user=user, seat=0),
        SeatTaken(room=room_id, user=user, socket=socket),
        *ready,
    ]


def _spectators_max(plan: RoomPlan, context: Context) -> int:
    allowed = context.rules.spectators_max
    return allowed if plan.spectators_max is None else min(plan.spectators_max, allowed)


def _visibility(plan: RoomPlan) -> Visibility:
    """Return the visibility; raise `WrongPassword` or `ContradictoryRoom` for an invalid plan."""
    if plan.password is None:
        if plan.visibility == "password":
            raise WrongPassword("A room with the visibility `password` needs a password.")
        return plan.visibility or "public"
    if plan.visibility not in {None, "password"}:
        raise ContradictoryRoom
    return "password"


def _check_may_watch(user: UserId, room: RoomId, world: World, context: Context) -> None:
    """Raise `TooManyRooms` if `user` already watches the maximum number of other rooms."""
    watched = world.rooms.watched_by(world.presence.sockets.get(user, set()))
    if room not in watched and len(watched) >= context.rules.rooms_per_user_max:
        raise TooManyRooms


class KickFromRoom(msgspec.Struct, frozen=True):
    """Kick a member, as the host of a room."""

    user: UserId
    room: RoomId
    target: UserId

    def streams(self, _world: World) -> set[str]:
        """The room and the member."""
        return {room_stream(self.room), user_stream(self.target)}

    def decide(self, world: World, context: Context) -> list[Event]:
        """Kick a spectator at any time, or a player while no match is running."""
        room = hosted_by(self.user, self.room, world)
        if self.target in room.spectators:
            return stop_spectating(room, self.target, "kicked")
        if room.seat_of(self.target) is None:
            raise NotInRoom("That user is not in this room.")
        if room.phase == "playing":
            raise MatchAlreadyStarted(
                "Players cannot be kicked during a match; wait until it is over."
            )
        gone = SeatLeft(room=room.id, user=self.target, reason="kicked")
        leavers = {self.target}
        return [gone, *new_host(room, leavers), *continue_without(room, leavers, context)]


class LockRoom(MemberCommand, frozen=True):
    """Lock or unlock a room, as its host."""

    locked: bool

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Lock or unlock it, unless nothing changes."""
        room = hosted_by(self.user, self.room, world)
        if room.locked == self.locked:
            return []
        return [RoomLocked(room=room.id, locked=self.locked)]


def hosted_by(user: UserId, room_id: RoomId, world: World) -> Room:
    """Return the room whose host `user` is, or raise `NotHost`."""
    room = world.rooms.get(room_id)
    if room.host != user or user not in room.members:
        raise NotHost
    return room


class CloseUntakenRoom(RoomCommand, frozen=True):
    """Close a room whose players did not all join in time."""

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Close it, if it still gathers players."""
        room = world.rooms.rooms.get(self.room)
        if room is None or room.hosted or room.phase != "gathering":
            return []
        return [RoomClosed(room=room.id, reason="untaken")]


class CloseEmptyRoom(RoomCommand, frozen=True):
    """Close a room that no socket has been in since `since`."""

    since: Position

    def decide(self, world: World, context: Context) -> list[Event]:
        """Close it, unless somebody has joined it since; a match of its bots is abandoned."""
        room = world.rooms.rooms.get(self.room)
        if room is None or room.empty_since != self.since:
            return []
        closed = RoomClosed(room=room.id, reason="empty")
        match = world.matches.live.get(room.match or "")
        if match is None:
            return [closed]
        snapshot = context.match_snapshot(match.id)
        abandoned = end_match(match, snapshot, context, reason="abandoned", winner=None)
        return [abandoned, closed]
