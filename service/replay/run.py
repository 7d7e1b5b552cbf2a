"""Run a match from its rules, seed and inputs, forward from its start or from a checkpoint.

A live match is rebuilt by the same code after a restart, so a replay and a live match can't differ.
"""

from __future__ import annotations

import hashlib
import math
from collections import deque
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, UnsetType

from service.domain.events.matches import MatchCheckpoint, MatchInput, MatchOutcome
from service.games.options import set_up
from service.games.protocol import InvalidMove, RulesFailed
from service.games.sight import shown_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from service.domain.events.base import Event
    from service.domain.ids import MatchId
    from service.domain.projections.matches import Match
    from service.games.protocol import Game, GameEvent, State


def encode_state(state: State) -> msgspec.Raw:
    """Encode a state as JSON, as checkpoints record it."""
    return msgspec.Raw(msgspec.json.encode(state))


def state_hash(state: State) -> str:
    """Return the hash of a state, as checkpoints record it."""
    return _hash(encode_state(state))


def checkpoint_of(match: MatchId, run: Run) -> MatchCheckpoint:
    """Make a checkpoint event of the present state of a match."""
    state = encode_state(run.state)
    return MatchCheckpoint(match=match, tick=run.tick, state=state, hash=_hash(state))


def _hash(state: msgspec.Raw) -> str:
    return hashlib.sha256(state).hexdigest()[:32]


class Run:
    """A match in progress: its state, its tick, and the inputs that have not taken effect yet.

    A turn-based game (`tick_hz` is 0) has no clock: each input advances it by one tick, in the
    order of the log.
    """

    __slots__ = ("_inputs", "game", "refused", "state", "tick")

    def __init__(self, game: Game, state: State, tick: int = 0) -> None:
        """Start from `state`, the state before `tick` is stepped."""
        self.game = game
        self.state = state
        self.tick = tick
        self.refused: InvalidMove | None = None
        """The error of the latest input that the rules refused; it was left out."""
        self._inputs: deque[tuple[int, GameEvent, int | UnsetType]] = deque()

    def add_input(self, event: MatchInput) -> None:
        """Queue a recorded input for its tick; inputs must be added in the order of the log."""
        self._inputs.append((event.tick, decode_event(self.game, event.input), event.spent_ms))

    @property
    def has_inputs(self) -> bool:
        """Whether inputs are queued that have not taken effect yet."""
        return bool(self._inputs)

    @property
    def remaining_s(self) -> int | None:
        """What is left of a match with a time limit, in seconds; None without one."""
        ticks = self.game.remaining_ticks(self.state)
        return None if ticks is None else math.ceil(ticks / self.game.tick_hz)

    @property
    def next_tick(self) -> int:
        """The tick that is stepped next.

        A turn-based game skips the ticks of inputs whose append failed.
        """
        if self.game.tick_hz or not self._inputs:
            return self.tick
        return max(self.tick, self._inputs[0][0])

    def step(self) -> Sequence[GameEvent]:
        """Apply the inputs of the next tick, step it, and return its outcomes.

        Raises `RulesFailed` when the rules raise; the run then stays at that tick.
        """
        try:
            if self._inputs:
                self._apply_inputs()
            outcomes = self.game.step(self.state)
        except Exception as error:
            message = f"The rules of {self.game.name} have failed at tick {self.tick}: {error!r}."
            raise RulesFailed(message) from error
        self.tick += 1
        return outcomes

    def ahead(self, more: Sequence[MatchInput] = ()) -> State:
        """Return a copy of the state in which all queued inputs, and `more`, have taken effect."""
        if not self._inputs and not more:
            return self.state
        state = msgspec.json.decode(msgspec.json.encode(self.state), type=self.game.state_type)
        for _, event, spent_ms in self._inputs:
            _apply(self.game, state, event, spent_ms)
        for recorded in more:
            event = decode_event(self.game, recorded.input)
            _apply(self.game, state, event, recorded.spent_ms)
        return state

    def _apply_inputs(self) -> None:
        if self.game.tick_hz:
            while self._inputs and self._inputs[0][0] <= self.tick:
                self._apply(*self._inputs.popleft()[1:])
        else:
            self.tick = self.next_tick
            self._apply(*self._inputs.popleft()[1:])

    def _apply(self, event: GameEvent, spent_ms: int | UnsetType) -> None:
        try:
            _apply(self.game, self.state, event, spent_ms)
        except InvalidMove as error:
            # The input is committed and acknowledged, so no error can be sent; the match goes on.
            self.refused = error


def _apply(game: Game, state: State, event: GameEvent, spent_ms: int | UnsetType) -> None:
    """Let the recorded time pass, and apply an input."""
    if spent_ms is not UNSET:
        game.elapse(state, spent_ms)
    game.apply(state, event)


def decode_event(game: Game, raw: msgspec.Raw) -> GameEvent:
    """Decode an event of `game`."""
    event: GameEvent = _decoder_of(game.event_type).decode(raw)
    return event


@cache
def _decoder_of(type_: Any) -> msgspec.json.Decoder[Any]:
    """Return the decoder of a type; for a union of events it takes longer to make than to use."""
    return msgspec.json.Decoder(type_)


def outcomes_at(match: str, tick: int, events: Sequence[GameEvent]) -> list[MatchOutcome]:
    """Make an event of each outcome of a step."""
    return [
        MatchOutcome(match=match, tick=tick, outcome=msgspec.Raw(msgspec.json.encode(event)))
        for event in events
    ]


def with_shown(outcomes: list[MatchOutcome], run: Run, players: int) -> list[MatchOutcome]:
    """Return the outcomes of the latest step with what viewers are shown of them.

    It is recorded in a match with secrets alone. Raises what the rules raise.
    """
    game, state = run.game, run.state
    if not game.has_secrets:
        return outcomes
    return [
        msgspec.structs.replace(one, shown=shown_of(game, state, one.outcome, players))
        for one in outcomes
    ]


def ticks_taken(inputs: Iterable[MatchInput], tick: int = 0) -> int:
    """Return the tick that a turn-based game reaches by `inputs`, starting at `tick`."""
    for event in inputs:
        tick = max(tick, event.tick) + 1
    return tick


def rebuild(
    match: Match, events: Sequence[Event], game: Game, later: int = 0
) -> tuple[Run, list[MatchOutcome]]:
    """Rebuild a live match at its last logged tick, from the events since `match.replay_from`.

    In a turn-based game that is the tick after the last input; in one with ticks it may be a
    `later` tick. Also returns the outcomes of the steps that are missing in the log, because the
    process died before they were committed.
    """
    base = next((one for one in reversed(events) if isinstance(one, MatchCheckpoint)), None)
    if base is None:
        options = match.options.as_written
        run = Run(game, set_up(game, match.seed, options, len(match.players)))
    else:
        run = Run(game, msgspec.json.decode(base.state, type=game.state_type), base.tick)
    inputs = [one for one in events if isinstance(one, MatchInput) and one.tick >= run.tick]
    for event in inputs:
        run.add_input(event)
    until = max(match.tick, later) if game.tick_hz else ticks_taken(inputs, run.tick)
    logged = {event.tick for event in events if isinstance(event, MatchOutcome)}
    unlogged: list[MatchOutcome] = []
    while run.tick < until and game.result(run.state) is None:
        tick = run.tick
        outcomes = run.step()
        if outcomes and tick not in logged:
            made = outcomes_at(match.id, tick, outcomes)
            unlogged += with_shown(made, run, len(match.players))
    return run, unlogged
