"""Event -> who gets which message: pure, computed when the event is folded.

Most messages speak of the world with the event in it. What ends something speaks to those who
were there, and so is computed just before the fold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from service import messages as wire
from service.domain.event import Event
from service.domain.ids import SocketId, UserId
from service.domain.invites import InviteDeclined, InviteSent
from service.domain.lobby import LobbyJoined, LobbyLeft
from service.domain.matches import MatchEnded, MatchPaused, MatchResumed, MatchStarted
from service.domain.matchmaking import SearchCancelled, SearchGaveUp, SearchStarted
from service.domain.presence import (
    SocketClosed,
    SocketOpened,
    UserCameOnline,
    UserWentOffline,
)
from service.domain.rooms import (
    Room,
    RoomBecameReady,
    RoomClosed,
    RoomCreated,
    SeatLeft,
    SeatTaken,
)
from service.domain.world import World

START_DELAY_S = 1
"""The clock of a match starts so long after `game:start`, and goes on so long after a pause."""

Names: TypeAlias = Mapping[UserId, str]


class Everyone(msgspec.Struct, frozen=True):
    """Every socket."""


class Users(msgspec.Struct, frozen=True):
    """Every socket of these users."""

    users: tuple[UserId, ...]


class Sockets(msgspec.Struct, frozen=True):
    """These sockets."""

    sockets: tuple[SocketId, ...]


class Watchers(msgspec.Struct, frozen=True):
    """The sockets that asked for the status of this user."""

    user: UserId


Audience: TypeAlias = Everyone | Users | Sockets | Watchers


class Delivery(msgspec.Struct, frozen=True):
    """One message to everybody who is to get it."""

    audience: Audience
    message: wire.ToClient
    newest_only: bool = False
    """A state that the next one replaces: a slow socket may miss it."""


class Refresh(msgspec.Struct, frozen=True):
    """A list has changed; who shows it gets it anew, soon, once for many changes."""

    list: Literal["user:list", "lobby:list"]


def name_of(user: UserId, names: Names) -> str:
    """Return the display name; a user whose name is not known is `User#<id>` (contract.md)."""
    return names.get(user) or f"User#{user}"


def users_of(users: Iterable[UserId], names: Names) -> list[wire.User]:
    """Write users as they go on the wire."""
    return [wire.User(user, name_of(user, names)) for user in users]


def user_list(world: World, names: Names) -> wire.UserList:
    """Everyone online."""
    return wire.UserList(users_of(world.presence.online(), names))


def lobby_list(world: World, names: Names) -> Delivery:
    """Everyone in the lobby, to everyone in the lobby."""
    members = world.lobby.members
    sockets = tuple(socket for tabs in members.values() for socket in tabs)
    return Delivery(Sockets(sockets), wire.LobbyList(users_of(members, names)))


def before_fold(event: Event, world: World) -> Iterable[Delivery | Refresh]:
    """Say who gets which message for `event`, which `world` is about to fold."""
    make = _BEFORE_FOLD.get(type(event))
    return () if make is None else make(event, world)


def after_fold(event: Event, world: World, names: Names) -> Iterable[Delivery | Refresh]:
    """Say who gets which message for `event`, which `world` has just folded."""
    make = _AFTER_FOLD.get(type(event))
    return () if make is None else make(event, world, names)


def greeting(event: SocketOpened, world: World, names: Names) -> Iterator[Delivery]:
    """Say who and where the user is: welcome, session, users, then the rest (design, section 9)."""
    room_id = world.rooms.seated.get(event.user)
    room = world.rooms.rooms[room_id] if room_id and world.rooms.is_busy(event.user) else None

    def here(message: wire.ToClient) -> Delivery:
        return Delivery(Sockets((event.socket,)), message)

    yield here(wire.Welcome(wire.User(event.user, name_of(event.user, names))))
    if event.kicked:
        yield here(wire.SessionKickIntro())
    else:
        yield here(wire.SessionState(room is not None, room.id if room else None))
    yield here(user_list(world, names))
    if room is not None:
        yield here(wire.RoomStart(room.id, users_of(room.players, names)))
    for inviter in world.invites.received_by(event.user):
        yield here(wire.InviteReceived(wire.User(inviter, name_of(inviter, names))))


def seat_answer(room: Room, socket: SocketId, seat: int, names: Names) -> Iterator[Delivery]:
    """Tell a tab that joins a room which is past gathering who plays."""
    if room.phase != "gathering":
        yield Delivery(Sockets((socket,)), wire.GameReady(room.id))
        yield Delivery(Sockets((socket,)), _players(room, seat, names))


def to_seats(room: Room, message: Callable[[int], wire.ToClient]) -> Iterator[Delivery]:
    """Give each seat's tabs in the game their own message."""
    for index, seat in enumerate(room.seats):
        if seat.sockets:
            yield Delivery(Sockets(tuple(seat.sockets)), message(index))


