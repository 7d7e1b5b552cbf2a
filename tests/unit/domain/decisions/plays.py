"""Matches that decisions begin with, as events; and rules that fail, to decide by."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from service.domain.commands.base import Context, MatchSnapshot
from service.domain.commands.moves import pace_of
from service.domain.events.base import Event
from service.domain.events.matches import (
    ClockState,
    EndReason,
    MatchCheckpoint,
    MatchEnded,
    MatchInput,
    MatchPaused,
    MatchResumed,
    MatchStarted,
)
from service.domain.events.rooms import (
    RoomBecameReady,
    RoomCreated,
    SeatLeft,
    SeatTaken,
    SpectatorJoined,
)
from service.domain.ids import SocketId
from service.domain.projections.matches import Match
from service.games.catalogue import GAMES, Catalogue
from service.games.chance import Chance
from service.games.connect_four import ConnectFour, ConnectFourState, Dropped
from service.games.pong import Paddle, Pong, PongState
from service.games.protocol import Game, GameEvent, Result
from tests.unit.domain.decisions.histories import ANA, BEN, CLEO, online, tab
from tests.unit.domain.scenario import Scenario, scenario
from tests.unit.domain.story import ROOM

MATCH = f"{ROOM}-1"

OPTIONS = {"duration_s": 30, "reconnect_grace_s": 10, "pause_budget_s": 60, "turn_s": 20}


def room(game: str, *users: int, **options: Any) -> list[Event]:
    """Let users come online and sit in a room that is ready for a match."""
    seats = len(users)
    return [
        *online(*users),
        RoomCreated(
            room=ROOM,
            game=game,
            players=list(users),
            options=OPTIONS | options,
            seats_min=min(seats, 2),
            seats_max=seats,
            spectators_max=9,
        ),
        *(SeatTaken(room=ROOM, user=user, socket=tab(user)) for user in users),
        RoomBecameReady(room=ROOM),
    ]


def started(game: str, *users: int, rules_version: int = 1, **options: Any) -> MatchStarted:
    """Start a match of a game in that room."""
    return MatchStarted(
        match=MATCH,
        tick=0,
        game=game,
        rules_version=rules_version,
        players=list(users),
        seed=7,
        options=OPTIONS | options,
        pace=pace_of(GAMES[game]),
        turn_s=(OPTIONS | options)["turn_s"] if game == "connect_four" else None,
    )


def play(game: str = "pong", *users: int, **options: Any) -> Scenario:
    """Begin with a match of these users, or of Ana and Ben."""
    users = users or (ANA, BEN)
    return scenario().given(*room(game, *users, **options), started(game, *users, **options))


def last(one: Scenario) -> int:
    """Return the position of the last event that was given."""
    return len(one.story.events)


def match_of(one: Scenario) -> Match:
    """Return the live match."""
    return one.story.world.matches.live[MATCH]


def paused(tick: int = 0, turn_left_ms: int | None = None, spent: Sequence[int] = ()) -> Event:
    """Pause the match."""
    return MatchPaused(match=MATCH, tick=tick, turn_left_ms=turn_left_ms, spent_ms=list(spent))


def resumed(tick: int = 0, run: int = 1, spent: Sequence[int] = ()) -> Event:
    """Let the match go on."""
    return MatchResumed(match=MATCH, tick=tick, run=run, spent_ms=list(spent))


def over(tick: int = 0) -> MatchEnded:
    """End the match as a draw."""
    return MatchEnded(
        match=MATCH, tick=tick, reason="timeup", winner=None, scores=[0, 0], hash="hash"
    )


def end_of(
    reason: EndReason, winner: int | None, *scores: int, hash_: str = "hash", tick: int = 5
) -> MatchEnded:
    """Return the end of the match as `measured` lets the service measure it."""
    return MatchEnded(
        match=MATCH, tick=tick, reason=reason, winner=winner, scores=list(scores), hash=hash_
    )


def checkpoint(tick: int) -> Event:
    """Record the state of the match."""
    return MatchCheckpoint(match=MATCH, tick=tick, state=msgspec.Raw(b"{}"), hash="hash")


def entered(  # noqa: PLR0913 - what an input is
    event: GameEvent,
    *,
    tick: int = 0,
    seat: int = 0,
    by: SocketId | None = None,
    held: dict[SocketId, list[str]] | None = None,
    spent_ms: int | UnsetType = UNSET,
    clock: ClockState | UnsetType = UNSET,
) -> MatchInput:
    """Return the input with this content."""
    raw = msgspec.Raw(msgspec.json.encode(event))
    return MatchInput(
        match=MATCH,
        tick=tick,
        seat=seat,
        socket=by,
        input=raw,
        held=held or {},
        spent_ms=spent_ms,
        clock=clock,
    )


def left(user: int) -> Event:
    """Let a player give up the seat."""
    return SeatLeft(room=ROOM, user=user)


def watches(user: int = CLEO) -> list[Event]:
    """Let a user watch the room."""
    return [*online(user), SpectatorJoined(room=ROOM, user=user, socket=tab(user))]


def pong_state(scores: tuple[int, int] = (0, 0), ticks_left: int = 9) -> PongState:
    """Return a state of Pong."""
    return PongState(
        ticks_left=ticks_left,
        chance=Chance(7),
        serve_side=0,
        paddles=(Paddle(), Paddle()),
        scores=list(scores),
    )


def connect_four_state(turn: int | None = 0, **fields: Any) -> ConnectFourState:
    """Return a state of connect four with no disc on the board."""
    return ConnectFourState(columns=[[] for _ in range(7)], turn=turn, **fields)


class BrokenRules(Exception):
    """What broken rules raise."""


class BrokenPong(Pong):
    """Pong of which the rules named in `broken` raise."""

    def __init__(self, *broken: str) -> None:
        self.broken = broken

    def _check(self, rule: str) -> None:
        if rule in self.broken:
            raise BrokenRules(rule)

    def decide(self, state: PongState, seat: int, move: Mapping[str, Any]) -> list[GameEvent]:
        self._check("decide")
        return super().decide(state, seat, move)

    def hold(self, seat: int, keys: Collection[str]) -> Any:
        self._check("hold")
        return super().hold(seat, keys)

    def result(self, state: PongState) -> Result | None:
        self._check("result")
        return super().result(state)

    def scores(self, state: PongState) -> list[int]:
        self._check("scores")
        return super().scores(state)


class FailsForSeat(Pong):
    """Pong that fails over the keys of one seat."""

    def __init__(self, seat: int) -> None:
        self.seat = seat

    def hold(self, seat: int, keys: Collection[str]) -> Any:
        if seat == self.seat:
            raise BrokenRules(seat)
        return super().hold(seat, keys)


class SaysPong(Pong):
    """Pong that names this winner, and these scores."""

    def __init__(self, winner: Any, scores: Any = (0, 0)) -> None:
        self.winner = winner
        self.said = scores

    def result(self, state: PongState) -> Result | None:  # noqa: ARG002 - always the same
        return Result(self.winner)

    def scores(self, state: PongState) -> list[int]:  # noqa: ARG002 - always the same
        said: list[int] = list(self.said)
        return said


class TimesOutSeat(ConnectFour):
    """Connect four in which the turn of this seat is over."""

    def __init__(self, seat: Any) -> None:
        self.seat = seat

    def timeout(self, state: ConnectFourState) -> tuple[int, GameEvent]:  # noqa: ARG002 - always the same
        return self.seat, Dropped(0, 0)


def by_rules(one: Scenario, *games: Game) -> list[tuple[str, str]]:
    """Let other rules decide from now on; return the list that failures are added to."""
    failures: list[tuple[str, str]] = []
    one.story.context = msgspec.structs.replace(
        one.story.context,
        games=Catalogue(games),
        rules_failed=lambda match, error: failures.append((match, str(error))),
    )
    return failures


def snapshot(state: Any = None, **fields: Any) -> MatchSnapshot:
    """Return what the service measures: at tick 5, where an input takes effect at tick 9."""
    measured: dict[str, Any] = {
        "tick": 5,
        "input_tick": 9,
        "state": state,
        "pausing": False,
        "state_hash": lambda: "hash",
        "spent_ms": [0, 0],
    }
    return MatchSnapshot(**(measured | fields))


def measured(one: Scenario, **fields: Any) -> Scenario:
    """Let the service measure ticks 5 and 9, the hash "hash", and `fields`."""
    return one.measured(**({"tick": 5, "input_tick": 9, "state_hash": lambda: "hash"} | fields))


def context_of(one: Scenario) -> Context:
    """Return what decisions may use."""
    return one.story.context
