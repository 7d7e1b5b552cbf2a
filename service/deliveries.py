"""Event -> who gets which message: pure, computed when the event is folded.

Most messages speak of the world with the event in it. What ends something speaks to those who
were there, and so is computed just before the fold.

A delivery may have one message for classic clients and another one for those of protocol v1. One
that is `durable` goes to users, gets the position of its event, and is kept for who resumes: so
there is at most one of them for each event and user.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET

from service.domain.commands.pauses import START_DELAY_S
from service.domain.commands.pauses import left_ms as pause_left_ms
from service.domain.errors import NotInRoom, UserOffline
from service.domain.events.base import Event
from service.domain.events.chat import ChatSaid
from service.domain.events.invites import InviteDeclined, InviteExpired, InviteSent
from service.domain.events.lobby import LobbyJoined, LobbyLeft
from service.domain.events.matches import (
    BY_THE_RULES,
    MatchEnded,
    MatchInput,
    MatchPaused,
    MatchResumed,
    MatchStarted,
)
from service.domain.events.matchmaking import SearchCancelled, SearchGaveUp, SearchStarted
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
from service.domain.ids import RoomId, SocketId, UserId
from service.domain.names import placeholder
from service.domain.projections.matches import Match
from service.domain.projections.rooms import Room
from service.domain.projections.world import World
from service.errors import ClientError
from service.protocol import ToClient, classic, v1

AT_ONCE_MS = 1
"""When a match without ticks goes on; the page of 0.1.0 never ends a countdown of 0."""

WATCHING_SHOWN_MAX = 20
"""How many spectators a room shows by name."""


class NothingShared(ClientError):
    """You share neither a room nor an invite with that user, so they get no signals of yours."""

    code = "NOTHING_SHARED"


class Profiles(msgspec.Struct):
    """What stands beside the log: the names of users, and what they said."""

    names: dict[UserId, str] = {}
    texts: dict[str, str] = {}

    def name(self, user: UserId) -> str:
        """Return the display name; one that is not known is `User#<id>`."""
        return self.names.get(user) or placeholder(user)

    def user(self, user: UserId) -> classic.User:
        """Write a user as he goes on the wire."""
        return classic.User(user, self.name(user))

    def users(self, users: Iterable[UserId]) -> list[classic.User]:
        """Write users as they go on the wire."""
        return [self.user(user) for user in users]


class Everyone(msgspec.Struct, frozen=True):
    """Every socket."""


class Users(msgspec.Struct, frozen=True):
    """Every socket of these users."""

    users: tuple[UserId, ...]


class Sockets(msgspec.Struct, frozen=True):
    """These sockets."""

    sockets: tuple[SocketId, ...]


class InRoom(msgspec.Struct, frozen=True):
    """The sockets that show a room: those of its players, of its spectators, or of both."""

    room: RoomId
    players: bool = True
    spectators: bool = True
    but: SocketId | None = None
    """The one that the message comes from: all others in the room get it."""


class Watchers(msgspec.Struct, frozen=True):
    """The sockets that asked for the status of this user."""

    user: UserId


Audience: TypeAlias = Everyone | Users | Sockets | InRoom | Watchers


class Delivery(msgspec.Struct, frozen=True):
    """One message to everybody who is to get it, in each dialect; None says nothing there."""

    audience: Audience
    classic: ToClient | None = None
    v1: ToClient | None = None
    durable: bool = False
    """The v1 message follows from the event: it gets the position, and is kept for a resume."""
    frame_ms: int = 0
    """The message may wait so long for others, to leave with them in one write."""
    delay_s: float = 0
    """The message is sent so much later, as to spectators who must not help a player."""


class Refresh(msgspec.Struct, frozen=True):
    """A list has changed; who shows it gets it anew, soon, once for many changes."""

    list: Literal["user:list", "lobby:list"]


class UserChanged(msgspec.Struct, frozen=True):
    """A user has come, gone or changed, for those who are told of changes alone."""

    user: UserId


class RoomChanged(msgspec.Struct, frozen=True):
    """A room has changed; its members and those who show the list of rooms are told soon."""

    room: RoomId


Message: TypeAlias = Delivery | Refresh | UserChanged | RoomChanged


def both(audience: Audience, message: ToClient, *, durable: bool = False) -> Delivery:
    """Say the same in both dialects."""
    return Delivery(audience, message, message, durable=durable)


# Lists


def user_list(world: World, people: Profiles) -> classic.UserList:
    """Everyone online."""
    return classic.UserList(people.users(world.presence.online()))


def lobby_list(world: World, people: Profiles) -> classic.LobbyList:
    """Everyone in the lobby whom others may see."""
    hidden = world.presence.hidden
    return classic.LobbyList(
        people.users(user for user in world.lobby.members if user not in hidden)
    )


def lobby_sockets(world: World) -> Sockets:
    """Every tab that shows the lobby."""
    return Sockets(tuple(socket for tabs in world.lobby.members.values() for socket in tabs))


def user_entry(user: UserId, world: World, people: Profiles) -> v1.UserEntry | None:
    """Write a user as v1 clients see him, or None when they do not."""
    if not world.presence.is_online(user):
        return None
    status: v1.Status | None = world.presence.statuses.get(user)
    if status is None and world.rooms.is_playing(user):
        status = "playing"
    if status is None and user in world.lobby.members:
        status = "lobby"
    return v1.UserEntry(user, people.name(user), status or "online")


def room_state(room: Room, world: World, people: Profiles) -> v1.RoomState:
    """Write a room as its members see it; a hidden spectator is counted, but not named."""
    watching = (user for user in room.spectators if user not in world.presence.hidden)
    return v1.RoomState(
        room_id=room.id,
        v=room.changed_at,
        game=room.game,
        phase=room.phase,
        visibility=room.visibility,
        locked=room.locked,
        host=room.host,
        options=room.options,
        metadata=room.metadata,
        seats=[
            v1.SeatView(
                user=None if seat.user is None else people.user(seat.user),
                ready=seat.user in room.ready,
                away=seat.gone or seat.away_since is not None,
                pause_left_ms=_pause_left(world.matches.live.get(room.match or ""), index),
            )
            for index, seat in enumerate(room.seats)
        ],
        spectators=len(room.spectators),
        watching=people.users(itertools.islice(watching, WATCHING_SHOWN_MAX)),
        match_id=room.match,
    )


def _pause_left(match: Match | None, seat: int) -> int | None:
    if match is None or match.pace == "free" or seat >= len(match.players):
        return None
    return pause_left_ms(match, seat, match.spent_ms)


def room_summary(room: Room, people: Profiles) -> v1.RoomSummary:
    """Write a room as it stands in lists."""
    return v1.RoomSummary(
        room_id=room.id,
        game=room.game,
        phase=room.phase,
        visibility=room.visibility,
        locked=room.locked,
        host=room.host,
        metadata=room.metadata,
        players=people.users(room.players),
        seats=len(room.seats),
        spectators=len(room.spectators),
        spectators_max=room.spectators_max,
    )


def chat_history(room: Room, user: UserId, world: World, people: Profiles) -> v1.ChatHistory:
    """Write the last lines of a room, as far as `user` wants to hear them."""
    return v1.ChatHistory(
        room.id,
        [
            v1.ChatMessage(
                line.chat, people.user(line.author), people.texts[line.chat], room_id=room.id
            )
            for line in world.chat.rooms.get(room.id, ())
            if line.chat in people.texts and world.chat.hears(user, line.author)
        ],
    )


# What a new tab is told


def invites_waiting(user: UserId, world: World, people: Profiles) -> Iterator[Delivery]:
    """Say what a user has been asked and has not answered."""
    for inviter in world.invites.received_by(user):
        if not world.chat.hears(user, inviter):
            continue
        yield _invite_received(inviter, user, world.invites.pending[inviter][user].game, people)


def session_state(user: UserId, world: World) -> classic.SessionState:
    """Say where the user is."""
    room = world.rooms.seated.get(user) if world.rooms.is_busy(user) else None
    return classic.SessionState(room is not None, room)


def room_start(room: Room, people: Profiles) -> classic.RoomStart:
    """Say that a room waits for its players."""
    return classic.RoomStart(room.id, people.users(room.players))


def seat_answer(room: Room, socket: SocketId, seat: int, people: Profiles) -> Iterator[Delivery]:
    """Tell a tab that joins a room which is past gathering who plays."""
    here = Sockets((socket,))
    if room.phase != "gathering":
        yield both(here, classic.GameReady(room.id))
        yield Delivery(here, classic=_players(room, seat, people))


def came_in(
    room: Room, user: UserId, socket: SocketId, world: World, people: Profiles
) -> Iterator[Delivery]:
    """Show a room to a tab that has just come in."""
    here = Sockets((socket,))
    yield Delivery(here, v1=room_state(room, world, people))
    history = chat_history(room, user, world, people)
    if history.messages:
        yield Delivery(here, v1=history)


def game_start(room: Room, seat: int, duration_s: int, people: Profiles) -> classic.GameStart:
    """Say to a classic player that a match runs, with so many seconds left."""
    return classic.GameStart(room.id, duration_s, seat, people.users(room.players))


def game_start_v1(
    room: Room, seat: int | None, duration_s: int | None, people: Profiles
) -> v1.GameStart:
    """Say that a match runs, with so many seconds left, to a player or a spectator."""
    return v1.GameStart(
        room_id=room.id,
        match_id=room.match or "",
        game=room.game,
        duration=duration_s,
        player_index=seat,
        players=people.users(room.players),
    )


def game_paused(room: Room, grace_left_s: float | None = None) -> classic.GamePaused:
    """Say who is away, and how long they may be: the room's grace, unless less or more is left."""
    return classic.GamePaused(room.id, room.away, _grace_ms(room, grace_left_s))


