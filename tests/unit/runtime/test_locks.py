"""Leases of streams: who has them, who waits, and in which order they are granted."""

from __future__ import annotations

import asyncio
from functools import partial

from service.runtime.locks import Lease, StreamLocks


class Requests:
    """Requests for streams, and the names of those that were granted later."""

    def __init__(self) -> None:
        self.locks = StreamLocks()
        self.granted: list[str] = []

    def acquire(self, name: str, *streams: str) -> Lease:
        return self.locks.acquire(set(streams), partial(self.granted.append, name))

    async def turn(self) -> list[str]:
        """Return what was granted in one turn of the loop."""
        await asyncio.sleep(0)
        granted = list(self.granted)
        self.granted.clear()
        return granted


async def test_free_streams_are_held_at_once_and_without_a_callback() -> None:
    one = Requests()
    first, other = one.acquire("first", "a", "b"), one.acquire("other", "c")
    assert first.is_held
    assert other.is_held
    assert await one.turn() == []


async def test_a_stream_is_granted_in_the_order_of_requests() -> None:
    one = Requests()
    leases = [one.acquire(name, "a") for name in ("first", "second", "third")]
    assert [lease.is_held for lease in leases] == [True, False, False]
    leases[0].release()
    # `granted` runs in a separate callback, never inside `release`.
    assert one.granted == []
    assert await one.turn() == ["second"]
    leases[1].release()
    assert await one.turn() == ["third"]


async def test_a_request_does_not_overtake_one_that_has_not_been_called_yet() -> None:
    one = Requests()
    first = one.acquire("first", "a")
    one.acquire("second", "a")
    first.release()
    assert not one.acquire("third", "a").is_held
    assert await one.turn() == ["second"]


async def test_a_lease_of_several_streams_is_held_when_the_last_one_is_free() -> None:
    one = Requests()
    first, second = one.acquire("first", "a"), one.acquire("second", "b")
    both = one.acquire("both", "a", "b", "c")
    first.release()
    assert await one.turn() == []
    assert not both.is_held
    second.release()
    assert await one.turn() == ["both"]


async def test_requests_for_the_same_streams_never_wait_for_each_other() -> None:
    one = Requests()
    first = one.acquire("first", "a", "b")
    crossing = [one.acquire("ab", "a", "b"), one.acquire("ba", "b", "a")]
    first.release()
    assert await one.turn() == ["ab"]
    crossing[0].release()
    assert await one.turn() == ["ba"]


async def test_a_waiting_request_can_be_withdrawn() -> None:
    one = Requests()
    first = one.acquire("first", "a")
    waiting = one.acquire("waiting", "a", "b")
    last = one.acquire("last", "a")
    waiting.release()
    assert one.acquire("b", "b").is_held
    first.release()
    assert await one.turn() == ["last"]
    assert last.is_held


async def test_a_lease_cancelled_when_it_is_due_is_not_granted() -> None:
    one = Requests()
    first = one.acquire("first", "a")
    second = one.acquire("second", "a")
    one.acquire("third", "a")
    first.release()
    second.release()
    assert await one.turn() == ["third"]


async def test_no_queue_is_left_when_all_are_released() -> None:
    one = Requests()
    leases = [one.acquire(name, "a", name) for name in ("b", "c")]
    assert len(one.locks) == 3
    for lease in leases:
        lease.release()
    assert len(one.locks) == 0
