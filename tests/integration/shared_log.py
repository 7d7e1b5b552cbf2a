"""A log in memory that several nodes append to, where the test decides what happens when.

It refuses appends by their keys as `ws_append` does; a node folds what the test delivers to it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from service.domain.personal_data import NO_PERSONAL_DATA, PersonalData
from service.eventstore.follower import Batch, Follower
from service.eventstore.plan import Committed, Condition, KeyConflict
from service.eventstore.records import ANY, Expect, ProposedEvent, RecordedEvent


class _Row(msgspec.Struct, frozen=True):
    recorded: RecordedEvent
    keys: frozenset[str]


class _Pending(msgspec.Struct, frozen=True):
    events: Sequence[ProposedEvent]
    done: Callable[[Committed | Exception], None]
    data: PersonalData
    condition: Condition


class SharedLog:
    """The log of all nodes."""

    def __init__(self) -> None:
        self.rows: list[_Row] = []
        self.names: dict[int, PersonalData] = {}
        """Personal data by the position of the first event that it came with."""

    def recorded(self, after: int, until: int) -> list[RecordedEvent]:
        """Return the events of a range."""
        return [row.recorded for row in self.rows[after:until]]


class NodeLog:
    """The log as one node sees it: takes the place of `EventLog` for its engine."""

    def __init__(self, shared: SharedLog) -> None:
        self.shared = shared
        self.follower: Follower
        self.waiting: deque[_Pending] = deque()
        """Appends that have not reached the log yet."""
        self.conflicts = 0

    @property
    def position(self) -> int:
        """The greatest position that is known to be in the log."""
        return len(self.shared.rows)

    def start(self, fold: Callable[[Batch], None]) -> None:
        """Fold by `fold` from the first event on."""
        self.follower = Follower(0, fold)

    def append(  # noqa: PLR0913 - the signature of the log
        self,
        events: Sequence[ProposedEvent],
        done: Callable[[Committed | Exception], None],
        expect: Expect = ANY,  # noqa: ARG002 - the signature of the log
        *,
        personal_data: PersonalData = NO_PERSONAL_DATA,
        condition: Condition | None = None,
        may_wait_s: float = 0.0,  # noqa: ARG002 - the same
    ) -> None:
        """Keep an append until the test lets it reach the log."""
        assert condition is not None
        self.waiting.append(_Pending(events, done, personal_data, condition))

    def sync(self, done: Callable[[], None]) -> None:
        """Call `done` once the test has delivered what is in the log now."""
        self.follower.note_head(len(self.shared.rows))
        self.follower.when_folded(len(self.shared.rows), done)

    def hurry(self) -> None:
        """Hurry nothing: the test decides when an append reaches the log."""

    def commit(self) -> bool:
        """Let the oldest append reach the log; return whether there was one."""
        if not self.waiting:
            return False
        one = self.waiting.popleft()
        rows, condition = self.shared.rows, one.condition
        met = [row for row in rows[condition.seen :] if row.keys & condition.needs]
        result: Committed | KeyConflict
        if met:
            self.conflicts += 1
            result = KeyConflict(len(rows))
            self.follower.note_head(len(rows))
        else:
            after = len(rows)
            recorded = [
                RecordedEvent(
                    after + number,
                    1,
                    1000 * after,
                    event.event,
                    None if event.origin.actor is None else str(event.origin.actor),
                    event.meta,
                )
                for number, event in enumerate(one.events, 1)
            ]
            rows += [_Row(event, condition.marks) for event in recorded]
            if recorded:
                self.shared.names[recorded[0].position] = one.data
            result = Committed([event.position for event in recorded], recorded)
            self.follower.take(Batch(after, len(rows), recorded))
        self.follower.when_folded(len(rows), lambda: one.done(result))
        return True

    def deliver(self, until: int | None = None) -> None:
        """Let this node fold what others have appended, up to a position."""
        after = self.follower.position
        until = len(self.shared.rows) if until is None else min(until, len(self.shared.rows))
        if until > after:
            names = {
                user: name
                for position, data in self.shared.names.items()
                if after < position <= until
                for user, name in data.names.items()
            }
            recorded = self.shared.recorded(after, until)
            self.follower.take(Batch(after, until, recorded, PersonalData(names)))
