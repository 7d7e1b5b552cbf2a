from typing import Any

import msgspec
import pytest

from service.domain.events.matches import ClockState
from service.games.catalogue import GAMES
from service.games.connect_four import CONNECT_FOUR, Dropped
from service.games.connect_four_2 import CONNECT_FOUR_2
from service.games.options import set_up
from service.games.pong import PONG
from service.games.relay import RELAY, Relayed
from service.replay.export import ndjson
from service.replay.replay import Replay
from service.replay.terminal import draw
from tests.unit.replay.recordings import MATCH, an_input, checkpoint, ended, raw, started

NAMES = ["Ana", "Ben"]


def lines(replay: Replay, hz: float | None = None) -> list[dict[str, Any]]:
    written = list(ndjson(replay, NAMES, hz))
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in written)
    return [msgspec.json.decode(line) for line in written]


def connect_four() -> Replay:
    state = set_up(CONNECT_FOUR, 1, {"turn_s": 5}, 2)
    inputs = [Dropped(0, 3), Dropped(1, 2)]
    for event in inputs:
        CONNECT_FOUR.apply(state, event)
    return Replay(
        [
            started(CONNECT_FOUR, 1, {"turn_s": 5}, 2),
            *(an_input(tick, event.seat, event) for tick, event in enumerate(inputs)),
            ended(CONNECT_FOUR, state, 2, "left", 1),
        ],
        GAMES,
    )


def test_the_first_exported_line_is_a_header() -> None:
    assert lines(connect_four())[0] == {
        "match": MATCH,
        "game": "connect_four",
        "rules_version": 1,
        "players": [1, 2],
        "names": NAMES,
        "options": {"turn_s": 5},
        "seed": 1,
        "tick_hz": 0,
        "ticks": 2,
        "rewinds": [],
        "result": {"reason": "left", "winner": 1, "scores": [0, 0]},
    }


def test_a_game_without_ticks_exports_a_frame_per_input() -> None:
    _, *frames = lines(connect_four())
    assert [(frame["tick"], frame.get("input")) for frame in frames] == [
        (0, None),
        (1, {"kind": "dropped", "seat": 0, "column": 3}),
        (2, {"kind": "dropped", "seat": 1, "column": 2}),
    ]
    assert frames[2]["state"]["board"][5] == [None, None, 1, 0, None, None, None]


@pytest.mark.parametrize("hz", [None, 0.1, 60.0])
def test_every_move_is_exported_at_any_frame_rate(hz: float | None) -> None:
    moves = [Relayed(0, raw({"a": number})) for number in range(20)]
    replay = Replay(
        [
            started(RELAY, 1, {}, 2),
            *(an_input(tick, move.seat, move) for tick, move in enumerate(moves)),
        ],
        GAMES,
    )
    header, start, *frames = lines(replay, hz)
    assert header["result"] is None
    assert start == {"tick": 0, "state": {"moves": 0}}
    assert [frame["input"]["move"] for frame in frames] == [{"a": number} for number in range(20)]


def test_pong_is_exported_at_the_requested_frame_rate_without_inputs() -> None:
    replay = Replay(
        [started(PONG, 1, {}, 2), checkpoint(set_up(PONG, 1, {}, 2), PONG.tick_hz)], GAMES
    )
    _, *all_frames = lines(replay)
    assert [frame["tick"] for frame in all_frames] == list(range(61))
    _, *frames = lines(replay, 10)
    assert [frame["tick"] for frame in frames] == list(range(0, 61, 6))
    assert set(frames[-1]) == {"tick", "state"}
    assert frames[-1] == all_frames[-1]


def test_a_match_with_clocks_shows_them_at_every_move() -> None:
    state = set_up(CONNECT_FOUR_2, 1, {"clock_s": 60}, 2)
    turn = state.turn
    dropped = Dropped(turn, 3)
    CONNECT_FOUR_2.elapse(state, 2500)
    CONNECT_FOUR_2.apply(state, dropped)
    left = [57_500 if seat == turn else 60_000 for seat in (0, 1)]
    begun = msgspec.structs.replace(
        started(CONNECT_FOUR_2, 1, {"clock_s": 60}, 2), clock=ClockState(60_000, [60_000] * 2)
    )
    moved = msgspec.structs.replace(
        an_input(0, turn, dropped), spent_ms=2500, clock=ClockState(60_000, left)
    )
    replay = Replay([begun, moved, ended(CONNECT_FOUR_2, state, 1, "left", 1)], GAMES)
    assert replay.verify() is None
    frames = [(one["turnEndsInMs"], one["clocksMs"]) for one in lines(replay)[1:]]
    assert frames == [(60_000, [60_000, 60_000]), (60_000, left)]
    # What is left is rounded up, as on the page.
    shown = " : ".join(["0:58" if seat == turn else "1:00" for seat in (0, 1)])
    assert draw(replay, 1, NAMES, 60, 20).endswith(f"move 1 of 1   {shown}")