def game_start(room: Room, seat: int, duration_s: int, names: Names) -> wire.GameStart:
    """Say that a match runs, with so many seconds left."""
    return wire.GameStart(room.id, duration_s, seat, users_of(room.players, names))


def game_paused(room: Room) -> wire.GamePaused:
    """Say who is away, and how long he may be."""
    return wire.GamePaused(room.id, room.away, int(room.options["reconnect_grace_s"] * 1000))


def _players(room: Room, seat: int, names: Names) -> wire.RoomPlayers:
    staying = [room.seats[index].user for index in room.staying]
    return wire.RoomPlayers(room.id, seat, users_of(staying, names))


def _came_online(
    event: UserCameOnline, _world: World, _names: Names
) -> Iterator[Delivery | Refresh]:
    yield Delivery(Everyone(), wire.UserOnline(event.user))
    yield Delivery(Watchers(event.user), wire.FriendsStatusUpdate(event.user, is_online=True))
    yield Refresh("user:list")


def _went_offline(
    event: UserWentOffline, _world: World, _names: Names
) -> Iterator[Delivery | Refresh]:
    yield Delivery(Everyone(), wire.UserOffline(event.user))
    yield Delivery(Watchers(event.user), wire.FriendsStatusUpdate(event.user, is_online=False))
    yield Refresh("user:list")


def _lobby_changed(
    _event: LobbyJoined | LobbyLeft, _world: World, _names: Names
) -> Iterator[Delivery | Refresh]:
    yield Refresh("lobby:list")


def _tab_closed(event: SocketClosed, world: World) -> Iterator[Refresh]:
    if event.socket in world.lobby.members.get(event.user, ()):
        yield Refresh("lobby:list")


def _invite_sent(event: InviteSent, _world: World, names: Names) -> Iterator[Delivery | Refresh]:
    inviter = wire.User(event.inviter, name_of(event.inviter, names))
    yield Delivery(Users((event.invitee,)), wire.InviteReceived(inviter))


def _invite_declined(
    event: InviteDeclined, _world: World, _names: Names
) -> Iterator[Delivery | Refresh]:
    yield Delivery(Users((event.inviter,)), wire.InviteDeclined(event.invitee))


def _search_started(
    event: SearchStarted, _world: World, _names: Names
) -> Iterator[Delivery | Refresh]:
    yield Delivery(Users((event.user,)), wire.MatchmakingSearching())


def _search_ended(
    event: SearchCancelled | SearchGaveUp, _world: World, _names: Names
) -> Iterator[Delivery | Refresh]:
    yield Delivery(Users((event.user,)), wire.MatchmakingCancelled())


def _room_created(event: RoomCreated, _world: World, names: Names) -> Iterator[Delivery | Refresh]:
    start = wire.RoomStart(event.room, users_of(event.players, names))
    yield Delivery(Users(tuple(event.players)), start)


