"""Projection of the outbox: its state, and how it folds events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.domain.events.base import Position
from service.domain.events.matches import MatchEnded
from service.domain.events.outbox import (
    USER_SERVICE,
    WITHOUT_RESULT,
    Consumer,
    ConsumerSubscribed,
    ConsumerUnsubscribed,
    ResultDelivered,
    ResultRejected,
    ResultRequeued,
    _ResultEvent,
)
from service.domain.ids import MatchId, UserId

if TYPE_CHECKING:
    from collections.abc import Sequence


PLAYERS_OF_USER_SERVICE = 2
"""The user service stores matches of two players only."""


def reporting_seat(players: Sequence[UserId]) -> int:
    """Return the seat of the player with the higher id, who is the user service's `player1`.

    Integers go by their value, texts by their code points, and any text is above any integer.
    """

    def rank(seat: int) -> tuple[bool, int, str]:
        user = players[seat]
        return (False, user, "") if isinstance(user, int) else (True, 0, user)

    return max(range(len(players)), key=rank)


def is_delivered_to(consumer: Consumer, event: MatchEnded) -> bool:
    """Return whether the result of a match is delivered to a consumer.

    The user service gets those between two people: a bot has no account there.
    """
    if event.reason in WITHOUT_RESULT:
        return False
    is_of_people = len(event.scores) == PLAYERS_OF_USER_SERVICE and not event.bots
    return consumer != USER_SERVICE or is_of_people


class Outbox(msgspec.Struct):
    """Consumers, the matches that each is still to get, and counts of outcomes."""

    consumers: set[Consumer] = set()
    waiting: dict[Consumer, set[MatchId]] = {}
    delivered: dict[Consumer, int] = {}
    """Number of results delivered to each consumer, ever."""
    rejected: dict[Consumer, int] = {}

    def on_consumer_subscribed(self, event: ConsumerSubscribed, _position: Position) -> None:
        """Collect matches for the consumer."""
        self.consumers.add(event.consumer)

    def on_consumer_unsubscribed(self, event: ConsumerUnsubscribed, _position: Position) -> None:
        """Stop collecting matches for the consumer."""
        self.consumers.discard(event.consumer)

    def on_match_ended(self, event: MatchEnded, _position: Position) -> None:
        """Add the match for each consumer that it is delivered to."""
        for consumer in self.consumers:
            if is_delivered_to(consumer, event):
                self.waiting.setdefault(consumer, set()).add(event.match)

    def on_result_delivered(self, event: ResultDelivered, _position: Position) -> None:
        """Remove the match, and count it as delivered."""
        self._settle(event, self.delivered)

    def on_result_rejected(self, event: ResultRejected, _position: Position) -> None:
        """Remove the match, and count it as rejected."""
        self._settle(event, self.rejected)

    def on_result_requeued(self, event: ResultRequeued, _position: Position) -> None:
        """Add the match again."""
        self.waiting.setdefault(event.consumer, set()).add(event.match)

    def _settle(self, event: _ResultEvent, counts: dict[Consumer, int]) -> None:
        waiting = self.waiting.get(event.consumer, set())
        waiting.discard(event.match)
        if not waiting:
            self.waiting.pop(event.consumer, None)
        counts[event.consumer] = counts.get(event.consumer, 0) + 1


FOLD = {
    ConsumerSubscribed: Outbox.on_consumer_subscribed,
    ConsumerUnsubscribed: Outbox.on_consumer_unsubscribed,
    MatchEnded: Outbox.on_match_ended,
    ResultDelivered: Outbox.on_result_delivered,
    ResultRejected: Outbox.on_result_rejected,
    ResultRequeued: Outbox.on_result_requeued,
}
