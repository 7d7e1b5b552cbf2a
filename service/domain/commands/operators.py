"""Commands of operators: they need no seat, and every one is logged with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from service.domain.commands.boundaries import RoomCommand
from service.domain.commands.ending import void_match
from service.domain.commands.rooms import new_host
from service.domain.commands.seats import continue_without, play_on_without, stop_spectating
from service.domain.errors import MatchNotRunning, NodesTooOld, NotInRoom
from service.domain.events.access import SessionsRevoked
from service.domain.events.base import Event, room_stream, user_stream
from service.domain.events.matches import room_of
from service.domain.events.operators import OperatorActed
from service.domain.events.rooms import RoomClosed, SeatLeft
from service.domain.ids import MatchId, RoomId, UserId

if TYPE_CHECKING:
    from service.domain.commands.base import Context
    from service.domain.projections.world import World


class KickMember(RoomCommand, frozen=True):
    """Remove a player or spectator from a room, also from a running match, and ban them there."""

    target: UserId
    reason: str = ""

    def streams(self, _world: World) -> set[str]:
        """The room and the member."""
        return {room_stream(self.room), user_stream(self.target)}

    def decide(self, world: World, context: Context) -> list[Event]:
        """Kick them; in a match of two the other player wins, as if the player had left."""
        room = world.rooms.get(self.room)
        acted = checked_action(
            world,
            OperatorActed(action="kick", room=room.id, user=self.target, reason=self.reason),
        )
        if self.target in room.spectators:
            return [acted, *stop_spectating(room, self.target, "kicked")]
        index = room.seat_of(self.target)
        if index is None:
            raise NotInRoom("That user is not in this room.")
        leavers = {self.target}
        gone = SeatLeft(room=room.id, user=self.target, reason="kicked")
        match = world.matches.live.get(room.match or "")
        if match is not None:
            follows = play_on_without(room, match, index, "left", context)
        elif set(room.members) <= leavers:
            follows = [RoomClosed(room=room.id, reason="operator")]
        else:
            follows = continue_without(room, leavers, context)
        return [acted, gone, *new_host(room, leavers), *follows]


class CloseRoom(RoomCommand, frozen=True):
    """Close a room with all of its members; a running match of it is void."""

    reason: str = ""

    def decide(self, world: World, context: Context) -> list[Event]:
        """Void the match, if there is one, and close the room."""
        room = world.rooms.get(self.room)
        acted = checked_action(
            world, OperatorActed(action="close_room", room=room.id, reason=self.reason)
        )
        match = world.matches.live.get(room.match or "")
        voided = []
        if match is not None:
            voided = [void_match(match, context.match_snapshot(match.id).tick)]
        return [acted, *voided, RoomClosed(room=room.id, reason="operator")]


class EndMatch(RoomCommand, frozen=True):
    """Void the running match of a room, which stays; there is no result."""

    match: MatchId
    reason: str = ""

    def decide(self, world: World, context: Context) -> list[Event]:
        """Void it; raise `MatchNotRunning` unless it is running or paused."""
        match = world.matches.live.get(self.match)
        if match is None or room_of(match.id) != self.room:
            raise MatchNotRunning("This match is over; there is nothing to void.")
        acted = checked_action(
            world,
            OperatorActed(action="void_match", room=self.room, match=match.id, reason=self.reason),
        )
        return [acted, void_match(match, context.match_snapshot(match.id).tick)]


class RevokeSessions(msgspec.Struct, frozen=True):
    """Revoke the tokens that a user has until now."""

    user: UserId
    now_s: int
    reason: str = ""

    def streams(self, _world: World) -> set[str]:
        """The user."""
        return {user_stream(self.user)}

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Revoke the tokens issued until `now_s`."""
        revoked = SessionsRevoked(user=self.user, until_s=self.now_s)
        if world.nodes.level < OperatorActed.needs_level:
            # It must not wait until all nodes are of this version.
            return [revoked]
        acted = OperatorActed(action="revoke", user=self.user, reason=self.reason)
        return [acted, revoked]


class NoteAction(msgspec.Struct, frozen=True):
    """Record what an operator does that changes nothing in the log itself.

    A message goes to a room, to a user, or with neither to all.
    """

    action: Literal["message", "retry_delivery"]
    room: RoomId | None = None
    user: UserId | None = None
    match: MatchId | None = None
    reason: str = ""

    def streams(self, _world: World) -> set[str]:
        """Nothing: it changes no state."""
        return set()

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Record it; raise `RoomNotFound`."""
        if self.room is not None:
            world.rooms.get(self.room)
        note = OperatorActed(
            action=self.action,
            room=self.room,
            user=self.user,
            match=self.match,
            reason=self.reason,
        )
        return [checked_action(world, note)]


def checked_action(world: World, event: OperatorActed) -> OperatorActed:
    """Return the event; raise `NodesTooOld` while a node runs that can't read it."""
    if world.nodes.level < OperatorActed.needs_level:
        raise NodesTooOld
    return event
