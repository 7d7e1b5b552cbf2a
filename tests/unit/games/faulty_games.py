"""Small games, correct and each broken in one way, by which the kit for tests of games is tried."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, TypeAlias

import msgspec

from service.games.chance import Chance
from service.games.protocol import (
    GameEvent,
    InvalidMove,
    Key,
    NoKeys,
    NoOptions,
    NoTurnClock,
    OnlyInputs,
    OpenToAll,
    Result,
    SimpleBots,
    TurnClock,
)
from service.games.testing import GameTests


class Took(GameEvent, frozen=True, tag="took"):
    """A player took from the heap."""

    seat: int
    number: int


class Heap(msgspec.Struct):
    """The heap, and whose turn it is."""

    left: int
    turn: int = 0
    note: Any = None


class HeapOptions(msgspec.Struct, frozen=True):
    """How the heap begins."""

    size: Annotated[int, msgspec.Meta(ge=1, le=30, description="How many there are")] = 9


class Nim(OpenToAll, SimpleBots, NoTurnClock, OnlyInputs):
    """Take 1 to 3; who takes the last one wins."""

    name = "nim"
    title = "Nim"
    rules_version = 1
    seats = range(2, 3)
    options_type: Any = HeapOptions
    ordered = True
    state_type: type[msgspec.Struct] = Heap
    event_type: Any = Took
    bot_levels = 1

    def setup(self, seed: int, options: Any, players: int) -> Any:
        return Heap(options.size + Chance(seed).next_64_bits() % 3)

    def decide(self, state: Any, seat: int, move: Mapping[str, Any]) -> list[GameEvent]:
        if seat != state.turn:
            raise InvalidMove("It is the turn of the other player.")
        number = move.get("number")
        if type(number) is not int or not 1 <= number <= min(3, state.left):
            raise InvalidMove("Take 1, 2 or 3, and no more than there are.")
        return [Took(seat, number)]

    def apply(self, state: Any, event: Any) -> None:
        state.left -= event.number
        state.turn = 1 - event.seat

    def result(self, state: Any) -> Result | None:
        return None if state.left else Result(1 - state.turn)

    def scores(self, state: Any) -> list[int]:
        return [int(not state.left and seat != state.turn) for seat in (0, 1)]

    def view(self, state: Any, viewer: int | None) -> msgspec.Struct:
        return Heap(state.left, state.turn)

    def legal_moves(self, state: Any, seat: int) -> Sequence[Mapping[str, Any]]:
        if seat != state.turn:
            return []
        return [{"number": number} for number in range(1, 1 + min(3, state.left))]


class WithoutTitle(Nim):
    """Has no name for people."""

    title = ""


class OtherViewEachTime(Nim):
    """Shows something else each time."""

    def view(self, state: Any, viewer: int | None) -> msgspec.Struct:
        return Heap(state.left, state.turn, random.random())  # noqa: S311 - the fault


class BigView(Nim):
    """Shows too much to be sent."""

    def view(self, state: Any, viewer: int | None) -> msgspec.Struct:
        return Heap(state.left, state.turn, "a" * 20_000 if state.left < 5 else None)


class BigState(Nim):
    """Keeps too much to be recorded."""

    def apply(self, state: Any, event: Any) -> None:
        super().apply(state, event)
        state.note = "a" * 300_000


class ByRandom(Nim):
    """Uses Python's own generator."""

    def apply(self, state: Any, event: Any) -> None:
        super().apply(state, event)
        state.note = random.random()  # noqa: S311 - the fault


class ByInstance(Nim):
    """Keeps a count in the game instead of the state."""

    moves = 0

    def apply(self, state: Any, event: Any) -> None:
        self.moves += 1
        super().apply(state, event)
        state.note = self.moves % 7


class BySet(Nim):
    """Depends on the order of a set of texts."""

    def apply(self, state: Any, event: Any) -> None:
        super().apply(state, event)
        state.note = list({"clubs", "diamonds", "hearts", "spades", "stars", "swords", "cups"})


