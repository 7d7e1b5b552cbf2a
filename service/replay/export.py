"""Export a match as NDJSON: a header line, then a line per frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.replay.replay import Replay


def ndjson(
    replay: Replay, names: list[str], hz: float | None, start: int = 0, to: int | None = None
) -> Iterator[bytes]:
    """Yield a line `{match, game, players, names, tick_hz, ticks, ...}`, then one for each frame.

    A frame is `{tick, state}`. `hz` is the number of frames per second of the match; None is every
    tick. In a turn-based game each frame also has the `input` that led to it. Of a game with
    secrets, a viewer with full sight also gets `views`, what each seat sees; one without does not
    get the seed.
    """
    started, ended = replay.started, replay.ended
    yield _line(
        {
            "match": started.match,
            "game": started.game,
            "rules_version": started.rules_version,
            "players": started.players,
            "names": names,
            "options": started.options,
            "seed": started.seed if replay.viewer.is_full else None,
            "tick_hz": replay.game.tick_hz,
            "ticks": replay.ticks,
            "rewinds": replay.rewinds,
            "result": None
            if ended is None
            else {"reason": ended.reason, "winner": ended.winner, "scores": ended.scores},
        }
    )
    yield from frame_lines(replay, hz, start, to)


def frame_lines(
    replay: Replay, hz: float | None = None, start: int = 0, to: int | None = None
) -> Iterator[bytes]:
    """Yield a line for each frame from tick `start` to tick `to`, both included."""
    for tick, state in replay.frames(hz, start):
        if to is not None and tick > to:
            return
        frame: dict[str, object] = {"tick": tick, "state": replay.view(state)}
        views = replay.views(state)
        if views is not None:
            frame["views"] = views
        frame |= clocks(replay, tick)
        last = None if replay.game.tick_hz else replay.last_input(tick)
        yield _line(frame if last is None else {**frame, "input": replay.shown(last)})


def clocks(replay: Replay, tick: int) -> dict[str, Any]:
    """Return the clocks at a tick, named as on the wire; nothing without any."""
    clock = replay.clock(tick)
    if clock is None:
        return {}
    seats = {"clocksMs": clock.clocks_ms} if clock.clocks_ms else {}
    return {"turnEndsInMs": clock.ends_in_ms, **seats}


def _line(value: object) -> bytes:
    return msgspec.json.encode(value) + b"\n"
