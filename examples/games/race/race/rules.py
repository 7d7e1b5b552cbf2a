"""A race over hurdles for up to four players, who see each hurdle only when it comes near.

All run by themselves; a player decides when to jump. Who meets a hurdle on the ground falls, and
needs a while to get up. Lengths are in centimetres, and times in ticks.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from service.games.chance import Chance
from service.games.protocol import (
    GameEvent,
    InvalidMove,
    NoKeys,
    NoTurnClock,
    OpenToAll,
    Result,
    SimpleBots,
)

TICK_HZ = 20

STRIDE = 40
"""How far a runner gets in a tick: 8 m/s."""
FLIGHT_TICKS = 7
"""How long a jump takes."""
REST_TICKS = 4
"""How long after a jump the next one has to wait."""
FALL_TICKS = 16
"""How long it takes to get up."""
SIGHT = 2_000
"""How far ahead of the first runner hurdles are placed."""
GAP_MIN = {"few": 900, "many": 500}
"""The least distance between two hurdles."""
GAP_MORE = 600
"""How much more it may be, by chance."""
OVERTIME = 4
"""A race lasts at most so many times as long as a run without falls."""


class Options(msgspec.Struct, frozen=True):
    """What the host chooses."""

    length_m: Annotated[int, msgspec.Meta(ge=20, le=400, description="Metres to run")] = 100
    hurdles: Annotated[
        Literal["few", "many"], msgspec.Meta(description="How close the hurdles are")
    ] = "few"


class Jumped(GameEvent, frozen=True, tag="jumped"):
    """An input: `seat` jumps."""

    seat: int


class Placed(GameEvent, frozen=True, tag="placed"):
    """An outcome: chance put a hurdle on the track."""

    at: int


class Fell(GameEvent, frozen=True, tag="fell"):
    """An outcome: `seat` met a hurdle on the ground."""

    seat: int
    at: int


Event: TypeAlias = Jumped | Placed | Fell


class Runner(msgspec.Struct):
    """One of the runners."""

    at: int = 0
    flies: int = 0
    """How long they are still in the air."""
    rests: int = 0
    """How long they can't jump again."""
    lies: int = 0
    """How long they are still on the ground."""

    @property
    def can_jump(self) -> bool:
        """Whether they stand, and have rested."""
        return not (self.flies or self.rests or self.lies)


class State(msgspec.Struct):
    """The whole state of a race."""

    length: int
    gap_min: int
    runners: list[Runner]
    chance: Chance
    ticks_left: int
    hurdles: list[int] = []
    """Where the hurdles are that were placed so far."""


class View(msgspec.Struct, frozen=True, rename="camel"):
    """What everybody sees."""

    length: int
    runners: list[Runner]
    hurdles: list[int]
    ticks_left: int


class Race(OpenToAll, SimpleBots, NoTurnClock, NoKeys):
    """The rules; see `service.games.protocol.Game`."""

    name = "race"
    title = "Hurdle race"
    rules_version = 1
    seats = range(2, 5)
    tick_hz = TICK_HZ
    options_type: type[msgspec.Struct] = Options
    state_type: type[msgspec.Struct] = State
    event_type: Any = Event
    ordered = False
    bot_levels = 1
    page = "page/view.js"

    def setup(self, seed: int, options: Options, players: int) -> State:
        """Line all runners up."""
        length = options.length_m * 100
        return State(
            length=length,
            gap_min=GAP_MIN[options.hurdles],
            runners=[Runner() for _ in range(players)],
            chance=Chance(seed),
            ticks_left=OVERTIME * length // STRIDE,
        )

    def decide(self, state: State, seat: int, move: Mapping[str, Any]) -> list[GameEvent]:
        """Return the jump of a runner, from the move `{"jump": true}`."""
        if move.get("jump") is not True:
            raise InvalidMove('The only move is {"jump": true}.')
        if not state.runners[seat].can_jump:
            raise InvalidMove("You can't jump now: land, get up and rest first.")
        return [Jumped(seat)]

    def apply(self, state: State, event: GameEvent) -> None:
        """Let a runner jump."""
        if isinstance(event, Jumped):
            runner = state.runners[event.seat]
            if not runner.can_jump:
                raise InvalidMove("You can't jump now: land, get up and rest first.")
            runner.flies = FLIGHT_TICKS

    def step(self, state: State) -> Sequence[GameEvent]:
        """Place hurdles, and move the runners in the order of their seats."""
        outcomes: list[GameEvent] = list(_place_hurdles(state))
        for seat, runner in enumerate(state.runners):
            hurdle = _run(runner, state.hurdles)
            if hurdle is not None:
                outcomes.append(Fell(seat, hurdle))
        state.ticks_left -= 1
        return outcomes

    def result(self, state: State) -> Result | None:
        """Return who is first over the line, or farthest when time is up."""
        best = max(runner.at for runner in state.runners)
        if best < state.length and state.ticks_left:
            return None
        first = [seat for seat, runner in enumerate(state.runners) if runner.at == best]
        return Result(first[0] if len(first) == 1 else None)

    def scores(self, state: State) -> list[int]:
        """Return the metres that each has run."""
        return [runner.at // 100 for runner in state.runners]

    def remaining_ticks(self, state: State) -> int:
        """Return how long the race may still last."""
        return state.ticks_left

    def view(self, state: State, viewer: int | None) -> View:  # noqa: ARG002 - no secrets
        """Return what everybody sees."""
        return View(state.length, state.runners, state.hurdles, state.ticks_left)

    def legal_moves(self, state: State, seat: int) -> Sequence[Mapping[str, Any]]:
        """Jump, or nothing."""
        return [{"jump": True}] if state.runners[seat].can_jump else []


def _place_hurdles(state: State) -> Sequence[Placed]:
    seen = max(runner.at for runner in state.runners) + SIGHT
    placed: list[Placed] = []
    while True:
        last = state.hurdles[-1] if state.hurdles else 0
        if last + state.gap_min + GAP_MORE > min(seen, state.length):
            return placed
        at = last + state.gap_min + state.chance.next_64_bits() % GAP_MORE
        state.hurdles.append(at)
        placed.append(Placed(at))


def _run(runner: Runner, hurdles: Sequence[int]) -> int | None:
    """Move a runner by a tick; return the hurdle over which they fall."""
    if runner.lies:
        runner.lies -= 1
        return None
    before = runner.at
    runner.at += STRIDE
    if runner.flies:
        runner.flies -= 1
        runner.rests = REST_TICKS
        return None
    runner.rests = max(0, runner.rests - 1)
    for hurdle in hurdles:
        if before < hurdle <= runner.at:
            runner.lies = FALL_TICKS
            return hurdle
    return None


RULES = Race()
"""The rules hold no state of their own, so one value is enough for all matches."""