class HeapBeside(msgspec.Struct):
    """A state of which a part is not stored."""

    left: int
    turn: int = 0
    note: Any = None

    def __post_init__(self) -> None:
        """Begin the count anew, each time that it is read."""
        self.note = 0


class Forgetful(Nim):
    """Forgets a part of its state when it is stored."""

    state_type = HeapBeside

    def setup(self, seed: int, options: Any, players: int) -> Any:
        return HeapBeside(options.size + 5)

    def apply(self, state: Any, event: Any) -> None:
        super().apply(state, event)
        state.note += 1


class Endless(Nim):
    """Never ends."""

    def result(self, state: Any) -> Result | None:
        return None


class OddWinner(Nim):
    """Names a winner that has no seat."""

    def result(self, state: Any) -> Result | None:
        return None if state.left else Result(2)


class FewScores(Nim):
    """Has no score for the second seat."""

    def scores(self, state: Any) -> list[int]:
        return [0]


class ListsTooMuch(Nim):
    """Lists a move that it refuses."""

    def legal_moves(self, state: Any, seat: int) -> Sequence[Mapping[str, Any]]:
        return [{"number": number} for number in (1, 2, 3)] if seat == state.turn else []


class TakesTrue(Nim):
    """Takes True and 1.0 for 1."""

    def decide(self, state: Any, seat: int, move: Mapping[str, Any]) -> list[GameEvent]:
        if seat != state.turn:
            raise InvalidMove("It is the turn of the other player.")
        number = move.get("number")
        if number not in (1, 2, 3) or number > state.left:
            raise InvalidMove("Take 1, 2 or 3, and no more than there are.")
        return [Took.__new__(Took) if number is None else Took(seat, number)]


class OutOfTurn(Nim):
    """Takes a move from who is not to move."""

    def decide(self, state: Any, seat: int, move: Mapping[str, Any]) -> list[GameEvent]:
        return super().decide(state, state.turn, move)


class Crashes(Nim):
    """Raises a TypeError for a move of the wrong type."""

    def decide(self, state: Any, seat: int, move: Mapping[str, Any]) -> list[GameEvent]:
        if move.get("number", 0) < 1:
            raise InvalidMove("Take at least 1.")
        return super().decide(state, seat, move)


class Wordless(Nim):
    """Refuses without saying why."""

    def decide(self, state: Any, seat: int, move: Mapping[str, Any]) -> list[GameEvent]:
        try:
            return super().decide(state, seat, move)
        except InvalidMove:
            raise InvalidMove from None


class DecidesInPlace(Nim):
    """Changes the state before it refuses."""

    def decide(self, state: Any, seat: int, move: Mapping[str, Any]) -> list[GameEvent]:
        state.note = (state.note or 0) + 1
        return super().decide(state, seat, move)


class ChangesByView(Nim):
    """Changes the state when it is looked at."""

    def view(self, state: Any, viewer: int | None) -> msgspec.Struct:
        state.note = (state.note or 0) + 1
        return Heap(state.left)


class ViewForEach(Nim):
    """Shows each viewer something else, though it has no secrets."""

    def view(self, state: Any, viewer: int | None) -> msgspec.Struct:
        return Heap(state.left, state.turn, viewer)


class InfiniteView(Nim):
    """Shows a number that JSON does not have."""

    def view(self, state: Any, viewer: int | None) -> msgspec.Struct:
        return Heap(state.left, state.turn, float("inf"))


class WithoutRange(msgspec.Struct, frozen=True):
    """An option without a range."""

    size: Annotated[int, msgspec.Meta(description="How many there are")] = 9


class WithoutDescription(msgspec.Struct, frozen=True):
    """An option without a description."""

    size: Annotated[int, msgspec.Meta(ge=1, le=9)] = 9


class WithoutDefault(msgspec.Struct, frozen=True):
    """An option without a default."""

    size: Annotated[int, msgspec.Meta(ge=1, le=9, description="How many")]


