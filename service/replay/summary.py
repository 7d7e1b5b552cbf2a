"""Sum a match up: its score over time, what happened when, its runs, and figures of its game; pure.

Everything follows from what a spectator is shown of the states and inputs.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from service.domain.events.matches import (
    MatchEnded,
    MatchInput,
    MatchPaused,
    MatchResumed,
    MatchRewound,
    MatchStarted,
    MatchSuspended,
)
from service.games.figures import Figure, Moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.domain.events.matches import MatchEvent
    from service.replay.replay import Replay

Kind: TypeAlias = Literal[
    "started", "point", "move", "paused", "resumed", "rewound", "suspended", "ended"
]

_KINDS: dict[type[MatchEvent], Kind] = {
    MatchStarted: "started",
    MatchPaused: "paused",
    MatchResumed: "resumed",
    MatchRewound: "rewound",
    MatchSuspended: "suspended",
}


_LATER: dict[Kind, int] = {"point": 1, "ended": 2}
"""Where they stand among the marks of the same tick: a point follows the move that made it."""


class Mark(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Something that happened in a match, at `tick` and `atS`, seconds from its start.

    A `paused` match stood still for `lastedS`. At `rewound` it went back to `tick` after a restart
    of the service. `seat` made the point or the move; `scores` are those from then on.
    """

    kind: Kind
    tick: int
    at_s: float
    seat: int | None = None
    scores: list[int] | None = None
    lasted_s: float | None = None
    input: msgspec.Raw | None = None
    """The move, in a turn-based game."""


class Score(msgspec.Struct, frozen=True, rename="camel"):
    """The scores by seat from `tick` on."""

    tick: int
    at_s: float
    scores: list[int]


class RunOf(msgspec.Struct, frozen=True, rename="camel"):
    """A run of the match: its first tick, and the one at which the next run began or it ended.

    Frames of the run with a later tick were shown, and then taken back: `rewound`.
    """

    run: int
    from_tick: int
    to_tick: int
    rewound: bool


class Inputs(msgspec.Struct, frozen=True, rename="camel"):
    """How many inputs a seat made."""

    seat: int
    inputs: int
    per_second: float | None
    """By the duration of the match; None where that is zero."""


class Summary(msgspec.Struct, frozen=True, rename="camel"):
    """A match summed up; `tickHz` is 0 for a turn-based game."""

    match_id: str
    game: str
    rules_version: int
    tick_hz: int
    ticks: int
    duration_s: float
    scores: list[Score]
    timeline: list[Mark]
    runs: list[RunOf]
    inputs: list[Inputs]
    figures: list[Figure]


def summarise(replay: Replay) -> Summary:
    """Run the whole match once; raise `RulesFailed` when its rules do."""
    scores: list[Score] = []
    course = _course(replay, scores)
    figures = replay.figures(course)
    for _ in course:  # What the game has left over, or all of it.
        pass
    duration_s = _duration_s(replay)
    return Summary(
        match_id=replay.started.match,
        game=replay.started.game,
        rules_version=replay.started.rules_version,
        tick_hz=replay.game.tick_hz,
        ticks=replay.ticks,
        duration_s=duration_s,
        scores=scores,
        timeline=timeline(replay, scores),
        runs=runs_of(replay),
        inputs=list(_inputs(replay, duration_s)),
        figures=figures,
    )


def timeline(replay: Replay, scores: list[Score]) -> list[Mark]:
    """Return what happened, in order; `scores` are those over time."""
    marks = [*_marks(replay), *_points(scores)]
    return sorted(marks, key=lambda mark: (mark.tick, _LATER.get(mark.kind, 0)))


def runs_of(replay: Replay) -> list[RunOf]:
    """Return the runs of the match, as they were shown, in order."""
    begun: list[tuple[int, int, bool]] = [(0, 0, False)]
    for event in replay.events:
        run = begun[-1][0]
        if isinstance(event, MatchRewound):
            begun.append((run + 1, event.tick, True))
        elif isinstance(event, MatchResumed) and event.run > run:
            begun.append((event.run, event.tick, False))
    ends = [*((tick, rewound) for _, tick, rewound in begun[1:]), (replay.ticks, False)]
    return [
        RunOf(run, tick, end, rewound)
        for (run, tick, _), (end, rewound) in zip(begun, ends, strict=True)
    ]


