"""Games with secrets, for tests: hidden hands, cards in turns, and hidden outcomes in real time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from service.games.chance import Chance
from service.games.phases import Phase
from service.games.protocol import (
    GameEvent,
    InvalidMove,
    Key,
    NoOptions,
    NoTurnClock,
    OnlyInputs,
    Result,
    SimpleBots,
    TurnClock,
)

ROUNDS = 3
PHASE_MS = 60_000
BEATS = {"rock": "scissors", "scissors": "paper", "paper": "rock"}


class Chosen(GameEvent, frozen=True, tag="chosen"):
    """An input: `seat` has chosen a hand, or another one, and notes something about it."""

    seat: int
    hand: str
    note: str


class OutOfPatience(GameEvent, frozen=True, tag="out_of_patience"):
    """An input of the service: all who owe a hand show paper."""


class HandsState(msgspec.Struct):
    phase: Phase[str]
    notes: dict[int, str] = {}
    last: dict[int, str] = {}
    """The hands of the round before, which all have seen."""
    round: int = 0
    points: list[int] = []


class HandsView(msgspec.Struct, frozen=True):
    round: int
    last: dict[int, str]
    points: list[int]
    own: str | None
    note: str | None


class Hands(OnlyInputs, SimpleBots):
    """Rock, paper, scissors: nobody sees whether another one has chosen before all have."""

    name = "hands"
    title = "Hands"
    rules_version = 1
    seats = range(2, 4)
    ordered = True
    has_clocks = True
    has_secrets = True
    shown_at_end = True
    options_type: type[msgspec.Struct] = NoOptions
    state_type: type[msgspec.Struct] = HandsState
    event_type: Any = Chosen | OutOfPatience

    def setup(self, seed: int, options: Any, players: int) -> HandsState:
        del seed, options
        phase = Phase[str](limit_ms=PHASE_MS)
        phase.begin(range(players))
        return HandsState(phase, points=[0] * players)

    def decide(self, state: HandsState, seat: int, move: Mapping[str, Any]) -> list[GameEvent]:
        if self.result(state) is not None or move.get("hand") not in BEATS:
            raise InvalidMove
        return [Chosen(seat, move["hand"], str(move.get("note", "")))]

    def apply(self, state: HandsState, event: GameEvent) -> None:
        if isinstance(event, Chosen):
            state.notes[event.seat] = event.note
            if event.seat in state.phase.moves:
                state.phase.moves[event.seat] = event.hand
            else:
                state.phase.make(event.seat, event.hand)
        else:
            state.phase.fill("paper")
        if state.phase.is_complete:
            hands = state.phase.reveal()
            for seat, hand in hands.items():
                state.points[seat] += sum(BEATS[hand] == other for other in hands.values())
            state.last, state.notes, state.round = hands, {}, state.round + 1
            state.phase.begin(range(len(state.points)))

    def clock(self, state: HandsState, options: Any) -> TurnClock | None:
        del options
        return state.phase.clock()

    def elapse(self, state: HandsState, ms: int) -> None:
        state.phase.elapse(ms)

    def timeout(self, state: HandsState) -> tuple[int, GameEvent]:
        del state
        return 0, OutOfPatience()

    def result(self, state: HandsState) -> Result | None:
        if state.round < ROUNDS:
            return None
        best = [seat for seat, one in enumerate(state.points) if one == max(state.points)]
        return Result(best[0] if len(best) == 1 else None)

    def scores(self, state: HandsState) -> list[int]:
        return list(state.points)

    def view(self, state: HandsState, viewer: int | None) -> HandsView:
        note = None if viewer is None else state.notes.get(viewer)
        own = state.phase.own(viewer)
        return HandsView(state.round, dict(state.last), list(state.points), own, note)

    def shown(
        self, state: HandsState, event: GameEvent, viewer: int | None
    ) -> msgspec.Struct | None:
        del state
        if isinstance(event, Chosen):
            return event if event.seat == viewer else None
        return event


class SealedHands(Hands):
    """The same, where nobody is ever shown more than they saw."""

    name = "sealed_hands"
    shown_at_end = False


class LooseHands(NoTurnClock, Hands):
    """The same with moves that come in any order, as in a relay."""

    name = "loose_hands"
    ordered = False
    shown_at_end = False

    def clock(self, state: HandsState, options: Any) -> TurnClock | None:
        del state, options
        return None


class Drew(GameEvent, frozen=True, tag="drew"):
    """An input: `seat` drew a card, which others are not shown."""

    seat: int
    card: int | None


class Played(GameEvent, frozen=True, tag="played"):
    """An input: `seat` played a card, for all to see."""

    seat: int
    card: int


class CardsState(msgspec.Struct):
    deck: list[int]
    hands: list[list[int]]
    table: list[int] = []
    turn: int = 0
    chance: Chance | None = None


class CardsView(msgspec.Struct, frozen=True):
    deck: int
    hands: list[int]
    own: list[int]
    table: list[int]
    turn: int


class NoSuchCard(InvalidMove):
    """You do not have this card."""


class NotYourTurn(InvalidMove):
    """It is not your turn."""


class Cards(NoTurnClock, OnlyInputs, SimpleBots):
    """Each turn a player draws a card, and may play one before: ends when the deck is empty."""

    name = "cards"
    title = "Cards"
    rules_version = 1
    seats = range(2, 4)
    ordered = True
    has_secrets = True
    shown_at_end = True
    options_type: type[msgspec.Struct] = NoOptions
    state_type: type[msgspec.Struct] = CardsState
    event_type: Any = Drew | Played

    def setup(self, seed: int, options: Any, players: int) -> CardsState:
        del options
        chance, left = Chance(seed // 2), list(range(10, 30))
        deck = [left.pop(chance.below(len(left))) for _ in range(len(left))]
        hands = [[deck.pop()] for _ in range(players)]
        if seed % 2:
            # What nobody but the first player sees of it, as long as the deck lasts.
            deck[0], hands[0][0] = hands[0][0], deck[0]
        return CardsState(deck, hands, chance=chance)

    def decide(self, state: CardsState, seat: int, move: Mapping[str, Any]) -> list[GameEvent]:
        if seat != state.turn or not state.deck:
            raise NotYourTurn
        if "play" not in move:
            return [Drew(seat, state.deck[-1])]
        if move["play"] not in state.hands[seat]:
            raise NoSuchCard
        return [Played(seat, move["play"])]

    def apply(self, state: CardsState, event: GameEvent) -> None:
        if isinstance(event, Drew):
            state.hands[event.seat].append(state.deck.pop())
            state.turn = (state.turn + 1) % len(state.hands)
        elif isinstance(event, Played):
            state.hands[event.seat].remove(event.card)
            state.table.append(event.card)

    def result(self, state: CardsState) -> Result | None:
        return None if state.deck else Result(None)

    def scores(self, state: CardsState) -> list[int]:
        return [sum(hand) for hand in state.hands]

    def view(self, state: CardsState, viewer: int | None) -> CardsView:
        return CardsView(
            len(state.deck),
            [len(hand) for hand in state.hands],
            [] if viewer is None else list(state.hands[viewer]),
            list(state.table),
            state.turn,
        )

    def shown(
        self, state: CardsState, event: GameEvent, viewer: int | None
    ) -> msgspec.Struct | None:
        del state
        if isinstance(event, Drew) and event.seat != viewer:
            return Drew(event.seat, None)
        return event


class Found(GameEvent, frozen=True, tag="found"):
    """An outcome: `seat` found something, which only they are told."""

    seat: int
    what: int


class Bell(GameEvent, frozen=True, tag="bell"):
    """An outcome: a bell, which all hear."""


class Marked(GameEvent, frozen=True, tag="marked"):
    """An input: `seat` marks something on a map of their own."""

    seat: int
    mark: str


class DigsState(msgspec.Struct):
    chance: Chance
    tick: int
    found: list[list[int]]
    marks: list[list[str]]
    ticks: int


class DigsView(msgspec.Struct, frozen=True):
    tick: int
    found: list[int]
    marks: list[str]


DIG_TICKS = 150


class Digs(NoTurnClock, SimpleBots):
    """A real-time game: players find things at random, each without the others."""

    name = "digs"
    title = "Digs"
    rules_version = 1
    seats = range(2, 4)
    tick_hz = 60
    ordered = False
    has_secrets = True
    shown_at_end = False
    options_type: type[msgspec.Struct] = NoOptions
    state_type: type[msgspec.Struct] = DigsState
    event_type: Any = Found | Bell | Marked

    def setup(self, seed: int, options: Any, players: int) -> DigsState:
        del options
        none: list[list[Any]] = [[] for _ in range(players)]
        return DigsState(Chance(seed), 0, none, [[] for _ in range(players)], DIG_TICKS)

    def key_in(self, move: Mapping[str, Any]) -> Key | None:
        del move
        return None

    def hold(self, seat: int, keys: Collection[str]) -> GameEvent:
        raise NotImplementedError(seat, keys)

    def decide(self, state: DigsState, seat: int, move: Mapping[str, Any]) -> list[GameEvent]:
        del state
        return [Marked(seat, str(move.get("mark")))]

    def apply(self, state: DigsState, event: GameEvent) -> None:
        if isinstance(event, Marked):
            state.marks[event.seat].append(event.mark)

    def step(self, state: DigsState) -> Sequence[GameEvent]:
        state.tick += 1
        outcomes: list[GameEvent] = []
        if not state.chance.below(7):
            what = state.chance.below(100)
            state.found[0].append(what)
            outcomes.append(Found(0, what))
        if state.tick % 40 == 0:
            outcomes.append(Bell())
        return outcomes

    def result(self, state: DigsState) -> Result | None:
        return None if state.tick < state.ticks else Result(None)

    def scores(self, state: DigsState) -> list[int]:
        return [sum(found) for found in state.found]

    def remaining_ticks(self, state: DigsState) -> int:
        return state.ticks - state.tick

    def view(self, state: DigsState, viewer: int | None) -> DigsView:
        if viewer is None:
            return DigsView(state.tick, [], [])
        return DigsView(state.tick, list(state.found[viewer]), list(state.marks[viewer]))

    def shown(
        self, state: DigsState, event: GameEvent, viewer: int | None
    ) -> msgspec.Struct | None:
        del state
        return event if isinstance(event, Bell) or event.seat == viewer else None  # type: ignore[attr-defined]  # all others have one


class Wrote(GameEvent, frozen=True, tag="wrote"):
    """An input: `seat` wrote something in a diary of their own."""

    seat: int
    text: str


class Said(GameEvent, frozen=True, tag="said"):
    """An input: `seat` said something, which all hear."""

    seat: int
    text: str


class LettersState(msgspec.Struct):
    diaries: list[list[str]]
    said: list[str] = []
    turn: int = 0


class LettersView(msgspec.Struct, frozen=True):
    said: list[str]
    diary: list[str]


LETTERS = 6


class Letters(NoTurnClock, OnlyInputs, SimpleBots):
    """A move says something, and may write in a diary before: two inputs, one of them hidden.

    Bots say a word of their own, as long as it is their turn.
    """

    name = "letters"
    title = "Letters"
    rules_version = 1
    seats = range(2, 4)
    ordered = True
    has_secrets = True
    shown_at_end = True
    bot_levels = 1
    options_type: type[msgspec.Struct] = NoOptions
    state_type: type[msgspec.Struct] = LettersState
    event_type: Any = Wrote | Said

    def setup(self, seed: int, options: Any, players: int) -> LettersState:
        del seed, options
        return LettersState([[] for _ in range(players)])

    def decide(self, state: LettersState, seat: int, move: Mapping[str, Any]) -> list[GameEvent]:
        wrote = [Wrote(seat, str(text)) for text in move.get("write", [])]
        if "say" not in move:
            return list(wrote)
        if self.ordered and state.turn != seat:
            raise NotYourTurn
        return [*wrote, Said(seat, str(move["say"]))]

    def apply(self, state: LettersState, event: GameEvent) -> None:
        if isinstance(event, Wrote):
            state.diaries[event.seat].append(event.text)
        elif isinstance(event, Said):
            state.said.append(event.text)
            state.turn = (state.turn + 1) % len(state.diaries)

    def result(self, state: LettersState) -> Result | None:
        return None if len(state.said) < LETTERS else Result(None)

    def scores(self, state: LettersState) -> list[int]:
        return [0] * len(state.diaries)

    def view(self, state: LettersState, viewer: int | None) -> LettersView:
        return LettersView(list(state.said), [] if viewer is None else list(state.diaries[viewer]))

    def shown(
        self, state: LettersState, event: GameEvent, viewer: int | None
    ) -> msgspec.Struct | None:
        del state
        return event if isinstance(event, Said) or event.seat == viewer else None  # type: ignore[attr-defined]  # all others have one

    def legal_moves(self, state: LettersState, seat: int) -> Sequence[Mapping[str, Any]]:
        if state.turn != seat:
            return []
        return [{"say": letter} for letter in "abcdefghijklmnopqrstuvwxyz"]


class LooseLetters(Letters):
    """The same in any order."""

    name = "loose_letters"
    ordered = False


HANDS, SEALED_HANDS, LOOSE_HANDS = Hands(), SealedHands(), LooseHands()
CARDS, DIGS = Cards(), Digs()
LETTERS_GAME, LOOSE_LETTERS = Letters(), LooseLetters()

SECRET_GAMES = (HANDS, SEALED_HANDS, LOOSE_HANDS, CARDS, DIGS, LETTERS_GAME, LOOSE_LETTERS)
