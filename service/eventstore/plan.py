"""Plan one transaction: the rows that a batch of appends adds, before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from service.errors import ServiceError, Unavailable
from service.eventstore.codec import encode, encode_meta
from service.eventstore.records import Head, RecordedEvent, chain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.events.base import Position
    from service.domain.personal_data import PersonalData
    from service.eventstore.records import Expect, ProposedEvent


class VersionConflict(ServiceError):
    """A stream is not at the version that the append expected."""


class KeyConflict(ServiceError):
    """Another node has appended an event with one of the keys that this append was decided on.

    Nothing of the append is in the log. It can be decided again once `position` is folded.
    """

    def __init__(self, position: Position) -> None:
        """Take the position up to which the events have to be folded first."""
        super().__init__()
        self.position = position


class NodeAlive(Unavailable):
    """The node has renewed its lease, so it can't be declared lost. Nothing is in the log."""


class Condition(msgspec.Struct, frozen=True, gc=False):
    """What an append of one of several nodes was decided on.

    It is refused with `KeyConflict` if an event after `seen` that is not its own has one of the
    keys in `needs`.
    """

    seen: Position
    """The position of the world at which it was decided."""
    needs: frozenset[str]
    """The keys that no event after `seen` may have."""
    marks: frozenset[str]
    """The keys that its events get."""


class Append(msgspec.Struct, frozen=True, gc=False):
    """Events of one caller, which are committed together or not at all."""

    events: Sequence[ProposedEvent]
    expect: Expect
    personal_data: PersonalData
    condition: Condition | None = None
    """None where no other node can append."""


class Committed(msgspec.Struct, frozen=True, gc=False):
    """The result of a committed append."""

    positions: list[Position]
    recorded: list[RecordedEvent]
    """The events that this commit added; empty if they were in the log before."""


class LogTip(Protocol):
    """The end of the log that a plan continues; the store implements it."""

    node: str
    head: Head

    def last_version(self, stream: str) -> int:
        """Return the version of the last event of `stream`, 0 when it has none."""

    def next_recorded_at(self) -> int:
        """Return the time in microseconds for the next events."""


class Plan:
    """The rows of one transaction, with versions, positions and hashes."""

    def __init__(self, tip: LogTip, seen: dict[bytes, Position] | None) -> None:
        """Continue the log at `tip`; `seen` has the positions of event ids that are in the log.

        With None no append is looked up, and the database refuses an event id that it has.
        """
        self._tip = tip
        self._seen = seen
        self._position, self._hash, self._epoch = tip.head
        self.recorded_at = tip.next_recorded_at()
        self.versions: dict[str, int] = {}
        self.values: list[object] = []
        """The values of all rows, one row after the other."""
        self.recorded: list[RecordedEvent] = []
        self.has_conflicts = False

    @property
    def head(self) -> Head:
        """The head of the log after these rows."""
        return Head(self._position, self._hash, self._epoch)

    def add(self, append: Append) -> Committed | Exception:
        """Add the rows of one append; return the result, or the `VersionConflict`."""
        if self._seen is not None:
            known = self._known(append, self._seen)
            if known is not None:
                return known
        if append.expect:
            conflict = self._conflict(append)
            if conflict is not None:
                self.has_conflicts = True
                return conflict
        first = self._position + 1
        recorded = [self._row(proposed) for proposed in append.events]
        self.recorded += recorded
        return Committed(list(range(first, self._position + 1)), recorded)

    def _known(self, append: Append, seen: dict[bytes, Position]) -> Committed | Exception | None:
        """Return the first result of an append that is in the log already, else None."""
        first = [seen.get(event.event_id) for event in append.events]
        known = [position for position in first if position is not None]
        if not known:
            return None
        if len(known) == len(first):
            return Committed(known, [])
        return VersionConflict("some events of this append are in the log, others are not")

    def _conflict(self, append: Append) -> VersionConflict | None:
        for stream, version in append.expect.items():
            if self._version(stream) != version:
                return VersionConflict(
                    f"{stream} is at version {self._version(stream)}, not at {version} as expected"
                )
        return None

    def _version(self, stream: str) -> int:
        version = self.versions.get(stream)
        return self._tip.last_version(stream) if version is None else version

    def _row(self, proposed: ProposedEvent) -> RecordedEvent:
        event, origin, meta = proposed.event, proposed.origin, proposed.meta
        stream = event.stream
        position, version = self._position + 1, self._version(stream) + 1
        actor = None if origin.actor is None else str(origin.actor)
        unhashed = (
            position,
            stream,
            version,
            event.type,
            event.written_version,
            proposed.event_id,
            origin.correlation_id,
            actor,
            self._tip.node,
            self.recorded_at,
            encode(event),
            encode_meta(meta),
        )
        self._hash = chain(self._hash, unhashed)
        self._position = position
        self.values += unhashed
        self.values.append(self._hash)
        self.versions[stream] = version
        if self._seen is not None:
            self._seen[proposed.event_id] = position
        return RecordedEvent(position, version, self.recorded_at, event, actor, meta)
