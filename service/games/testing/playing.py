"""Play whole matches of a game by its legal moves, as the service would, and keep what happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from time import thread_time
from typing import Any, NoReturn, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from service.domain.events.matches import MatchInput
from service.games import shield
from service.games.chance import Chance
from service.games.clocks import is_clock
from service.games.protocol import (
    Game,
    GameEvent,
    InvalidMove,
    Result,
    RulesFailed,
    State,
    TurnClock,
)
from service.replay.run import Run

MATCH = "test-1"
"""The id of every match that is played here."""

Pick: TypeAlias = Callable[[State, int, Chance], Mapping[str, Any] | None]
"""Chooses a move for a seat, or None to wait."""

Returned = TypeVar("Returned")


class Start(msgspec.Struct, frozen=True):
    """What a match begins with."""

    seed: int
    players: int
    options: Any = None
    """An `options_type`; None for its defaults."""

    def options_of(self, game: Game) -> Any:
        """Return the options, by default those of the game."""
        return game.options_type() if self.options is None else self.options


class Moved(msgspec.Struct, frozen=True):
    """A move, and the inputs that the rules made of it."""

    tick: int
    seat: int
    move: Mapping[str, Any]
    inputs: list[msgspec.Raw]
    spent_ms: int | UnsetType = UNSET
    """How long the clocks of the match ran before it."""

    def recorded(self) -> Iterator[MatchInput]:
        """Yield the inputs as they stand in the log."""
        for number, input_ in enumerate(self.inputs):
            # Time is spent once, before the first of them.
            spent_ms = self.spent_ms if not number or self.spent_ms is UNSET else 0
            yield MatchInput(
                match=MATCH,
                tick=self.tick,
                seat=self.seat,
                socket=None,
                input=input_,
                spent_ms=spent_ms,
            )


class Played(msgspec.Struct):
    """A match from its start to its end."""

    start: Start
    moves: list[Moved]
    states: dict[int, bytes]
    """The encoded state before each tick, and the last one."""
    outcomes: list[tuple[int, bytes]]
    """What the steps returned, encoded, with their ticks."""
    result: Result | None = None
    scores: list[int] = []


def fail(text: str, cause: BaseException | None = None) -> NoReturn:
    """Raise an `AssertionError` that tells the author what is wrong with their game."""
    raise AssertionError(text) from cause


def ask(what: str, call: Callable[[], Returned]) -> Returned:
    """Call the rules; what they raise, other than an `InvalidMove`, is a fault of the game.

    So is a call by which the match would fail in the service, for the time that it takes.
    """
    began_s = thread_time()
    try:
        answer = call()
    except InvalidMove:
        raise
    except Exception as error:  # noqa: BLE001 - rules may raise anything
        cause = (error.__cause__ if isinstance(error, RulesFailed) else None) or error
        fail(f"{what} raised {cause!r}", cause)
    if (took_s := thread_time() - began_s) > shield.CPU_S_MAX:
        fail(
            f"{what} took {took_s:.2f} s, in which no match goes on: the service lets a match fail "
            f"after {shield.CPU_S_MAX:g} s, and a few milliseconds are usual. Do less at once."
        )
    return answer


def encoded(what: str, value: object) -> bytes:
    """Encode a value of the rules as JSON."""
    return ask(f"encoding {what} as JSON", lambda: msgspec.json.encode(value))


def copy_of(game: Game, state: State) -> State:
    """Return a state as it is read back from the log."""
    return decoded(game, encoded("the state", state))


def decoded(game: Game, state: bytes) -> State:
    """Read an encoded state."""
    return ask(
        "reading the state back from JSON (is every field typed, with types that JSON can keep?)",
        lambda: msgspec.json.decode(state, type=game.state_type),
    )


def set_up(game: Game, start: Start) -> State:
    """Return the state before the first tick."""
    options = start.options_of(game)
    what = f"setup(seed={start.seed}, {options!r}, players={start.players})"
    state = ask(what, lambda: game.setup(start.seed, options, start.players))
    return expected(what, state, game.state_type, f"a {game.state_type.__name__}, its `state_type`")


def expected(what: str, value: Returned, types: Any, wanted: str) -> Returned:
    """Return what the rules have returned; fail where it is of none of these types."""
    if not isinstance(value, types):
        fail(f"{what} must return {wanted}, and returned {shortened(value)}.")
    return value


def decide(game: Game, state: State, seat: int, move: Mapping[str, Any]) -> list[GameEvent]:
    """Ask the rules for the inputs of a move; raise their `InvalidMove`."""
    what = f"decide() for the move {shortened(move)} of seat {seat}"
    events = ask(what, lambda: game.decide(state, seat, move))
    return expected(what, events, list | tuple, "a list of events, an empty one if nothing changes")


def apply(game: Game, state: State, event: GameEvent) -> None:
    """Apply an input to a state; raise an `InvalidMove` of the rules."""
    ask(f"apply() of {event!r}", lambda: game.apply(state, event))


def legal_moves(game: Game, state: State, seat: int) -> list[Mapping[str, Any]]:
    """Return what the rules list as the legal moves of a seat."""
    return ask(f"legal_moves() of seat {seat}", lambda: list(game.legal_moves(state, seat)))


def result_of(game: Game, state: State) -> Result | None:
    """Return the result in a state, or None."""
    result = ask("result()", lambda: game.result(state))
    return expected("result()", result, Result | None, "a Result, or None while the match goes on")


def clock_of(game: Game, state: State, start: Start) -> TurnClock | None:
    """Return the clocks that run in a state, or None."""
    if not game.has_clocks:
        return None
    clock = ask("clock()", lambda: game.clock(state, start.options_of(game)))
    expected("clock()", clock, TurnClock | None, "a TurnClock, or None while no clock runs")
    if clock is not None and not is_clock(clock, start.players):
        fail(
            f"clock() returned {clock!r}: times are whole milliseconds from 0 on, `clocks_ms` has "
            f"one for each of {start.players} seats or none, and `running` names seats."
        )
    return clock


def timed_out(game: Game, state: State) -> tuple[int, GameEvent]:
    """Return the seat and the input of a timeout."""
    answer: Any = ask("timeout()", lambda: game.timeout(state))
    match answer:
        case (int(seat), GameEvent() as event):
            return seat, event
        case _:
            fail(f"timeout() must return a seat and an event, and returned {shortened(answer)}.")


def shortened(value: object) -> str:
    """Return a value as JSON, for a message."""
    try:
        text = msgspec.json.encode(value).decode()
    except (TypeError, ValueError, msgspec.MsgspecError):
        text = repr(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}..."


THINKING_MS_MAX = 2_000
"""How long a player thinks over a move at most, in a game with clocks."""

SHOWN_MAX = 300
"""How many characters of a state or a move an error shows."""


class Subject:
    """A game under test, with how to play it, and matches that were played by chance."""

    def __init__(self, game: Game, pick: Pick, seeds: Sequence[int], ticks_max: int) -> None:
        """Take the game, how moves are chosen, and how many matches to play, and how long."""
        self.game = game
        self.pick = pick
        self.seeds = seeds
        self.ticks_max = ticks_max

    @property
    def starts(self) -> list[Start]:
        """A match for each seed, with the fewest and the most players in turn."""
        counts = (min(self.game.seats), max(self.game.seats))
        return [Start(seed, counts[number % 2]) for number, seed in enumerate(self.seeds)]

    @cached_property
    def matches(self) -> list[Played]:
        """The matches, played to their ends."""
        return [Table(self.game, start, self.pick).finish(self.ticks_max) for start in self.starts]

    def samples(self, most: int) -> Iterator[tuple[Played, int, State]]:
        """Yield at most so many states of each match, spread over it: match, tick, a fresh copy."""
        for played in self.matches:
            for tick in spread(list(played.states), most):
                yield played, tick, decoded(self.game, played.states[tick])


def spread(values: Sequence[Returned], most: int) -> list[Returned]:
    """Return at most so many of some values, evenly spread, with the first and the last one."""
    if len(values) <= most:
        return list(values)
    return [values[number * (len(values) - 1) // (most - 1)] for number in range(most)]


class Table:
    """A match in progress, of which everything is kept."""

    def __init__(self, game: Game, start: Start, pick: Pick) -> None:
        """Set a match up; `pick` chooses the moves."""
        self.game = game
        self._pick = pick
        self._chance = Chance(start.seed)
        self.run = Run(game, set_up(game, start))
        self.played = Played(start, [], {}, [])
        self._keep()

    @property
    def is_over(self) -> bool:
        """Whether the rules say that the match has ended."""
        return result_of(self.game, self.run.state) is not None

    def advance(self) -> bool:
        """Let each seat choose, and take one tick; return whether anything can still happen.

        In a game without ticks, each input takes one.
        """
        seats = range(self.played.start.players)
        moved = [self._move(seat) for seat in seats if not self.is_over]
        if self.game.tick_hz:
            self.step()
            return True
        return any(moved)

    def finish(self, ticks_max: int) -> Played:
        """Play until the match is over, or `ticks_max` is reached."""
        while not self.is_over and self.run.tick < ticks_max and self.advance():
            pass
        return self.end()

    def end(self) -> Played:
        """Note how it ended, and return the match."""
        self.played.result = result_of(self.game, self.run.state)
        self.played.scores = ask("scores()", lambda: list(self.game.scores(self.run.state)))
        return self.played

    def move(self, seat: int, move: Mapping[str, Any], spent_ms: int | UnsetType = UNSET) -> bool:
        """Make a move; return whether it changed anything. Raises `InvalidMove`."""
        run, game = self.run, self.game
        events = decide(game, ask("apply()", run.ahead), seat, move)
        inputs = [msgspec.Raw(encoded(f"the event {event!r}", event)) for event in events]
        moved = Moved(run.tick, seat, dict(move), inputs, spent_ms)
        self.played.moves.append(moved)
        for recorded in moved.recorded():
            ask(
                f"reading {bytes(recorded.input).decode()} back as one of `event_type`",
                partial(run.add_input, recorded),
            )
            if not game.tick_hz:
                self.step()
        return bool(inputs)

    def _move(self, seat: int) -> bool:
        state = ask("apply()", self.run.ahead)
        move = self._pick(state, seat, self._chance)
        if move is None:
            return False
        try:
            return self.move(seat, move, self._thinking_ms(state))
        except InvalidMove as error:
            fail(
                f"decide() refused the move {shortened(move)} of seat {seat} at tick "
                f"{self.run.tick} ({error.message}), which legal_moves() or bot() gave: list only "
                f"what decide() takes. The state was {shortened(state)}."
            )

    def _thinking_ms(self, state: State) -> int | UnsetType:
        """Return how long a player thinks over a move, if a clock runs meanwhile."""
        clock = clock_of(self.game, state, self.played.start)
        if clock is None:
            return UNSET
        return min(clock.ends_in_ms, self._chance.next_64_bits() % THINKING_MS_MAX)

    def step(self) -> None:
        """Take one tick, and keep its outcomes and the state after it."""
        tick = self.run.next_tick
        outcomes = ask("step()", self.run.step)
        wanted = "a list of events, an empty one if there are none"
        for event in expected("step()", outcomes, list | tuple, wanted):
            self.played.outcomes.append((tick, encoded(f"the outcome {event!r}", event)))
        if self.run.refused is not None:
            fail(
                f"apply() refused an input that decide() had just made ({self.run.refused.message})"
            )
        self._keep()

    def _keep(self) -> None:
        self.played.states[self.run.tick] = encoded("the state", self.run.state)


def inputs_of(played: Played) -> Iterator[MatchInput]:
    """Yield the inputs of a match, as they stand in the log."""
    for moved in played.moves:
        yield from moved.recorded()
