"""Refill the backlog at start, so that clients can resume across a restart.

Who gets a frame depends on the world as it was at each event. So a world from before the last part
of the log is brought to its end once more, beside the one that the service goes on with. Of a match
with ticks nothing but its beginning, pauses and end has frames; its inputs are not even read.
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
    from service.eventstore.reader import StoredEvent
    from service.eventstore.records import RecordedEvent
    from service.fanout.audience import Message
    from service.fanout.profiles import Profiles

logger = get_logger(__name__)


def keep(backlog: Backlog, message: Message, position: Position) -> bytes | None:
    """Put a durable delivery into the backlog, and return its frame; None for other messages."""
    if not isinstance(message, Delivery) or not isinstance(message.audience, Users):
        return None
    if not message.durable or message.v1 is None:
        return None
    kept = frame(message.v1, position)
    backlog.add(position, message.audience.users, kept)
    return kept


class Ages:
    """Translates times of the log into seconds of a clock that never goes back."""

    def __init__(self, wall_us: int, now: float) -> None:
        """Take what both clocks show now; the log's is in microseconds since 1970."""
        self._wall_us = wall_us
        self._now = now
        self._last = float("-inf")

    def at(self, recorded_at: int) -> float:
        """Return when that was; nothing was later than now, nor before what came before it."""
        age_s = max(0.0, (self._wall_us - recorded_at) / 1_000_000)
        self._last = max(self._last, self._now - age_s)
        return self._last


class Refill:
    """Brings an older world to the end of the log, and keeps what it told."""

    def __init__(
        self,
        backlog: Backlog,
        world: World,
        people: Profiles,
        ages: Ages,
        remember: Callable[[RecordedEvent], None],
    ) -> None:
        """Begin with `world`; `remember` gets the events of commands that have an id."""
        self._backlog = backlog
        self._world = world
        self._people = people
        self._ages = ages
        self._remember = remember

    def streams_with_moves(self, begun: Iterable[Event]) -> set[str]:
        """Name the matches whose inputs clients are told of; `begun` are those that came later."""
        started = [event for event in begun if isinstance(event, MatchStarted)]
        live = self._world.matches.live.values()
        return {event.stream for event in started if event.pace != "ticks"} | {
            match_stream(match.id) for match in live if match.pace != "ticks"
        }

    def take(self, stored: StoredEvent) -> None:
        """Take the next event of the log; inputs of other matches may be left out."""
        self._take(stored.decoded())

    def _take(self, recorded: RecordedEvent) -> None:
        event, position = recorded.event, recorded.position
        messages: list[Message] = []
        self._messages_of(recorded, before_fold, messages)
        self._world.fold(event, position)
        self._remember(recorded)
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
        """Add what clients were told; a fault there costs the messages of this event alone."""
        try:
            messages += make(recorded.event, self._world, self._people)
        except Exception:
            logger.exception(
                "delivery failed",
                error_type="internal_error",
                metadata={"event": recorded.event.type, "position": recorded.position},
            )
