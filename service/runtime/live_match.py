"""A live match in memory: its run, when its next tick is due, and its uncommitted events."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from service.domain.commands.moves import INPUT_LEAD_TICKS_MAX
from service.domain.events.matches import MatchInput, MatchPaused
from service.errors import Unavailable
from service.fanout.audience import InRoom
from service.games.checking import check_size
from service.games.sight import common_view, views_of
from service.protocol.frame_rates import ALL_RATES
from service.replay.run import outcomes_at, with_shown
from service.runtime.frame_schedule import FrameSchedule
from service.runtime.match_clock import MatchClock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import msgspec

    from service.domain.events.matches import MatchEvent, MatchOutcome
    from service.domain.ids import SocketId
    from service.domain.projections.matches import Match
    from service.domain.projections.room import Room
    from service.games.protocol import State
    from service.games.sight import View, Viewer
    from service.replay.run import Run

CATCH_UP_TICKS_MAX = INPUT_LEAD_TICKS_MAX
"""The maximum number of late ticks that are caught up; later ones prolong the match."""


class LiveMatch:
    """A running or paused match, and when its next tick is due."""

    # Thousands are stepped 60 times a second: slots keep each of them in one piece of memory.
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
        "frames",
        "id",
        "is_overdue",
        "last_input_tick",
        "last_remaining",
        "log_fails",
        "match",
        "move_faults",
        "paused",
        "recording",
        "room",
        "run",
        "views",
        "wake_at",
        "wanted",
    )

    def __init__(
        self, match: Match, room: Room, run: Run, checkpoint_ticks: int, *, frame_phase: int = 0
    ) -> None:
        """Start paused; `resume` starts the ticks.

        A checkpoint is due every `checkpoint_ticks`, at a phase that differs between matches;
        `frame_phase` is that of the frames.
        """
        self.match = match
        self.id = match.id
        self.room = room
        self.audience = InRoom(room.id)
        self.run = run
        self.views = views_of(run.game, len(match.players))
        """Makes what each viewer may see of a match with secrets; None without secrets."""
        self.frames = FrameSchedule(run.game.tick_hz, frame_phase, run.tick)
        self.clock = MatchClock(match)
        self.paused = True
        self.finishing = False
        self.recording = False
        """An outcome is on its way into the log; no tick is stepped before it is committed."""
        self.log_fails = False
        """That outcome could not be written yet, and is retried."""
        self._recorded = asyncio.Event()
        """Set when what `recorded` waits for has changed."""
        self.failed = False
        """The rules have failed; the match is about to be ended as void."""
        self.move_faults: dict[int, int] = {}
        """For each seat, how many moves in a row the rules have failed over."""
        self.last_input_tick = run.tick - 1
        self.last_remaining: int | None = None
        self.checkpoint_ticks = checkpoint_ticks
        self.checkpoint_phase = checkpoint_phase(room, checkpoint_ticks)
        self._holds: list[MatchHold] = []
        """One for each decided event that is not committed yet, in the order of decision."""
        self._period_s = 1 / (run.game.tick_hz or 1)
        self._caught_up_s = CATCH_UP_TICKS_MAX * self._period_s
        self._due_at = 0.0
        self.wanted: frozenset[int] = ALL_RATES
        """The frame rates of the sockets in the room, as of the last state."""
        self.wake_at = math.inf
        """When it is to be stepped: when the tick is due whose state is shown next. Ticks before
        that one are stepped together with it."""
        self.is_overdue = False
        """It waited for a commit at its visit, and is stepped as soon as that is done."""

    @property
    def is_stepped_by_inputs(self) -> bool:
        """Whether the game has no ticks, so that each input advances the match by one."""
        return not self.run.game.tick_hz

    @property
    def is_playable(self) -> bool:
        """Whether moves would be taken now."""
        is_over = self.failed or self.finishing
        return not (is_over or self.paused or self.match.paused or self.recording)

    def resume(self, at: float) -> None:
        """Step the next tick at the time `at`, and the others at the rate of the game."""
        self.paused = self.is_overdue = False
        self._due_at = at
        self.plan_wake()

    def pause(self) -> None:
        """Step no tick until `resume`."""
        self.paused = True
        self.wake_at = math.inf

    def plan_wake(self) -> None:
        """Set `wake_at`, after steps or a change of the frame rates."""
        ticks = self.frames.ticks_until(self.run.tick, self.wanted)
        self.wake_at = self._due_at + (ticks - 1) * self._period_s

    def is_due(self, now: float) -> bool:
        """Return whether the next tick may be stepped now."""
        if now < self._due_at or self.paused or self.finishing or self.recording or self.failed:
            return False
        tick = self.run.tick
        return not self._holds or all(hold.event.tick > tick for hold in self._holds)

    def step(self, now: float) -> Sequence[MatchOutcome]:
        """Step one tick, and return its outcomes.

        The next one is due a tick later, or sooner to catch up, up to `CATCH_UP_TICKS_MAX`.
        """
        self._due_at = max(self._due_at + self._period_s, now - self._caught_up_s)
        tick = self.run.tick
        outcomes = self.run.step()
        if not outcomes:
            return ()
        made = outcomes_at(self.id, tick, outcomes)
        for one in made:
            check_size("An outcome", one.outcome)
        return with_shown(made, self.run, len(self.match.players))

    def input_tick(self, now: float) -> int:
        """Return the tick at which an input that arrives now takes effect: the next not yet due.

        A tick that is due and waits for a commit takes no more inputs, so that a player who
        never stops typing can't delay the match. In a game without ticks, each input has its own.
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
        """Step no further until `end_recording`."""
        self.recording = True
        self._recorded.clear()

    def recording_failed(self) -> None:
        """Make `recorded` raise: the log can't be written, and the outcome is retried."""
        self.log_fails = True
        self._recorded.set()

    def end_recording(self) -> None:
        """Step on: the outcome is committed, or was given up."""
        self.recording = self.log_fails = False
        self._recorded.set()

    async def recorded(self) -> None:
        """Wait while an outcome is being recorded; raise `Unavailable` when that has failed."""
        while self.recording:
            if self.log_fails:
                raise Unavailable
            await self._recorded.wait()

    def hold(self, event: MatchEvent) -> MatchHold:
        """Do not step the tick of `event` before the hold is released."""
        if isinstance(event, MatchInput):
            self.last_input_tick = max(self.last_input_tick, event.tick)
        hold = MatchHold(self._holds, event)
        self._holds.append(hold)
        return hold

    def view(self, viewer: Viewer) -> View | msgspec.Raw:
        """Return what a viewer may see now; one with secrets is encoded already."""
        state = self.run.state
        if self.views is not None:
            return self.views.encoded(state, viewer)
        return common_view(self.run.game, state)

    def all_views(self) -> dict[str, bytes]:
        """Return what each viewer of a match with secrets may see now, as JSON by their keys."""
        views = self.views
        if views is None:
            return {}
        return {one.key: bytes(views.encoded(self.run.state, one)) for one in views.viewers}

    def watched_by(self) -> Iterator[Viewer]:
        """Iterate over the viewers of a match with secrets who have sockets in the room."""
        seats, spectators = self.room.seats, self.room.spectators
        for viewer in self.views.viewers if self.views else ():
            if spectators if viewer.seat is None else seats[viewer.seat].sockets:
                yield viewer

    def add_input(self, event: MatchInput) -> None:
        """Apply a committed input, whose hold is released."""
        self.run.add_input(event)

    @property
    def is_pausing(self) -> bool:
        """Whether a pause is decided but not committed: what is decided now comes after it."""
        return any(isinstance(hold.event, MatchPaused) for hold in self._holds)

    def ahead(self) -> State:
        """Return the state after all decided inputs, including those not committed yet.

        Where moves are free they do not depend on the state, and it is the current one.
        """
        if self.match.pace == "free":
            return self.run.state
        return self.run.ahead(self._pending_inputs())

    def held(self) -> Mapping[int, Mapping[SocketId, list[str]]]:
        """Return the keys that the sockets of each seat hold after all decided inputs."""
        coming = {event.seat: event.held for event in self._pending_inputs()}
        return {**self.match.pressing, **coming} if coming else self.match.pressing

    def _pending_inputs(self) -> list[MatchInput]:
        return [hold.event for hold in self._holds if isinstance(hold.event, MatchInput)]


class MatchHold:
    """Keeps a match from stepping the tick of an event that is not committed yet."""

    __slots__ = ("_holds", "event")

    def __init__(self, holds: list[MatchHold], event: MatchEvent) -> None:
        """Belong to the holds of a match."""
        self._holds = holds
        self.event = event

    def release(self) -> None:
        """Let the match run on; raise `ValueError` when that was done before."""
        self._holds.remove(self)


def checkpoint_phase(room: Room, checkpoint_ticks: int) -> int:
    """Return at which tick of each `checkpoint_ticks` the match of a room has its checkpoint."""
    return room.created_at % checkpoint_ticks
