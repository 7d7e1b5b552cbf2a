"""The messages of events from before a start, so that clients can resume across a restart.

The recipients of a frame depend on the world at the time of its event. So a second, older world is
folded, separately from the current one. Inputs of matches with ticks have no frames, and are not
read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.domain.events.base import match_stream
from service.domain.events.matches import MatchStarted
from service.edge.frames import frame
from service.fanout.audience import Delivery, Users
from service.fanout.rules import after_fold, before_fold
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from service.domain.events.base import Event, Position
    from service.domain.projections.world import World
    from service.edge.backlog import Backlog
    from service.eventstore.records import RecordedEvent
    from service.eventstore.stored import StoredEvent
    from service.fanout.audience import Message
    from service.fanout.profiles import Profiles

logger = get_logger(__name__)


def keep(backlog: Backlog, message: Message, position: Position) -> bytes | None:
    """Add a durable message for users to the backlog; return its frame, or None for others."""
    if not isinstance(message, Delivery) or not isinstance(message.audience, Users):
        return None
    if not message.durable or message.v1 is None:
        return None
    kept = frame(message.v1, position)
    backlog.add(position, message.audience.users, kept)
    return kept


class Ages:
    """Converts times of the log to seconds of the monotonic clock."""

    def __init__(self, wall_us: int, now: float) -> None:
        """Take the time now by both clocks; that of the log is in microseconds since 1970."""
        self._wall_us = wall_us
        self._now = now
        self._last = float("-inf")

    def at(self, recorded_at: int) -> float:
        """Return the monotonic time; it never decreases, and is never later than now."""
        age_s = max(0.0, (self._wall_us - recorded_at) / 1_000_000)
        self._last = max(self._last, self._now - age_s)
        return self._last


class Refill:
    """Folds events into an older world, and fills a backlog with their messages."""

    def __init__(
        self,
        backlog: Backlog,
        world: World,
        profiles: Profiles,
        ages: Ages,
    ) -> None:
        """Begin with `world`."""
        self._backlog = backlog
        self._world = world
        self._profiles = profiles
        self._ages = ages

    def streams_with_moves(self, begun: Iterable[Event]) -> set[str]:
        """Return the streams of matches whose inputs are sent to clients.

        `begun` are the events of the tail that may start a match.
        """
        started = [event for event in begun if isinstance(event, MatchStarted)]
        live = self._world.matches.live.values()
        return {event.stream for event in started if event.pace != "ticks"} | {
            match_stream(match.id) for match in live if match.pace != "ticks"
        }

    def fold(self, stored: StoredEvent) -> None:
        """Fold the next event; inputs of other matches than `streams_with_moves` may be missing."""
        self._fold(stored.decoded())

    def _fold(self, recorded: RecordedEvent) -> None:
        event, position = recorded.event, recorded.position
        messages: list[Message] = []
        self._messages_of(recorded, before_fold, messages)
        self._world.fold(event, position)
        self._messages_of(recorded, after_fold, messages)
        for message in messages:
            keep(self._backlog, message, position)
        self._backlog.close(position, self._ages.at(recorded.recorded_at))

    def _messages_of(
        self,
        recorded: RecordedEvent,
        make: Callable[..., Iterable[Message]],
        messages: list[Message],
    ) -> None:
        """Add the messages of a fan-out rule; a fault costs the messages of this event alone."""
        try:
            messages += make(recorded.event, self._world, self._profiles)
        except Exception:
            logger.exception(
                "delivery failed",
                error_type="internal_error",
                metadata={"event": recorded.event.type, "position": recorded.position},
            )
