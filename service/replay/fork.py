"""The events of a match that begins as another one did, up to a tick; pure.

A fork is the beginning of a log: the start, every input and outcome before the tick, and the state
there. So it is rebuilt, goes on, and verifies like any other match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.domain.events.matches import MatchCheckpoint, MatchInput, MatchOutcome, MatchPaused
from service.errors import ServiceError
from service.replay.run import encode_state, state_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.domain.events.matches import MatchEvent
    from service.replay.replay import Replay

EVENTS_MAX = 20_000
"""The most events of a fork, since all of them are one append."""

RECONNECT_GRACE_S = 3600
"""How long a fork waits for a player who has gone again, in seconds."""


class CannotFork(ServiceError):
    """The match can't be gone on with from there."""


def fork(replay: Replay, tick: int) -> list[MatchEvent]:
    """Return the events of a match that stands, paused, where another one was at `tick`.

    They name that other match, and its players. Raises `CannotFork`, or `RulesFailed`.
    """
    game = replay.game
    if not 0 <= tick <= replay.ticks:
        raise CannotFork(f"the match has {replay.ticks} ticks: choose one of them")
    state = replay.at(tick)
    if game.result(state) is not None:
        raise CannotFork("the match is over there: choose an earlier moment")
    inputs = [
        event for event, at in zip(replay.inputs, replay.input_ticks, strict=True) if at < tick
    ]
    outcomes = [one for one in replay.events if isinstance(one, MatchOutcome) and one.tick < tick]
    if len(inputs) + len(outcomes) > EVENTS_MAX:
        raise CannotFork(f"the match has more than {EVENTS_MAX} events until then")
    replace = msgspec.structs.replace
    started = replay.started
    options = {**started.options, "reconnect_grace_s": RECONNECT_GRACE_S, "pause_budget_s": None}
    played = sorted(
        [*(replace(one, socket=None, held={}) for one in inputs), *outcomes],
        key=lambda event: event.tick,
    )
    return [
        replace(started, options={name: one for name, one in options.items() if one is not None}),
        *played,
        checkpoint_at(started.match, tick, state),
        *_released(replay, inputs, tick),
        *([] if started.pace == "free" else [MatchPaused(match=started.match, tick=tick)]),
    ]


def checkpoint_at(match: str, tick: int, state: object) -> MatchCheckpoint:
    """Return the checkpoint of a state."""
    return MatchCheckpoint(
        match=match, tick=tick, state=encode_state(state), hash=state_hash(state)
    )


def _released(replay: Replay, inputs: list[MatchInput], tick: int) -> Iterator[MatchInput]:
    """Yield an input for each seat that holds keys there: nobody is there to release them."""
    held = {event.seat: event.held for event in inputs}
    for seat, keys in held.items():
        if any(keys.values()):
            event = msgspec.Raw(msgspec.json.encode(replay.game.hold(seat, ())))
            yield MatchInput(
                match=replay.started.match, tick=tick, seat=seat, socket=None, input=event
            )
