"""A recorded match as one viewer may see it: its events, and its replay; pure.

Without secrets, for a viewer with full sight, and after the end where the game then shows
everything, that is the whole match. Otherwise nothing here follows from what the viewer may not
see, not even how many inputs there were: in a game without ticks, where each input takes one,
hidden inputs take none.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from copy import copy
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET

from service.domain.events.matches import (
    MatchCheckpoint,
    MatchEnded,
    MatchEvent,
    MatchInput,
    MatchOutcome,
    MatchRewound,
    MatchStarted,
    MatchTurnNoted,
)
from service.games.sight import Viewer, part_for
from service.replay.replay import Difference, Replay

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from service.games.protocol import State

NO_SEED = 0
"""In the place of the seed, from which all chances follow."""

DIFFERS = "the recording differs from the rules"
"""What a viewer without full sight is told of a difference."""


def has_full_sight(started: MatchStarted, viewer: Viewer, *, is_over: bool) -> bool:
    """Return whether a viewer may see everything of a match."""
    return not started.has_secrets or viewer.is_full or (is_over and started.secrets != "always")


def seen_by(replay: Replay, viewer: Viewer) -> Replay:
    """Return the replay of a match as a viewer may see it.

    Its states are those that the replay itself runs: they are to be shown by its `view` alone.
    """
    if not has_full_sight(replay.started, viewer, is_over=replay.ended is not None):
        return SeenReplay(replay, viewer)
    whole = copy(replay)
    whole.viewer = Viewer(viewer.seat, is_full=True)
    return whole


class SeenEvents:
    """Hides events of a match with secrets from a viewer without full sight."""

    def __init__(self, viewer: Viewer, *, has_ticks: bool) -> None:
        """Take the events from the first one on, in the order of the log."""
        self._viewer = viewer
        self._has_ticks = has_ticks
        self._hidden = 0
        """How many inputs were hidden so far, of a game without ticks."""

    def shown(self, event: MatchEvent) -> MatchEvent | None:
        """Return what the viewer is shown of the next event, or None for nothing at all."""
        shown = self._shown(event)
        if shown is None:
            self._hidden += isinstance(event, MatchInput) and not self._has_ticks
            return None
        return msgspec.structs.replace(shown, tick=shown.tick - self._hidden)

    def _shown(self, event: MatchEvent) -> MatchEvent | None:
        replace = msgspec.structs.replace
        match event:
            case MatchStarted():
                return replace(event, seed=NO_SEED)
            case MatchInput():
                part = part_for(self._viewer, event.input, event.shown)
                whole = MatchInput(event.match, event.tick, event.seat, None, event.input)
                return None if part is None else replace(whole, input=part)
            case MatchOutcome():
                part = part_for(self._viewer, event.outcome, event.shown)
                return None if part is None else replace(event, outcome=part, shown=UNSET)
            case MatchEnded():
                return replace(event, hash="")
            case _:
                # A checkpoint is the state; what is left of a turn is noted by how it went.
                return None if isinstance(event, MatchCheckpoint | MatchTurnNoted) else event


class SeenReplay(Replay):
    """The replay of a match with secrets for a viewer without full sight."""

    def __init__(self, whole: Replay, viewer: Viewer) -> None:
        """Show of `whole` what `viewer` may see."""
        vars(self).update(vars(whole))
        self._whole = whole
        self.viewer = viewer
        seen = SeenEvents(viewer, has_ticks=bool(self.game.tick_hz))
        shown = [seen.shown(event) for event in whole.events]
        self.events = [event for event in shown if event is not None]
        self.times = [
            at for event, at in zip(shown, whole.times, strict=False) if event is not None
        ]
        self.inputs = [event for event in self.events if isinstance(event, MatchInput)]
        self._input_ticks = [event.tick for event in self.inputs]
        self._input_times = [
            at
            for event, at in zip(self.events, self.times, strict=False)
            if isinstance(event, MatchInput)
        ]
        self._hidden_ticks = _hidden_ticks(whole, viewer)
        self.started = next(event for event in self.events if isinstance(event, MatchStarted))
        self.ended = next((event for event in self.events if isinstance(event, MatchEnded)), None)
        self.rewinds = [event.tick for event in self.events if isinstance(event, MatchRewound)]
        self.ticks = self._last_tick()

    def _last_tick(self) -> int:
        if not self.game.tick_hz:
            return self._shown_tick(self._whole.ticks)
        if self.ended is not None:
            return self.ended.tick
        # Checkpoints are made at equal distances, whatever happens.
        checkpoints = [one for one in self._whole.events if isinstance(one, MatchCheckpoint)]
        others = [one for one in self.events if not isinstance(one, MatchInput)]
        return max(one.reaches for one in (*checkpoints, *others))

    def _shown_tick(self, tick: int) -> int:
        """Return which tick the viewer takes a tick for."""
        return tick - bisect_left(self._hidden_ticks, tick)

    def last_input(self, tick: int) -> MatchInput | None:
        """Return the last input before `tick` that the viewer is shown, or None."""
        before = bisect_left(self._input_ticks, tick)
        return self.inputs[before - 1] if before else None

    def seconds_at(self, tick: int) -> float:
        """Return how long after the start `tick` was, in seconds, as the viewer could know."""
        if self.game.tick_hz or not self.times:
            return super().seconds_at(tick)
        taken = bisect_left(self._input_ticks, tick)
        return round((self._input_times[taken - 1] - self.times[0]) / 1e6, 3) if taken else 0.0

    def at(self, tick: int) -> State:
        """Return the latest state that the viewer takes for that before `tick`."""
        if self.game.tick_hz:
            return super().at(tick)
        ticks = range(self._whole.ticks + 1)
        return self._whole.at(bisect_right(ticks, tick, key=self._shown_tick) - 1)

    def frames(self, hz: float | None = None, start: int = 0) -> Iterator[tuple[int, State]]:
        """Yield (tick, state) as `Replay`; without ticks only states that differ for the viewer."""
        if self.game.tick_hz:
            yield from super().frames(hz, start)
            return
        first = bisect_left(range(self._whole.ticks), start, key=self._shown_tick)
        last: tuple[int, bytes] | None = None
        for tick, state in self._whole.frames(None, first):
            seen = self._shown_tick(tick), msgspec.json.encode(self.view(state))
            if seen != last:
                last = seen
                yield seen[0], state

    def scores(self, state: State) -> list[int]:
        """Return the points by seat once the match is over by its rules, and zeros before."""
        scores = super().scores(state)
        return scores if self.result(state) is not None else [0] * len(scores)

    def verify(self) -> Difference | None:
        """Compare the whole recording with the rules, without telling what differs."""
        difference = self._whole.verify()
        if difference is None:
            return None
        return Difference(difference.tick if self.game.tick_hz else 0, DIFFERS)


def _hidden_ticks(whole: Replay, viewer: Viewer) -> Sequence[int]:
    """Return the ticks of the inputs that are hidden from a viewer, in a game without ticks."""
    if whole.game.tick_hz:
        return ()
    return [
        tick
        for event, tick in zip(whole.inputs, whole.input_ticks, strict=True)
        if part_for(viewer, event.input, event.shown) is None
    ]
