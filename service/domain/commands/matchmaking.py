"""Commands of matchmaking."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.domain.commands.seats import check_game, create_room_for
from service.domain.errors import AlreadySearching
from service.domain.events.base import Event, Position, queue_stream, user_stream
from service.domain.events.matchmaking import SearchCancelled, SearchGaveUp, SearchStarted
from service.domain.ids import UserId

if TYPE_CHECKING:
    from service.domain.commands.base import Context
    from service.domain.projections.world import World


class JoinQueue(msgspec.Struct, frozen=True):
    """Look for an opponent."""

    user: UserId
    game: str

    def streams(self, world: World) -> set[str]:
        """The queue, the user, whoever would be paired with them, and the rooms that they leave."""
        players = [self.user, *self._opponents(world)]
        return (
            {queue_stream(self.game)}
            | {user_stream(player) for player in players}
            | world.rooms.streams_of(players)
        )

    def decide(self, world: World, context: Context) -> list[Event]:
        """Pair the user with who waits longest, or let them wait."""
        check_game(self.game, context)
        if world.matchmaking.waiting_since(self.user, self.game) is not None:
            raise AlreadySearching
        world.presence.check_connected([self.user])
        world.rooms.check_free(self.user)
        opponents = self._opponents(world)
        if not opponents:
            return [SearchStarted(user=self.user, game=self.game)]
        return create_room_for([*opponents, self.user], self.game, world, context)

    def _opponents(self, world: World) -> list[UserId]:
        return world.matchmaking.opponents_of(self.user, self.game, world.presence)


class LeaveQueue(msgspec.Struct, frozen=True):
    """Stop looking for an opponent."""

    user: UserId
    game: str

    def streams(self, _world: World) -> set[str]:
        """The queue and the user."""
        return {queue_stream(self.game), user_stream(self.user)}

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Cancel the search, if there is one."""
        if world.matchmaking.waiting_since(self.user, self.game) is None:
            return []
        return [SearchCancelled(user=self.user, game=self.game)]


class GiveUpSearch(msgspec.Struct, frozen=True):
    """The time for the search that began at `since` is over."""

    user: UserId
    game: str
    since: Position

    def streams(self, _world: World) -> set[str]:
        """The queue and the user."""
        return {queue_stream(self.game), user_stream(self.user)}

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Give up, unless the search has ended."""
        if world.matchmaking.waiting_since(self.user, self.game) != self.since:
            return []
        return [SearchGaveUp(user=self.user, game=self.game)]


def streams_of_return(user: UserId, world: World) -> set[str]:
    """Name what `pair_returning` decides on: the queues where `user` waits, and the opponents."""
    if world.presence.is_connected(user):
        return set()
    games = world.matchmaking.searched_by(user)
    opponents = [
        opponent
        for game in games
        for opponent in world.matchmaking.opponents_of(user, game, world.presence)
    ]
    streams = {queue_stream(game) for game in games}
    streams |= {user_stream(opponent) for opponent in opponents}
    return streams | (world.rooms.streams_of([user, *opponents]) if opponents else set())


def pair_returning(user: UserId, world: World, context: Context) -> list[Event]:
    """Pair `user`, who was away and comes back, with who waits longest."""
    if world.presence.is_connected(user):
        return []
    for game in world.matchmaking.searched_by(user):
        opponents = world.matchmaking.opponents_of(user, game, world.presence)
        # After a start with other games the queue of one that is gone may still stand.
        if opponents and context.games.get(game) is not None:
            return create_room_for([*opponents, user], game, world, context)
    return []
