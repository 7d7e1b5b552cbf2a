"""Checks of what viewers may see: views that can be shown, and secrets that stay secret.

Two states between which a viewer may not distinguish must look the same to them by every door: the
view, what is shown of inputs, the legal moves, and what refusals say. Such pairs of states are
found in two ways. The kit makes two different inputs of another seat, or sets up matches with other
seeds, and takes those after which the view of the viewer is the same. And the author names a secret
in `with_another_secret`, which also finds a view that shows too much.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import msgspec

from service.games.chance import Chance
from service.games.checking import VIEW_BYTES_MAX
from service.games.protocol import Game, GameEvent, InvalidMove, State
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
)

SAMPLES = 12
"""How many states of a match are tried."""
CHOICES = 6
"""How many legal moves of a seat are compared with each other."""
DEALS = 24
"""How many matches with other seeds are compared at their start."""

Viewer: TypeAlias = int | None
"""A seat, or None for spectators."""

AnotherSecret: TypeAlias = Callable[[State, Viewer, Chance], State | None]


class Alike(NamedTuple):
    """Two states that a viewer can't tell apart, by their view."""

    one: State
    other: State
    how: str
    """How the kit came to them, for a message."""


def name_of(viewer: Viewer) -> str:
    """Return what a viewer is called in a message."""
    return "spectators" if viewer is None else f"seat {viewer}"


def viewers_of(players: int) -> list[Viewer]:
    """Return all that a match with so many players can be viewed by."""
    return [*range(players), None]


def view_of(game: Game, state: State, viewer: Viewer) -> bytes:
    """Return the encoded view of a state."""
    view = ask(f"view() for {name_of(viewer)}", lambda: game.view(state, viewer))
    return encoded(f"the view for {name_of(viewer)}", view)


def check_views(subject: Subject) -> None:
    """Views are JSON objects, the same each time, and change nothing."""
    for played, _, state in subject.samples(SAMPLES):
        before = encoded("the state", state)
        seen = set()
        for viewer in viewers_of(played.start.players):
            view = view_of(subject.game, state, viewer)
            seen.add(view)
            if view != view_of(subject.game, copy_of(subject.game, state), viewer):
                fail(f"view() for {name_of(viewer)} gives another view of the same state each time")
            if before != encoded("the state", state):
                fail(f"view() for {name_of(viewer)} changed the state: {shortened(state)}")
            _check_wire(subject.game, state, viewer)
        if len(seen) > 1 and not subject.game.has_secrets:
            fail(
                "view() differs between viewers, but the game has `has_secrets = False`: one view "
                "is then made for all. Set it to True, or give everybody the same view."
            )


def _check_wire(game: Game, state: State, viewer: Viewer) -> None:
    view = game.view(state, viewer)
    if not isinstance(view, msgspec.Struct):
        fail(f"view() must return a msgspec struct, and returned {view!r}")
    size = len(msgspec.json.encode(view))
    if size > VIEW_BYTES_MAX:
        fail(
            f"view() for {name_of(viewer)} has {size} bytes, and is sent with each change: at most "
            f"{VIEW_BYTES_MAX} are allowed. Show what is near, or what has changed."
        )
    odd = next(_odd_numbers(msgspec.to_builtins(view, str_keys=True)), None)
    if odd is not None:
        fail(f"view() for {name_of(viewer)} has the number {odd!r}, which JSON clients can't read")


def _odd_numbers(value: Any) -> Iterator[float]:
    if (isinstance(value, float) and not math.isfinite(value)) or (
        isinstance(value, int) and not -(2**63) <= value < 2**64
    ):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _odd_numbers(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _odd_numbers(one)


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
                _check_alike(subject.game, pair, viewer, played.start.players)
    for start in subject.starts:
        for viewer in viewers_of(start.players):
            for pair in _by_deals(subject, start, viewer):
                hidden.add(viewer)
                _check_alike(subject.game, pair, viewer, start.players)
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
            _check_unseen(game, played.start, state, after, events, viewer)
            seen = view_of(game, after, viewer)
            what = f"the move {shortened(move)} of seat {seat}"
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


def shown(game: Game, state: State, event: GameEvent, viewer: Viewer) -> bytes:
    """Return what a viewer is shown of an event, encoded; `null` for nothing."""
    part = ask(f"shown() of {event!r}", lambda: game.shown(state, event, viewer))
    return encoded(f"what is shown of {event!r}", part)


def _check_unseen(  # noqa: PLR0913, PLR0917 - a step of a match, and who looks at it
    game: Game,
    start: Start,
    before: State,
    after: State,
    events: list[GameEvent],
    viewer: Viewer,
) -> None:
    """An input of which a viewer is shown nothing at all must not be seen in their view."""
    if not events or any(shown(game, before, event, viewer) != b"null" for event in events):
        return
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


def _check_alike(game: Game, pair: Alike, viewer: Viewer, players: int) -> None:
    """Two states with the same view must look the same by all other doors."""
    probes = _probes(game, pair, players)
    doors = [_by_other_doors(game, state, viewer, probes) for state in (pair.one, pair.other)]
    for (door, one), (_, other) in zip(*doors, strict=True):
        if one != other:
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
    game: Game, state: State, viewer: Viewer, probes: list[Mapping[str, Any]]
) -> list[tuple[str, str]]:
    """Return what a viewer learns of a state besides their view."""
    told = [("remaining_ticks()", repr(game.remaining_ticks(state)))]
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
