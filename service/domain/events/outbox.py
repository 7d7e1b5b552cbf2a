"""Events of the outbox."""

from __future__ import annotations

from typing import ClassVar, TypeAlias

from service.domain.events.base import Event
from service.domain.ids import MatchId

USER_SERVICE = "user-service"
"""The name of the user service as a consumer; all other consumers are webhooks."""


WITHOUT_RESULT = frozenset({"abandoned", "void"})
"""Reasons of ends without a result: they are delivered to nobody."""


Consumer: TypeAlias = str


def outbox_stream(consumer: Consumer) -> str:
    """Return the name of the stream of deliveries to a consumer."""
    return f"outbox:{consumer}"


class _ConsumerEvent(Event, frozen=True):
    consumer: Consumer

    @property
    def stream(self) -> str:
        """The consumer's own stream."""
        return outbox_stream(self.consumer)


class ConsumerSubscribed(_ConsumerEvent, frozen=True):
    """A consumer gets every match that finishes from now on."""

    type: ClassVar[str] = "consumer.subscribed"


class ConsumerUnsubscribed(_ConsumerEvent, frozen=True):
    """A consumer gets no more matches; undelivered ones wait until it subscribes again."""

    type: ClassVar[str] = "consumer.unsubscribed"


class _ResultEvent(_ConsumerEvent, frozen=True):
    match: MatchId


class ResultDelivered(_ResultEvent, frozen=True):
    """A consumer confirmed the result of a match."""

    type: ClassVar[str] = "result.delivered"


class ResultRejected(_ResultEvent, frozen=True):
    """A consumer rejected the result of a match for good, with this HTTP status."""

    type: ClassVar[str] = "result.rejected"
    status: int


class ResultRequeued(_ResultEvent, frozen=True):
    """An operator put a rejected result back into the outbox."""

    type: ClassVar[str] = "result.requeued"
