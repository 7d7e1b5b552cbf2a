"""The outbox: every finished match, until each consumer has it or has refused it for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeAlias

import msgspec

from service.domain.event import Event, Position
from service.domain.ids import MatchId, UserId
from service.domain.matches import MatchEnded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.command import Context
    from service.domain.world import World

USER_SERVICE = "user-service"
"""The consumer that the contract names; all others are webhooks."""

PLAYERS_OF_USER_SERVICE = 2
"""The user service takes matches of one against one."""

WITHOUT_RESULT = frozenset({"abandoned", "void"})
"""Matches that ended so were not finished: there is nothing to save."""

Consumer: TypeAlias = str


def outbox_stream(consumer: Consumer) -> str:
    """Name the stream of what a consumer got."""
    return f"outbox:{consumer}"


class _ConsumerEvent(Event, frozen=True):
    consumer: Consumer

    @property
    def stream(self) -> str:
        """The consumer's own stream."""
        return outbox_stream(self.consumer)


class ConsumerSubscribed(_ConsumerEvent, frozen=True):
    """From here on this consumer gets every finished match."""

    type: ClassVar[str] = "consumer.subscribed"


class ConsumerUnsubscribed(_ConsumerEvent, frozen=True):
    """This consumer gets no more matches; those that wait for it wait for its return."""

    type: ClassVar[str] = "consumer.unsubscribed"


class _ResultEvent(_ConsumerEvent, frozen=True):
    match: MatchId


class ResultDelivered(_ResultEvent, frozen=True):
    """The consumer has this match."""

    type: ClassVar[str] = "result.delivered"


class ResultRejected(_ResultEvent, frozen=True):
    """The consumer has refused this match for good, with this HTTP status."""

    type: ClassVar[str] = "result.rejected"
    status: int


class ResultRequeued(_ResultEvent, frozen=True):
    """An operator wants a refused match to be delivered after all."""

    type: ClassVar[str] = "result.requeued"


class FinishedMatch(msgspec.Struct, frozen=True, kw_only=True):
    """What a consumer is told of a match; times are in microseconds since 1970."""

    id: MatchId
    game: str
    players: list[UserId]
    scores: list[int]
    reason: str
    winner: int | None
    started_at: int
    ended_at: int


class Delivered(msgspec.Struct, frozen=True):
    """The consumer has the match."""


class Rejected(msgspec.Struct, frozen=True):
    """The consumer will never take it."""

    status: int
    reason: str


class Unknown(msgspec.Struct, frozen=True):
    """Nobody knows whether the consumer has it: ask again, it will notice what it has."""

    reason: str
    status: int | None = None


class TokenNeeded(msgspec.Struct, frozen=True):
    """It can't be delivered before its player has come with a new token."""

    reason: str


Outcome: TypeAlias = Delivered | Rejected | Unknown | TokenNeeded


def higher(players: Sequence[UserId]) -> int:
    """Return the seat of the player with the higher id, who is the user service's `player1`.

    Integers go by their value, texts by their code points, and any text is above any integer.
    """

    def rank(seat: int) -> tuple[bool, int, str]:
        user = players[seat]
        return (False, user, "") if isinstance(user, int) else (True, 0, user)

    return max(range(len(players)), key=rank)


def gets(consumer: Consumer, event: MatchEnded) -> bool:
    """Tell whether a consumer is told of this end."""
    if event.reason in WITHOUT_RESULT:
        return False
    return consumer != USER_SERVICE or len(event.scores) == PLAYERS_OF_USER_SERVICE


class Outbox(msgspec.Struct):
    """What waits for whom."""

    consumers: set[Consumer] = set()
    waiting: dict[Consumer, set[MatchId]] = {}
    delivered: dict[Consumer, int] = {}
    """How many each has got, ever."""
    rejected: dict[Consumer, int] = {}

    def subscribed(self, event: ConsumerSubscribed, _position: Position) -> None:
        """Keep matches for it from now on."""
        self.consumers.add(event.consumer)

    def unsubscribed(self, event: ConsumerUnsubscribed, _position: Position) -> None:
        """Keep no more matches for it."""
        self.consumers.discard(event.consumer)

    def match_ended(self, event: MatchEnded, _position: Position) -> None:
        """Keep the match for everybody who is told of it."""
        for consumer in self.consumers:
            if gets(consumer, event):
                self.waiting.setdefault(consumer, set()).add(event.match)

    def was_delivered(self, event: ResultDelivered, _position: Position) -> None:
        """Let it wait no longer."""
        self._settle(event, self.delivered)

    def was_rejected(self, event: ResultRejected, _position: Position) -> None:
        """Let it wait no longer."""
        self._settle(event, self.rejected)

    def requeued(self, event: ResultRequeued, _position: Position) -> None:
        """Let it wait again."""
        self.waiting.setdefault(event.consumer, set()).add(event.match)

    def _settle(self, event: _ResultEvent, counts: dict[Consumer, int]) -> None:
        waiting = self.waiting.get(event.consumer, set())
        waiting.discard(event.match)
        if not waiting:
            self.waiting.pop(event.consumer, None)
        counts[event.consumer] = counts.get(event.consumer, 0) + 1


class Subscribe(msgspec.Struct, frozen=True):
    """These are the consumers that are configured, and no others."""

    consumers: frozenset[Consumer]

    def streams(self, world: World) -> set[str]:
        """All consumers, those of now and those of before."""
        return {outbox_stream(one) for one in self.consumers | world.outbox.consumers}

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Say what is new."""
        before = world.outbox.consumers
        return [
            *(ConsumerUnsubscribed(consumer=one) for one in sorted(before - self.consumers)),
            *(ConsumerSubscribed(consumer=one) for one in sorted(self.consumers - before)),
        ]


class Settle(msgspec.Struct, frozen=True):
    """A consumer has taken or refused a match."""

    consumer: Consumer
    match: MatchId
    outcome: Delivered | Rejected

    def streams(self, _world: World) -> set[str]:
        """The consumer."""
        return {outbox_stream(self.consumer)}

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Write it down, once."""
        if self.match not in world.outbox.waiting.get(self.consumer, ()):
            return []
        if isinstance(self.outcome, Delivered):
            return [ResultDelivered(consumer=self.consumer, match=self.match)]
        status = self.outcome.status
        return [ResultRejected(consumer=self.consumer, match=self.match, status=status)]


class Requeue(msgspec.Struct, frozen=True):
    """Deliver a refused match after all."""

    consumer: Consumer
    match: MatchId

    def streams(self, _world: World) -> set[str]:
        """The consumer."""
        return {outbox_stream(self.consumer)}

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Let it wait, unless it does."""
        if self.match in world.outbox.waiting.get(self.consumer, ()):
            return []
        return [ResultRequeued(consumer=self.consumer, match=self.match)]


FOLD = {
    ConsumerSubscribed: Outbox.subscribed,
    ConsumerUnsubscribed: Outbox.unsubscribed,
    MatchEnded: Outbox.match_ended,
    ResultDelivered: Outbox.was_delivered,
    ResultRejected: Outbox.was_rejected,
    ResultRequeued: Outbox.requeued,
}
