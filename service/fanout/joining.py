"""What a socket is told when it connects or joins a room."""

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
    """Return whether a user is busy in a room, and in which."""
    room = world.rooms.seated.get(user) if world.rooms.is_busy(user) else None
    return classic.SessionState(room is not None, room)


def invites_waiting(user: UserId, world: World, profiles: Profiles) -> Iterator[Delivery]:
    """Deliver the pending invites of a user, without those of users whom they have muted."""
    for inviter in world.invites.received_by(user):
        if not world.chat.hears(user, inviter):
            continue
        yield invite_received(inviter, user, world.invites.pending[inviter][user].game, profiles)


def came_in(
    room: Room, user: UserId, socket: SocketId, world: World, profiles: Profiles
) -> Iterator[Delivery]:
    """Show a room and its latest chat to a socket that has joined it."""
    here = Sockets((socket,))
    yield Delivery(here, v1=room_state(room, world, profiles))
    history = chat_history(room, user, world, profiles)
    if history.messages:
        yield Delivery(here, v1=history)


def joined_again(
    room: Room, user: UserId, socket: SocketId, world: World, profiles: Profiles
) -> Iterator[Delivery]:
    """Repeat to a socket all that it was told about the room when it joined."""
    yield from came_in(room, user, socket, world, profiles)
    seat = room.seat_of(user)
    if seat is not None:
        yield from seat_answer(room, socket, seat, profiles)


def seat_answer(room: Room, socket: SocketId, seat: int, profiles: Profiles) -> Iterator[Delivery]:
    """Tell a player's socket who plays, if the room no longer gathers players."""
    here = Sockets((socket,))
    if room.phase != "gathering":
        yield to_both_dialects(here, classic.GameReady(room.id))
        yield Delivery(here, classic=room_players(room, seat, profiles))
