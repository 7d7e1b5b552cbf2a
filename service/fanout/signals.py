"""Who gets a signal that a client sends to others."""

from __future__ import annotations

from collections.abc import Callable

from service.domain.errors import NotInRoom, UserOffline
from service.domain.ids import SocketId, UserId
from service.domain.projections.world import World
from service.errors import ClientError
from service.fanout.audience import Audience, Delivery, InRoom, Sockets
from service.protocol import v1


class NothingShared(ClientError):
    """You share neither a room nor an invite with that user, so they get no signals of yours."""

    code = "NOTHING_SHARED"


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
    audience: Audience = InRoom(room.id, excluding=socket)
    deaf = world.chat.muters_of(user, room.members) if world.chat.muted else ()
    if deaf:
        silent = {socket, *(one for member in deaf for one in sockets_of(member))}
        audience = Sockets(tuple(one for one in room.sockets if one not in silent))
    return Delivery(
        audience,
        v1=v1.Signal(user, socket, message.data, room.id),
        frame_ms=room.options.frame_ms,
    )


def _may_signal(user: UserId, to: UserId, world: World) -> bool:
    """Tell whether two users have something to do with each other: a room, or an invite."""
    invites = world.invites
    return (
        user == to
        or world.rooms.share_a_room(user, world.presence.sockets.get(user, ()), to)
        or invites.find(user, to) is not None
        or invites.find(to, user) is not None
    )
