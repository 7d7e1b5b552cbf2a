"""A match as a file: NDJSON, a line of what it is, then a line for each frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.replay.core import Replay


def ndjson(replay: Replay, names: list[str], hz: float | None) -> Iterator[bytes]:
    """Write `{match, game, players, names, tick_hz, ticks, ...}`, then `{tick, state}` a frame.

    `hz` is how many frames there are for each second of the match; None is every tick.
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
            "seed": started.seed,
            "tick_hz": replay.game.tick_hz,
            "ticks": replay.ticks,
            "result": None
            if ended is None
            else {"reason": ended.reason, "winner": ended.winner, "scores": ended.scores},
        }
    )
    for tick, state in replay.frames(hz):
        yield _line({"tick": tick, "state": replay.game.view(state, None)})


def _line(value: object) -> bytes:
    return msgspec.json.encode(value) + b"\n"
