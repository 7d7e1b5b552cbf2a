"""Bots are asked in a thread: none of them can keep the event loop, or the other bots, waiting."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from service.runtime.bot_thread import BotThread, BotTooSlow

BUDGET_S = 0.02
MOVES: Sequence[dict[str, Any]] = [{"column": 3}]


async def answer_of(thread: BotThread, decide: Callable[[], Any]) -> Any:
    """Ask a bot, and return its answer or its error."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    thread.ask(loop, decide, lambda answer, _cpu_s: future.set_result(answer))
    async with asyncio.timeout(5):
        return await future


def asked(story: Callable[[BotThread], Any], budget_s: float = BUDGET_S) -> Any:
    async def run() -> Any:
        thread = BotThread(budget_s)
        try:
            return await story(thread)
        finally:
            thread.stop()

    return asyncio.run(run())


def endless() -> list[Any]:
    while True:
        pass


def stubborn() -> list[Any]:
    while True:
        try:
            time.sleep(0.001)
        except Exception:  # noqa: BLE001, S112 - as careless as rules may be
            continue


def test_the_answer_comes_from_another_thread() -> None:
    async def story(thread: BotThread) -> Any:
        name = await answer_of(thread, lambda: threading.current_thread().name)
        return name, await answer_of(thread, lambda: MOVES)

    assert asked(story) == ("bots", MOVES)


def test_an_error_of_a_bot_is_its_answer() -> None:
    def failing() -> list[Any]:
        raise ZeroDivisionError

    async def story(thread: BotThread) -> Any:
        return await answer_of(thread, failing), await answer_of(thread, lambda: MOVES)

    error, moves = asked(story)
    assert (type(error), moves) == (ZeroDivisionError, MOVES)


@pytest.mark.parametrize("bot", [endless, stubborn])
def test_a_bot_that_does_not_return_is_interrupted_and_others_go_on(
    bot: Callable[[], list[Any]],
) -> None:
    async def story(thread: BotThread) -> Any:
        return await asyncio.gather(answer_of(thread, bot), answer_of(thread, lambda: MOVES))

    error, moves = asked(story)
    assert (type(error), moves) == (BotTooSlow, MOVES)


def test_a_bot_that_cannot_be_interrupted_loses_its_thread() -> None:
    held = threading.Event()

    async def story(thread: BotThread) -> Any:
        # Waiting for a lock is a call of C, which no interrupt ends.
        return await asyncio.gather(answer_of(thread, held.wait), answer_of(thread, lambda: MOVES))

    try:
        error, moves = asked(story)
    finally:
        held.set()
    assert (type(error), moves) == (BotTooSlow, MOVES)


def test_the_cpu_time_of_a_decision_is_told() -> None:
    def busy() -> list[Any]:
        until = time.thread_time() + 0.005
        while time.thread_time() < until:
            pass
        return []

    async def story(thread: BotThread) -> float:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[float] = loop.create_future()
        thread.ask(loop, busy, lambda _answer, cpu_s: future.set_result(cpu_s))
        return await future

    # On a busy machine this takes much longer than so much CPU time.
    assert asked(story, budget_s=60) >= 0.005
