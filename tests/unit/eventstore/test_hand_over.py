"""When appends are handed to the commit thread."""

from __future__ import annotations

import asyncio
import time

from service.eventstore.hand_over import BUSY_S, FAST_S, LEAD_MAX_S, LEAD_MIN_S, HandOver


class Log:
    """Notes when appends are handed over, by a clock of the test."""

    def __init__(self) -> None:
        self.now = 100.0
        self.handed = asyncio.Event()
        self.count = 0
        self.hand_over = HandOver(self._note, lambda: self.now)

    def _note(self) -> None:
        self.count += 1
        self.handed.set()

    async def turn(self) -> int:
        """Let the loop go round once; return how often appends were handed over so far."""
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return self.count


async def test_appends_of_one_turn_are_handed_over_once_at_its_end() -> None:
    log = Log()
    log.hand_over.schedule()
    log.hand_over.schedule()
    assert log.count == 0
    assert await log.turn() == 1
    log.hand_over.schedule()
    assert await log.turn() == 2


async def test_a_lone_append_does_not_wait_even_if_it_may() -> None:
    log = Log()
    log.hand_over.schedule(10.0)
    assert await log.turn() == 1
    log.hand_over.committed(LEAD_MIN_S)
    log.now += 2 * BUSY_S
    log.hand_over.schedule(10.0)
    assert await log.turn() == 2


async def test_while_the_log_is_busy_an_append_waits_as_long_as_it_may() -> None:
    log = Log()
    log.hand_over.committed(LEAD_MIN_S)
    log.hand_over.schedule(0.02)
    assert await log.turn() == 0
    await asyncio.wait_for(log.handed.wait(), 5)
    assert log.count == 1


async def test_one_that_must_not_wait_takes_the_waiting_ones_along() -> None:
    log = Log()
    log.hand_over.committed(LEAD_MIN_S)
    log.hand_over.schedule(60.0)
    log.hand_over.schedule(50.0)
    log.hand_over.schedule()
    assert await log.turn() == 1
    log.hand_over.schedule(60.0)
    assert await log.turn() == 1


async def test_the_one_that_may_wait_least_decides() -> None:
    log = Log()
    log.hand_over.committed(LEAD_MIN_S)
    log.hand_over.schedule(0.005)
    log.hand_over.schedule(60.0)
    await asyncio.wait_for(log.handed.wait(), 5)
    log.handed.clear()
    log.hand_over.schedule(60.0)
    log.hand_over.schedule(0.005)
    await asyncio.wait_for(log.handed.wait(), 5)
    assert log.count == 2


async def test_one_that_comes_too_late_for_its_commit_waits_a_little_for_others() -> None:
    log = Log()
    for _ in range(100):
        log.hand_over.committed(0.01)
    log.hand_over.schedule(0.0001)
    log.hand_over.schedule(0.009)
    assert await log.turn() == 0
    await asyncio.wait_for(log.handed.wait(), 5)
    assert log.count == 1


async def test_while_commits_are_slow_they_begin_before_they_are_needed() -> None:
    log = Log()
    for _ in range(100):
        log.hand_over.committed(2 * FAST_S)
    began = time.monotonic()
    log.hand_over.schedule(8 * FAST_S)
    await asyncio.wait_for(log.handed.wait(), 5)
    slow_s = time.monotonic() - began
    log.handed.clear()
    for _ in range(100):
        log.hand_over.committed(FAST_S / 2)
    began = time.monotonic()
    log.hand_over.schedule(8 * FAST_S)
    await asyncio.wait_for(log.handed.wait(), 5)
    assert slow_s >= 6 * FAST_S - 0.002
    assert time.monotonic() - began >= 8 * FAST_S - 0.002


async def test_who_needs_what_waits_can_hurry_it() -> None:
    log = Log()
    log.hand_over.hurry()
    log.hand_over.committed(LEAD_MIN_S)
    assert await log.turn() == 0
    log.hand_over.schedule(60.0)
    log.hand_over.hurry()
    # At once, without a turn of the loop.
    assert log.count == 1
    log.hand_over.hurry()
    assert await log.turn() == 1
    log.hand_over.hurry()
    assert await log.turn() == 1


async def test_however_long_commits_take_what_may_wait_longer_than_the_limit_waits() -> None:
    log = Log()
    for _ in range(100):
        log.hand_over.committed(30.0)
    log.hand_over.schedule(2 * LEAD_MAX_S)
    assert await log.turn() == 0
