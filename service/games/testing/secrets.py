"""Checks that secrets stay secret.

Two states between which a viewer may not distinguish must look the same to them by every door: the
view, what is shown of inputs, the legal moves, and what refusals say. Such pairs of states are
found in two ways. The kit makes two different inputs of another seat, or sets up matches with other
seeds, and takes those after which the view of the viewer is the same. And the author names a secret
in `with_another_secret`, which also finds a view that shows too much.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple, NoReturn, TypeAlias

import msgspec

from service.games.chance import Chance
from service.games.protocol import Game, GameEvent, InvalidMove, State
from service.games.sight import NOTHING
from service.games.testing.playing import (
    Played,
    Start,
    Subject,
    apply,
    ask,
    clock_of,
    copy_of,
    decide,
    encoded,
    fail,
    legal_moves,
    set_up,
    shortened,
    spread,
    timed_out,
)
from service.games.testing.views import Viewer, name_of, shown, view_of, viewers_of

SAMPLES = 12
"""How many states of a match are tried."""
CHOICES = 6
"""How many legal moves of a seat are compared with each other."""
DEALS = 24
"""How many matches with other seeds are compared at their start."""
STEPS = 30
"""How many ticks two states are stepped that a viewer can't tell apart."""

AnotherSecret: TypeAlias = Callable[[State, Viewer, Chance], State | None]


class Alike(NamedTuple):
    """Two states that a viewer can't tell apart, by their view."""

    one: State
    other: State
    how: str
    """How the kit came to them, for a message."""


def check_secrets(subject: Subject, another: AnotherSecret, knows_all: Collection[Viewer]) -> None:
    """What a viewer can't see in their view can't be found out by any other door."""
    if not subject.game.has_secrets:
        return
    hidden: set[Viewer] = set()
    viewers: set[Viewer] = set()
    for played, _, state in subject.samples(SAMPLES):
        if played.result is not None and subject.game.result(state) is not None:
            continue
        for viewer in viewers_of(played.start.players):
            viewers.add(viewer)
            pairs = [
                *_named(subject, state, viewer, another),
                *_by_inputs(subject, played, state, viewer),
            ]
            for pair in pairs:
                hidden.add(viewer)
                _check_alike(subject.game, pair, viewer, played.start)
    for start in subject.starts:
        for viewer in viewers_of(start.players):
            for pair in _by_deals(subject, start, viewer):
                hidden.add(viewer)
                _check_alike(subject.game, pair, viewer, start)
    for viewer in viewers - hidden - set(knows_all):
        fail(
            f"The game has secrets, but nothing is hidden from {name_of(viewer)}: every difference "
            f"that was tried is seen in view(state, {viewer}). Hide it there; if {name_of(viewer)} "
            f"may know everything, set `knows_all = {{{viewer}}}` in the test class; if the secret "
            "comes neither from an input nor from the seed, override `with_another_secret`."
        )


def _named(
    subject: Subject, state: State, viewer: Viewer, another: AnotherSecret
) -> Iterator[Alike]:
    """Yield the pair that the author makes; its views must be the same."""
    game = subject.game
    for seed in (1, 2):
        other = ask(
            "with_another_secret()",
            partial(another, copy_of(game, state), viewer, Chance(seed)),
        )
        if other is None or encoded("the state", other) == encoded("the state", state):
            continue
        if view_of(game, state, viewer) != view_of(game, other, viewer):
            fail(
                f"view() shows {name_of(viewer)} a secret. In the state {shortened(state)} it is "
                f"{view_of(game, state, viewer).decode()}, and with another secret, in "
                f"{shortened(other)}, it is {view_of(game, other, viewer).decode()}."
            )
        yield Alike(state, other, "with_another_secret()")


def _by_inputs(subject: Subject, played: Played, state: State, viewer: Viewer) -> Iterator[Alike]:
    """Yield states after two inputs of another seat that the view does not tell apart."""
    game = subject.game
    for seat in range(played.start.players):
        if seat == viewer:
            continue
        first: dict[bytes, tuple[State, list[GameEvent], str]] = {}
        for move in spread(legal_moves(game, state, seat), CHOICES):
            events = decide(game, state, seat, move)
            after = copy_of(game, state)
            for event in events:
                apply(game, after, event)
            if game.result(after) is not None:
                # The result is for everybody, and the secrets are often as well from then on.
                continue
            what = f"the move {shortened(move)} of seat {seat}"
            if _is_unseen(game, played.start, state, after, events, viewer):
                yield Alike(state, after, f"{what}, or none")
            seen = view_of(game, after, viewer)
            if seen not in first:
                first[seen] = (after, events, what)
                continue
            other, others, other_what = first[seen]
            if encoded("the state", other) == encoded("the state", after):
                continue
            _check_shown(game, state, (events, others), viewer, (what, other_what))
            yield Alike(after, other, f"{what}, or {other_what}")


def _by_deals(subject: Subject, start: Start, viewer: Viewer) -> Iterator[Alike]:
    """Yield states at the start of matches with other seeds that the view does not tell apart."""
    first: dict[bytes, State] = {}
    for number in range(DEALS):
        state = set_up(subject.game, Start(start.seed + number, start.players, start.options))
        other = first.setdefault(view_of(subject.game, state, viewer), state)
        # The generator alone differs in any two of them: that it is a secret needs no pair.
        if _without_chance(state) != _without_chance(other):
            yield Alike(state, other, "two seeds")


def _without_chance(state: State) -> bytes:
    fields = {
        name: value
        for name, value in msgspec.structs.asdict(state).items()
        if not isinstance(value, Chance)
    }
    return encoded("the state", fields)