def _grace_ms(room: Room, left_s: float | None) -> int:
    grace_s: float = room.options["reconnect_grace_s"] if left_s is None else left_s
    return int(grace_s * 1000)


def game_paused_v1(
    room: Room,
    match: Match,
    turn_left_ms: int | None,
    spent_ms: Sequence[int],
    grace_left_s: float | None = None,
) -> v1.GamePaused:
    """Say the same, and how much pause each player has left."""
    left = {
        user: left
        for seat in room.staying
        if (user := room.seats[seat].user) is not None
        and (left := pause_left_ms(match, seat, spent_ms)) is not None
    }
    return v1.GamePaused(
        room.id,
        room.away,
        _grace_ms(room, grace_left_s),
        left or UNSET,
        UNSET if turn_left_ms is None else turn_left_ms,
    )


def signal(  # noqa: PLR0913 - what a signal is
    message: v1.SendSignal,
    to: UserId | None,
    *,
    user: UserId,
    socket: SocketId,
    world: World,
    sockets_of: Callable[[UserId], tuple[SocketId, ...]],
    to_anybody: bool = False,
) -> Delivery:
    """Say who gets a signal.

    Raises `RoomNotFound`, `NotInRoom`, `UserOffline`, or `NothingShared` unless `to_anybody`.
    """
    if to is not None:
        if not world.presence.is_online(to):
            raise UserOffline("That user is not online.")
        if not (to_anybody or _may_signal(user, to, world)):
            raise NothingShared
        wanted = message.session_id
        told = [one for one in sockets_of(to) if one != socket and wanted in {None, one}]
        heard = told if world.chat.hears(to, user) else []
        return Delivery(Sockets(tuple(heard)), v1=v1.Signal(user, socket, message.data))
    room = world.rooms.get(message.room_id or "")
    if not room.shows(user, socket):
        raise NotInRoom("This socket has not joined the room.")
    audience: Audience = InRoom(room.id, but=socket)
    deaf = world.chat.muters_of(user, room.members) if world.chat.muted else ()
    if deaf:
        silent = {socket, *(one for member in deaf for one in sockets_of(member))}
        audience = Sockets(tuple(one for one in room.sockets if one not in silent))
    return Delivery(
        audience,
        v1=v1.Signal(user, socket, message.data, room.id),
        frame_ms=room.options.get("frame_ms", 0),
    )


