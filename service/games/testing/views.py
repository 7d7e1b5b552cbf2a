"""Checks of views: they can be sent, and looking at a state changes nothing of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeAlias

import msgspec

from service.games.checking import VIEW_BYTES_MAX
from service.games.protocol import Game, GameEvent, State
from service.games.testing.playing import (
    Start,
    Subject,
    ask,
    copy_of,
    encoded,
    fail,
    shortened,
)

SAMPLES = 12
"""How many states of a match are tried."""

Viewer: TypeAlias = int | None
"""A seat, or None for spectators."""


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


def shown(game: Game, state: State, event: GameEvent, viewer: Viewer) -> bytes:
    """Return what a viewer is shown of an event, encoded; `null` for nothing."""
    before = encoded("the state", state)
    part = ask(f"shown() of {event!r}", lambda: game.shown(state, event, viewer))
    if encoded("the state", state) != before:
        fail(f"shown() of {event!r} changed the state, which only apply() and step() may do.")
    return encoded(f"what is shown of {event!r}", part)


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


def _questions(
    game: Game, state: State, start: Start
) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield what is asked of a state, besides views and moves, with its name."""
    yield "result()", partial(game.result, state)
    yield "scores()", partial(game.scores, state)
    yield "remaining_ticks()", partial(game.remaining_ticks, state)
    if game.has_clocks:
        yield "clock()", partial(game.clock, state, start.options_of(game))
        if game.clock(state, start.options_of(game)) is not None:
            yield "timeout()", partial(game.timeout, state)


def check_questions(subject: Subject) -> None:
    """What is asked of a state does not change it: the service may ask at any time, or never."""
    game = subject.game
    for played, _, state in subject.samples(SAMPLES):
        before = encoded("the state", state)
        for name, question in _questions(game, state, played.start):
            ask(name, question)
            if encoded("the state", state) != before:
                fail(f"{name} changed the state, which only apply(), elapse() and step() may do.")