def _is_unseen(  # noqa: PLR0913, PLR0917 - a step of a match, and who looks at it
    game: Game,
    start: Start,
    before: State,
    after: State,
    events: list[GameEvent],
    viewer: Viewer,
) -> bool:
    """Return whether a viewer is shown nothing at all of an input; then their view must not either.

    Nor must the clocks, of which everybody is told.
    """
    if not events or any(shown(game, before, event, viewer) != NOTHING for event in events):
        return False
    if clock_of(game, before, start) != clock_of(game, after, start):
        fail(
            f"shown() hides {events!r} from {name_of(viewer)}, even that it was made, but clock() "
            f"changes by it from {clock_of(game, before, start)!r} to "
            f"{clock_of(game, after, start)!r}, which everybody is told. Let a phase have one "
            "clock, as service.games.phases.Phase does."
        )
    if view_of(game, before, viewer) != view_of(game, after, viewer):
        fail(
            f"shown() hides {events!r} from {name_of(viewer)}, even that it was made, but their "
            f"view changed by it from {view_of(game, before, viewer).decode()} to "
            f"{view_of(game, after, viewer).decode()}. Show a part of the event, or hide it in "
            "view() as well."
        )
    return True


def _check_shown(
    game: Game,
    state: State,
    events: tuple[list[GameEvent], list[GameEvent]],
    viewer: Viewer,
    what: tuple[str, str],
) -> None:
    one, other = ([shown(game, state, event, viewer) for event in some] for some in events)
    if one != other:
        fail(
            f"{what[0]} and {what[1]} look the same in view() for {name_of(viewer)}, but shown() "
            f"tells them apart: {b','.join(one).decode()} and {b','.join(other).decode()}. Return "
            "a struct without the secret from it, or None."
        )


def _check_alike(game: Game, pair: Alike, viewer: Viewer, start: Start) -> None:
    """Two states with the same view must look the same by all other doors."""
    probes = _probes(game, pair, start.players)
    doors = [
        _by_other_doors(game, state, viewer, probes, start) for state in (pair.one, pair.other)
    ]
    for (door, one), (_, other) in zip(*doors, strict=True):
        if one != other:
            _tell(pair, viewer, door, one, other)
    for door, one, other in _later_doors(game, pair, viewer, start):
        if one != other:
            _tell(pair, viewer, door, one, other)


def _tell(pair: Alike, viewer: Viewer, door: str, one: str, other: str) -> NoReturn:
    fail(
        f"{door} tells {name_of(viewer)} a secret: between states that look the same in "
        f"their view ({pair.how}) it differs: {one}, and {other}. The states are "
        f"{shortened(pair.one)} and {shortened(pair.other)}."
    )


def _probes(game: Game, pair: Alike, players: int) -> list[Mapping[str, Any]]:
    """Return moves that a viewer may try, to learn something from the answers."""
    known = [
        move
        for state in (pair.one, pair.other)
        for seat in range(players)
        for move in legal_moves(game, state, seat)
    ]
    return [*spread(known, 2 * CHOICES), {}]


def _by_other_doors(
    game: Game, state: State, viewer: Viewer, probes: list[Mapping[str, Any]], start: Start
) -> list[tuple[str, str]]:
    """Return what a viewer learns of a state besides their view."""
    told = [
        ("remaining_ticks()", repr(game.remaining_ticks(state))),
        ("clock()", repr(clock_of(game, state, start))),
    ]
    if viewer is None:
        return told
    told.append((f"legal_moves() of seat {viewer}", shortened(legal_moves(game, state, viewer))))
    return told + [
        (f"decide() of {shortened(move)}", _answer(game, state, viewer, move)) for move in probes
    ]


def _answer(game: Game, state: State, viewer: int, move: Mapping[str, Any]) -> str:
    """Return what a player is told when they make a move."""
    try:
        events = decide(game, state, viewer, move)
    except InvalidMove as error:
        return f"refused: {error.message}"
    return b",".join(shown(game, state, event, viewer) for event in events).decode()


def _later_doors(
    game: Game, pair: Alike, viewer: Viewer, start: Start
) -> Iterator[tuple[str, str, str]]:
    """Yield what a viewer is told of both states when no player moves: the door, and what it is.

    Only as long as they still can't tell them apart by their view: what is hidden may come out.
    """
    states = [copy_of(game, state) for state in (pair.one, pair.other)]
    for _ in range(STEPS if game.tick_hz else 0):
        told = [_stepped(game, state, viewer) for state in states]
        if not _look_alike(game, states, viewer):
            return
        yield "what is shown of an outcome of step()", told[0], told[1]
    if all(clock_of(game, state, start) for state in states):
        told = [_timed_out(game, state, viewer, start) for state in states]
        if _look_alike(game, states, viewer):
            yield "what is shown of an input of timeout(), or its seat,", told[0], told[1]


def _look_alike(game: Game, states: list[State], viewer: Viewer) -> bool:
    one, other = states
    is_over = [ask("result()", partial(game.result, state)) is not None for state in states]
    return not any(is_over) and view_of(game, one, viewer) == view_of(game, other, viewer)


def _stepped(game: Game, state: State, viewer: Viewer) -> str:
    outcomes = ask("step()", partial(game.step, state))
    told = [shown(game, state, event, viewer) for event in outcomes]
    return b",".join(one for one in told if one != NOTHING).decode()


def _timed_out(game: Game, state: State, viewer: Viewer, start: Start) -> str:
    clock = clock_of(game, state, start)
    seat, event = timed_out(game, state)
    told = shown(game, state, event, viewer)
    ask("elapse()", partial(game.elapse, state, 0 if clock is None else clock.ends_in_ms))
    ask(f"apply() of {event!r}", partial(game.apply, state, event))
    return "nothing" if told == NOTHING else f"{told.decode()} of seat {seat}"
