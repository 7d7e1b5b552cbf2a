"""Messages with the current state of users, rooms, seats and lists."""

from __future__ import annotations

import itertools

from msgspec import UNSET

from service.domain.ids import UserId, bot_level
from service.domain.projections.matches import Match, pause_left_ms
from service.domain.projections.room import Room
from service.domain.projections.world import World
from service.fanout.audience import Delivery, Users
from service.fanout.clocks import clocks_shown
from service.fanout.profiles import Profiles
from service.protocol import classic, v1

WATCHING_SHOWN_MAX = 20
"""Maximum number of spectators that are listed by name in a room state."""


def user_list(world: World, profiles: Profiles) -> classic.UserList:
    """Return everyone online, for classic clients."""
    return classic.UserList(profiles.users(world.presence.online()))


def lobby_list(world: World, profiles: Profiles) -> classic.LobbyList:
    """Return everyone in the lobby who is not hidden, for classic clients."""
    hidden = world.presence.hidden
    return classic.LobbyList(
        profiles.users(user for user in world.lobby.members if user not in hidden)
    )


def user_entry(user: UserId, world: World, profiles: Profiles) -> v1.UserEntry | None:
    """Return a user in v1 form, or None if others do not see them as online."""
    if not world.presence.is_online(user):
        return None
    status: v1.Status | None = world.presence.statuses.get(user)
    if status is None and world.rooms.is_playing(user):
        status = "playing"
    if status is None and user in world.lobby.members:
        status = "lobby"
    return v1.UserEntry(user, profiles.name(user), status or "online")


def room_state(room: Room, world: World, profiles: Profiles) -> v1.RoomState:
    """Return a room as its members see it; hidden spectators are counted but not listed."""
    watching = (user for user in room.spectators if user not in world.presence.hidden)
    match = world.matches.live.get(room.match or "")
    # What is logged as left dates from the last input, which may be hidden.
    left_ms = None if match is None or match.has_secrets else match.turn_left_ms
    ends_in_ms, clocks_ms = clocks_shown(match, left_ms)
    return v1.RoomState(
        room_id=room.id,
        v=room.changed_at,
        game=room.game,
        phase=room.phase,
        visibility=room.visibility,
        locked=room.locked,
        host=room.host,
        options=room.options.as_written,
        metadata=room.metadata,
        seats=[
            v1.SeatView(
                user=None if seat.user is None else profiles.user(seat.user),
                ready=seat.user in room.ready or seat.is_bot,
                away=seat.gone or seat.away_since is not None,
                pause_left_ms=_pause_left(match, index),
                bot=bot_level(seat.user) or UNSET,
            )
            for index, seat in enumerate(room.seats)
        ],
        spectators=len(room.spectators),
        watching=profiles.users(itertools.islice(watching, WATCHING_SHOWN_MAX)),
        match_id=room.match,
        turn_ends_in_ms=ends_in_ms,
        clocks_ms=clocks_ms,
    )


def _pause_left(match: Match | None, seat: int) -> int | None:
    if match is None or match.pace == "free" or seat >= len(match.players):
        return None
    return pause_left_ms(match, seat, match.spent_ms)


def room_summary(room: Room, profiles: Profiles) -> v1.RoomSummary:
    """Return a room as an entry of a list."""
    return v1.RoomSummary(
        room_id=room.id,
        game=room.game,
        phase=room.phase,
        visibility=room.visibility,
        locked=room.locked,
        host=room.host,
        metadata=room.metadata,
        players=profiles.users(room.players),
        seats=len(room.seats),
        spectators=len(room.spectators),
        spectators_max=room.spectators_max,
        options=room.options.as_written,
    )


def chat_history(room: Room, user: UserId, world: World, profiles: Profiles) -> v1.ChatHistory:
    """Return a room's latest chat messages, without those of users whom `user` has muted."""
    return v1.ChatHistory(
        room.id,
        [
            v1.ChatMessage(
                line.chat, profiles.user(line.author), profiles.texts[line.chat], room_id=room.id
            )
            for line in world.chat.rooms.get(room.id, ())
            if line.chat in profiles.texts and world.chat.hears(user, line.author)
        ],
    )


def lobby_history(user: UserId, world: World, profiles: Profiles) -> v1.LobbyHistory:
    """Return what was said in the lobby last, without what `user` does not want to hear."""
    return v1.LobbyHistory(
        [
            v1.ChatMessage(line.chat, profiles.user(line.author), profiles.texts[line.chat])
            for line in world.chat.lobby
            if line.chat in profiles.texts and world.chat.hears(user, line.author)
        ]
    )


def room_start(room: Room, profiles: Profiles) -> classic.RoomStart:
    """Return the announcement of a new room to its players, for classic clients."""
    return classic.RoomStart(room.id, profiles.users(room.players))


def room_players(room: Room, seat: int, profiles: Profiles) -> classic.RoomPlayers:
    """Return a player's seat and all players who stay, for classic clients."""
    staying = [user for index in room.staying if (user := room.seats[index].user) is not None]
    return classic.RoomPlayers(room.id, seat, profiles.users(staying))


def invite_received(inviter: UserId, invitee: UserId, game: str, profiles: Profiles) -> Delivery:
    """Deliver an invite to all sockets of the invitee."""
    return Delivery(
        Users((invitee,)),
        classic.InviteReceived(profiles.user(inviter)),
        v1.InviteReceived(profiles.user(inviter), game),
        durable=True,
    )
