"""Callers wait until this node has folded what the log has now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from service.eventstore.log_sync import LogSync
from service.eventstore.records import GENESIS, Head
from service.eventstore.replication import Replication


class Log:
    """A log whose head can be read, and a fold that the test moves on."""

    def __init__(self) -> None:
        self.head = 3
        self.reads = 0
        self.fails = False
        self.known = 0
        self.waiting: list[tuple[int, Callable[[], None]]] = []
        self.sync = LogSync(self.read, cast("Replication", self))
        self.done: list[str] = []

    async def read(self) -> Head:
        """Return the head."""
        self.reads += 1
        position = self.head
        await asyncio.sleep(0)
        if self.fails:
            raise ConnectionError
        return Head(position, GENESIS, "")

    def note_head(self, position: int) -> None:
        """Take note of the head."""
        self.known = position

    def when_folded(self, position: int, done: Callable[[], None]) -> None:
        """Wait for the fold."""
        self.waiting.append((position, done))

    def request(self, name: str) -> None:
        """Request the head."""
        self.sync.request(lambda: self.done.append(name))

    async def settled(self) -> list[int]:
        """Let reads end; return what is waited for."""
        for _ in range(8):
            await asyncio.sleep(0)
        return [position for position, _ in self.waiting]


async def test_a_caller_waits_for_the_head() -> None:
    log = Log()
    log.request("one")
    assert await log.settled() == [3]
    assert log.known == 3
    assert log.done == []
    log.waiting[0][1]()
    assert log.done == ["one"]


async def test_callers_share_a_read_but_none_that_began_before_they_came() -> None:
    log = Log()
    log.request("one")
    log.request("two")
    await asyncio.sleep(0)
    log.head = 4
    log.request("late")
    log.request("late as well")
    assert await log.settled() == [3, 3, 4, 4]
    assert log.reads == 2


async def test_without_an_answer_callers_go_on_with_what_is_folded() -> None:
    log = Log()
    log.fails = True
    log.request("one")
    assert await log.settled() == [0]
    assert log.known == 0
    log.fails = False
    log.request("two")
    assert await log.settled() == [0, 3]
