"""Replay a recorded match: its state at any tick, and a comparison with what was recorded."""

from __future__ import annotations

from bisect import bisect_left
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from service.domain.events.matches import (
    BY_THE_RULES,
    ClockState,
    MatchCheckpoint,
    MatchEnded,
    MatchEvent,
    MatchInput,
    MatchOutcome,
    MatchRewound,
    MatchStarted,
)
from service.errors import ServiceError
from service.games.figures import Figure, HasFigures
from service.games.options import set_up
from service.games.protocol import RulesFailed
from service.games.sight import FULL, View, Views
from service.replay.run import decode_event, state_hash, ticks_taken
from service.replay.track import RecordedRun, Track

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from service.domain.events.base import Event
    from service.games.catalogue import Catalogue
    from service.games.figures import Course
    from service.games.protocol import Game, GameEvent, State
    from service.games.protocol import Result as GameResult

Result = TypeVar("Result")


class NotAMatch(ServiceError):
    """The events do not begin with the start of a match."""


class RulesMissing(NotAMatch):
    """This build does not have the version of the rules that the match was played by."""


class Difference(msgspec.Struct, frozen=True):
    """The first tick at which a recording differs from its replay, and what differs."""

    tick: int
    what: str


def _struct(view: View) -> View:
    if not isinstance(view, msgspec.Struct):
        raise TypeError(f"view() returned {str(view)[:60]!r}, which is no struct")
    return view


def _rules_of(started: MatchStarted, games: Catalogue) -> Game:
    game = games.rules(started.game, started.rules_version, started.match)
    if game is not None:
        return game
    here = ", ".join(map(str, games.versions(started.game))) or "none"
    raise RulesMissing(
        f"match {started.match} was played by version {started.rules_version} of the rules of "
        f"{started.game}, which this build does not have (it has: {here}); replay it with a build "
        "that has it"
    )


