"""Route signals from one client to others; signals are not logged."""

from __future__ import annotations

from collections.abc import Callable

from service.domain.errors import NotInRoom, UserOffline
from service.domain.ids import SocketId, UserId
from service.domain.projections.room import Room
from service.domain.projections.world import World
from service.errors import ClientError
from service.fanout.audience import Audience, Delivery, InRoom, Sockets
from service.protocol import v1


class NothingShared(ClientError):
    """You can only signal users with whom you share a room or an invite."""

    code = "NOTHING_SHARED"


def route_signal(  # noqa: PLR0913 - what a signal is
    message: v1.SendSignal,
    to: UserId | None,
    *,
    user: UserId,
    socket: SocketId,
    world: World,
    sockets_of: Callable[[UserId], tuple[SocketId, ...]],
    to_anybody: bool = False,
) -> Delivery:
    """Return the delivery of a signal from `socket` of `user`, to the user `to` or to a room.

    Users who have muted the sender get nothing. Raises `RoomNotFound`, `NotInRoom`, `UserOffline`,
    or `NothingShared` unless `to_anybody`.
    """
    if to is not None:
        if not world.presence.is_online(to):
            raise UserOffline
        if not (to_anybody or _may_signal(user, to, world)):
            raise NothingShared
        wanted = message.session_id
        sockets = [one for one in sockets_of(to) if one != socket and wanted in {None, one}]
        if not world.chat.hears(to, user):
            sockets = []
        return Delivery(Sockets(tuple(sockets)), v1=v1.Signal(user, socket, message.data))
    room = world.rooms.get(message.room_id or "")
    if not room.has_joined(user, socket):
        raise NotInRoom("This socket has not joined the room; join it first.")
    return Delivery(
        _others_in_room(room, user, socket, world, sockets_of),
        v1=v1.Signal(user, socket, message.data, room.id),
        frame_ms=room.options.frame_ms,
    )


def _others_in_room(
    room: Room,
    user: UserId,
    socket: SocketId,
    world: World,
    sockets_of: Callable[[UserId], tuple[SocketId, ...]],
) -> Audience:
    """Return the other sockets in a room, without those of users who have muted the sender."""
    muters = world.chat.muters_of(user, room.members) if world.chat.muted else ()
    if not muters:
        return InRoom(room.id, excluding=socket)
    excluded = {socket, *(one for muter in muters for one in sockets_of(muter))}
    return Sockets(tuple(one for one in room.sockets if one not in excluded))


def _may_signal(user: UserId, to: UserId, world: World) -> bool:
    """Return whether two users share a room or an invite."""
    invites = world.invites
    return (
        user == to
        or world.rooms.share_a_room(user, world.presence.sockets.get(user, ()), to)
        or invites.find(user, to) is not None
        or invites.find(to, user) is not None
    )
