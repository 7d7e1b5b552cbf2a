"""Runs a match again: the rules, the seed and the inputs give every state that there ever was.

The same code rebuilds a live match after a restart, so a replay and a live match can't differ.
"""

from __future__ import annotations

import hashlib
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from service.domain.matches import (
    MatchCheckpoint,
    MatchEnded,
    MatchEvent,
    MatchInput,
    MatchOutcome,
    MatchStarted,
)
from service.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from service.domain.event import Event
    from service.domain.matches import Match
    from service.games.protocol import Game, GameEvent, State


class NotAMatch(ServiceError):
    """These events are not those of a match, from its start."""


class Difference(msgspec.Struct, frozen=True):
    """Where a recording and its replay part: the first such tick, and how."""

    tick: int
    what: str


def state_hash(state: State) -> str:
    """Hash a state, as it stands in checkpoints."""
    return hashlib.sha256(msgspec.json.encode(state)).hexdigest()[:32]


def encode_state(state: State) -> msgspec.Raw:
    """Write a state down for a checkpoint."""
    return msgspec.Raw(msgspec.json.encode(state))


class Run:
    """A match under way: a state, its tick, and the inputs that are still to take effect."""

    def __init__(self, game: Game, state: State, tick: int = 0) -> None:
        """Begin with `state`, which is the one before `tick` is stepped."""
        self.game = game
        self.state = state
        self.tick = tick
        self._inputs: deque[tuple[int, GameEvent]] = deque()

    def add_input(self, event: MatchInput) -> None:
        """Let a recorded input take effect at its tick; ticks never go down in the log."""
        self._inputs.append((event.tick, decode_event(self.game, event.input)))

    def step(self) -> Sequence[GameEvent]:
        """Take the inputs of this tick, step it, and return its outcomes."""
        while self._inputs and self._inputs[0][0] <= self.tick:
            self.game.apply(self.state, self._inputs.popleft()[1])
        self.tick += 1
        return self.game.step(self.state)

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


def rebuild(match: Match, events: Sequence[Event], game: Game) -> tuple[Run, list[MatchOutcome]]:
    """Bring a live match to its last logged tick, from the events since `match.replay_from`.

    Also returns the outcomes on the way that the log does not have yet: the service died
    before it could write them down.
    """
    base = next((one for one in reversed(events) if isinstance(one, MatchCheckpoint)), None)
    if base is None:
        run = Run(game, game.setup(match.seed, match.options, len(match.players)))
    else:
        run = Run(game, msgspec.json.decode(base.state, type=game.state_type), base.tick)
    for event in events:
        if isinstance(event, MatchInput) and event.tick >= run.tick:
            run.add_input(event)
    logged = {event.tick for event in events if isinstance(event, MatchOutcome)}
    unlogged: list[MatchOutcome] = []
    while run.tick < match.tick and game.result(run.state) is None:
        tick = run.tick
        outcomes = run.step()
        if outcomes and tick not in logged:
            unlogged += outcomes_at(match.id, tick, outcomes)
    return run, unlogged


class Replay:
    """One recorded match, at any tick."""

    def __init__(self, events: Sequence[Event], games: Mapping[str, Game]) -> None:
        """Take the match's events from its start; raise `NotAMatch` for anything else."""
        if not events or not isinstance(events[0], MatchStarted):
            raise NotAMatch
        self.started = events[0]
        game = games.get(self.started.game)
        if game is None or game.rules_version != self.started.rules_version:
            raise NotAMatch(
                f"match {self.started.match} was played by version {self.started.rules_version} "
                f"of the rules of {self.started.game}, which is not here"
            )
        self.game = game
        self.events = [event for event in events if isinstance(event, MatchEvent)]
        self.inputs = [event for event in self.events if isinstance(event, MatchInput)]
        self.ended = next((one for one in self.events if isinstance(one, MatchEnded)), None)
        # Inputs may stand for ticks that never came, or whose outcomes are not written down yet.
        self.ticks = (
            self.ended.tick
            if self.ended
            else max(one.reaches for one in self.events if not isinstance(one, MatchInput))
        )
        self._checkpoints = [one for one in self.events if isinstance(one, MatchCheckpoint)]
        self._checkpoints_at: dict[int, list[MatchCheckpoint]] = {}
        for checkpoint in self._checkpoints:
            self._checkpoints_at.setdefault(checkpoint.tick, []).append(checkpoint)

    def at(self, tick: int) -> State:
        """Return the state before `tick` is stepped, or the last one of a shorter match."""
        tick = max(0, min(tick, self.ticks))
        run = self._run_from(tick)
        while run.tick < tick:
            run.step()
        return run.state

    def frames(self, hz: float | None = None, start: int = 0) -> Iterator[tuple[int, State]]:
        """Yield (tick, state) from `start` to the end, `hz` times a second of the match.

        It is one state, which is stepped on: look at it before you ask for the next.
        """
        every = 1 if hz is None else max(1, round(self.game.tick_hz / hz))
        start = max(0, min(start, self.ticks))
        run = self._run_from(start)
        while run.tick < start:
            run.step()
        yield run.tick, run.state
        while run.tick < self.ticks:
            run.step()
            if (run.tick - start) % every == 0 or run.tick == self.ticks:
                yield run.tick, run.state

    def verify(self) -> Difference | None:
        """Compare every recorded outcome and hash with the rules; return where they first part."""
        recorded: dict[int, list[GameEvent]] = {}
        for event in self.events:
            if isinstance(event, MatchOutcome):
                outcome = decode_event(self.game, event.outcome)
                recorded.setdefault(event.tick, []).append(outcome)
        run = self._run_from(0)
        while run.tick < self.ticks:
            tick = run.tick
            difference = self._verify_checkpoints(run)
            if difference is not None:
                return difference
            outcomes = list(run.step())
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
            state = msgspec.json.decode(checkpoint.state, type=self.game.state_type)
            if not checkpoint.hash == state_hash(state) == state_hash(run.state):
                return Difference(run.tick, "the state is not that of the checkpoint")
        return None

    def _verify_end(self, run: Run) -> Difference | None:
        if self.ended is None:
            return None
        scores = self.game.scores(run.state)
        if scores != self.ended.scores:
            return Difference(run.tick, f"recorded was {self.ended.scores}, the score is {scores}")
        if state_hash(run.state) != self.ended.hash:
            return Difference(run.tick, "the last state is not the recorded one")
        result = self.game.result(run.state)
        if self.ended.reason == "timeup" and (result is None or result.winner != self.ended.winner):
            return Difference(run.tick, f"recorded was winner {self.ended.winner}, not {result}")
        return None

    def _run_from(self, tick: int) -> Run:
        """Begin at the nearest checkpoint; at tick 0 there is none, so all is run."""
        base = max(
            (one for one in self._checkpoints if 0 < one.tick <= tick),
            key=lambda one: one.tick,
            default=None,
        )
        if base is None:
            started = self.started
            state = self.game.setup(started.seed, started.options, len(started.players))
            run = Run(self.game, state)
        else:
            state = msgspec.json.decode(base.state, type=self.game.state_type)
            run = Run(self.game, state, base.tick)
        for event in self.inputs:
            if event.tick >= run.tick:
                run.add_input(event)
        return run
