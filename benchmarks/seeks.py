"""Seeks: what it costs to show any moment of a recorded match of an hour.

Run as `python -m benchmarks.seeks`: it prints CPU times in ms, and ends with 1 above 10 ms.
"""

from __future__ import annotations

import statistics
import sys
import time

import msgspec

from service.domain.events.matches import MatchCheckpoint, MatchEvent, MatchInput, MatchStarted
from service.games.catalogue import GAMES
from service.games.pong import PONG, TICK_HZ, KeysHeld, PongOptions
from service.replay.replay import Replay
from service.replay.run import encode_state, state_hash

MATCH = "r-1"
DURATION_S = 3600
INPUT_TICKS = 6
"""Each seat presses or releases a key ten times a second."""

SEEKS = 500

GOAL_MS = 10


class Seeks(msgspec.Struct):
    """What a run has measured, in ms of CPU."""

    median_ms: float
    first_ms: float
    """To the start of the match, after which all of its inputs come."""
    max_ms: float


def record() -> Replay:
    """Play a match of an hour, with a checkpoint each second."""
    options = {"duration_s": DURATION_S}
    state = PONG.setup(1, PongOptions(duration_s=DURATION_S), 2)
    events: list[MatchEvent] = [
        MatchStarted(
            match=MATCH,
            tick=0,
            game=PONG.name,
            rules_version=PONG.rules_version,
            players=[1, 2],
            seed=1,
            options=options,
            pace="ticks",
            turn_s=None,
        )
    ]
    for tick in range(DURATION_S * TICK_HZ):
        if tick % TICK_HZ == 0:
            raw, digest = encode_state(state), state_hash(state)
            events.append(MatchCheckpoint(match=MATCH, tick=tick, state=raw, hash=digest))
        if tick % INPUT_TICKS == 0:
            for seat in (0, 1):
                keys = KeysHeld(seat, up=tick % 4 == 0, down=tick % 5 == 0)
                PONG.apply(state, keys)
                data = msgspec.Raw(msgspec.json.encode(keys))
                events.append(
                    MatchInput(match=MATCH, tick=tick, seat=seat, socket="n1.1.1", input=data)
                )
        PONG.step(state)
    return Replay(events, GAMES)


def measure() -> Seeks:
    """Seek to moments all over the match."""
    replay = record()
    ticks = [replay.ticks * number // SEEKS for number in range(SEEKS)]
    times = [_seek_ms(replay, tick) for tick in ticks]
    return Seeks(statistics.median(times), times[0], max(times))


def _seek_ms(replay: Replay, tick: int) -> float:
    began = time.process_time()
    replay.view(replay.at(tick))
    return (time.process_time() - began) * 1000


if __name__ == "__main__":
    found = measure()
    sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
    sys.exit(found.max_ms > GOAL_MS)
