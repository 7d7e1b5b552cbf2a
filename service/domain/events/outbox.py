"""Events of the outbox."""

from __future__ import annotations

from typing import ClassVar, TypeAlias

from service.domain.events.base import Event
from service.domain.ids import MatchId

USER_SERVICE = "user-service"
"""The consumer that the contract names; all others are webhooks."""


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
