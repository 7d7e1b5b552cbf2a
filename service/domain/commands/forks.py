"""The command that opens a room with a match that goes on from a state of another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.domain.commands.operators import checked_action
from service.domain.commands.rooms import newest_socket, owner_of_new_room
from service.domain.commands.seats import leave_finished_rooms
from service.domain.errors import AlreadyInRoom
from service.domain.events.base import Event, user_stream
from service.domain.events.matches import MatchEvent, MatchStarted
from service.domain.events.operators import OperatorActed
from service.domain.events.rooms import RoomCreated
from service.domain.ids import MatchId, UserId

if TYPE_CHECKING:
    from service.domain.commands.base import Context
    from service.domain.projections.world import World


class ForkMatch(msgspec.Struct, frozen=True):
    """Open a room for `players` with a match that stands, paused, where another one stood."""

    original: MatchId
    players: list[UserId]
    match: tuple[MatchEvent, ...]
    """Its events, from its start on, as those of the original."""
    reason: str = ""

    def streams(self, world: World) -> set[str]:
        """The players, and the finished rooms that they leave."""
        return set(map(user_stream, self.players)) | world.rooms.streams_of(self.players)

    def decide(self, world: World, context: Context) -> list[Event]:
        """Open it; raise `AlreadyInRoom` when a player is busy in another room."""
        for user in self.players:
            if world.rooms.is_busy(user):
                raise AlreadyInRoom(f"User {user} has a seat in another room; name other players.")
        started, *others = self.match
        if not isinstance(started, MatchStarted):
            raise TypeError(started)
        room = context.new_room_id()
        match, near = f"{room}-1", newest_socket(self.players[0], world)
        replace = msgspec.structs.replace
        created = RoomCreated(
            room=room,
            game=started.game,
            players=self.players,
            options=started.options,
            seats_min=len(self.players),
            seats_max=len(self.players),
            visibility="private",
            spectators_max=context.rules.spectators_max,
            owner=owner_of_new_room(room, started.game, near, world, context),
        )
        return [
            *leave_finished_rooms(self.players, world, context),
            created,
            replace(started, match=match, players=self.players),
            *(replace(event, match=match) for event in others),
            # Last, so that who follows it finds the match.
            checked_action(
                world,
                OperatorActed(
                    action="fork", room=room, match=match, reason=self.reason or self.original
                ),
            ),
        ]
