"""Commands of the outbox: subscriptions, and the outcomes of deliveries."""

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
    """The result of a match as consumers get it; times are in microseconds since 1970."""

    id: MatchId
    game: str
    players: list[UserId]
    scores: list[int]
    reason: str
    winner: int | None
    started_at: int
    ended_at: int


class Delivered(msgspec.Struct, frozen=True):
    """The consumer confirmed the result."""


class Rejected(msgspec.Struct, frozen=True):
    """The consumer rejected the result for good."""

    status: int
    reason: str


class Indeterminate(msgspec.Struct, frozen=True):
    """It is unknown whether the consumer has the result: deliver it again, under the same key."""

    reason: str
    status: int | None = None


class AwaitingToken(msgspec.Struct, frozen=True):
    """Delivery needs a token, and waits until its player connects with a new one."""

    reason: str


Outcome: TypeAlias = Delivered | Rejected | Indeterminate | AwaitingToken


class Subscribe(msgspec.Struct, frozen=True):
    """Subscribe the consumers that are configured, and unsubscribe all others.

    A node that joins others unsubscribes none, which may be configured there.
    """

    consumers: frozenset[Consumer]

    def streams(self, world: World) -> set[str]:
        """All consumers that are configured, or were before."""
        return {outbox_stream(one) for one in self.consumers | world.outbox.consumers}

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Subscribe new consumers, and unsubscribe those no longer configured."""
        before = world.outbox.consumers
        gone = set() if len(world.nodes.live) > 1 else before - self.consumers
        return [
            *(ConsumerUnsubscribed(consumer=one) for one in sorted(gone)),
            *(ConsumerSubscribed(consumer=one) for one in sorted(self.consumers - before)),
        ]


class Settle(msgspec.Struct, frozen=True):
    """Record that a consumer confirmed or rejected the result of a match."""

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
    """Put a rejected result back into the outbox."""

    consumer: Consumer
    match: MatchId

    def streams(self, _world: World) -> set[str]:
        """The consumer."""
        return {outbox_stream(self.consumer)}

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Put it back, unless it is pending."""
        if self.match in world.outbox.waiting.get(self.consumer, ()):
            return []
        return [ResultRequeued(consumer=self.consumer, match=self.match)]