def _may_signal(user: UserId, to: UserId, world: World) -> bool:
    """Tell whether two users have something to do with each other: a room, or an invite."""
    invites = world.invites
    return (
        user == to
        or world.rooms.share(user, world.presence.sockets.get(user, ()), to)
        or invites.find(user, to) is not None
        or invites.find(to, user) is not None
    )


# Event by event


def before_fold(event: Event, world: World, people: Profiles) -> Iterable[Message]:
    """Say who gets which message for `event`, which `world` is about to fold."""
    make = _BEFORE_FOLD.get(type(event))
    return () if make is None else make(event, world, people)


def after_fold(event: Event, world: World, people: Profiles) -> Iterable[Message]:
    """Say who gets which message for `event`, which `world` has just folded."""
    make = _AFTER_FOLD.get(type(event))
    return () if make is None else make(event, world, people)


def _came_online(event: UserCameOnline, world: World, _people: Profiles) -> Iterator[Message]:
    if world.presence.is_online(event.user):
        yield from _seen(event.user, online=True)


def _went_offline(event: UserWentOffline, world: World, _people: Profiles) -> Iterator[Message]:
    if event.user not in world.presence.hidden:
        yield from _seen(event.user, online=False)


def _status_set(event: UserStatusSet, world: World, _people: Profiles) -> Iterator[Message]:
    if (event.user in world.presence.hidden) != event.hidden:
        yield from _seen(event.user, online=not event.hidden)
        yield Refresh("lobby:list")
    yield UserChanged(event.user)


