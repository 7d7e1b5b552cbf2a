"""Audiences, and deliveries of messages to them.

A delivery may have one message for classic clients and another one for clients of protocol v1. A
`durable` delivery goes to users, carries the position of its event, and is kept for a resume; there
is at most one for each event and user.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

import msgspec

from service.domain.ids import RoomId, SocketId, UserId
from service.domain.projections.room import Room
from service.domain.projections.world import World
from service.games.sight import Viewer
from service.protocol import ToClient, v1


class Everyone(msgspec.Struct, frozen=True):
    """All sockets."""


class Users(msgspec.Struct, frozen=True):
    """All sockets of these users."""

    users: tuple[UserId, ...]


class Sockets(msgspec.Struct, frozen=True):
    """These sockets."""

    sockets: tuple[SocketId, ...]


class InRoom(msgspec.Struct, frozen=True):
    """The sockets in a room: those of its players, of its spectators, or both."""

    room: RoomId
    players: bool = True
    spectators: bool = True
    excluding: SocketId | None = None
    """The sender's socket, which does not get the message."""
    seat: int | None = None
    """Of the players only the one in this seat; without `spectators`."""


class Watchers(msgspec.Struct, frozen=True):
    """The sockets that have subscribed to the status of this user."""

    user: UserId


Audience: TypeAlias = Everyone | Users | Sockets | InRoom | Watchers


class Delivery(msgspec.Struct, frozen=True):
    """One message to an audience, in each dialect; None sends nothing in that dialect."""

    audience: Audience
    classic: ToClient | None = None
    v1: ToClient | None = None
    durable: bool = False
    """Whether the v1 message carries the position of its event and is kept for a resume."""
    frame_ms: float = 0
    """How long the message may wait, in ms, to share one write with later ones."""
    delay_s: float = 0
    """Delay in seconds, as for spectators who must not be able to help a player."""
    rates: frozenset[int] | None = None
    """The frame rates whose sockets get it, in an audience of a room; None for all."""


class ListChanged(msgspec.Struct, frozen=True):
    """A list has changed: subscribed sockets soon get it anew, once for many changes."""

    list: Literal["user:list", "lobby:list"]


class UserChanged(msgspec.Struct, frozen=True):
    """A user came online, went offline or changed: v1 clients soon get a diff."""

    user: UserId


class RoomChanged(msgspec.Struct, frozen=True):
    """A room has changed: its members and subscribers to the list of rooms soon get it."""

    room: RoomId


class SaidInLobby(msgspec.Struct, frozen=True):
    """Something was said in the lobby, to all who watch it."""

    message: v1.ChatMessage


Message: TypeAlias = Delivery | ListChanged | UserChanged | RoomChanged | SaidInLobby


def to_both_dialects(audience: Audience, message: ToClient, *, durable: bool = False) -> Delivery:
    """Deliver the same message in both dialects."""
    return Delivery(audience, message, message, durable=durable)


def lobby_sockets(world: World) -> Sockets:
    """Return all sockets in the lobby."""
    return Sockets(tuple(socket for tabs in world.lobby.members.values() for socket in tabs))


def to_spectators(room: Room, message: ToClient) -> Delivery:
    """Deliver `message` to the spectators of a room.

    In a room with a spectator delay it is not durable, and recipients are resolved when it is
    sent, so that spectators who have left in the meantime get nothing.
    """
    delay_s = room.options.spectator_delay_s
    if delay_s:
        return Delivery(InRoom(room.id, players=False), v1=message, delay_s=delay_s)
    return Delivery(Users(tuple(room.spectators)), v1=message, durable=True)


def to_match(room: Room, message: ToClient) -> Iterator[Delivery]:
    """Deliver `message` to the players who have not left, and to the spectators."""
    yield Delivery(Users(tuple(room.staying_people)), v1=message, durable=True)
    yield to_spectators(room, message)


def to_viewer(room: Room, viewer: Viewer) -> tuple[InRoom, float]:
    """Return the sockets in a room of a seat, or of the spectators, and their delay in seconds."""
    if viewer.seat is None:
        return InRoom(room.id, players=False), room.options.spectator_delay_s
    return InRoom(room.id, spectators=False, seat=viewer.seat), 0


def with_spectator_delay(room: Room, delivery: Delivery) -> Sequence[Delivery]:
    """Split a delivery to a whole room in two if the room has a spectator delay."""
    delay_s = room.options.spectator_delay_s if room.spectators else 0
    if not delay_s:
        return (delivery,)
    now, later = InRoom(room.id, spectators=False), InRoom(room.id, players=False)
    replace = msgspec.structs.replace
    return replace(delivery, audience=now), replace(delivery, audience=later, delay_s=delay_s)
