"""Hand the events of the log to the fold in order, whoever appended them.

Batches come from this node's own commits, from the bus and from the database, in any order, more
than once, or not at all. The fold sees the positions 1, 2, 3, ... each once.
"""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING

import msgspec

from service.domain.personal_data import NO_PERSONAL_DATA, PersonalData
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.domain.events.base import Position
    from service.eventstore.records import RecordedEvent

WAITING_EVENTS_MAX = 20_000
"""How many events are kept that can't be folded yet; later ones are read from the database."""

logger = get_logger(__name__)


class Batch(msgspec.Struct, frozen=True, gc=False):
    """All events of the log in a range of positions, but for skipped ones."""

    after: Position
    """The position before the first one."""
    until: Position
    """The position of the last one."""
    events: Sequence[RecordedEvent]
    personal_data: PersonalData = NO_PERSONAL_DATA
    """The names and texts that came with the events; what this node has appended has them already.

    A batch without events carries the names of users who were renamed.
    """


class Follower:
    """Folds batches in the order of the log, and tells callers when a position is folded."""

    def __init__(self, position: Position, fold: Callable[[Batch], None]) -> None:
        """Continue after `position`; `fold` takes each batch without what was folded before."""
        self.position = position
        self.head = position
        """The greatest position that is known to be in the log."""
        self._fold = fold
        self._waiting: dict[Position, Batch] = {}
        """Batches behind a gap, by the position before their first event."""
        self._waiting_events = 0
        self._callers: list[tuple[Position, int, Callable[[], None]]] = []
        """Those who wait for a position, as a heap."""
        self._numbers = count()

    @property
    def is_behind(self) -> bool:
        """Whether the log has events that are not folded."""
        return self.position < self.head

    def take(self, batch: Batch) -> None:
        """Fold a batch, and those that waited for it; or keep it behind a gap.

        Raises what the fold raises; nothing may be folded after that.
        """
        self.note_head(batch.until)
        if batch.after == batch.until:
            # Renamed users, which no event tells.
            self._fold(batch)
            return
        if batch.after > self.position:
            self._keep(batch)
            return
        self._advance(batch)
        # Before the next batch: states of a match are shown before its end is folded.
        self._call()
        while self._waiting:
            # What overlaps was cut; so the first one that is left is next, or stands behind a gap.
            first = min(self._waiting)
            if first > self.position:
                break
            waiting = self._waiting.pop(first)
            self._waiting_events -= len(waiting.events)
            self._advance(waiting)
            self._call()

    def note_head(self, position: Position) -> None:
        """Take note that the log reaches up to `position`."""
        self.head = max(self.head, position)

    def when_folded(self, position: Position, done: Callable[[], None]) -> None:
        """Call `done` once `position` is folded; at once if it is."""
        if position <= self.position:
            _call(done)
        else:
            heapq.heappush(self._callers, (position, next(self._numbers), done))

    def release(self) -> None:
        """Call all who wait for a position, since nothing will be folded any more."""
        while self._callers:
            _call(heapq.heappop(self._callers)[2])

    def _keep(self, batch: Batch) -> None:
        """Keep a batch behind a gap, unless there are too many or it is known."""
        known = self._waiting.get(batch.after)
        if known is not None:
            if known.until >= batch.until:
                return
            self._waiting_events -= len(known.events)
        if self._waiting_events + len(batch.events) > WAITING_EVENTS_MAX:
            self._waiting.pop(batch.after, None)
            return
        self._waiting[batch.after] = batch
        self._waiting_events += len(batch.events)

    def _advance(self, batch: Batch) -> None:
        """Fold what is new of a batch that is not behind a gap."""
        if batch.until <= self.position:
            return
        if batch.after < self.position:
            new = [one for one in batch.events if one.position > self.position]
            batch = Batch(self.position, batch.until, new, batch.personal_data)
        self._fold(batch)
        self.position = batch.until

    def _call(self) -> None:
        while self._callers and self._callers[0][0] <= self.position:
            _call(heapq.heappop(self._callers)[2])


def _call(done: Callable[[], None]) -> None:
    try:
        done()
    except Exception:
        # A fault of what waits for a position is none of the fold, nor of others that wait.
        logger.exception("answer failed", error_type="internal_error")