def _seen(user: UserId, *, online: bool) -> Iterator[Message]:
    """Say that others see a user come or go."""
    told = classic.UserOnline(user) if online else classic.UserOffline(user)
    yield Delivery(Everyone(), classic=told)
    yield both(Watchers(user), classic.FriendsStatusUpdate(user, is_online=online))
    yield Refresh("user:list")
    yield UserChanged(user)


def _lobby_changed(
    event: LobbyJoined | LobbyLeft, _world: World, _people: Profiles
) -> Iterator[Message]:
    yield Refresh("lobby:list")
    yield UserChanged(event.user)


def _tab_closed(event: SocketClosed, world: World, _people: Profiles) -> Iterator[Message]:
    if event.socket in world.lobby.members.get(event.user, ()):
        yield Refresh("lobby:list")
        yield UserChanged(event.user)
    room = world.rooms.seated.get(event.user)
    if room is not None:
        yield RoomChanged(room)


def _invite_sent(event: InviteSent, _world: World, people: Profiles) -> Iterator[Message]:
    yield _invite_received(event.inviter, event.invitee, event.game, people)


def _invite_received(inviter: UserId, invitee: UserId, game: str, people: Profiles) -> Delivery:
    return Delivery(
        Users((invitee,)),
        classic.InviteReceived(people.user(inviter)),
        v1.InviteReceived(people.user(inviter), game),
        durable=True,
    )


def _invite_declined(event: InviteDeclined, _world: World, _people: Profiles) -> Iterator[Message]:
    yield both(Users((event.inviter,)), classic.InviteDeclined(event.invitee), durable=True)


def _invite_expired(event: InviteExpired, _world: World, _people: Profiles) -> Iterator[Message]:
    expired = v1.InviteExpired(event.inviter, event.invitee)
    yield Delivery(Users((event.inviter, event.invitee)), v1=expired, durable=True)


def _search_started(event: SearchStarted, _world: World, _people: Profiles) -> Iterator[Message]:
    yield both(Users((event.user,)), classic.MatchmakingSearching(), durable=True)


def _search_ended(
    event: SearchCancelled | SearchGaveUp, _world: World, _people: Profiles
) -> Iterator[Message]:
    yield both(Users((event.user,)), classic.MatchmakingCancelled(), durable=True)


def _room_created(event: RoomCreated, world: World, people: Profiles) -> Iterator[Message]:
    if event.players:
        start = room_start(world.rooms.rooms[event.room], people)
        yield both(Users(tuple(event.players)), start, durable=True)
    yield RoomChanged(event.room)


def _player_seated(event: PlayerSeated, world: World, people: Profiles) -> Iterator[Message]:
    room = world.rooms.rooms[event.room]
    joined = v1.RoomJoined(room.id, people.user(event.user), "player", event.seat)
    yield Delivery(Users(tuple(room.members)), v1=joined, durable=True)
    yield RoomChanged(room.id)


def _seat_taken(event: SeatTaken, world: World, people: Profiles) -> Iterator[Message]:
    room, seat = world.rooms.seat_of(event.user, event.room)
    yield from came_in(room, event.user, event.socket, world, people)
    yield from seat_answer(room, event.socket, seat, people)
    yield RoomChanged(room.id)


