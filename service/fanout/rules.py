"""Fan-out rules: event -> deliveries. Pure, and computed when the event is folded.

Most messages show the state after the event. The recipients and the content of messages about an
end, such as a closed room, follow from the state before it, so they are computed before the fold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import msgspec

from service.domain.events.base import Event
from service.domain.events.chat import ChatSaid
from service.domain.events.invites import InviteDeclined, InviteExpired, InviteSent
from service.domain.events.lobby import LobbyJoined, LobbyLeft
from service.domain.events.matches import (
    MatchEnded,
    MatchInput,
    MatchPaused,
    MatchResumed,
    MatchStarted,
)
from service.domain.events.matchmaking import (
    SearchBotOffered,
    SearchCancelled,
    SearchGaveUp,
    SearchStarted,
)
from service.domain.events.nodes import NodeLost
from service.domain.events.presence import (
    SocketClosed,
    UserCameOnline,
    UserStatusSet,
    UserWentOffline,
)
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
from service.domain.ids import UserId, is_bot, opened_until
from service.domain.projections.matches import START_DELAY_S
from service.domain.projections.world import World
from service.fanout.audience import (
    Delivery,
    Everyone,
    ListChanged,
    Message,
    RoomChanged,
    Sockets,
    UserChanged,
    Users,
    Watchers,
    to_both_dialects,
    to_match,
    to_spectators,
)
from service.fanout.chat import chat_said
from service.fanout.clocks import clocks_shown
from service.fanout.joining import show_room, show_seat
from service.fanout.match_views import (
    AT_ONCE_MS,
    classic_end,
    game_paused,
    game_paused_v1,
    game_start,
    game_start_v1,
    moved,
    why_void,
)
from service.fanout.profiles import Profiles
from service.fanout.views import invite_received, room_players, room_start
from service.protocol import classic, v1


def before_fold(event: Event, world: World, profiles: Profiles) -> Iterable[Message]:
    """Return the messages that follow from `event`, before `world` folds it."""
    make = _BEFORE_FOLD.get(type(event))
    return () if make is None else make(event, world, profiles)


def after_fold(event: Event, world: World, profiles: Profiles) -> Iterable[Message]:
    """Return the messages that follow from `event`, after `world` has folded it."""
    make = _AFTER_FOLD.get(type(event))
    return () if make is None else make(event, world, profiles)


def _came_online(event: UserCameOnline, world: World, _profiles: Profiles) -> Iterator[Message]:
    if world.presence.is_online(event.user):
        yield from _visibility_changed(event.user, online=True)


def _went_offline(event: UserWentOffline, world: World, _profiles: Profiles) -> Iterator[Message]:
    if event.user not in world.presence.hidden:
        yield from _visibility_changed(event.user, online=False)


def _status_set(event: UserStatusSet, world: World, _profiles: Profiles) -> Iterator[Message]:
    if (event.user in world.presence.hidden) != event.hidden:
        yield from _visibility_changed(event.user, online=not event.hidden)
        yield ListChanged("lobby:list")
    yield UserChanged(event.user)


def _visibility_changed(user: UserId, *, online: bool) -> Iterator[Message]:
    """Announce that a user has become visible as online, or is no longer."""
    message = classic.UserOnline(user) if online else classic.UserOffline(user)
    yield Delivery(Everyone(), classic=message)
    yield to_both_dialects(Watchers(user), classic.FriendsStatusUpdate(user, is_online=online))
    yield ListChanged("user:list")
    yield UserChanged(user)


def _lobby_changed(
    event: LobbyJoined | LobbyLeft, _world: World, _profiles: Profiles
) -> Iterator[Message]:
    yield ListChanged("lobby:list")
    yield UserChanged(event.user)


def _socket_closed(event: SocketClosed, world: World, _profiles: Profiles) -> Iterator[Message]:
    if event.socket in world.lobby.members.get(event.user, ()):
        yield ListChanged("lobby:list")
        yield UserChanged(event.user)
    room = world.rooms.seated.get(event.user)
    if room is not None:
        yield RoomChanged(room)


def _node_lost(event: NodeLost, world: World, _profiles: Profiles) -> Iterator[Message]:
    """Show the lobby and the rooms without the sockets of the node."""
    node, incarnation = event.node, event.incarnation
    leaving = [
        user
        for user, sockets in world.lobby.members.items()
        if any(opened_until(socket, node, incarnation) for socket in sockets)
    ]
    if leaving:
        yield ListChanged("lobby:list")
    yield from map(UserChanged, leaving)
    for room in world.rooms.rooms.values():
        if any(opened_until(socket, node, incarnation) for socket in room.sockets):
            yield RoomChanged(room.id)


def _invite_sent(event: InviteSent, _world: World, profiles: Profiles) -> Iterator[Message]:
    yield invite_received(event.inviter, event.invitee, event.game, profiles)


def _invite_declined(
    event: InviteDeclined, _world: World, _profiles: Profiles
) -> Iterator[Message]:
    yield to_both_dialects(
        Users((event.inviter,)), classic.InviteDeclined(event.invitee), durable=True
    )


def _invite_expired(event: InviteExpired, _world: World, _profiles: Profiles) -> Iterator[Message]:
    expired = v1.InviteExpired(event.inviter, event.invitee)
    yield Delivery(Users((event.inviter, event.invitee)), v1=expired, durable=True)


def _search_started(event: SearchStarted, _world: World, _profiles: Profiles) -> Iterator[Message]:
    yield to_both_dialects(Users((event.user,)), classic.MatchmakingSearching(), durable=True)


def _bot_offered(event: SearchBotOffered, _world: World, _profiles: Profiles) -> Iterator[Message]:
    """Deliver the offer to v1 clients: classic ones could not accept it."""
    offer = v1.MatchmakingBotOffer(event.game, event.levels)
    yield Delivery(Users((event.user,)), v1=offer, durable=True)


def _search_ended(
    event: SearchCancelled | SearchGaveUp, _world: World, _profiles: Profiles
) -> Iterator[Message]:
    yield to_both_dialects(Users((event.user,)), classic.MatchmakingCancelled(), durable=True)


def _room_created(event: RoomCreated, world: World, profiles: Profiles) -> Iterator[Message]:
    people = tuple(user for user in event.players if not is_bot(user))
    if people:
        start = room_start(world.rooms.rooms[event.room], profiles)
        yield to_both_dialects(Users(people), start, durable=True)
    yield RoomChanged(event.room)


def _player_seated(event: PlayerSeated, world: World, profiles: Profiles) -> Iterator[Message]:
    room = world.rooms.rooms[event.room]
    joined = v1.RoomJoined(room.id, profiles.user(event.user), "player", event.seat)
    yield Delivery(Users(tuple(room.members)), v1=joined, durable=True)
    yield RoomChanged(room.id)


def _seat_taken(event: SeatTaken, world: World, profiles: Profiles) -> Iterator[Message]:
    room, seat = world.rooms.seat_of(event.user, event.room)
    yield from show_room(room, event.user, event.socket, world, profiles)
    yield from show_seat(room, event.socket, seat, profiles)
    yield RoomChanged(room.id)


def _spectator_joined(
    event: SpectatorJoined, world: World, profiles: Profiles
) -> Iterator[Message]:
    """Deliver to the spectator alone: a thousand may join at once. Others see the room state."""
    room = world.rooms.rooms[event.room]
    if room.spectators[event.user] == {event.socket}:
        joined = v1.RoomJoined(room.id, profiles.user(event.user), "spectator", None)
        yield Delivery(Users((event.user,)), v1=joined, durable=True)
    yield from show_room(room, event.user, event.socket, world, profiles)
    yield RoomChanged(room.id)


def _spectator_left(event: SpectatorLeft, _world: World, _profiles: Profiles) -> Iterator[Message]:
    left = v1.RoomLeft(event.room, event.user, event.reason)
    yield Delivery(Users((event.user,)), v1=left, durable=True)
    yield RoomChanged(event.room)


def _became_ready(event: RoomBecameReady, world: World, profiles: Profiles) -> Iterator[Message]:
    room = world.rooms.rooms[event.room]
    ready = classic.GameReady(room.id)
    yield Delivery(Sockets(tuple(room.player_sockets)), classic=ready)
    for index, seat in enumerate(room.seats):
        if seat.sockets:
            players = room_players(room, index, profiles)
            yield Delivery(Sockets(tuple(seat.sockets)), classic=players)
    yield Delivery(Users(tuple(room.members)), v1=ready, durable=True)
    yield RoomChanged(room.id)


def _player_gone(
    event: SeatLeft | SeatForfeited, world: World, _profiles: Profiles
) -> Iterator[Message]:
    room = world.rooms.rooms[event.room]
    reason = event.reason if isinstance(event, SeatLeft) else "forfeited"
    left = v1.RoomLeft(room.id, event.user, reason)
    yield Delivery(Users(tuple(room.members)), v1=left, durable=True)
    if not is_bot(event.user):
        yield UserChanged(event.user)


def _seat_left(event: SeatLeft, world: World, profiles: Profiles) -> Iterator[Message]:
    """Deliver the remaining players to the players of a finished match."""
    room = world.rooms.rooms[event.room]
    if room.phase == "finished":
        for index, seat in enumerate(room.seats):
            if seat.sockets:
                players = room_players(room, index, profiles)
                yield Delivery(Sockets(tuple(seat.sockets)), classic=players)
    yield RoomChanged(room.id)


def _room_changed(
    event: PlayerReadied | HostChanged | RoomLocked | SeatForfeited,
    _world: World,
    _profiles: Profiles,
) -> Iterator[Message]:
    yield RoomChanged(event.room)


def _room_closed(event: RoomClosed, world: World, _profiles: Profiles) -> Iterator[Message]:
    room = world.rooms.rooms[event.room]
    if room.phase != "finished":
        end = classic.GameEnd(event.room, "you", classic.Scores(0, 0))
        yield Delivery(Sockets(tuple(room.player_sockets)), classic=end)
    closed = v1.RoomClosed(room.id, event.reason)
    yield Delivery(Users(tuple(room.members)), v1=closed, durable=True)
    yield RoomChanged(room.id)


def _match_started(event: MatchStarted, world: World, profiles: Profiles) -> Iterator[Message]:
    room = world.rooms.rooms[event.room]
    duration_s = int(room.options.duration_s) if event.pace == "ticks" else None
    for index, seat in enumerate(room.seats):
        if seat.sockets:
            start = game_start(room, index, duration_s or 0, profiles)
            yield Delivery(Sockets(tuple(seat.sockets)), classic=start)
        if seat.user is not None and not seat.is_bot:
            start_v1 = game_start_v1(room, index, duration_s, profiles)
            yield Delivery(Users((seat.user,)), v1=start_v1, durable=True)
            yield UserChanged(seat.user)
    yield to_spectators(room, game_start_v1(room, None, duration_s, profiles))
    yield RoomChanged(room.id)


def _match_input(event: MatchInput, world: World, _profiles: Profiles) -> Iterator[Message]:
    """Deliver a move in a game without ticks; with ticks, its effect shows in the state frames."""
    match = world.matches.live.get(event.match)
    if match is not None and match.pace != "ticks":
        room = world.rooms.rooms[event.room]
        for delivery in moved(event, room, match):
            yield msgspec.structs.replace(delivery, frame_ms=room.options.frame_ms)


def _match_paused(event: MatchPaused, world: World, _profiles: Profiles) -> Iterator[Message]:
    room, match = world.rooms.rooms[event.room], world.matches.live[event.match]
    yield Delivery(Sockets(tuple(room.player_sockets)), classic=game_paused(room))
    paused = game_paused_v1(room, match, match.turn_left_ms, match.spent_ms)
    yield from to_match(room, paused)
    yield RoomChanged(room.id)


def _match_resumed(event: MatchResumed, world: World, _profiles: Profiles) -> Iterator[Message]:
    room, match = world.rooms.rooms[event.room], world.matches.live[event.match]
    starts_in_ms = START_DELAY_S * 1000 if match.pace == "ticks" else AT_ONCE_MS
    resumed = classic.GameResumed(room.id, starts_in_ms)
    yield Delivery(Sockets(tuple(room.player_sockets)), classic=resumed)
    clocks = clocks_shown(match, match.turn_left_ms)
    yield from to_match(room, v1.GameResumed(room.id, starts_in_ms, *clocks))
    yield RoomChanged(room.id)


def _match_ended(event: MatchEnded, world: World, _profiles: Profiles) -> Iterator[Message]:
    room = world.rooms.rooms.get(event.room)
    if room is None:
        return
    yield from classic_end(event, room)
    why = why_void(event, world)
    over = v1.GameOver(room.id, event.match, event.reason, event.winner, event.scores, why)
    yield from to_match(room, over)
    yield from (UserChanged(user) for user in room.players if not is_bot(user))
    yield RoomChanged(room.id)


_Make: TypeAlias = Callable[[Any, World, Profiles], Iterable[Message]]


_BEFORE_FOLD: dict[type[Event], _Make] = {
    SocketClosed: _socket_closed,
    NodeLost: _node_lost,
    UserStatusSet: _status_set,
    SeatLeft: _player_gone,
    SeatForfeited: _player_gone,
    RoomClosed: _room_closed,
    MatchEnded: _match_ended,
}


_AFTER_FOLD: dict[type[Event], _Make] = {
    UserCameOnline: _came_online,
    UserWentOffline: _went_offline,
    LobbyJoined: _lobby_changed,
    LobbyLeft: _lobby_changed,
    InviteSent: _invite_sent,
    InviteDeclined: _invite_declined,
    InviteExpired: _invite_expired,
    SearchStarted: _search_started,
    SearchBotOffered: _bot_offered,
    SearchCancelled: _search_ended,
    SearchGaveUp: _search_ended,
    RoomCreated: _room_created,
    PlayerSeated: _player_seated,
    SeatTaken: _seat_taken,
    SeatLeft: _seat_left,
    SeatForfeited: _room_changed,
    SpectatorJoined: _spectator_joined,
    SpectatorLeft: _spectator_left,
    RoomBecameReady: _became_ready,
    PlayerReadied: _room_changed,
    HostChanged: _room_changed,
    RoomLocked: _room_changed,
    MatchStarted: _match_started,
    MatchInput: _match_input,
    MatchPaused: _match_paused,
    MatchResumed: _match_resumed,
    ChatSaid: chat_said,
}


def renamed(user: UserId, world: World) -> Iterator[Message]:
    """Announce the new name of an online user in all lists that contain them."""
    yield ListChanged("user:list")
    yield UserChanged(user)
    if user in world.lobby.members:
        yield ListChanged("lobby:list")
