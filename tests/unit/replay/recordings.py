"""Recorded matches for the replay tests."""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from service.domain.commands.moves import pace_of
from service.domain.events.base import Event
from service.domain.events.matches import (
    EndReason,
    MatchCheckpoint,
    MatchEnded,
    MatchEvent,
    MatchInput,
    MatchStarted,
)
from service.domain.projections.matches import FOLD, Match, Matches
from service.games.catalogue import GAMES
from service.games.options import read_options, set_up
from service.games.protocol import Game, GameEvent, State
from service.replay.replay import Difference, Replay
from service.replay.run import encode_state, state_hash

MATCH = "r-1"

OneEvent = TypeVar("OneEvent", bound=MatchEvent)


class Played(msgspec.Struct):
    """A match as it was recorded, and the state, as JSON, before each of its ticks."""

    events: list[MatchEvent]
    states: list[bytes]

    def all_of(self, kind: type[OneEvent]) -> list[OneEvent]:
        return [event for event in self.events if isinstance(event, kind)]

    def replay(self) -> Replay:
        return Replay(self.events, GAMES)

    def changed(self, old: MatchEvent, *new: MatchEvent) -> Replay:
        """Return the replay of a recording with `new` in the place of `old`."""
        at = next(index for index, event in enumerate(self.events) if event is old)
        return Replay([*self.events[:at], *new, *self.events[at + 1 :]], GAMES)


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


def encoded(state: object) -> bytes:
    return msgspec.json.encode(state)


def started(game: Game, seed: int, options: dict[str, Any], players: int) -> MatchStarted:
    clock = game.clock(set_up(game, seed, options, players), read_options(game, options))
    return MatchStarted(
        match=MATCH,
        tick=0,
        game=game.name,
        rules_version=game.rules_version,
        players=list(range(1, players + 1)),
        seed=seed,
        options=options,
        pace=pace_of(game),
        turn_s=None if clock is None else clock.ends_in_ms / 1000,
    )


def an_input(tick: int, seat: int, event: GameEvent) -> MatchInput:
    return MatchInput(match=MATCH, tick=tick, seat=seat, socket="s", input=raw(event))


def checkpoint(state: State, tick: int) -> MatchCheckpoint:
    return MatchCheckpoint(
        match=MATCH, tick=tick, state=encode_state(state), hash=state_hash(state)
    )


def ended(game: Game, state: State, tick: int, reason: EndReason, winner: int | None) -> MatchEnded:
    return MatchEnded(
        match=MATCH,
        tick=tick,
        reason=reason,
        winner=winner,
        scores=game.scores(state),
        hash=state_hash(state),
    )


def folded(events: Sequence[Event]) -> tuple[Match, list[Event]]:
    """Return the live match as the log has it, and what a rebuild of it is given."""
    matches = Matches(live={})
    for position, event in enumerate(events, 1):
        fold: Any = FOLD[type(event)]
        fold(matches, event, position)
    match = matches.live[MATCH]
    return match, list(events[match.replay_from - 1 :])


def find(replay: Replay) -> Difference:
    difference = replay.verify()
    assert difference is not None
    assert difference.what
    return difference
