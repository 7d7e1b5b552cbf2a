"""Projection of matchmaking: its state, and how it folds events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.domain.events.base import Position
from service.domain.events.matches import MatchStarted
from service.domain.events.matchmaking import (
    SearchBotOffered,
    SearchCancelled,
    SearchGaveUp,
    SearchStarted,
)
from service.domain.events.presence import UserWentOffline
from service.domain.events.rooms import PlayerSeated, RoomCreated
from service.domain.ids import UserId

if TYPE_CHECKING:
    from service.domain.projections.presence import Presence


class Matchmaking(msgspec.Struct):
    """The queues by game: users in the order of joining, with the position of that event."""

    offered: dict[UserId, list[str]] = {}
    """The games of whose searches each user was offered a bot."""

    queues: dict[str, dict[UserId, Position]] = {}

    def waiting_since(self, user: UserId, game: str) -> Position | None:
        """Return the position of the event by which `user` joined the queue, or None."""
        return self.queues.get(game, {}).get(user)

    def opponents_of(self, user: UserId, game: str, presence: Presence) -> list[UserId]:
        """Return the connected user who has waited longest, as a list of at most one."""
        queue = self.queues.get(game, {})
        return [other for other in queue if other != user and presence.is_connected(other)][:1]

    def searched_by(self, user: UserId) -> list[str]:
        """Return the games in whose queues `user` waits."""
        return [game for game, queue in self.queues.items() if user in queue]

    def on_search_started(self, event: SearchStarted, position: Position) -> None:
        """Add the user to the queue."""
        self.queues.setdefault(event.game, {})[event.user] = position

    def is_offered_bot(self, user: UserId, game: str) -> bool:
        """Return whether `user`, who waits for an opponent, was offered a bot."""
        return game in self.offered.get(user, ())

    def on_search_bot_offered(self, event: SearchBotOffered, _position: Position) -> None:
        """Record the offer, unless the search is over."""
        if self.waiting_since(event.user, event.game) is not None:
            self.offered.setdefault(event.user, []).append(event.game)

    def on_search_ended(self, event: SearchCancelled | SearchGaveUp, _position: Position) -> None:
        """Remove the user from the queue of this game."""
        self._drop_from(event.game, event.user)

    def on_user_went_offline(self, event: UserWentOffline, _position: Position) -> None:
        """Remove the user from all queues."""
        self._drop(event.user)

    def on_room_created(self, event: RoomCreated, _position: Position) -> None:
        """Remove the players from all queues."""
        for user in event.players:
            self._drop(user)

    def on_player_seated(self, event: PlayerSeated, _position: Position) -> None:
        """Remove the player from all queues."""
        self._drop(event.user)

    def on_match_started(self, event: MatchStarted, _position: Position) -> None:
        """Remove the players of a rematch from all queues."""
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
        offered = self.offered.get(user, [])
        if game in offered:
            offered.remove(game)
            if not offered:
                del self.offered[user]


FOLD = {
    SearchStarted: Matchmaking.on_search_started,
    SearchBotOffered: Matchmaking.on_search_bot_offered,
    SearchCancelled: Matchmaking.on_search_ended,
    SearchGaveUp: Matchmaking.on_search_ended,
    UserWentOffline: Matchmaking.on_user_went_offline,
    RoomCreated: Matchmaking.on_room_created,
    PlayerSeated: Matchmaking.on_player_seated,
    MatchStarted: Matchmaking.on_match_started,
}
