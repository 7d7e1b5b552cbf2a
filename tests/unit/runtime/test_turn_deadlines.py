"""A turn times out by the clock of its match: a timer that fires early waits on."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from service.domain.commands.base import Command
from service.domain.commands.turns import TimeOutTurn
from service.domain.events.matches import ClockState, MatchInput
from service.errors import Unavailable
from service.runtime.scheduler import DeadlineScheduler
from service.settings.sections.play import Times
from tests.unit.domain.story import Story


class Engine:
    """Notes what is executed, and says what is left of the turn."""

    def __init__(self, story: Story, left_ms: list[int | None]) -> None:
        self.world = story.world
        self.left_ms = left_ms
        self.done: list[Command] = []
        self.news = asyncio.Event()
        self.context = msgspec.structs.replace(story.context, match_snapshot=self.snapshot)
        self._story = story

    def snapshot(self, match: str) -> Any:
        if not self.left_ms:
            raise Unavailable
        left_ms = self.left_ms.pop(0)
        return msgspec.structs.replace(self._story.match_snapshot(match), turn_left_ms=left_ms)

    async def execute(self, command: Command, *_: object) -> None:
        self.done.append(command)
        self.news.set()


def carried_out(*left_ms: int | None) -> tuple[list[Command], list[int | None]]:
    """Let the timer of a turn fire; return what was executed, and what was not asked for."""

    async def run() -> tuple[list[Command], list[int | None]]:
        story = Story()
        opened = story.match("connect_four", 1, 2)
        turn = story.run_of(opened).state.turn
        engine = Engine(story, list(left_ms))
        deadlines = DeadlineScheduler(engine, Times())  # type: ignore[arg-type]  # stands for it
        socket = next(event for event in story.events if event.type == "socket.opened")
        deadlines.observe(socket, 1)
        moved = MatchInput(
            match=opened.id,
            tick=0,
            seat=turn,
            socket=None,
            input=msgspec.Raw(b'{"kind":"dropped","seat":%d,"column":3}' % turn),
            spent_ms=0,
            clock=ClockState(1),
        )
        story.fold(moved)
        deadlines.observe(moved, len(story.events))
        async with asyncio.timeout(5):
            await engine.news.wait()
        await deadlines.stop()
        assert engine.done == [TimeOutTurn(opened.id, opened.turn_since)]
        return engine.done, engine.left_ms

    return asyncio.run(run())


def test_a_timer_that_fires_early_waits_for_what_the_match_says_is_left() -> None:
    assert carried_out(3, 2, 1, 0, 7)[1] == [7]


def test_a_turn_without_a_clock_any_more_is_decided_by_the_command() -> None:
    assert carried_out(None)[1] == []


def test_a_match_that_is_not_here_is_decided_by_the_command() -> None:
    assert carried_out()[1] == []