def _spectator_joined(event: SpectatorJoined, world: World, people: Profiles) -> Iterator[Message]:
    """Tell the spectator alone, since a thousand may come at once; others see the room's state."""
    room = world.rooms.rooms[event.room]
    if room.spectators[event.user] == {event.socket}:
        joined = v1.RoomJoined(room.id, people.user(event.user), "spectator", None)
        yield Delivery(Users((event.user,)), v1=joined, durable=True)
    yield from came_in(room, event.user, event.socket, world, people)
    yield RoomChanged(room.id)


def _spectator_left(event: SpectatorLeft, _world: World, _people: Profiles) -> Iterator[Message]:
    left = v1.RoomLeft(event.room, event.user, event.reason)
    yield Delivery(Users((event.user,)), v1=left, durable=True)
    yield RoomChanged(event.room)


def _became_ready(event: RoomBecameReady, world: World, people: Profiles) -> Iterator[Message]:
    room = world.rooms.rooms[event.room]
    ready = classic.GameReady(room.id)
    yield Delivery(Sockets(tuple(room.player_sockets)), classic=ready)
    for index, seat in enumerate(room.seats):
        if seat.sockets:
            players = _players(room, index, people)
            yield Delivery(Sockets(tuple(seat.sockets)), classic=players)
    yield Delivery(Users(tuple(room.members)), v1=ready, durable=True)
    yield RoomChanged(room.id)


def _player_gone(
    event: SeatLeft | SeatForfeited, world: World, _people: Profiles
) -> Iterator[Message]:
    room = world.rooms.rooms[event.room]
    reason = event.reason if isinstance(event, SeatLeft) else "forfeited"
    left = v1.RoomLeft(room.id, event.user, reason)
    yield Delivery(Users(tuple(room.members)), v1=left, durable=True)
    yield UserChanged(event.user)


def _seat_left(event: SeatLeft, world: World, people: Profiles) -> Iterator[Message]:
    """Tell the players of a finished match who stays."""
    room = world.rooms.rooms[event.room]
    if room.phase == "finished":
        for index, seat in enumerate(room.seats):
            if seat.sockets:
                players = _players(room, index, people)
                yield Delivery(Sockets(tuple(seat.sockets)), classic=players)
    yield RoomChanged(room.id)


def _room_changed(
    event: PlayerReadied | HostChanged | RoomLocked | SeatForfeited,
    _world: World,
    _people: Profiles,
) -> Iterator[Message]:
    yield RoomChanged(event.room)


def _room_closed(event: RoomClosed, world: World, _people: Profiles) -> Iterator[Message]:
    room = world.rooms.rooms[event.room]
    if room.phase != "finished":
        end = classic.GameEnd(event.room, "you", classic.Scores(0, 0))
        yield Delivery(Sockets(tuple(room.player_sockets)), classic=end)
    closed = v1.RoomClosed(room.id, event.reason)
    yield Delivery(Users(tuple(room.members)), v1=closed, durable=True)
    yield RoomChanged(room.id)


def _match_started(event: MatchStarted, world: World, people: Profiles) -> Iterator[Message]:
    room = world.rooms.rooms[event.room]
    duration_s = int(room.options["duration_s"]) if event.pace == "ticks" else None
    for index, seat in enumerate(room.seats):
        if seat.sockets:
            start = game_start(room, index, duration_s or 0, people)
            yield Delivery(Sockets(tuple(seat.sockets)), classic=start)
        if seat.user is not None:
            told = game_start_v1(room, index, duration_s, people)
            yield Delivery(Users((seat.user,)), v1=told, durable=True)
            yield UserChanged(seat.user)
    yield to_spectators(room, game_start_v1(room, None, duration_s, people))
    yield RoomChanged(room.id)


def to_spectators(room: Room, message: ToClient) -> Delivery:
    """Tell the spectators; where they see everything later, what they see is not resumed.

    Who spectates is then looked up when the message is sent: who has left meanwhile gets nothing.
    """
    delay_s = room.options.get("spectator_delay_s", 0)
    if delay_s:
        return Delivery(InRoom(room.id, players=False), v1=message, delay_s=delay_s)
    return Delivery(Users(tuple(room.spectators)), v1=message, durable=True)


def _to_match(room: Room, message: ToClient) -> Iterator[Delivery]:
    """Tell all who play, and who watches; not who has left."""
    yield Delivery(Users(tuple(room.staying_players)), v1=message, durable=True)
    yield to_spectators(room, message)


