"""Decide what follows for rooms when a socket is closed or a member leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.domain.commands.moves import hold_only
from service.domain.commands.pauses import handle_lost_player
from service.domain.events.base import Event
from service.domain.events.rooms import HostChanged, SpectatorLeft
from service.domain.ids import SocketId, UserId
from service.domain.projections.keys import without_tab
from service.domain.projections.room import Room

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.commands.base import Context
    from service.domain.projections.matches import Match
    from service.domain.projections.world import World


def new_host(room: Room, leavers: set[UserId]) -> list[Event]:
    """Make the next member the host, if the host is one of `leavers`."""
    if room.host not in leavers:
        return []
    heirs = [user for user in room.members if user not in leavers]
    return [HostChanged(room=room.id, user=heirs[0])] if heirs else []


def lose_player_tab(
    user: UserId, socket: SocketId, world: World, context: Context
) -> Sequence[Event]:
    """Decide what the loss of `socket` means for the match of `user`."""
    room, match = _played_by(user, world)
    if room is None or match is None or match.pace == "free":
        return []
    index = room.index_of(user)
    if room.seats[index].sockets == {socket}:
        return handle_lost_player(room, match, index, context)
    return release_keys_of_tab(user, socket, world, context)


def release_keys_of_tab(
    user: UserId, socket: SocketId, world: World, context: Context
) -> list[Event]:
    """Release the keys of a socket that was closed, or has joined another room."""
    room, match = _played_by(user, world)
    if room is None or match is None or match.paused or match.pace == "free":
        return []
    index = room.index_of(user)
    snapshot = context.match_snapshot(match.id)
    held = without_tab(snapshot.held.get(index, {}), socket)
    return hold_only(match, index, held, snapshot, context)


def stop_spectating_by(user: UserId, socket: SocketId, world: World) -> list[Event]:
    """Remove `user` from the rooms that they watch by `socket` alone."""
    events: list[Event] = []
    for room_id in sorted(world.rooms.watching.get(socket, ())):
        room = world.rooms.rooms[room_id]
        if room.spectators[user] == {socket}:
            events.append(SpectatorLeft(room=room.id, user=user, reason="offline"))
            events += new_host(room, {user})
    return events


def _played_by(user: UserId, world: World) -> tuple[Room | None, Match | None]:
    """Return the room where `user` has a seat, and its running match, if any."""
    room = world.rooms.rooms.get(world.rooms.seated.get(user, ""))
    return room, world.matches.live.get(room.match or "") if room else None
