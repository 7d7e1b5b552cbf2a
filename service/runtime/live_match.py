"""A live match in memory: its run, when its next tick is due, and what is not committed yet."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from service.domain.commands.moves import INPUT_LEAD_TICKS_MAX
from service.domain.events.matches import MatchInput, MatchPaused
from service.errors import Unavailable
from service.fanout.audience import InRoom
from service.replay.run import outcomes_at
from service.runtime.match_clock import MatchClock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.domain.events.matches import MatchEvent, MatchOutcome
    from service.domain.ids import SocketId
    from service.domain.projections.matches import Match
    from service.domain.projections.room import Room
    from service.games.protocol import State
    from service.replay.run import Run

CATCH_UP_TICKS_MAX = INPUT_LEAD_TICKS_MAX
"""More missed ticks than these are not caught up: then the match lasts longer."""


class LiveMatch:
    """A running or paused match, and when its next tick is due."""

    # Many take turns many times a second: each should lie together in memory.
    __slots__ = (
        "_caught_up_s",
        "_due_at",
        "_holds",
        "_period_s",
        "_recorded",
        "audience",
        "checkpoint_phase",
        "checkpoint_ticks",
        "clock",
        "failed",
        "finishing",
        "id",
        "last_input_tick",
        "last_remaining",
        "log_fails",
        "match",
        "move_faults",
        "paused",
        "recording",
        "room",
        "run",
    )

    def __init__(self, match: Match, room: Room, run: Run, checkpoint_ticks: int) -> None:
        """Take a match that stands still; `resume` lets it run."""
        self.match = match
        self.id = match.id
        self.room = room
        self.audience = InRoom(room.id)
        self.run = run
        self.clock = MatchClock(match)
        self.paused = True
        self.finishing = False
        self.recording = False
        """An outcome is on its way into the log."""
        self.log_fails = False
        """That outcome could not be written yet, and is tried again and again."""
        self._recorded = asyncio.Event()
        """Set when what `recorded` waits for has changed."""
        self.failed = False
        """The rules have failed; the void end is on its way."""
        self.move_faults: dict[int, int] = {}
        """For each seat how many moves the rules have failed over, since one that they took."""
        self.last_input_tick = run.tick - 1
        self.last_remaining: int | None = None
        self.checkpoint_ticks = checkpoint_ticks
        self.checkpoint_phase = room.created_at % checkpoint_ticks
        self._holds: list[Hold] = []
        """One for each decided event that is not committed yet."""
        self._period_s = 1 / (run.game.tick_hz or 1)
        self._caught_up_s = CATCH_UP_TICKS_MAX * self._period_s
        self._due_at = 0.0

    @property
    def is_without_ticks(self) -> bool:
        """Whether only inputs bring this match on."""
        return not self.run.game.tick_hz

    def resume(self, at: float) -> None:
        """Step the next tick at `at`, and go on from there."""
        self.paused = False
        self._due_at = at

    def is_due(self, now: float) -> bool:
        """Tell whether the next tick may be stepped now."""
        if now < self._due_at or self.paused or self.finishing or self.recording or self.failed:
            return False
        tick = self.run.tick
        return not self._holds or all(hold.event.tick > tick for hold in self._holds)

    def step(self, now: float) -> Sequence[MatchOutcome]:
        """Step one tick; what is further behind than can be caught up is let go."""
        self._due_at = max(self._due_at + self._period_s, now - self._caught_up_s)
        tick = self.run.tick
        outcomes = self.run.step()
        return outcomes_at(self.id, tick, outcomes) if outcomes else ()

    def input_tick(self, now: float) -> int:
        """Choose the tick of an input that arrives now: the next one that is not yet due.

        A tick that is due and waits for a commit takes no more inputs, so that a player who
        never stops typing can't hold the match up. Without ticks of its own, a game gets one by
        each input.
        """
        if self.match.pace == "turns":
            return self.run.tick
        if self.match.pace == "free":
            return max(self.run.tick, self.last_input_tick + 1)
        overdue = 0 if self.paused else math.ceil((now - self._due_at) / self._period_s)
        lead = min(max(overdue, 0), CATCH_UP_TICKS_MAX)
        self.last_input_tick = max(self.last_input_tick, self.run.tick + lead)
        return self.last_input_tick

    def begin_recording(self) -> None:
        """Step no further before an outcome is in the log."""
        self.recording = True
        self._recorded.clear()

    def recording_failed(self) -> None:
        """Know that the log can't be written, so that nobody waits for that."""
        self.log_fails = True
        self._recorded.set()

    def end_recording(self) -> None:
        """Go on: the outcome is in the log, or will never be."""
        self.recording = self.log_fails = False
        self._recorded.set()

    async def recorded(self) -> None:
        """Wait while an outcome is being recorded; raise `Unavailable` when that has failed."""
        while self.recording:
            if self.log_fails:
                raise Unavailable
            await self._recorded.wait()

    def hold(self, event: MatchEvent) -> Hold:
        """Do not step the tick of `event` before the hold is released."""
        if isinstance(event, MatchInput):
            self.last_input_tick = max(self.last_input_tick, event.tick)
        hold = Hold(self._holds, event)
        self._holds.append(hold)
        return hold

    def add_input(self, event: MatchInput) -> None:
        """Apply a committed input, whose hold is released."""
        self.run.add_input(event)

    @property
    def is_pausing(self) -> bool:
        """Whether a pause is on its way, so that what is decided now would come after it."""
        return any(isinstance(hold.event, MatchPaused) for hold in self._holds)

    def ahead(self) -> State:
        """Return the state as it will be after all inputs, also those on their way.

        Where moves are free, they do not depend on it.
        """
        if self.match.pace == "free":
            return self.run.state
        return self.run.ahead(self._pending_inputs())

    def held(self) -> Mapping[int, Mapping[SocketId, list[str]]]:
        """Return the keys that the tabs of each seat will hold, as `ahead` the state."""
        coming = {event.seat: event.held for event in self._pending_inputs()}
        return {**self.match.pressing, **coming} if coming else self.match.pressing

    def _pending_inputs(self) -> list[MatchInput]:
        return [hold.event for hold in self._holds if isinstance(hold.event, MatchInput)]

    @property
    def remaining_s(self) -> int | None:
        """The seconds on the clock."""
        ticks = self.run.game.remaining_ticks(self.run.state)
        return None if ticks is None else math.ceil(ticks / self.run.game.tick_hz)


class Hold:
    """Keeps a match from stepping the tick of an event that is not committed yet."""

    __slots__ = ("_holds", "event")

    def __init__(self, holds: list[Hold], event: MatchEvent) -> None:
        """Belong to the holds of a match."""
        self._holds = holds
        self.event = event

    def release(self) -> None:
        """Let the match run on; raise `ValueError` when that was done before."""
        self._holds.remove(self)
