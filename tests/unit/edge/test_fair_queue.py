"""The queue of connections: bounded, in order, and fair to each address."""

from collections import Counter, deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.edge.fair_queue import FairQueue
from tests.effort import effort


def served(queue: FairQueue[str]) -> list[str]:
    """Take everybody, in order."""
    order = []
    while (waiter := queue.next()) is not None:
        queue.take(waiter)
        order.append(waiter)
    return order


def queue_of(*waiters: str, max_: int = 100) -> FairQueue[str]:
    """Return a queue with waiters like `a1`, whose address is the letter."""
    queue = FairQueue[str](max_)
    for waiter in waiters:
        assert queue.put(waiter[0], waiter) is None
    return queue


def test_waiters_of_different_addresses_are_served_in_order_of_arrival() -> None:
    assert served(queue_of("c1", "a1", "b1")) == ["c1", "a1", "b1"]


def test_addresses_take_turns_and_each_is_served_in_order() -> None:
    assert served(queue_of("a1", "a2", "a3", "b1", "c1", "b2")) == [
        "a1",
        "b1",
        "c1",
        "a2",
        "b2",
        "a3",
    ]


def test_a_full_queue_refuses_the_newcomer_of_the_address_that_has_most() -> None:
    queue = queue_of("a1", "a2", "b1", max_=3)
    assert queue.put("a", "a3") == "a3"
    assert served(queue) == ["a1", "b1", "a2"]


def test_a_full_queue_removes_the_last_waiter_of_the_address_that_has_most() -> None:
    queue = queue_of("a1", "a2", "a3", "b1", max_=4)
    assert queue.put("c", "c1") == "a3"
    assert served(queue) == ["a1", "b1", "c1", "a2"]


def test_a_full_queue_of_single_waiters_refuses_the_newcomer() -> None:
    queue = queue_of("a1", "b1", max_=2)
    assert queue.put("c", "c1") == "c1"


def test_a_newcomer_is_refused_where_its_address_would_then_have_most() -> None:
    queue = queue_of("a1", "a2", "b1", max_=3)
    assert queue.put("b", "b2") == "b2"


def test_a_waiter_that_gave_up_is_not_served_and_its_address_keeps_its_turn() -> None:
    queue = queue_of("a1", "a2", "b1")
    queue.discard("a1")
    queue.discard("a1")
    assert queue.oldest() == "a2"
    assert served(queue) == ["a2", "b1"]


def test_an_empty_queue_has_nobody_next() -> None:
    queue = queue_of()
    assert (queue.next(), queue.oldest(), len(queue)) == (None, None, 0)


class Model:
    """The same queue by lists, however slow."""

    def __init__(self, max_: int) -> None:
        self.max = max_
        self.turns: deque[str] = deque()
        self.waiting: list[tuple[str, int]] = []

    def counts(self) -> Counter[str]:
        return Counter(address for address, _ in self.waiting)

    def discard(self, waiter: tuple[str, int]) -> None:
        self.waiting.remove(waiter)
        if waiter[0] not in self.counts():
            self.turns.remove(waiter[0])

    def next(self) -> tuple[str, int] | None:
        if not self.waiting:
            return None
        return next(one for one in self.waiting if one[0] == self.turns[0])

    def take(self) -> tuple[str, int]:
        waiter = self.next()
        assert waiter is not None
        self.discard(waiter)
        if waiter[0] in self.counts():
            self.turns.rotate(-1)
        return waiter


@effort(300)
@given(
    max_=st.integers(1, 8),
    steps=st.lists(st.one_of(st.sampled_from("abcd"), st.just("take"), st.integers(0, 7))),
)
def test_any_sequence_keeps_the_bound_the_order_and_the_turns(
    max_: int, steps: list[str | int]
) -> None:
    queue, model = FairQueue[tuple[str, int]](max_), Model(max_)
    for number, step in enumerate(steps):
        if step == "take":
            if model.waiting:
                waiter = model.take()
                assert queue.next() == waiter
                queue.take(waiter)
        elif isinstance(step, int):
            if step < len(model.waiting):
                waiter = model.waiting[step]
                model.discard(waiter)
                queue.discard(waiter)
        else:
            before = model.counts()
            removed = queue.put(step, (step, number))
            if len(model.waiting) < max_:
                assert removed is None
            elif before[step] + 1 >= max(before.values()):
                assert removed == (step, number)
            else:
                assert removed is not None
                assert before[removed[0]] == max(before.values())
                assert removed == [one for one in model.waiting if one[0] == removed[0]][-1]
                model.discard(removed)
            if removed != (step, number):
                if step not in model.counts():
                    model.turns.append(step)
                model.waiting.append((step, number))
        assert len(queue) == len(model.waiting) <= max_
        assert queue.next() == model.next()
        assert queue.oldest() == (model.waiting[0] if model.waiting else None)


@pytest.mark.parametrize("flood", [10, 1000])
def test_how_long_an_address_waits_does_not_depend_on_how_many_another_one_opens(
    flood: int,
) -> None:
    queue = FairQueue[str](flood)
    for number in range(flood):
        queue.put("flood", f"f{number}")
    queue.put("player", "p")
    assert [waiter for waiter in served(queue)[:2] if waiter == "p"] == ["p"]
