"""A backlog that is refilled behind new events is the one that was filled in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from service.edge.backlog import Backlog
from service.settings.sections.storage import BacklogLimits

if TYPE_CHECKING:
    from service.domain.ids import UserId

USERS: list[UserId] = [1, 2, 3]


class Frame(NamedTuple):
    """A frame of an event, and who gets it."""

    users: list[UserId]
    data: bytes


History = list[list[Frame]]
"""The frames of each event; event n is at position n."""

frames = st.builds(
    Frame,
    st.lists(st.sampled_from(USERS), unique=True),
    st.integers(0, 400).map(lambda size: b"x" * size),
)
histories = st.lists(st.lists(frames, max_size=2), max_size=30)
limits = st.builds(
    BacklogLimits,
    events_max=st.integers(1, 20),
    frames_max=st.integers(1, 40),
    bytes_max=st.integers(200, 8000),
    bytes_per_user_max=st.integers(200, 3000),
    age_s=st.sampled_from([5.0, 1000.0]),
)


def put(backlog: Backlog, history: History, after: int, until: int) -> None:
    """Add the events in between, a second apart."""
    for position in range(after + 1, until + 1):
        for index, frame in enumerate(history[position - 1]):
            backlog.add(position, frame.users, b"%d.%d " % (position, index) + frame.data)
        backlog.close(position, float(position))


class Refilled:
    """A backlog that gets new events while it is refilled with older ones."""

    def __init__(self, limits: BacklogLimits, history: History, begun: int, pace: int) -> None:
        """Put the first `pace` events after `begun`, and as many after each step of the refill."""
        self.backlog = Backlog(limits, begun)
        self._history = history
        self._last = begun
        self._pace = pace
        self._end = begun
        self._go_on()

    def prepend(self, older: Backlog) -> bool:
        """Move a part to the front, as the refill does; return False when it is full."""
        while len(older):
            if self.backlog.start != self._end or not self.backlog.prepend(older):
                return False
            self._end = self.backlog.start
            self._go_on()
        if self.backlog.start != self._end:
            return False
        self.backlog.end_with(older)
        self._end = older.start
        return True

    def finish(self) -> None:
        """Put all other events."""
        self._pace = len(self._history)
        self._go_on()

    def _go_on(self) -> None:
        until = min(len(self._history), self._last + self._pace)
        put(self.backlog, self._history, self._last, until)
        self._last = until


@given(histories, limits, st.data())
def test_a_backlog_refilled_behind_new_events_has_what_one_filled_in_order_has(
    history: History, limits: BacklogLimits, data: st.DataObject
) -> None:
    last = len(history)
    in_order, unlimited = Backlog(limits), Backlog(BacklogLimits(age_s=10**6))
    put(in_order, history, 0, last)
    put(unlimited, history, 0, last)
    begun = until = data.draw(st.integers(0, last), label="the last event before the start")
    refilled = Refilled(limits, history, begun, data.draw(st.integers(0, 4), label="pace"))
    snapshots = data.draw(st.sets(st.integers(1, max(1, begun)), max_size=3), label="snapshots")
    for snapshot in sorted({0} | {one for one in snapshots if one < begun}, reverse=True):
        older = refilled.backlog.part(snapshot)
        put(older, history, snapshot, until)
        until = snapshot
        if not refilled.prepend(older) or older.start != snapshot:
            break
    refilled.finish()
    for after in range(last + 1):
        for user in USERS:
            found = refilled.backlog.between(user, after, last)
            expected = in_order.between(user, after, last)
            assert expected is None or found == expected
            assert found is None or found == unlimited.between(user, after, last)
