"""Matchmaking: one queue per game, first come first served, one entry per user."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec

from service.domain.event import Event, Position, queue_stream, user_stream
from service.domain.ids import UserId
from service.domain.matches import MatchStarted
from service.domain.presence import UserWentOffline
from service.domain.rooms import PlayerSeated, RoomCreated
from service.domain.seats import check_game, room_for
from service.errors import ClientError

if TYPE_CHECKING:
    from service.domain.command import Context
    from service.domain.presence import Presence
    from service.domain.world import World


class AlreadySearching(ClientError):
    """You are in the queue already, maybe by another tab; leave it first or wait."""

    code = "ALREADY_SEARCHING"


class _QueueEvent(Event, frozen=True):
    user: UserId
    game: str

    @property
    def stream(self) -> str:
        """The user's own stream."""
        return user_stream(self.user)


class SearchStarted(_QueueEvent, frozen=True):
    """A user waits for an opponent."""

    type: ClassVar[str] = "search.started"


class SearchCancelled(_QueueEvent, frozen=True):
    """A user waits no longer."""

    type: ClassVar[str] = "search.cancelled"


class SearchGaveUp(_QueueEvent, frozen=True):
    """No opponent was found in time."""

    type: ClassVar[str] = "search.gave_up"


class Matchmaking(msgspec.Struct):
    """Who waits, by game, in the order of coming, with the event that began it."""

    queues: dict[str, dict[UserId, Position]] = {}

    def waiting_since(self, user: UserId, game: str) -> Position | None:
        """Return when `user` began to wait, or None."""
        return self.queues.get(game, {}).get(user)

    def opponents_of(self, user: UserId, game: str, presence: Presence) -> list[UserId]:
        """The other user who waits longest of those who are here, if there is one."""
        queue = self.queues.get(game, {})
        return [other for other in queue if other != user and presence.is_here(other)][:1]

    def streams_of_return(self, user: UserId, world: World) -> set[str]:
        """Name what is decided on when a socket of `user` opens: the queues where he waits."""
        if world.presence.is_here(user):
            return set()
        games = self._searched_by(user)
        players = [one for game in games for one in self.opponents_of(user, game, world.presence)]
        streams = {queue_stream(game) for game in games}
        streams |= {user_stream(player) for player in players}
        return streams | (world.rooms.streams_of([user, *players]) if players else set())

    def returns(self, user: UserId, world: World, context: Context) -> list[Event]:
        """Pair `user`, who was away and comes back, with who waits longest."""
        if world.presence.is_here(user):
            return []
        for game in self._searched_by(user):
            opponents = self.opponents_of(user, game, world.presence)
            # After a start with other games the queue of one that is gone may still stand.
            if opponents and context.games.get(game) is not None:
                return room_for([*opponents, user], game, world, context)
        return []

    def _searched_by(self, user: UserId) -> list[str]:
        return [game for game, queue in self.queues.items() if user in queue]

    def started(self, event: SearchStarted, position: Position) -> None:
        """Let the user wait."""
        self.queues.setdefault(event.game, {})[event.user] = position

    def ended(self, event: SearchCancelled | SearchGaveUp, _position: Position) -> None:
        """Let the user wait no longer for this game."""
        self._drop_from(event.game, event.user)

    def went_offline(self, event: UserWentOffline, _position: Position) -> None:
        """Who is gone does not wait."""
        self._drop(event.user)

    def room_created(self, event: RoomCreated, _position: Position) -> None:
        """Who plays does not wait."""
        for user in event.players:
            self._drop(user)

    def player_seated(self, event: PlayerSeated, _position: Position) -> None:
        """Who sits in a host's room does not wait."""
        self._drop(event.user)

    def match_started(self, event: MatchStarted, _position: Position) -> None:
        """Who plays a rematch does not wait."""
        for user in event.players:
            self._drop(user)

    def _drop(self, user: UserId) -> None:
        for game in list(self.queues):
            self._drop_from(game, user)

    def _drop_from(self, game: str, user: UserId) -> None:
        queue = self.queues.get(game, {})
        if queue.pop(user, None) is None:
            return
        if not queue:
            del self.queues[game]


class JoinQueue(msgspec.Struct, frozen=True):
    """Look for an opponent."""

    user: UserId
    game: str

    def streams(self, world: World) -> set[str]:
        """The queue, the user, whoever would be paired with him, and the rooms that they leave."""
        players = [self.user, *self._opponents(world)]
        return (
            {queue_stream(self.game)}
            | {user_stream(player) for player in players}
            | world.rooms.streams_of(players)
        )

    def decide(self, world: World, context: Context) -> list[Event]:
        """Pair the user with who waits longest, or let him wait."""
        check_game(self.game, context)
        if world.matchmaking.waiting_since(self.user, self.game) is not None:
            raise AlreadySearching
        world.presence.check_here([self.user])
        world.rooms.check_free(self.user)
        opponents = self._opponents(world)
        if not opponents:
            return [SearchStarted(user=self.user, game=self.game)]
        return room_for([*opponents, self.user], self.game, world, context)

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


FOLD = {
    SearchStarted: Matchmaking.started,
    SearchCancelled: Matchmaking.ended,
    SearchGaveUp: Matchmaking.ended,
    UserWentOffline: Matchmaking.went_offline,
    RoomCreated: Matchmaking.room_created,
    PlayerSeated: Matchmaking.player_seated,
    MatchStarted: Matchmaking.match_started,
}
