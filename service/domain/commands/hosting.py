"""Commands of rooms: create, join as player or spectator, kick, lock, close."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from service.domain.commands.boundaries import MemberCommand, RoomCommand
from service.domain.commands.room_options import checked_options, seats_of
from service.domain.commands.rooms import new_host, release_keys_of_tab
from service.domain.commands.seats import (
    TakeSeat,
    become_ready,
    check_game,
    go_on_without,
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
    """How a room is to be made."""

    game: str
    options: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    visibility: Visibility | None = None
    """None is `password` when there is one, else `public`."""
    password: str | None = None
    """The password, sealed (see `passwords`): sealing takes too long for a decision."""
    spectators_max: int | None = None


class CreateRoom(msgspec.Struct, frozen=True):
    """Open a room and take its first seat; without an id it gets one."""

    user: UserId
    socket: SocketId
    room: RoomId | None
    plan: RoomPlan

    def streams(self, world: World) -> set[str]:
        """The user, the room that they leave, and the new one if its id is known."""
        new = set() if self.room is None else {room_stream(self.room)}
        return new | {user_stream(self.user)} | world.rooms.streams_of([self.user])

    def decide(self, world: World, context: Context) -> list[Event]:
        """Open it, unless the id is in use or the user is needed elsewhere."""
        world.presence.check_socket_open(self.user, self.socket)
        if self.room in world.rooms.rooms:
            raise RoomExists
        return _open_room(self, self.plan, self.room or context.new_room_id(), world, context)


class JoinRoom(msgspec.Struct, frozen=True):
    """Come into a room with a tab; with a `plan` it is opened when it is not there."""

    user: UserId
    socket: SocketId
    room: RoomId
    role: Literal["player", "spectator"]
    verified_password: str | None
    """The sealed password that the user's own one was found to open, or None."""
    plan: RoomPlan | None

    def streams(self, world: World) -> set[str]:
        """The user, the room, and the one that they leave."""
        ours = {user_stream(self.user), room_stream(self.room)}
        return ours | world.rooms.streams_of([self.user])

    def decide(self, world: World, context: Context) -> list[Event]:
        """Sit down or watch; who is a member already shows the room in one tab more."""
        world.presence.check_socket_open(self.user, self.socket)
        room = world.rooms.rooms.get(self.room)
        if room is None and self.plan is not None:
            return _open_room(self, self.plan, self.room, world, context)
        room = world.rooms.get(self.room)
        if room.seat_of(self.user) is not None:
            return TakeSeat(self.user, self.socket, self.room).decide(world, context)
        if room.shows(self.user, self.socket) and self.role == "spectator":
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
        everybody = all(other.sockets for other in others)
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
        """The user's other tabs that watch the room: they go on showing it, as a player's."""
        return sorted(room.spectators.get(self.user, set()) - {self.socket})

    def _become_host(self, room: Room) -> list[Event]:
        """Make who comes into a host's room that nobody is in any more its host."""
        if not room.hosted or room.members:
            return []
        return [HostChanged(room=room.id, user=self.user)]


def _open_room(
    command: CreateRoom | JoinRoom, plan: RoomPlan, room_id: RoomId, world: World, context: Context
) -> list[Event]:
    """Make the room as planned, with the user in its first seat or as its first spectator."""
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
    """Say who may come in; raise when the plan says two things, or half of one."""
    if plan.password is None:
        if plan.visibility == "password":
            raise WrongPassword("A room with the visibility `password` needs a password.")
        return plan.visibility or "public"
    if plan.visibility not in {None, "password"}:
        raise ContradictoryRoom
    return "password"


def _check_may_watch(user: UserId, room: RoomId, world: World, context: Context) -> None:
    """Raise `TooManyRooms` when `user` can't watch this room beside those that they watch."""
    watched = world.rooms.watched_by(world.presence.sockets.get(user, set()))
    if room not in watched and len(watched) >= context.rules.rooms_per_user_max:
        raise TooManyRooms


class KickFromRoom(msgspec.Struct, frozen=True):
    """The host sends a member out."""

    user: UserId
    room: RoomId
    target: UserId

    def streams(self, _world: World) -> set[str]:
        """The room and the member."""
        return {room_stream(self.room), user_stream(self.target)}

    def decide(self, world: World, context: Context) -> list[Event]:
        """Send a spectator out, or a player while nothing is played."""
        room = _hosted_by(self.user, self.room, world)
        if self.target in room.spectators:
            return stop_spectating(room, self.target, "kicked")
        if room.seat_of(self.target) is None:
            raise NotInRoom("That user is not in this room.")
        if room.phase == "playing":
            raise MatchAlreadyStarted("Nobody is sent out of a match; wait until it is over.")
        gone = SeatLeft(room=room.id, user=self.target, reason="kicked")
        leavers = {self.target}
        return [gone, *new_host(room, leavers), *go_on_without(room, leavers, context)]


class LockRoom(MemberCommand, frozen=True):
    """The host lets nobody in any more, or again."""

    locked: bool

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Lock or unlock it."""
        room = _hosted_by(self.user, self.room, world)
        if room.locked == self.locked:
            return []
        return [RoomLocked(room=room.id, locked=self.locked)]


def _hosted_by(user: UserId, room_id: RoomId, world: World) -> Room:
    room = world.rooms.get(room_id)
    if room.host != user or user not in room.members:
        raise NotHost
    return room


class CloseUntakenRoom(RoomCommand, frozen=True):
    """The time to take the seats is over."""

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Close the room if somebody never came."""
        room = world.rooms.rooms.get(self.room)
        if room is None or room.hosted or room.phase != "gathering":
            return []
        return [RoomClosed(room=room.id, reason="untaken")]


class CloseEmptyRoom(RoomCommand, frozen=True):
    """Nobody has looked at this room since `since`."""

    since: Position

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Close it, unless somebody came back."""
        room = world.rooms.rooms.get(self.room)
        if room is None or room.empty_since != self.since:
            return []
        return [RoomClosed(room=room.id, reason="empty")]
