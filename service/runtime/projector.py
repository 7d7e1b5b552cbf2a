"""Fold committed events into the world, and publish what follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from service.fanout.rules import after_fold, before_fold, renamed
from service.telemetry import Metrics, note_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from service.domain.events.base import Event, Position
    from service.domain.ids import UserId
    from service.domain.projections.world import World
    from service.eventstore.records import RecordedEvent
    from service.fanout.audience import Message
    from service.fanout.profiles import Profiles
    from service.runtime.idempotency import CommandResults
    from service.telemetry import FaultPart


class Publisher(Protocol):
    """Sends messages to clients."""

    def publish(self, message: Message, position: Position = 0, /) -> None:
        """Send `message` to its audience; `position` is that of its event, 0 without one."""

    def published(self, position: Position, /) -> None:
        """Called after all messages of the event at `position` were published."""


class Observer(Protocol):
    """Called with each event after it has been folded."""

    def __call__(self, event: Event, position: Position, /) -> None:
        """Called with one event and its position."""


class Projector:
    """Applies recorded events in order: to the world, the idempotency store, and the observers."""

    def __init__(
        self,
        world: World,
        profiles: Profiles,
        publisher: Publisher,
        results: CommandResults,
        metrics: Metrics,
    ) -> None:
        """Change `world` and `results`, and publish by `publisher`."""
        self._world = world
        self._profiles = profiles
        self._publisher = publisher
        self._results = results
        self._metrics = metrics
        self._observers: list[Observer] = []

    def subscribe(self, observer: Observer) -> None:
        """Call `observer` with each event, after those that were subscribed before."""
        self._observers.append(observer)

    def apply(self, recorded: RecordedEvent) -> None:
        """Fold an event, publish its messages, and call the observers; raise `FoldFailed`."""
        self._fold(recorded)
        for observe in self._observers:
            try:
                observe(recorded.event, recorded.position)
            except Exception as error:  # noqa: BLE001 - it harms this observer and event alone
                self._note(error, "observer", recorded)

    def show_names(self, users: Iterable[UserId]) -> None:
        """Publish the new names of users who are online."""
        try:
            for user in users:
                for message in renamed(user, self._world):
                    self._publisher.publish(message)
        except Exception as error:  # noqa: BLE001 - the name is kept, and is shown later
            note_fault(self._metrics, "delivery", error)

    def _fold(self, recorded: RecordedEvent) -> None:
        """Fold an event and publish what follows from it.

        Raises `FoldFailed`. Any other fault costs the message, or what follows from this event.
        """
        event, position = recorded.event, recorded.position
        messages: list[Message] = []
        self._collect(messages, before_fold, recorded)
        self._world.fold(event, position)
        try:
            self._results.record(recorded)
        except Exception as error:  # noqa: BLE001 - only the id of this command is not known again
            self._note(error, "command", recorded)
        self._collect(messages, after_fold, recorded)
        for message in messages:
            try:
                self._publisher.publish(message, position)
            except Exception as error:  # noqa: BLE001 - it harms this message alone
                self._note(error, "delivery", recorded)
        try:
            self._publisher.published(position)
        except Exception as error:  # noqa: BLE001 - as above
            self._note(error, "delivery", recorded)

    def _collect(
        self,
        messages: list[Message],
        rule: Callable[[Event, World, Profiles], Iterable[Message]],
        recorded: RecordedEvent,
    ) -> None:
        """Add the messages of a delivery rule, up to where it fails."""
        try:
            messages += rule(recorded.event, self._world, self._profiles)
        except Exception as error:  # noqa: BLE001 - the event is folded in any case
            self._note(error, "delivery", recorded)

    def _note(self, error: Exception, part: FaultPart, recorded: RecordedEvent) -> None:
        note_fault(
            self._metrics, part, error, position=recorded.position, event=recorded.event.type
        )