def _seat_taken(event: SeatTaken, world: World, names: Names) -> Iterator[Delivery | Refresh]:
    room, seat = world.rooms.seat_of(event.user, event.room)
    yield from seat_answer(room, event.socket, seat, names)


def _became_ready(
    event: RoomBecameReady, world: World, names: Names
) -> Iterator[Delivery | Refresh]:
    room = world.rooms.rooms[event.room]
    yield Delivery(Sockets(tuple(room.sockets)), wire.GameReady(room.id))
    yield from to_seats(room, lambda seat: _players(room, seat, names))


def _seat_left(event: SeatLeft, world: World, names: Names) -> Iterator[Delivery | Refresh]:
    room = world.rooms.rooms[event.room]
    if room.phase == "finished":
        yield from to_seats(room, lambda seat: _players(room, seat, names))


def _room_closed(event: RoomClosed, world: World) -> Iterator[Delivery]:
    room = world.rooms.rooms[event.room]
    if room.phase != "finished":
        sockets = tuple(socket for index in room.staying for socket in room.seats[index].sockets)
        yield Delivery(Sockets(sockets), wire.GameEnd(event.room, "you", wire.Scores(0, 0)))


def _match_started(event: MatchStarted, world: World, names: Names) -> Iterator[Delivery | Refresh]:
    room = world.rooms.rooms[event.room]
    duration_s = int(room.options["duration_s"])
    yield from to_seats(room, lambda seat: game_start(room, seat, duration_s, names))


def _match_paused(event: MatchPaused, world: World, _names: Names) -> Iterator[Delivery | Refresh]:
    room = world.rooms.rooms[event.room]
    yield Delivery(Sockets(tuple(room.sockets)), game_paused(room))


def _match_resumed(
    event: MatchResumed, world: World, _names: Names
) -> Iterator[Delivery | Refresh]:
    room = world.rooms.rooms[event.room]
    resumed = wire.GameResumed(room.id, START_DELAY_S * 1000)
    yield Delivery(Sockets(tuple(room.sockets)), resumed)


def _match_ended(event: MatchEnded, world: World) -> Iterator[Delivery]:
    room = world.rooms.rooms[event.room]
    scores = wire.Scores(*event.scores)
    if event.reason == "timeup":
        winner = _NAMES_OF_SEATS.get(event.winner, "draw")
        timeup = wire.GameTimeup(room.id, winner, scores)
        yield Delivery(Sockets(tuple(room.sockets)), timeup)
    elif event.reason != "abandoned":
        yield from to_seats(
            room,
            lambda seat: wire.GameEnd(
                room.id, "you" if seat == event.winner else "opponent", scores
            ),
        )


_NAMES_OF_SEATS: dict[int | None, Literal["p1", "p2", "draw"]] = {0: "p1", 1: "p2"}

_BEFORE_FOLD: dict[type[Event], Callable[[Any, World], Iterable[Delivery | Refresh]]] = {
    SocketClosed: _tab_closed,
    RoomClosed: _room_closed,
    MatchEnded: _match_ended,
}

_AFTER_FOLD: dict[type[Event], Callable[[Any, World, Names], Iterable[Delivery | Refresh]]] = {
    SocketOpened: greeting,
    UserCameOnline: _came_online,
    UserWentOffline: _went_offline,
    LobbyJoined: _lobby_changed,
    LobbyLeft: _lobby_changed,
    InviteSent: _invite_sent,
    InviteDeclined: _invite_declined,
    SearchStarted: _search_started,
    SearchCancelled: _search_ended,
    SearchGaveUp: _search_ended,
    RoomCreated: _room_created,
    SeatTaken: _seat_taken,
    SeatLeft: _seat_left,
    RoomBecameReady: _became_ready,
    MatchStarted: _match_started,
    MatchPaused: _match_paused,
    MatchResumed: _match_resumed,
}
