"""Decide who owns a room, and what follows when a socket is closed or a member leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.domain.commands.boundaries import MatchCommand
from service.domain.commands.moves import hold_only
from service.domain.commands.pauses import handle_lost_player
from service.domain.events.base import Event, Position
from service.domain.events.matches import room_of
from service.domain.events.rooms import HostChanged, SpectatorLeft
from service.domain.ids import Owner, RoomId, SocketId, UserId, node_of, opening_order
from service.domain.projections.keys import without_tab
from service.domain.projections.room import Room

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.commands.base import Context
    from service.domain.projections.matches import Match
    from service.domain.projections.world import World


def owner_of_new_room(
    room: RoomId, game: str, near: SocketId | None, world: World, context: Context
) -> Owner:
    """Return the owner for a new room: the node of the socket `near`, if it stays, or its home.

    Either one has the game.

    So matches are spread over the nodes as their players are.
    """
    node = None if near is None else node_of(near)
    return world.nodes.owner_of_new_room(room, game, node) or context.node


def newest_socket(user: UserId, world: World) -> SocketId | None:
    """Return the newest socket of a user, or None if they have none."""
    return max(world.presence.sockets.get(user, ()), key=opening_order, default=None)


def owns(room: RoomId, world: World, context: Context) -> bool:
    """Return whether this node owns a room, so that it decides about its live match."""
    return world.nodes.owner_of(room) == context.node


def new_host(room: Room, leavers: set[UserId]) -> list[Event]:
    """Make the next member the host, if the host is one of `leavers`."""
    if room.host not in leavers:
        return []
    heirs = [user for user in room.members if user not in leavers]
    return [HostChanged(room=room.id, user=heirs[0])] if heirs else []


def lose_player_tab(
    user: UserId, socket: SocketId, world: World, context: Context
) -> Sequence[Event]:
    """Decide what the loss of `socket` means for the match of `user`.

    Another node decides that for its own rooms when it folds the loss, by the commands below.
    """
    room, match = _played_by(user, world)
    if room is None or match is None or match.pace == "free":
        return []
    if not owns(room.id, world, context):
        return []
    index = room.index_of(user)
    if room.seats[index].sockets == {socket}:
        return handle_lost_player(room, match, index, context)
    return release_keys_of_tab(user, socket, world, context)


def release_keys_of_tab(
    user: UserId, socket: SocketId, world: World, context: Context
) -> list[Event]:
    """Release the keys of a socket that was closed, or has joined another room.

    Another node does that for its own rooms, by `ReleaseKeys`.
    """
    room, match = _played_by(user, world)
    if room is None or match is None or match.paused or match.pace == "free":
        return []
    if not owns(room.id, world, context):
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


class LosePlayer(MatchCommand, frozen=True):
    """Decide what the loss of a player's last socket at `since` means for their live match.

    It follows from the end of a socket on another node, or of that node itself.
    """

    user: UserId
    since: Position

    def decide(self, world: World, context: Context) -> list[Event]:
        """Pause the match, unless that has been decided, or the player is back."""
        match = world.matches.live.get(self.match)
        if match is None or match.pace == "free" or match.paused_at > self.since:
            return []
        room = world.rooms.rooms[room_of(match.id)]
        index = room.seat_of(self.user)
        if index is None or room.seats[index].away_since != self.since:
            return []
        return handle_lost_player(room, match, index, context)


class ReleaseKeys(MatchCommand, frozen=True):
    """Release the keys that a socket holds in a live match, which it does not play any more."""

    user: UserId
    socket: SocketId

    def decide(self, world: World, context: Context) -> list[Event]:
        """Release them, if it holds any."""
        room = world.rooms.rooms.get(room_of(self.match))
        if room is None or room.match != self.match or room.seat_of(self.user) is None:
            return []
        return release_keys_of_tab(self.user, self.socket, world, context)


def _played_by(user: UserId, world: World) -> tuple[Room | None, Match | None]:
    """Return the room where `user` has a seat, and its running match, if any."""
    room = world.rooms.rooms.get(world.rooms.seated.get(user, ""))
    return room, world.matches.live.get(room.match or "") if room else None
