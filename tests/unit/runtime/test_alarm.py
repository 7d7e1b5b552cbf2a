"""Waiting until a time, or until something happens before it."""

from __future__ import annotations

import asyncio
import math
import time

from hypothesis import given
from hypothesis import strategies as st

from service.runtime.alarm import Alarm, delay_s


async def test_it_waits_until_a_time() -> None:
    alarm = Alarm(time.monotonic)
    at = time.monotonic() + 0.004
    await asyncio.wait_for(alarm.wait_until(at), 5)
    assert time.monotonic() >= at - 1e-6


@given(st.floats(0, 1e6), st.floats(0, 1))
def test_a_timer_that_counts_whole_milliseconds_is_at_most_one_late_and_never_early(
    now: float, wait_s: float
) -> None:
    at = now + wait_s
    fires_ms = math.floor(now * 1000) + round(delay_s(now, at) * 1000)
    assert -1e-3 < fires_ms - at * 1000 < 1 + 1e-3


async def test_a_ring_ends_the_wait() -> None:
    alarm = Alarm(time.monotonic)
    waiting = asyncio.create_task(alarm.wait_until(math.inf))
    await asyncio.sleep(0)
    assert not waiting.done()
    alarm.ring()
    alarm.ring()
    await asyncio.wait_for(waiting, 5)


async def test_a_ring_before_the_wait_is_not_lost_and_counts_once() -> None:
    alarm = Alarm(time.monotonic)
    alarm.ring()
    await asyncio.wait_for(alarm.wait_until(math.inf), 5)
    waiting = asyncio.create_task(alarm.wait_until(math.inf))
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


async def test_a_time_that_is_past_lets_others_run() -> None:
    alarm = Alarm(lambda: 5.0)
    ran: list[int] = []
    asyncio.get_running_loop().call_soon(ran.append, 1)
    await alarm.wait_until(4.0)
    assert ran == [1]


async def test_a_cancelled_wait_leaves_no_timer() -> None:
    alarm = Alarm(time.monotonic)
    waiting = asyncio.create_task(alarm.wait_until(time.monotonic() + 60))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    alarm.ring()
    await asyncio.wait_for(alarm.wait_until(math.inf), 5)
