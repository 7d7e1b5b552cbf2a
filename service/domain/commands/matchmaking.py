"""Commands of matchmaking: join and leave queues, pair players."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.domain.commands.room_options import check_pair
from service.domain.commands.seats import check_game, create_room_for
from service.domain.errors import AlreadySearching
from service.domain.events.base import Event, Position, queue_stream, user_stream
from service.domain.events.matchmaking import SearchCancelled, SearchGaveUp, SearchStarted
from service.domain.ids import UserId

if TYPE_CHECKING:
    from service.domain.commands.base import Context
    from service.domain.projections.world import World


class JoinQueue(msgspec.Struct, frozen=True):
    """Join the queue of a game."""

    user: UserId
    game: str

    def streams(self, world: World) -> set[str]:
        """The queue, the user, the opponent, and the finished rooms that they leave."""
        players = [self.user, *self._opponents(world)]
        return (
            {queue_stream(self.game)}
            | {user_stream(player) for player in players}
            | world.rooms.streams_of(players)
        )

    def decide(self, world: World, context: Context) -> list[Event]:
        """Pair the user with the one who has waited longest, or add them to the queue."""
        check_pair(check_game(self.game, context))
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
    """Leave the queue of a game."""

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
    """End a search that began at `since` and has reached the timeout."""

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
    """Return the streams that `pair_returning` needs: queues, opponents, rooms that they leave."""
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
    """Pair `user`, who returns within their grace period, with the user who has waited longest."""
    if world.presence.is_connected(user):
        return []
    for game in world.matchmaking.searched_by(user):
        opponents = world.matchmaking.opponents_of(user, game, world.presence)
        # The queue of a game that was removed may still exist.
        if opponents and context.games.get(game) is not None:
            return create_room_for([*opponents, user], game, world, context)
    return []
