"""Bases of commands by their aggregate boundary: the streams that they lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.domain.events.base import room_stream, user_stream
from service.domain.events.matches import room_of
from service.domain.ids import MatchId, RoomId, UserId

if TYPE_CHECKING:
    from service.domain.projections.world import World


class UserCommand(msgspec.Struct, frozen=True):
    """Locks a user."""

    user: UserId

    def streams(self, _world: World) -> set[str]:
        """The user."""
        return {user_stream(self.user)}


class MemberCommand(UserCommand, frozen=True):
    """Locks a room where a user acts without joining or leaving it."""

    room: RoomId

    def streams(self, _world: World) -> set[str]:
        """The room."""
        return {room_stream(self.room)}


class SeatCommand(MemberCommand, frozen=True):
    """Locks a user and a room that they are a member of."""

    def streams(self, _world: World) -> set[str]:
        """The user and the room."""
        return {user_stream(self.user), room_stream(self.room)}


class RoomCommand(msgspec.Struct, frozen=True):
    """Locks a room."""

    room: RoomId

    def streams(self, _world: World) -> set[str]:
        """The room."""
        return {room_stream(self.room)}


class MatchCommand(msgspec.Struct, frozen=True):
    """Locks the room of a match, since its seats and the match change together."""

    match: MatchId

    def streams(self, _world: World) -> set[str]:
        """The room of the match."""
        return {room_stream(room_of(self.match))}