class Replay:
    """A recorded match that can be looked at, at any tick."""

    def __init__(
        self, events: Sequence[Event], games: Catalogue, times: Sequence[int] = ()
    ) -> None:
        """Take all events of the match in their order; raise `NotAMatch` for anything else.

        `times` are when they were recorded, in microseconds since 1970, if that is known.
        Raises `RulesMissing` when this build lacks the version of the rules that it began with.
        """
        if not events or not isinstance(events[0], MatchStarted):
            raise NotAMatch
        self.started = events[0]
        self.game = _rules_of(self.started, games)
        self.viewer = FULL
        """Who looks at it (see `service.replay.seen`): as made here somebody with full sight."""
        self._views = Views(self.game, len(self.started.players))
        self.events = [event for event in events if isinstance(event, MatchEvent)]
        # The clock of the machine may have been set back in between.
        self.times = list(accumulate(times, max))
        """When each of `events` was recorded, in microseconds since 1970, or none of them."""
        if self.times and len(self.times) != len(self.events):
            raise NotAMatch
        self.inputs = [event for event in self.events if isinstance(event, MatchInput)]
        self._input_times = [
            at
            for event, at in zip(self.events, self.times, strict=False)
            if isinstance(event, MatchInput)
        ]
        self.ended = next((one for one in self.events if isinstance(one, MatchEnded)), None)
        self.rewinds = [one.tick for one in self.events if isinstance(one, MatchRewound)]
        """The ticks that the match was rewound to, after a restart of the service."""
        self.ticks = self.ended.tick if self.ended else self._ticks_so_far()
        checkpoints = [one for one in self.events if isinstance(one, MatchCheckpoint)]
        self._track = Track(self.game, self._first_state, self.inputs, checkpoints)
        self._checkpoints_at: dict[int, list[MatchCheckpoint]] = {}
        for checkpoint in checkpoints:
            self._checkpoints_at.setdefault(checkpoint.tick, []).append(checkpoint)

    @property
    def tick_hz(self) -> int:
        """Ticks per second of playback; 1 for a turn-based game."""
        return self.game.tick_hz or 1

    def last_input(self, tick: int) -> MatchInput | None:
        """Return the last input before `tick`, or None at the start."""
        return self._track.last_input(tick)

    def seconds_at(self, tick: int) -> float:
        """Return how long after the start `tick` was, in seconds.

        By the clock of the match; in a turn-based game by when its moves were recorded, or with one
        second a move where that is not known.
        """
        if self.game.tick_hz or not self.times:
            return round(tick / self.tick_hz, 3)
        taken = bisect_left(self._track.input_ticks, tick)
        return round((self._input_times[taken - 1] - self.times[0]) / 1e6, 3) if taken else 0.0

    def clock(self, tick: int) -> ClockState | None:
        """Return the clocks at a tick, as the last input before it has left them; None without."""
        last = self.last_input(tick)
        return (self.started.clock if last is None else last.clock) or None

    def at(self, tick: int) -> State:
        """Return the state before `tick` is stepped, or the last one of a shorter match."""
        return self._run_to(max(0, min(tick, self.ticks))).state

    def frames(self, hz: float | None = None, start: int = 0) -> Iterator[tuple[int, State]]:
        """Yield (tick, state) from `start` to the end, `hz` times a second of the match's clock.

        With None, and in a turn-based game, every tick is yielded. The state is one object that is
        stepped in place: use it before asking for the next frame.
        """
        every = 1 if hz is None else max(1, round(self.game.tick_hz / hz))
        start = max(0, min(start, self.ticks))
        run = self._run_to(start)
        yield run.tick, run.state
        while run.tick < self.ticks:
            run.step()
            if (run.tick - start) % every == 0 or run.tick == self.ticks:
                yield run.tick, run.state

    def verify(self) -> Difference | None:
        """Compare every recorded outcome and hash with the rules; return the first difference.

        A void match is compared up to the tick at which its rules failed; only what was recorded
        after that tick counts as a difference.
        """
        run: RecordedRun | None = None
        try:
            run = self._run_from(0)
            difference = self._verify(run)
        except RulesFailed as error:
            difference = Difference(0 if run is None else run.tick, error.message)
        if difference is None or (self.is_void and not self._has_records_after(difference.tick)):
            return None
        return difference

    @property
    def input_ticks(self) -> Sequence[int]:
        """The tick at which each of `inputs` takes effect."""
        return self._track.input_ticks

    def view(self, state: State) -> View:
        """Return what the viewer's seat may see of a state, or spectators; raise `RulesFailed`."""
        return self._ask(lambda: _struct(self._views.view(state, self.viewer)))

    def views(self, state: State) -> list[View] | None:
        """Return what each seat may see, for a viewer with full sight of a game with secrets."""
        return self._ask(lambda: self._views.views(state, self.viewer))

    def shown(self, event: MatchInput) -> msgspec.Raw:
        """Return what the viewer may see of one of `inputs`."""
        return event.input

    def scores(self, state: State) -> list[int]:
        """Return the points by seat in a state; raise `RulesFailed`."""
        return self._ask(lambda: msgspec.convert(self.game.scores(state), list[int]))

    def figures(self, course: Course) -> list[Figure]:
        """Return the figures of a match, if its game has any; raise `RulesFailed`."""
        game = self.game
        if not isinstance(game, HasFigures):
            return []
        return self._ask(lambda: msgspec.convert(list(game.figures(course)), list[Figure]))

    def result(self, state: State) -> GameResult | None:
        """Return how the match ended by its rules in a state, or None; raise `RulesFailed`."""
        return self._ask(lambda: self.game.result(state))

    def legal_moves(self, state: State, seat: int) -> list[dict[str, Any]]:
        """Return the moves that a seat may make in a state; raise `RulesFailed`."""
        return self._ask(lambda: [dict(move) for move in self.game.legal_moves(state, seat)])

    def _ask(self, question: Callable[[], Result]) -> Result:
        """Call the rules; raise `RulesFailed` when they raise."""
        try:
            return question()
        except RulesFailed:
            raise
        except Exception as error:
            message = f"The rules of {self.game.name} have failed: {error!r}."
            raise RulesFailed(message) from error

    @property
    def is_void(self) -> bool:
        """Whether the match ended without a result because its rules failed."""
        return self.ended is not None and self.ended.reason == "void"

    def _has_records_after(self, tick: int) -> bool:
        """Return whether an outcome or a checkpoint was recorded after `tick`."""
        records = (MatchOutcome, MatchCheckpoint)
        return any(isinstance(event, records) and event.reaches > tick for event in self.events)

    def _verify(self, run: RecordedRun) -> Difference | None:
        recorded: dict[int, list[GameEvent]] = {}
        for event in self.events:
            if isinstance(event, MatchOutcome):
                outcome = decode_event(self.game, event.outcome)
                recorded.setdefault(event.tick, []).append(outcome)
        while run.tick < self.ticks:
            difference = self._verify_checkpoints(run) or self._verify_turn(run)
            if difference is not None:
                return difference
            tick = run.next_tick
            outcomes = list(run.step())
            if run.refused is not None:
                return Difference(tick, f"the rules refuse this input: {run.refused.message}")
            if outcomes != recorded.get(tick, []):
                return Difference(
                    tick, f"recorded was {recorded.get(tick, [])}, the rules say {outcomes}"
                )
        late = [tick for tick in recorded if tick >= self.ticks]
        if late:
            return Difference(min(late), f"recorded was {recorded[min(late)]}, after the end")
        return self._verify_checkpoints(run) or self._verify_end(run)

    def _verify_checkpoints(self, run: RecordedRun) -> Difference | None:
        for checkpoint in self._checkpoints_at.get(run.tick, ()):
            state = self._ask(partial(self._decoded, checkpoint))
            if not checkpoint.hash == state_hash(state) == state_hash(run.state):
                return Difference(run.tick, "the state is not that of the checkpoint")
        return None

    def _verify_turn(self, run: RecordedRun) -> Difference | None:
        """Check that a turn-based game has an input for its next tick.

        Ticks are skipped only where an append failed, which can't happen in games that decide each
        move after the commit of the one before it (`ordered`).
        """
        if self.game.tick_hz:
            return None
        if not run.has_input or (self.game.ordered and run.next_tick > run.tick):
            return Difference(run.tick, "the input of this tick is missing")
        return None

    def _verify_end(self, run: RecordedRun) -> Difference | None:
        if self.ended is None or self.is_void:
            return None
        scores = self.scores(run.state)
        if scores != self.ended.scores:
            return Difference(run.tick, f"recorded was {self.ended.scores}, the score is {scores}")
        if state_hash(run.state) != self.ended.hash:
            return Difference(run.tick, "the last state is not the recorded one")
        result = self.result(run.state)
        by_the_rules = self.ended.reason in BY_THE_RULES
        if by_the_rules and (result is None or result.winner != self.ended.winner):
            return Difference(run.tick, f"recorded was winner {self.ended.winner}, not {result}")
        return None

    def _ticks_so_far(self) -> int:
        # An input may name a tick that was never stepped, or whose outcomes are not committed yet.
        ticks = max(one.reaches for one in self.events if not isinstance(one, MatchInput))
        return ticks if self.game.tick_hz else max(ticks, ticks_taken(self.inputs))

    def _run_to(self, tick: int) -> RecordedRun:
        run = self._run_from(tick)
        run.run_to(tick)
        return run

    def _run_from(self, tick: int) -> RecordedRun:
        """Start at the last checkpoint before `tick`; tick 0 runs the match from its start."""
        return self._ask(lambda: self._track.start(tick))

    def _first_state(self) -> State:
        started = self.started
        return set_up(self.game, started.seed, started.options, len(started.players))

    def _decoded(self, checkpoint: MatchCheckpoint) -> State:
        return msgspec.json.decode(checkpoint.state, type=self.game.state_type)