def run_at(replay: Replay, tick: int) -> int:
    """Return the run that shows `tick` last: the one that was not rewound before it."""
    return next(one.run for one in reversed(runs_of(replay)) if one.from_tick <= tick)


def was_rewound(replay: Replay, run: int, tick: int) -> bool:
    """Return whether a state that was shown as of this run and tick was taken back later.

    The replay has another one at this tick, or none.
    """
    return any(one.run == run and one.rewound and tick > one.to_tick for one in runs_of(replay))


def _course(replay: Replay, scores: list[Score]) -> Iterator[Moment]:
    """Yield each tick of the match, and note in `scores` when they change."""
    last: list[int] | None = None
    for tick, state in replay.frames():
        at_s = replay.seconds_at(tick)
        now = replay.scores(state)
        if now != last:
            scores.append(Score(tick, at_s, now))
            last = now
        yield Moment(tick, at_s, replay.view(state))


def _points(scores: list[Score]) -> Iterator[Mark]:
    for before, after in pairwise(scores):
        gained = [
            seat
            for seat, (old, new) in enumerate(zip(before.scores, after.scores, strict=False))
            if new > old
        ]
        yield Mark(
            kind="point",
            tick=after.tick,
            at_s=after.at_s,
            seat=gained[0] if len(gained) == 1 else None,
            scores=after.scores,
        )


def _marks(replay: Replay) -> Iterator[Mark]:
    """Yield what the events tell: the moves of a turn-based game, and all that is no input."""
    for index, event in enumerate(replay.events):
        tick = min(event.tick, replay.ticks)
        if isinstance(event, MatchInput):
            # It is the state after a move that shows it.
            if not replay.game.tick_hz and event.tick < replay.ticks:
                yield Mark(
                    kind="move",
                    tick=event.tick + 1,
                    at_s=replay.seconds_at(event.tick + 1),
                    seat=event.seat,
                    input=replay.shown(event),
                )
        elif isinstance(event, MatchEnded):
            yield Mark(
                kind="ended",
                tick=tick,
                at_s=_happened_s(replay, index, tick),
                seat=event.winner,
                scores=event.scores,
            )
        elif (kind := _KINDS.get(type(event))) is not None:
            lasted_s = _pause_s(replay, index) if kind == "paused" else None
            at_s = _happened_s(replay, index, tick)
            yield Mark(kind=kind, tick=tick, at_s=at_s, lasted_s=lasted_s)


def _happened_s(replay: Replay, index: int, tick: int) -> float:
    """Return when an event was that is no input, in seconds from the start.

    A turn-based game has no clock of its own: much may happen between two moves.
    """
    if replay.game.tick_hz or not replay.times:
        return replay.seconds_at(tick)
    return round((replay.times[index] - replay.times[0]) / 1e6, 3)


def _duration_s(replay: Replay) -> float:
    """Return how long the match took; of a turn-based one that is live, until its last move."""
    for index, event in enumerate(replay.events):
        if isinstance(event, MatchEnded):
            return _happened_s(replay, index, replay.ticks)
    return replay.seconds_at(replay.ticks)


def _pause_s(replay: Replay, index: int) -> float | None:
    """Return how long the pause of an event lasted, None for one that goes on."""
    if not replay.times:
        return None
    over = (MatchResumed, MatchEnded)
    for later in range(index + 1, len(replay.events)):
        if isinstance(replay.events[later], over):
            return round(max(0, replay.times[later] - replay.times[index]) / 1e6, 3)
    return None


def _inputs(replay: Replay, duration_s: float) -> Iterator[Inputs]:
    made = Counter(event.seat for event in replay.inputs)
    for seat in range(len(replay.started.players)):
        per_second = round(made[seat] / duration_s, 2) if duration_s else None
        yield Inputs(seat, made[seat], per_second)
