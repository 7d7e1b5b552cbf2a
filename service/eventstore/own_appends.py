"""This node's own appends on their way, recognised when their events are read from the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.eventstore.plan import Committed, KeyConflict
from service.eventstore.store import LogDiverged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.events.base import Event, Position
    from service.eventstore.completions import PendingAppend
    from service.eventstore.records import RecordedEvent

FAILED_IDS_MAX = 10_000
"""How many events of failed appends are remembered."""


class OwnAppends:
    """The appends whose results are not told yet, and those that have failed.

    Whoever waits for the commit of an event knows it by its object. An event of an append that was
    reported as failed must not be folded: its match has gone on without it.
    """

    def __init__(self) -> None:
        """Start without any."""
        self._in_flight: dict[bytes, Event] = {}
        """The events of appends whose results are not told, by their ids."""
        self._found: set[bytes] = set()
        """Those of them that were read from the database to be folded."""
        self._failed: dict[bytes, None] = {}
        """The ids of events of appends that failed."""

    def sent(self, appends: Sequence[PendingAppend]) -> None:
        """Take note of appends that are on their way."""
        for append in appends:
            for proposed in append.events:
                self._in_flight[proposed.event_id] = proposed.event

    def restored(self, id_: bytes, recorded: RecordedEvent) -> RecordedEvent:
        """Return an event that was read, with its own object if it is on its way.

        Raises `LogDiverged` for one whose append was reported as failed.
        """
        if id_ in self._failed:
            raise LogDiverged
        event = self._in_flight.get(id_)
        if event is None:
            return recorded
        self._found.add(id_)
        return msgspec.structs.replace(recorded, event=event)

    def landed(
        self,
        appends: Sequence[PendingAppend],
        results: Sequence[Committed | Exception],
        position: Position,
    ) -> None:
        """Take note of results, when the events up to `position` are folded.

        Raises `LogDiverged` if one contradicts what was folded.
        """
        has_diverged = False
        for append, result in zip(appends, results, strict=True):
            if isinstance(result, Committed):
                has_diverged |= bool(result.recorded) and any(
                    # Another event was folded at its position, which the database has lost.
                    at <= position and proposed.event_id not in self._found
                    for proposed, at in zip(append.events, result.positions, strict=True)
                )
            elif not isinstance(result, KeyConflict):
                has_diverged |= any(self._fail(one.event_id) for one in append.events)
        if has_diverged:
            raise LogDiverged

    def told(self, appends: Sequence[PendingAppend]) -> None:
        """Forget appends whose results are told, since their events are folded."""
        for append in appends:
            for proposed in append.events:
                self._in_flight.pop(proposed.event_id, None)
                self._found.discard(proposed.event_id)

    def _fail(self, id_: bytes) -> bool:
        """Take note of an event of a failed append; return whether it was folded all the same."""
        self._in_flight.pop(id_, None)
        self._failed[id_] = None
        if len(self._failed) > FAILED_IDS_MAX:
            del self._failed[next(iter(self._failed))]
        return id_ in self._found
