"""Replay a match: derive every state from its rules, seed and inputs.

The same code rebuilds a live match after a restart, so a replay and a live match can't differ.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import msgspec

from service.domain.events.matches import (
    BY_THE_RULES,
    MatchCheckpoint,
    MatchEnded,
    MatchEvent,
    MatchInput,
    MatchOutcome,
    MatchRewound,
    MatchStarted,
)
from service.errors import ServiceError
from service.games.protocol import InvalidMove, RulesFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from service.domain.events.base import Event
    from service.domain.ids import MatchId
    from service.domain.projections.matches import Match
    from service.games.catalogue import Catalogue
    from service.games.protocol import Game, GameEvent, State


Answer = TypeVar("Answer")


class NotAMatch(ServiceError):
    """These events are not those of a match, from its start."""


class RulesMissing(NotAMatch):
    """The match was played by a version of the rules that is not here."""


class Difference(msgspec.Struct, frozen=True):
    """Where a recording and its replay part: the first such tick, and how."""

    tick: int
    what: str


def encode_state(state: State) -> msgspec.Raw:
    """Write a state down for a checkpoint."""
    return msgspec.Raw(msgspec.json.encode(state))


def state_hash(state: State) -> str:
    """Hash a state, as it stands in checkpoints."""
    return _hash(encode_state(state))


def checkpoint_of(match: MatchId, run: Run) -> MatchCheckpoint:
    """Write down where a match stands."""
    state = encode_state(run.state)
    return MatchCheckpoint(match=match, tick=run.tick, state=state, hash=_hash(state))


def _hash(state: msgspec.Raw) -> str:
    return hashlib.sha256(state).hexdigest()[:32]


class Run:
    """A match under way: a state, its tick, and the inputs that are still to take effect.

    In a game without ticks of its own each input takes one, in the order of the log.
    """

    __slots__ = ("_inputs", "game", "refused", "state", "tick")

    def __init__(self, game: Game, state: State, tick: int = 0) -> None:
        """Begin with `state`, which is the one before `tick` is stepped."""
        self.game = game
        self.state = state
        self.tick = tick
        self.refused: InvalidMove | None = None
        """Why the latest input that the rules did not have there was left out."""
        self._inputs: deque[tuple[int, GameEvent]] = deque()

    def add_input(self, event: MatchInput) -> None:
        """Let a recorded input take effect at its tick; ticks never go down in the log."""
        self._inputs.append((event.tick, decode_event(self.game, event.input)))

    @property
    def has_inputs(self) -> bool:
        """Whether there are inputs that are still to take effect."""
        return bool(self._inputs)

    @property
    def next_tick(self) -> int:
        """The tick that is stepped next.

        Without ticks of its own a game skips those of inputs that could not be committed.
        """
        if self.game.tick_hz or not self._inputs:
            return self.tick
        return max(self.tick, self._inputs[0][0])

    def step(self) -> Sequence[GameEvent]:
        """Take the inputs of the next tick, step it, and return its outcomes.

        Raises `RulesFailed`, and stays at that tick, when the rules raise.
        """
        try:
            if self._inputs:
                self._take_inputs()
            outcomes = self.game.step(self.state)
        except Exception as error:
            message = f"The rules of {self.game.name} have failed at tick {self.tick}: {error!r}."
            raise RulesFailed(message) from error
        self.tick += 1
        return outcomes

    def ahead(self, more: Sequence[MatchInput] = ()) -> State:
        """Return the state as it will be once all known inputs, and `more`, have taken effect."""
        if not self._inputs and not more:
            return self.state
        state = msgspec.json.decode(msgspec.json.encode(self.state), type=self.game.state_type)
        for _, event in self._inputs:
            self.game.apply(state, event)
        for recorded in more:
            self.game.apply(state, decode_event(self.game, recorded.input))
        return state

    def _take_inputs(self) -> None:
        if self.game.tick_hz:
            while self._inputs and self._inputs[0][0] <= self.tick:
                self._take(self._inputs.popleft()[1])
        else:
            self.tick = self.next_tick
            self._take(self._inputs.popleft()[1])

    def _take(self, event: GameEvent) -> None:
        try:
            self.game.apply(self.state, event)
        except InvalidMove as error:
            # It is in the log, so it can't be answered any more; the match must go on.
            self.refused = error


def decode_event(game: Game, raw: msgspec.Raw) -> GameEvent:
    """Read an event of `game`."""
    event: GameEvent = msgspec.json.decode(raw, type=game.event_type)
    return event


def outcomes_at(match: str, tick: int, events: Sequence[GameEvent]) -> list[MatchOutcome]:
    """Write the outcomes of a step down."""
    return [
        MatchOutcome(match=match, tick=tick, outcome=msgspec.Raw(msgspec.json.encode(event)))
        for event in events
    ]


def ticks_taken(inputs: Iterable[MatchInput], tick: int = 0) -> int:
    """Return the tick to which a game without ticks of its own is brought by `inputs`."""
    for event in inputs:
        tick = max(tick, event.tick) + 1
    return tick


def rebuild(match: Match, events: Sequence[Event], game: Game) -> tuple[Run, list[MatchOutcome]]:
    """Bring a live match to its last logged tick, from the events since `match.replay_from`.

    In a game without ticks of its own that is the one after the last input. Also returns the
    outcomes on the way that the log does not have yet: the service died before it could write
    them down.
    """
    base = next((one for one in reversed(events) if isinstance(one, MatchCheckpoint)), None)
    if base is None:
        run = Run(game, game.setup(match.seed, match.options, len(match.players)))
    else:
        run = Run(game, msgspec.json.decode(base.state, type=game.state_type), base.tick)
    inputs = [one for one in events if isinstance(one, MatchInput) and one.tick >= run.tick]
    for event in inputs:
        run.add_input(event)
    until = match.tick if game.tick_hz else ticks_taken(inputs, run.tick)
    logged = {event.tick for event in events if isinstance(event, MatchOutcome)}
    unlogged: list[MatchOutcome] = []
    while run.tick < until and game.result(run.state) is None:
        tick = run.tick
        outcomes = run.step()
        if outcomes and tick not in logged:
            unlogged += outcomes_at(match.id, tick, outcomes)
    return run, unlogged


def _rules_of(started: MatchStarted, games: Catalogue) -> Game:
    game = games.rules(started.game, started.rules_version)
    if game is not None:
        return game
    here = ", ".join(map(str, games.versions(started.game))) or "none"
    raise RulesMissing(
        f"match {started.match} was played by version {started.rules_version} of the rules of "
        f"{started.game}, which is not here (here: {here}); a build that has it can replay it"
    )


class Replay:
    """One recorded match, at any tick."""

    def __init__(self, events: Sequence[Event], games: Catalogue) -> None:
        """Take the match's events from its start; raise `NotAMatch` for anything else.

        Raises `RulesMissing` when the version of the rules that it began with is not kept here.
        """
        if not events or not isinstance(events[0], MatchStarted):
            raise NotAMatch
        self.started = events[0]
        self.game = _rules_of(self.started, games)
        self.events = [event for event in events if isinstance(event, MatchEvent)]
        self.inputs = [event for event in self.events if isinstance(event, MatchInput)]
        self.ended = next((one for one in self.events if isinstance(one, MatchEnded)), None)
        self.rewinds = [one.tick for one in self.events if isinstance(one, MatchRewound)]
        """The ticks that the match was rewound to, after a restart of the service."""
        self.ticks = self.ended.tick if self.ended else self._ticks_so_far()
        self._checkpoints = [one for one in self.events if isinstance(one, MatchCheckpoint)]
        self._checkpoints_at: dict[int, list[MatchCheckpoint]] = {}
        for checkpoint in self._checkpoints:
            self._checkpoints_at.setdefault(checkpoint.tick, []).append(checkpoint)

    @property
    def tick_hz(self) -> int:
        """How many ticks are shown a second: one, when the game itself knows no time."""
        return self.game.tick_hz or 1

    def last_input(self, tick: int) -> MatchInput | None:
        """Return the last input before `tick`, or None at the start."""
        after = bisect_left(self.inputs, tick, key=lambda one: one.tick)
        return self.inputs[after - 1] if after else None

    def at(self, tick: int) -> State:
        """Return the state before `tick` is stepped, or the last one of a shorter match."""
        return self._run_to(max(0, min(tick, self.ticks))).state

    def frames(self, hz: float | None = None, start: int = 0) -> Iterator[tuple[int, State]]:
        """Yield (tick, state) from `start` to the end, `hz` times a second of the match.

        A game without ticks of its own knows no seconds, so it yields every tick.
        It is one state, which is stepped on: look at it before you ask for the next.
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
        """Compare every recorded outcome and hash with the rules; return where they first part.

        A void match holds as far as its rules go, if nothing was recorded beyond that.
        """
        run: Run | None = None
        try:
            run = self._run_from(0)
            difference = self._verify(run)
        except RulesFailed as error:
            difference = Difference(0 if run is None else run.tick, error.message)
        if difference is None or (self.is_void and not self._has_records_after(difference.tick)):
            return None
        return difference

    def view(self, state: State) -> msgspec.Struct:
        """Return what a spectator may see of a state; raise `RulesFailed`."""
        return self._ask(lambda: self.game.view(state, None))

    def scores(self, state: State) -> list[int]:
        """Return the points by seat in a state; raise `RulesFailed`."""
        return self._ask(lambda: self.game.scores(state))

    def _ask(self, question: Callable[[], Answer]) -> Answer:
        """Ask the rules; raise `RulesFailed` when they raise."""
        try:
            return question()
        except Exception as error:
            message = f"The rules of {self.game.name} have failed: {error!r}."
            raise RulesFailed(message) from error

    @property
    def is_void(self) -> bool:
        """Whether the match was ended without a result, since its rules had failed."""
        return self.ended is not None and self.ended.reason == "void"

    def _has_records_after(self, tick: int) -> bool:
        """Tell whether an outcome or a state was recorded that comes after `tick`."""
        records = (MatchOutcome, MatchCheckpoint)
        return any(isinstance(event, records) and event.reaches > tick for event in self.events)

    def _verify(self, run: Run) -> Difference | None:
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

    def _verify_checkpoints(self, run: Run) -> Difference | None:
        for checkpoint in self._checkpoints_at.get(run.tick, ()):
            state = self._ask(partial(self._decoded, checkpoint))
            if not checkpoint.hash == state_hash(state) == state_hash(run.state):
                return Difference(run.tick, "the state is not that of the checkpoint")
        return None

    def _verify_turn(self, run: Run) -> Difference | None:
        """Without ticks of its own a game has an input in each, but where an append failed.

        That can't be when each move is decided only after the one before it is committed.
        """
        if self.game.tick_hz:
            return None
        if not run.has_inputs or (self.game.ordered and run.next_tick > run.tick):
            return Difference(run.tick, "the input of this tick is missing")
        return None

    def _verify_end(self, run: Run) -> Difference | None:
        if self.ended is None or self.is_void:
            return None
        scores = self.scores(run.state)
        if scores != self.ended.scores:
            return Difference(run.tick, f"recorded was {self.ended.scores}, the score is {scores}")
        if state_hash(run.state) != self.ended.hash:
            return Difference(run.tick, "the last state is not the recorded one")
        result = self._ask(lambda: self.game.result(run.state))
        by_the_rules = self.ended.reason in BY_THE_RULES
        if by_the_rules and (result is None or result.winner != self.ended.winner):
            return Difference(run.tick, f"recorded was winner {self.ended.winner}, not {result}")
        return None

    def _ticks_so_far(self) -> int:
        # Inputs may stand for ticks that never came, or whose outcomes are not written down yet.
        ticks = max(one.reaches for one in self.events if not isinstance(one, MatchInput))
        return ticks if self.game.tick_hz else max(ticks, ticks_taken(self.inputs))

    def _run_to(self, tick: int) -> Run:
        run = self._run_from(tick)
        while run.next_tick < tick:
            run.step()
        run.tick = tick
        return run

    def _run_from(self, tick: int) -> Run:
        """Begin at the nearest checkpoint; at tick 0 there is none, so all is run."""
        base = max(
            (one for one in self._checkpoints if 0 < one.tick <= tick),
            key=lambda one: one.tick,
            default=None,
        )
        if base is None:
            run = Run(self.game, self._ask(self._first_state))
        else:
            run = Run(self.game, self._ask(lambda: self._decoded(base)), base.tick)
        for event in self.inputs:
            if event.tick >= run.tick:
                run.add_input(event)
        return run

    def _first_state(self) -> State:
        started = self.started
        return self.game.setup(started.seed, started.options, len(started.players))

    def _decoded(self, checkpoint: MatchCheckpoint) -> State:
        return msgspec.json.decode(checkpoint.state, type=self.game.state_type)
