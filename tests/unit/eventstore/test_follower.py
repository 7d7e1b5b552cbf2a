"""The fold sees every event once and in order, whatever happens to batches on their way."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from service.domain.events.lobby import LobbyJoined
from service.domain.personal_data import NO_PERSONAL_DATA, PersonalData
from service.eventstore.follower import WAITING_EVENTS_MAX, Batch, Follower
from service.eventstore.records import RecordedEvent
from tests.effort import effort

LAST = 30


def batch(after: int, until: int, names: dict[str, str] | None = None) -> Batch:
    """Return the events of a range, as any source would give them."""
    events = [
        RecordedEvent(position, 1, 0, LobbyJoined(user=position, socket="n1.1.1"))
        for position in range(after + 1, until + 1)
    ]
    return Batch(after, until, events, PersonalData(names) if names else NO_PERSONAL_DATA)


class Fold:
    """A follower that begins before the first event, and what it has folded."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.names: list[dict[str, str]] = []
        self.follower = Follower(0, self.fold)

    def fold(self, batch: Batch) -> None:
        """Take a batch."""
        self.seen += [one.position for one in batch.events]
        if batch.personal_data.names:
            self.names.append(batch.personal_data.names)

    def take(self, *batches: Batch) -> Sequence[int]:
        """Take batches; return what is folded by then."""
        for one in batches:
            self.follower.take(one)
        return self.seen


batches = st.tuples(st.integers(0, LAST - 1), st.integers(1, 8)).map(
    lambda drawn: batch(drawn[0], min(LAST, drawn[0] + drawn[1]))
)


@effort(300)
@given(st.lists(batches, max_size=60))
def test_in_any_order_with_any_loss_and_repetition_the_fold_sees_1_2_3(
    arriving: list[Batch],
) -> None:
    fold = Fold()
    called: list[int] = []
    for position in (5, 17, LAST, 5):
        fold.follower.when_folded(position, lambda at=position: called.append(at))  # type: ignore[misc]  # a default binds the position
    for one in arriving:
        fold.take(one)
        position = fold.follower.position
        assert fold.seen == list(range(1, position + 1))
        assert sorted(called) == sorted(at for at in (5, 17, LAST, 5) if at <= position)
        assert fold.follower.head == max(fold.follower.head, one.until)
    # What is missing comes from the database, in pages.
    for start in range(0, LAST, 7):
        fold.take(batch(start, min(LAST, start + 7)))
    assert fold.seen == list(range(1, LAST + 1))
    assert not fold.follower.is_behind
    assert called == sorted(called)


def test_a_batch_behind_a_gap_waits_for_the_events_before_it() -> None:
    fold = Fold()
    assert fold.take(batch(2, 4)) == []
    assert fold.follower.is_behind
    assert fold.take(batch(0, 2)) == [1, 2, 3, 4]
    assert not fold.follower.is_behind


def test_events_that_are_folded_are_cut_from_a_later_batch() -> None:
    assert Fold().take(batch(0, 3), batch(1, 5), batch(0, 5)) == [1, 2, 3, 4, 5]


def test_a_range_may_lack_events_that_are_skipped() -> None:
    fold = Fold()
    fold.take(batch(0, 1))
    fold.follower.take(Batch(1, 4, [one for one in batch(1, 4).events if one.position != 3]))
    fold.follower.take(Batch(4, 6, []))
    fold.take(batch(6, 7))
    assert fold.seen == [1, 2, 4, 7]


def test_the_head_is_known_without_events() -> None:
    follower = Fold().follower
    follower.note_head(3)
    assert follower.is_behind
    follower.take(batch(0, 3))
    assert not follower.is_behind


def test_names_come_with_their_events_and_those_of_old_batches_are_dropped() -> None:
    fold = Fold()
    fold.take(batch(1, 2, {"2": "late"}), batch(0, 1, {"1": "first"}), batch(0, 1, {"1": "old"}))
    assert fold.names == [{"1": "first"}, {"2": "late"}]


def test_a_rename_waits_for_no_event() -> None:
    fold = Fold()
    fold.take(Batch(9, 9, (), PersonalData({"1": "new"})))
    assert fold.names == [{"1": "new"}]
    assert fold.seen == []


def test_who_waits_for_a_position_is_called_after_its_fold_in_order() -> None:
    fold, called = Fold(), list[str]()
    fold.follower.when_folded(2, lambda: called.append(f"second of {fold.seen}"))
    fold.follower.when_folded(1, lambda: called.append("first"))
    fold.follower.when_folded(0, lambda: called.append("at once"))
    assert called == ["at once"]
    fold.take(batch(0, 2))
    assert called == ["at once", "first", "second of [1, 2]"]


def test_a_fault_of_who_waits_stops_neither_the_fold_nor_others() -> None:
    fold, called = Fold(), list[int]()

    def fail() -> None:
        raise ValueError

    fold.follower.when_folded(1, fail)
    fold.follower.when_folded(1, lambda: called.append(1))
    assert fold.take(batch(0, 1), batch(1, 2)) == [1, 2]
    assert called == [1]


def test_nobody_waits_after_the_end() -> None:
    fold, called = Fold(), list[int]()
    fold.follower.when_folded(9, lambda: called.append(9))
    fold.follower.release()
    assert called == [9]


def test_what_waits_behind_a_gap_is_bounded() -> None:
    fold = Fold()
    fold.take(batch(1, 2 + WAITING_EVENTS_MAX))
    assert fold.follower.is_behind
    assert fold.take(batch(0, 1)) == [1]
    assert fold.take(batch(1, 3)) == [1, 2, 3]
