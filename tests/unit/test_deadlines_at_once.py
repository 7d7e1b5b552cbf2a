"""Deadlines that are due immediately, on every supported event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from service.domain.commands.base import Command, Context
from service.domain.commands.nodes import StartNode
from service.domain.commands.presence import CloseSocket, ExpirePresence, OpenSocket
from service.domain.commands.seats import ForfeitSeat
from service.domain.projections.world import World
from service.runtime.scheduler import DeadlineScheduler
from service.settings.sections.play import Times
from tests.unit.domain.story import Story

LOOPS: list[Callable[[], asyncio.AbstractEventLoop]] = [
    asyncio.SelectorEventLoop,
    uvloop.new_event_loop,
]


class Clocked:
    """A match of Pong without any grace, and what its deadlines carry out."""

    def __init__(self) -> None:
        self.story = Story()
        self.story.match("pong", 7, 8, reconnect_grace_s=0)
        self.room = self.story.world.rooms.rooms["room"]
        self.done: list[type] = []
        engine: Any = self
        self.deadlines = DeadlineScheduler(engine, Times(presence_grace_s=0, restart_grace_s=0))

    @property
    def world(self) -> World:
        return self.story.world

    @property
    def context(self) -> Context:
        return self.story.context

    async def execute(self, command: Command, *_: object) -> None:
        self.done.append(type(command))

    def decide(self, command: Command) -> None:
        """Carry out a command, and let the deadlines see its events."""
        for event in command.decide(self.story.world, self.story.context):
            self.story.fold(event)
            self.deadlines.observe(event, len(self.story.events))


@pytest.mark.parametrize("new_loop", LOOPS)
def test_a_seat_without_a_grace_is_forfeited_at_once(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def story() -> None:
        clocked = Clocked()
        clocked.decide(OpenSocket(9, "n1.1.9a"))
        clocked.decide(CloseSocket(8, "n1.1.8a", 1006))
        assert clocked.deadlines.grace_left_s(clocked.room) == 0
        await asyncio.sleep(0.01)
        assert {ForfeitSeat, ExpirePresence} <= set(clocked.done)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(story())


@pytest.mark.parametrize("new_loop", LOOPS)
def test_all_pending_deadlines_are_started_even_when_some_are_due(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def story() -> None:
        clocked = Clocked()
        clocked.story.do(StartNode("n1"))
        clocked.decide(OpenSocket(9, "n1.2.9a"))
        await asyncio.sleep(0.01)
        assert clocked.done.count(ForfeitSeat) == 2
        assert clocked.done.count(ExpirePresence) == 2

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(story())
