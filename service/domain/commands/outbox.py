"""Commands of the outbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec

from service.domain.events.base import Event
from service.domain.events.outbox import (
    Consumer,
    ConsumerSubscribed,
    ConsumerUnsubscribed,
    ResultDelivered,
    ResultRejected,
    ResultRequeued,
    outbox_stream,
)
from service.domain.ids import MatchId, UserId

if TYPE_CHECKING:
    from service.domain.commands.base import Context
    from service.domain.projections.world import World


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


class Indeterminate(msgspec.Struct, frozen=True):
    """Nobody knows whether the consumer has it: ask again, it will notice what it has."""

    reason: str
    status: int | None = None


class AwaitingToken(msgspec.Struct, frozen=True):
    """It can't be delivered before its player has come with a new token."""

    reason: str


Outcome: TypeAlias = Delivered | Rejected | Indeterminate | AwaitingToken


class Subscribe(msgspec.Struct, frozen=True):
    """These are the consumers that are configured, and no others."""

    consumers: frozenset[Consumer]

    def streams(self, world: World) -> set[str]:
        """All consumers, those of now and those of before."""
        return {outbox_stream(one) for one in self.consumers | world.outbox.consumers}

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Subscribe new consumers, and unsubscribe those no longer configured."""
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
        """Record the outcome, once."""
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
        """Put the match back in the outbox, unless it is there."""
        if self.match in world.outbox.waiting.get(self.consumer, ()):
            return []
        return [ResultRequeued(consumer=self.consumer, match=self.match)]
