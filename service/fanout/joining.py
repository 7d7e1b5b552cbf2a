"""Messages to a socket that connects or joins a room."""

from __future__ import annotations

from collections.abc import Iterator

from service.domain.ids import SocketId, UserId
from service.domain.projections.room import Room
from service.domain.projections.world import World
from service.fanout.audience import Delivery, Sockets, to_both_dialects
from service.fanout.profiles import Profiles
from service.fanout.views import chat_history, invite_received, room_players, room_state
from service.protocol import classic


def session_state(user: UserId, world: World) -> classic.SessionState:
    """Return whether a user has a seat in an unfinished room, and in which."""
    room = world.rooms.seated.get(user) if world.rooms.is_busy(user) else None
    return classic.SessionState(room is not None, room)


def pending_invites(user: UserId, world: World, profiles: Profiles) -> Iterator[Delivery]:
    """Deliver the pending invites of a user, without those of users whom they have muted."""
    for inviter in world.invites.received_by(user):
        if not world.chat.hears(user, inviter):
            continue
        yield invite_received(inviter, user, world.invites.pending[inviter][user].game, profiles)


def show_room(
    room: Room, user: UserId, socket: SocketId, world: World, profiles: Profiles
) -> Iterator[Delivery]:
    """Deliver the state of a room and its latest chat to a socket that has joined it."""
    here = Sockets((socket,))
    yield Delivery(here, v1=room_state(room, world, profiles))
    history = chat_history(room, user, world, profiles)
    if history.messages:
        yield Delivery(here, v1=history)


def repeat_join(
    room: Room, user: UserId, socket: SocketId, world: World, profiles: Profiles
) -> Iterator[Delivery]:
    """Deliver once more what a socket got when it joined the room."""
    yield from show_room(room, user, socket, world, profiles)
    seat = room.seat_of(user)
    if seat is not None:
        yield from show_seat(room, socket, seat, profiles)


def show_seat(room: Room, socket: SocketId, seat: int, profiles: Profiles) -> Iterator[Delivery]:
    """Deliver the players to a player's socket, unless the room still gathers players."""
    here = Sockets((socket,))
    if room.phase != "gathering":
        yield to_both_dialects(here, classic.GameReady(room.id))
        yield Delivery(here, classic=room_players(room, seat, profiles))