class NotFrozen(msgspec.Struct):
    """Options that can be changed."""

    size: Annotated[int, msgspec.Meta(ge=1, le=9, description="How many")] = 9


class TakesAnything(msgspec.Struct, frozen=True):
    """An option that may be anything."""

    size: int = 9
    extra: Annotated[Any, msgspec.Meta(description="Anything")] = None


class SmallEnds(msgspec.Struct, frozen=True):
    """An option whose range is wider than what the rules can play with."""

    size: Annotated[int, msgspec.Meta(ge=0, le=9, description="How many")] = 9


class DividesBySize(Nim):
    """Can't be played with the lowest value of its option."""

    options_type = SmallEnds

    def setup(self, seed: int, options: Any, players: int) -> Any:
        return Heap(9 + 9 // options.size)


class BadBot(Nim):
    """Has a bot that makes a move which is not legal."""

    def bot(self, sight: Any, level: int, chance: Chance) -> Sequence[Mapping[str, Any]]:
        return [{"number": 7}]


class BotByRandom(Nim):
    """Has a bot that does not keep to the chance that it is given."""

    def bot(self, sight: Any, level: int, chance: Chance) -> Sequence[Mapping[str, Any]]:
        return [random.choice(sight.moves)] if sight.moves else []  # noqa: S311 - the fault


class Timed(Nim):
    """Has a clock; whose time is up loses a turn."""

    has_clocks = True

    def clock(self, state: Any, options: Any) -> TurnClock | None:
        return TurnClock(5_000) if state.left else None

    def timeout(self, state: Any) -> tuple[int, GameEvent]:
        return state.turn, Took(state.turn, 1)


class TimedInVain(Timed):
    """Makes an input of a timeout that changes nothing."""

    def apply(self, state: Any, event: Any) -> None:
        if event.number:
            super().apply(state, event)

    def timeout(self, state: Any) -> tuple[int, GameEvent]:
        return state.turn, Took(state.turn, 0)


class Pushed(GameEvent, frozen=True, tag="pushed"):
    """A player pushed the weight."""

    seat: int


class Weight(msgspec.Struct):
    """Where the weight is, who pushed it, and the ticks that are left."""

    at: float = 0.0
    pushed: list[int] = []
    left: int = 200


class Tug(OpenToAll, SimpleBots, NoTurnClock, NoKeys):
    """Push the weight to the other side, in real time."""

    name = "tug"
    title = "Tug"
    rules_version = 1
    seats = range(2, 3)
    tick_hz = 20
    options_type: Any = NoOptions
    ordered = False
    state_type: type[msgspec.Struct] = Weight
    event_type: Any = Pushed
    bot_levels = 0

    def setup(self, seed: int, options: Any, players: int) -> Any:
        return Weight()

    def decide(self, state: Any, seat: int, move: Mapping[str, Any]) -> list[GameEvent]:
        if move.keys() != {"push"}:
            raise InvalidMove('The only move is {"push": true}.')
        if seat in state.pushed:
            raise InvalidMove("You have pushed already.")
        return [Pushed(seat)]

    def apply(self, state: Any, event: Any) -> None:
        if event.seat in state.pushed:
            raise InvalidMove("You have pushed already.")
        state.pushed.append(event.seat)

    def step(self, state: Any) -> Sequence[GameEvent]:
        state.left -= 1
        if len(state.pushed) == 2 or state.left % 20 == 0:
            state.at += sum(1 if seat else -1 for seat in state.pushed)
            state.pushed = []
        return ()

    def result(self, state: Any) -> Result | None:
        return None if state.left else Result(None)

    def scores(self, state: Any) -> list[int]:
        return [0, 0]

    def remaining_ticks(self, state: Weight) -> int | None:
        return state.left

    def view(self, state: Any, viewer: int | None) -> msgspec.Struct:
        return Weight(state.at, state.pushed, state.left)

    def legal_moves(self, state: Any, seat: int) -> Sequence[Mapping[str, Any]]:
        return [] if seat in state.pushed else [{"push": True}]


class LateCrash(Tug):
    """Fails over an input that comes later than it was decided."""

    def apply(self, state: Any, event: Any) -> None:
        if event.seat in state.pushed:
            raise KeyError(event.seat)
        state.pushed.append(event.seat)


class LateHalf(Tug):
    """Refuses a late input after it has applied a half of it."""

    def apply(self, state: Any, event: Any) -> None:
        state.at += 1
        super().apply(state, event)


class Held(GameEvent, frozen=True, tag="held"):
    """An input: `seat` holds keys."""

    seat: int
    keys: list[str]


class Keys(Tug):
    """Push by holding a key."""

    event_type = Held

    def decide(self, state: Any, seat: int, move: Mapping[str, Any]) -> list[GameEvent]:
        key = self.key_in(move)
        return [Held(seat, [key.name] if key.down else [])]

    def apply(self, state: Any, event: Any) -> None:
        state.pushed = [one for one in state.pushed if one != event.seat]
        state.pushed += [event.seat] * len(event.keys)

    def legal_moves(self, state: Any, seat: int) -> Sequence[Mapping[str, Any]]:
        return [{"push": True}, {"push": False}]

    def key_in(self, move: Mapping[str, Any]) -> Key:
        if type(move.get("push")) is not bool:
            raise InvalidMove("The field `push` must be true or false.")
        return Key("push", move["push"])

    def hold(self, seat: int, keys: Collection[str]) -> GameEvent:
        return Held(seat, sorted(keys))


class KeyCrash(Keys):
    """Fails over a move that is no key."""

    def key_in(self, move: Mapping[str, Any]) -> Key:
        return Key("push", move["push"])


class HoldRefused(Keys):
    """Can't release all keys."""

    def hold(self, seat: int, keys: Collection[str]) -> GameEvent:
        return Held(seat, sorted(keys) or ["none"])

    def apply(self, state: Any, event: Any) -> None:
        if event.keys == ["none"]:
            raise InvalidMove("Hold a key.")
        super().apply(state, event)


class NegativeClock(Tug):
    """Counts below zero."""

    def remaining_ticks(self, state: Weight) -> int | None:
        return state.left - 100


class Chose(GameEvent, frozen=True, tag="chose"):
    """A player chose a number in secret."""

    seat: int
    number: int


class Choices(msgspec.Struct):
    """The numbers chosen so far; `dealt` are cards from the seed."""

    dealt: list[int]
    chosen: dict[int, int] = {}


class ChoicesView(msgspec.Struct, frozen=True):
    """What a viewer sees."""

    own: int | None
    dealt: int | None
    more: Any = None


SecretEvent: TypeAlias = Chose


class Secret(SimpleBots, NoTurnClock, OnlyInputs):
    """Both choose 1 or 2 in secret; the sum with the cards that were dealt decides."""

    name = "secret"
    title = "Secret"
    rules_version = 1
    seats = range(2, 3)
    options_type: Any = NoOptions
    ordered = True
    has_secrets = True
    shown_at_end = True
    bot_levels = 0
    state_type: type[msgspec.Struct] = Choices
    event_type: Any = SecretEvent

    def setup(self, seed: int, options: Any, players: int) -> Any:
        chance = Chance(seed)
        return Choices([chance.next_64_bits() % 2 for _ in range(players)])

    def decide(self, state: Any, seat: int, move: Mapping[str, Any]) -> list[GameEvent]:
        if seat in state.chosen:
            raise InvalidMove("You have chosen already.")
        number = move.get("number")
        if type(number) is not int or number not in {1, 2}:
            raise InvalidMove("Choose 1 or 2.")
        return [Chose(seat, number)]

    def apply(self, state: Any, event: Any) -> None:
        state.chosen[event.seat] = event.number

    def result(self, state: Any) -> Result | None:
        if len(state.chosen) < 2:
            return None
        return Result((sum(state.chosen.values()) + sum(state.dealt)) % 2)

    def scores(self, state: Any) -> list[int]:
        return [0, 0]

    def view(self, state: Any, viewer: int | None) -> msgspec.Struct:
        if viewer is None:
            return ChoicesView(None, None)
        return ChoicesView(state.chosen.get(viewer), state.dealt[viewer])

    def shown(self, state: Any, event: Any, viewer: int | None) -> msgspec.Struct | None:
        return None if viewer != event.seat else Chose(event.seat, event.number)

    def legal_moves(self, state: Any, seat: int) -> Sequence[Mapping[str, Any]]:
        return [] if seat in state.chosen else [{"number": 1}, {"number": 2}]


class ViewLeaks(Secret):
    """Shows spectators all hands."""

    def view(self, state: Any, viewer: int | None) -> msgspec.Struct:
        if viewer is None:
            return ChoicesView(None, None, (state.chosen, state.dealt))
        return super().view(state, viewer)

    def shown(self, state: Any, event: Any, viewer: int | None) -> msgspec.Struct | None:
        return (
            Chose(event.seat, event.number)
            if viewer is None
            else super().shown(state, event, viewer)
        )


class ShownLeaks(Secret):
    """Tells the others what was chosen."""

    def shown(self, state: Any, event: Any, viewer: int | None) -> msgspec.Struct | None:
        return Chose(event.seat, event.number)


class ExistenceLeaks(Secret):
    """Shows in its view that somebody has chosen, though `shown` hides even that."""

    def view(self, state: Any, viewer: int | None) -> msgspec.Struct:
        own = state.chosen.get(viewer) if viewer is not None else None
        dealt = state.dealt[viewer] if viewer is not None else None
        return ChoicesView(own, dealt, len(state.chosen))


class ErrorLeaks(Secret):
    """Tells by an error what the other one has chosen."""

    def decide(self, state: Any, seat: int, move: Mapping[str, Any]) -> list[GameEvent]:
        for other, number in state.chosen.items():
            if other != seat and number == move.get("number"):
                raise InvalidMove("The other player has chosen this number.")
        return super().decide(state, seat, move)

    def legal_moves(self, state: Any, seat: int) -> Sequence[Mapping[str, Any]]:
        taken = [number for other, number in state.chosen.items() if other != seat]
        return [move for move in super().legal_moves(state, seat) if move["number"] not in taken]


class ClockLeaks(Secret):
    """Has a clock that stops for who has chosen."""

    has_clocks = True

    def clock(self, state: Any, options: Any) -> TurnClock | None:
        return TurnClock(5_000, running=[seat for seat in (0, 1) if seat not in state.chosen])

    def timeout(self, state: Any) -> tuple[int, GameEvent]:
        seat = 0 if 0 not in state.chosen else 1
        return seat, Chose(seat, 1)


class MovesLeak(Secret):
    """Lists moves by what was dealt to the other one."""

    def legal_moves(self, state: Any, seat: int) -> Sequence[Mapping[str, Any]]:
        return super().legal_moves(state, seat)[: 1 + state.dealt[1 - seat]]


class TestsOfSecret(GameTests):
    """The tests of `Secret`, with what it hides."""

    __test__ = False

    def with_another_secret(self, state: Any, viewer: int | None, chance: Chance) -> Any:
        for seat in (0, 1):
            if seat != viewer:
                state.dealt[seat] = 1 - state.dealt[seat]
        return state


class DealLeaksLater(Secret):
    """Shows who has chosen what was dealt to the other one."""

    def view(self, state: Any, viewer: int | None) -> msgspec.Struct:
        if viewer in state.chosen:
            return ChoicesView(state.chosen[viewer], state.dealt[viewer], sum(state.dealt))
        return super().view(state, viewer)


class ClockOfDeal(Secret):
    """Has a clock that depends on what was dealt."""

    has_clocks = True

    def clock(self, state: Any, options: Any) -> TurnClock | None:
        return TurnClock(5_000 + state.dealt[0])

    def timeout(self, state: Any) -> tuple[int, GameEvent]:
        return 0, Chose(0 if 0 not in state.chosen else 1, 1)


class Filled(GameEvent, frozen=True, tag="filled"):
    """The time is up: who has not chosen chooses 1."""


class Rounds(Secret):
    """Both choose in secret three times, each time within five seconds."""

    has_clocks = True
    event_type = Chose | Filled
    state_type = Choices

    def apply(self, state: Any, event: Any) -> None:
        if isinstance(event, Chose):
            super().apply(state, event)
        if isinstance(event, Filled) or len(state.chosen) == 2:
            state.chosen = {}
            state.dealt.append(0)

    def result(self, state: Any) -> Result | None:
        return None if len(state.dealt) < 5 else Result(None)

    def view(self, state: Any, viewer: int | None) -> msgspec.Struct:
        own = None if viewer is None else state.chosen.get(viewer)
        return ChoicesView(own, None, len(state.dealt))

    def shown(self, state: Any, event: Any, viewer: int | None) -> msgspec.Struct | None:
        # The second one to choose ends the round, which all see.
        is_for_all = isinstance(event, Filled) or state.chosen
        return event if is_for_all else super().shown(state, event, viewer)

    def clock(self, state: Any, options: Any) -> TurnClock | None:
        return TurnClock(5_000)

    def timeout(self, state: Any) -> tuple[int, GameEvent]:
        return 0, Filled()


class TimeoutLeaks(Rounds):
    """Names the seat whose time is up, which tells who had chosen in secret."""

    def timeout(self, state: Any) -> tuple[int, GameEvent]:
        return int(0 in state.chosen), Filled()


class Rang(GameEvent, frozen=True, tag="rang"):
    """An outcome, which all are told."""

    times: int


class Bells(Tug):
    """Who has pushed is a secret until a bell rings."""

    has_secrets = True
    event_type = Pushed | Rang

    def step(self, state: Any) -> Sequence[GameEvent]:
        super().step(state)
        return [Rang(0)] if state.left % 10 == 0 else []

    def view(self, state: Any, viewer: int | None) -> msgspec.Struct:
        return Weight(0, [viewer] if viewer in state.pushed else [], state.left)  # type: ignore[list-item]  # a seat

    def shown(self, state: Any, event: Any, viewer: int | None) -> msgspec.Struct | None:
        is_shown = isinstance(event, Rang) or event.seat == viewer
        return event if is_shown else None


class OutcomeLeaks(Bells):
    """Tells by an outcome how many have pushed in secret."""

    def step(self, state: Any) -> Sequence[GameEvent]:
        pushed = len(state.pushed)
        return [Rang(pushed) for _ in super().step(state)]


class ScoresChange(Nim):
    """Changes the state when it is asked for the scores."""

    def scores(self, state: Any) -> list[int]:
        state.note = (state.note or 0) + 1
        return super().scores(state)


class TimeoutChanges(Timed):
    """Changes the state when it is asked for the input of a timeout."""

    def timeout(self, state: Any) -> tuple[int, GameEvent]:
        state.note = (state.note or 0) + 1
        return super().timeout(state)


class ShownChanges(Secret):
    """Changes the state when it is asked what to show."""

    def shown(self, state: Any, event: Any, viewer: int | None) -> msgspec.Struct | None:
        state.dealt[0] += 1
        return super().shown(state, event, viewer)


def returning(base: type[Any], rule: str, answer: Any) -> type[Any]:
    """Return a game of which a rule returns something else than it must."""
    return type(f"{rule}_{answer!r:.9}", (base,), {rule: lambda *_: answer})


KEYS = Keys()
BELLS = Bells()
ROUNDS = Rounds()
NIM = Nim()
TUG = Tug()
SECRET = Secret()
TIMED = Timed()
