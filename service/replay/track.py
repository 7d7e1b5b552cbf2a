"""The inputs and checkpoints of a recorded match, found by tick and decoded where they are needed.

A seek decodes one checkpoint and the inputs from there to the wanted tick, however long the match.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec

from service.games.protocol import RulesFailed
from service.replay.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.domain.events.matches import MatchCheckpoint, MatchInput
    from service.games.protocol import Game, GameEvent, InvalidMove, State


class Track:
    """The recorded inputs and checkpoints of one match."""

    def __init__(
        self,
        game: Game,
        first_state: Callable[[], State],
        inputs: Sequence[MatchInput],
        checkpoints: Sequence[MatchCheckpoint],
    ) -> None:
        """Take them in the order of the log; `first_state` makes the state before tick 0."""
        self.game = game
        self.inputs = inputs
        self.input_ticks = _ticks_of_effect(game, inputs)
        """The tick at which each input takes effect, in ascending order."""
        self._first_state = first_state
        self._checkpoints = sorted((one for one in checkpoints if one.tick > 0), key=_tick_of)
        self._checkpoint_ticks = [one.tick for one in self._checkpoints]

    def start(self, tick: int) -> RecordedRun:
        """Return a run at the last checkpoint before `tick`, or at the start of the match."""
        before = bisect_right(self._checkpoint_ticks, tick)
        if not before:
            return RecordedRun(self, Run(self.game, self._first_state()))
        return RecordedRun(self, self.decoded(self._checkpoints[before - 1]))

    def decoded(self, checkpoint: MatchCheckpoint) -> Run:
        """Return a run without inputs that starts from a checkpoint."""
        state = msgspec.json.decode(checkpoint.state, type=self.game.state_type)
        return Run(self.game, state, checkpoint.tick)

    def last_input(self, tick: int) -> MatchInput | None:
        """Return the last input that has taken effect in the state before `tick`, if any."""
        after = bisect_left(self.input_ticks, tick)
        return self.inputs[after - 1] if after else None


class RecordedRun:
    """A run that is given each recorded input when its tick is next."""

    __slots__ = ("_next", "_run", "_track")

    def __init__(self, track: Track, run: Run) -> None:
        """Continue `run` with the inputs of `track` from its tick on."""
        self._track = track
        self._run = run
        self._next = bisect_left(track.input_ticks, run.tick)

    @property
    def state(self) -> State:
        """The state before `tick` is stepped, which is stepped in place."""
        return self._run.state

    @property
    def tick(self) -> int:
        """The present tick."""
        return self._run.tick

    @property
    def refused(self) -> InvalidMove | None:
        """The error of the latest input that the rules refused."""
        return self._run.refused

    @property
    def next_tick(self) -> int:
        """The tick that is stepped next: a turn-based game skips those without an input."""
        self._feed()
        return self._run.next_tick

    @property
    def has_input(self) -> bool:
        """Whether an input takes effect in the next step."""
        self._feed()
        return self._run.has_inputs

    @property
    def inputs_taken(self) -> int:
        """How many of the recorded inputs have been given to the run, or precede its start."""
        return self._next

    def step(self) -> Sequence[GameEvent]:
        """Step the next tick, and return its outcomes; raise `RulesFailed`."""
        self._feed()
        return self._run.step()

    def run_to(self, tick: int) -> None:
        """Step up to the state before `tick`; raise `RulesFailed`."""
        while self.next_tick < tick:
            self.step()
        self._run.tick = tick

    def _feed(self) -> None:
        """Queue the inputs of the next step: one without ticks, else all that are due.

        Raises `RulesFailed` for one that the rules can't read.
        """
        ticks, inputs, run = self._track.input_ticks, self._track.inputs, self._run
        if self._track.game.tick_hz:
            while self._next < len(ticks) and ticks[self._next] <= run.tick:
                self._add(inputs[self._next])
        elif not run.has_inputs and self._next < len(ticks):
            self._add(inputs[self._next])

    def _add(self, event: MatchInput) -> None:
        self._next += 1
        try:
            self._run.add_input(event)
        except ValueError as error:
            message = f"The input of tick {event.tick} can't be read: {error}."
            raise RulesFailed(message) from error


def _tick_of(checkpoint: MatchCheckpoint) -> int:
    return checkpoint.tick


def _ticks_of_effect(game: Game, inputs: Sequence[MatchInput]) -> list[int]:
    """Return when each input takes effect: never before the one that precedes it in the log."""
    if game.tick_hz:
        return list(accumulate((one.tick for one in inputs), max))
    return list(accumulate((one.tick for one in inputs), lambda last, tick: max(last + 1, tick)))
