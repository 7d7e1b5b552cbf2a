"""Rock, paper, scissors: both players choose a hand in secret, and then both are shown."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias, get_args

import msgspec

from service.games.phases import Phase
from service.games.protocol import (
    GameEvent,
    InvalidMove,
    OnlyInputs,
    Result,
    SimpleBots,
    TurnClock,
)

Hand: TypeAlias = Literal["rock", "paper", "scissors"]

HANDS: tuple[Hand, ...] = get_args(Hand)
"""Each beats the one before it, and the first one the last."""

ROUNDS_MAX = 50
"""After so many rounds whoever has won more of them wins, so that every match ends."""


class Options(msgspec.Struct, frozen=True):
    """What the host chooses."""

    wins: Annotated[int, msgspec.Meta(ge=1, le=10, description="Rounds to win")] = 3
    round_s: Annotated[
        int, msgspec.Meta(ge=3, le=120, description="Seconds to choose a hand in")
    ] = 15


class Threw(GameEvent, frozen=True, tag="threw"):
    """An input: `seat` chose a hand."""

    seat: int
    hand: Hand


class TimeUp(GameEvent, frozen=True, tag="time_up"):
    """An input, made by the service: the time to choose a hand is over."""


Event: TypeAlias = Threw | TimeUp


class State(msgspec.Struct):
    """The whole state of a match."""

    wins_needed: int
    phase: Phase[Hand]
    """Who still has to choose, and the hands that are chosen."""
    wins: list[int]
    round: int = 1
    last: list[Hand | None] = []
    """The hands of the round before, by seat; None for who did not choose in time."""
    result: Result | None = None


class View(msgspec.Struct, frozen=True, rename="camel"):
    """What a player or a spectator sees. It does not even tell whether others have chosen."""

    round: int
    wins: list[int]
    wins_needed: int
    last: list[Hand | None]
    own: Hand | None
    """The hand that the viewer has chosen in this round."""


class RockPaperScissors(SimpleBots, OnlyInputs):
    """The rules; see `service.games.protocol.Game`."""

    name = "rock_paper_scissors"
    title = "Rock, paper, scissors"
    rules_version = 1
    seats = range(2, 3)
    options_type: type[msgspec.Struct] = Options
    state_type: type[msgspec.Struct] = State
    event_type: Any = Event
    ordered = True
    has_clocks = True
    has_secrets = True
    shown_at_end = True
    bot_levels = 1
    page = "page/view.js"

    def setup(self, seed: int, options: Options, players: int) -> State:  # noqa: ARG002 - no chance
        """Begin the first round."""
        phase: Phase[Hand] = Phase(limit_ms=options.round_s * 1000)
        phase.begin(range(players))
        return State(options.wins, phase, [0] * players)

    def decide(self, state: State, seat: int, move: Mapping[str, Any]) -> list[GameEvent]:
        """Return the choice of a hand, from a move like `{"hand": "rock"}`."""
        state.phase.check(seat)
        hand = move.get("hand")
        if hand not in HANDS:
            raise InvalidMove(f"The `hand` of a move must be one of: {', '.join(HANDS)}.")
        return [Threw(seat, hand)]

    def apply(self, state: State, event: GameEvent) -> None:
        """Note the hand; when both are there, or time is up, the round ends."""
        if isinstance(event, Threw):
            state.phase.make(event.seat, event.hand)
        else:
            for seat in list(state.phase.owing):
                state.phase.drop(seat)
        if state.phase.is_complete:
            _end_round(state)

    def result(self, state: State) -> Result | None:
        """Return who has won enough rounds."""
        return state.result

    def scores(self, state: State) -> list[int]:
        """Return the rounds that each has won."""
        return list(state.wins)

    def view(self, state: State, viewer: int | None) -> View:
        """Hide the hands of this round from all but their players."""
        return View(state.round, state.wins, state.wins_needed, state.last, state.phase.own(viewer))

    def shown(self, state: State, event: GameEvent, viewer: int | None) -> GameEvent | None:
        """Show a hand to its player; to others when it ends the round."""
        if isinstance(event, Threw) and viewer != event.seat and state.phase.owing != [event.seat]:
            return None
        return event

    def legal_moves(self, state: State, seat: int) -> Sequence[Mapping[str, Any]]:
        """Any hand, once in a round."""
        return [{"hand": hand} for hand in HANDS] if state.phase.owes(seat) else []

    def clock(self, state: State, options: Options) -> TurnClock | None:  # noqa: ARG002 - in the state
        """Return the time that is left to choose."""
        return state.phase.clock()

    def elapse(self, state: State, ms: int) -> None:
        """Let time pass."""
        state.phase.elapse(ms)

    def timeout(self, state: State) -> tuple[int, GameEvent]:
        """End the round for those who have not chosen."""
        return state.phase.owing[0], TimeUp()


def _end_round(state: State) -> None:
    hands = state.phase.reveal()
    state.last = [hands.get(seat) for seat in (0, 1)]
    winner = _winner(*state.last)
    if winner is not None:
        state.wins[winner] += 1
    if not hands:
        state.result = Result(None, "turn_timeout")
    elif state.wins_needed in state.wins or state.round == ROUNDS_MAX:
        one, other = state.wins
        state.result = Result(None if one == other else int(other > one))
    if state.result is None:
        state.round += 1
        state.phase.begin((0, 1))


def _winner(one: Hand | None, other: Hand | None) -> int | None:
    """Return the seat that wins with these hands, or None when neither does."""
    if one == other:
        return None
    if one is None or other is None:
        return int(one is None)
    return int(HANDS.index(other) == (HANDS.index(one) + 1) % len(HANDS))


RULES = RockPaperScissors()
"""The rules hold no state of their own, so one value is enough for all matches."""