def _match_input(event: MatchInput, world: World, _people: Profiles) -> Iterator[Message]:
    """Pass a move on, in a game that has no ticks; else its effect is seen in the states."""
    match = world.matches.live.get(event.match)
    if match is not None and match.pace != "ticks":
        room = world.rooms.rooms[event.room]
        moved = v1.GameMoved(event.room, event.seat, event.tick, event.input)
        for delivery in _to_match(room, moved):
            yield msgspec.structs.replace(delivery, frame_ms=room.options.get("frame_ms", 0))


def _match_paused(event: MatchPaused, world: World, _people: Profiles) -> Iterator[Message]:
    room, match = world.rooms.rooms[event.room], world.matches.live[event.match]
    yield Delivery(Sockets(tuple(room.player_sockets)), classic=game_paused(room))
    paused = game_paused_v1(room, match, match.turn_left_ms, match.spent_ms)
    yield from _to_match(room, paused)
    yield RoomChanged(room.id)


def _match_resumed(event: MatchResumed, world: World, _people: Profiles) -> Iterator[Message]:
    room, match = world.rooms.rooms[event.room], world.matches.live[event.match]
    starts_in_ms = START_DELAY_S * 1000 if match.pace == "ticks" else AT_ONCE_MS
    resumed = classic.GameResumed(room.id, starts_in_ms)
    yield Delivery(Sockets(tuple(room.player_sockets)), classic=resumed)
    turn_ends_in_ms = UNSET if match.turn_left_ms is None else match.turn_left_ms
    yield from _to_match(room, v1.GameResumed(room.id, starts_in_ms, turn_ends_in_ms))
    yield RoomChanged(room.id)


def _match_ended(event: MatchEnded, world: World, _people: Profiles) -> Iterator[Message]:
    room = world.rooms.rooms.get(event.room)
    if room is None:
        return
    yield from _classic_end(event, room)
    over = v1.GameOver(room.id, event.match, event.reason, event.winner, event.scores)
    yield from _to_match(room, over)
    yield from (UserChanged(user) for user in room.players)
    yield RoomChanged(room.id)


def _classic_end(event: MatchEnded, room: Room) -> Iterator[Delivery]:
    s1, s2 = [*event.scores, 0, 0][:2]
    scores = classic.Scores(s1, s2)
    if event.reason in {*BY_THE_RULES, "void"}:
        # Only `game:timeup` can say that nobody has won.
        winner = _NAMES_OF_SEATS.get(event.winner, "draw")
        timeup = classic.GameTimeup(room.id, winner, scores)
        yield Delivery(Sockets(tuple(room.player_sockets)), classic=timeup)
    elif event.reason != "abandoned":
        for index, seat in enumerate(room.seats):
            if seat.sockets:
                end = classic.GameEnd(
                    room.id, "you" if index == event.winner else "opponent", scores
                )
                yield Delivery(Sockets(tuple(seat.sockets)), classic=end)


def _chat_said(event: ChatSaid, world: World, people: Profiles) -> Iterator[Message]:
    text = people.texts.get(event.chat)
    if text is None:
        return
    author = people.user(event.author)
    if event.room is not None:
        message = v1.ChatMessage(event.chat, author, text, room_id=event.room)
        members = world.rooms.rooms[event.room].members
    else:
        to = event.author if event.to is None else event.to
        message = v1.ChatMessage(event.chat, author, text, to=to)
        members = [to, event.author]
    hearing = [user for user in dict.fromkeys(members) if world.chat.hears(user, event.author)]
    yield Delivery(Users(tuple(hearing)), v1=message, durable=True)


def _players(room: Room, seat: int, people: Profiles) -> classic.RoomPlayers:
    staying = [user for index in room.staying if (user := room.seats[index].user) is not None]
    return classic.RoomPlayers(room.id, seat, people.users(staying))


_NAMES_OF_SEATS: Mapping[int | None, Literal["p1", "p2", "draw"]] = {0: "p1", 1: "p2"}

_Make: TypeAlias = Callable[[Any, World, Profiles], Iterable[Message]]

_BEFORE_FOLD: dict[type[Event], _Make] = {
    SocketClosed: _tab_closed,
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
    ChatSaid: _chat_said,
}
