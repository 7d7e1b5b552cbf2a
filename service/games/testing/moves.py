"""Checks of moves: legal ones are taken, all others refused, and nothing else happens by them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from service.games.chance import Chance
from service.games.protocol import InvalidMove, State
from service.games.testing.playing import (
    Subject,
    apply,
    ask,
    copy_of,
    decide,
    encoded,
    fail,
    legal_moves,
    shortened,
    spread,
)

SAMPLES = 16
"""How many states of a match are tried."""
LEGAL_MAX = 40
"""How many legal moves of a seat in a state are tried."""
ODD_MAX = 60
"""How many odd moves of a seat in a state are tried."""

Move = Mapping[str, Any]

ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    1.0,
    1.5,
    -0.0,
    1e308,
    2**63 - 1,
    -(2**63),
    2**64 - 1,
    "",
    "0",
    "1",
    "a" * 2000,
    "\x00",
    "\U0001f600",
    [],
    [0],
    [[[[[]]]]],
    {},
    {"": {}},
)
"""What a client may send in any place; all of it is valid JSON."""


def check_legal_moves(subject: Subject) -> None:
    """Every legal move is taken, in every state, and makes events that can be applied."""
    for played, tick, state in subject.samples(SAMPLES):
        if tick == max(played.states) and played.result is not None:
            continue
        before = encoded("the state", state)
        for seat in range(played.start.players):
            listed = legal_moves(subject.game, state, seat)
            _check_unchanged(before, state, f"legal_moves() of seat {seat}")
            for move in spread(listed, LEGAL_MAX):
                _check_legal(subject, state, before, seat, move)


def _check_legal(subject: Subject, state: State, before: bytes, seat: int, move: Move) -> None:
    if msgspec.json.decode(encoded("a move", move)) != move:
        fail(f"A move is an object as on the wire: legal_moves() gave {move!r}.")
    what = f"the move {shortened(move)} of seat {seat}, which legal_moves() lists"
    after = copy_of(subject.game, state)
    try:
        events = decide(subject.game, state, seat, move)
        _check_unchanged(before, state, f"decide() of {what}")
        for event in events:
            apply(subject.game, after, event)
    except InvalidMove as error:
        fail(f"{what} was refused ({error.message}) in the state {shortened(state)}.")


def check_odd_moves(subject: Subject, *, lists_all_moves: bool) -> None:
    """Moves that are not legal are refused by an `InvalidMove`, and change nothing."""
    chance = Chance(1)
    for played, tick, state in subject.samples(SAMPLES):
        if tick == max(played.states) and played.result is not None:
            continue
        seats = range(played.start.players)
        by_seat = [spread(legal_moves(subject.game, state, seat), LEGAL_MAX) for seat in seats]
        known = [move for moves in by_seat for move in moves]
        known += [dict(moved.move) for moved in spread(played.moves, 4)]
        for seat in seats:
            legal = _events_of(subject, state, seat) if lists_all_moves else None
            for move in _odd_moves(known, chance):
                _check_odd(subject, state, seat, move, legal)


def _events_of(subject: Subject, state: State, seat: int) -> set[bytes]:
    return {
        encoded("the events", decide(subject.game, state, seat, move))
        for move in legal_moves(subject.game, state, seat)
    }


def _odd_moves(known: list[Move], chance: Chance) -> Iterator[Move]:
    yield {}
    for move in known:
        yield move
    for _ in range(ODD_MAX):
        value = ODD_VALUES[chance.next_64_bits() % len(ODD_VALUES)]
        if not known:
            yield {"move": value}
            continue
        move = dict(known[chance.next_64_bits() % len(known)])
        names = [*move, "other"]
        name = names[chance.next_64_bits() % len(names)]
        if chance.flip() and chance.flip():
            move.pop(name, None)
        else:
            move[name] = value
        yield move


def _check_odd(
    subject: Subject, state: State, seat: int, move: Move, legal: set[bytes] | None
) -> None:
    before = encoded("the state", state)
    what = f"decide() of the move {shortened(move)} of seat {seat}"
    try:
        events = decide(subject.game, state, seat, move)
    except InvalidMove as error:
        _check_unchanged(before, state, f"{what}, which it refused,")
        if error.message == InvalidMove().message:
            fail(
                f"{what} raised an InvalidMove without a message: say what is wrong and what to "
                'do, as in InvalidMove("It is the turn of the other player.").'
            )
        return
    _check_unchanged(before, state, what)
    made = encoded("the events", events)
    if events and legal is not None and made not in legal:
        fail(
            f"decide() took the move {shortened(move)} of seat {seat}, which legal_moves() does "
            f"not list, and made {made.decode()} of it, in the state {shortened(state)}. Refuse it "
            "by an InvalidMove, or list it; where moves can't all be listed, set "
            "`lists_all_moves = False` in the test class."
        )
    after = copy_of(subject.game, state)
    try:
        for event in events:
            apply(subject.game, after, event)
    except InvalidMove as error:
        fail(f"decide() took the move {shortened(move)}, but apply() refused it: {error.message}")


def check_late_inputs(subject: Subject) -> None:
    """An input that takes effect later than it was decided is applied, or refused as a whole.

    In a game that is not `ordered`, others may come between the two.
    """
    if subject.game.ordered:
        return
    for played, tick, state in subject.samples(SAMPLES):
        earlier = [moved for moved in played.moves if moved.tick <= tick]
        for moved in spread(earlier, SAMPLES):
            for raw in moved.inputs:
                event = msgspec.json.decode(raw, type=subject.game.event_type)
                after = copy_of(subject.game, state)
                before = encoded("the state", after)
                try:
                    apply(subject.game, after, event)
                except InvalidMove:
                    _check_unchanged(before, after, f"apply() of {event!r}, which it refused,")


def check_keys(subject: Subject) -> None:
    """Moves are keys or not, whatever they are; any keys can be held, also none."""
    game, chance = subject.game, Chance(2)
    for played, _, state in subject.samples(SAMPLES):
        known = [moved.move for moved in spread(played.moves, LEGAL_MAX)]
        names = set()
        for move in _odd_moves([dict(move) for move in known], chance):
            what = f"key_in() of the move {shortened(move)}"
            try:
                key = ask(what, partial(game.key_in, move))
            except InvalidMove:
                continue
            if key is not None:
                names.add(key.name)
        if not names:
            continue
        for seat in range(played.start.players):
            for held in ((), *((name,) for name in sorted(names)), tuple(sorted(names))):
                _check_hold(subject, copy_of(game, state), seat, held)


def _check_hold(subject: Subject, state: State, seat: int, held: Collection[str]) -> None:
    """Holding keys is an input that always applies: the service makes it when a tab is closed."""
    event = ask(f"hold({seat}, {held})", partial(subject.game.hold, seat, held))
    encoded(f"the event {event!r}", event)
    try:
        apply(subject.game, state, event)
    except InvalidMove as error:
        fail(f"apply() refused {event!r}, made by hold({seat}, {held}): {error.message}")


def _check_unchanged(before: bytes, state: State, what: str) -> None:
    after = encoded("the state", state)
    if before != after:
        fail(
            f"{what} changed the state: only apply() and step() may, and not when they refuse. It "
            f"was {shortened(msgspec.Raw(before))} and became {shortened(msgspec.Raw(after))}."
        )
