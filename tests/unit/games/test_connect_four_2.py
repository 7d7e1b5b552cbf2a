"""Version 2 of connect four: the board of version 1, with clocks."""

from __future__ import annotations

from typing import Any

import pytest

from service.games.catalogue import GAMES
from service.games.connect_four import CONNECT_FOUR, Dropped, TimedOut
from service.games.connect_four_2 import CONNECT_FOUR_2 as GAME
from service.games.options import check_options, read_options, set_up
from service.games.protocol import InvalidOptions, Result, TurnClock


def beginning(**options: Any) -> Any:
    return set_up(GAME, 7, options, 2)


def clock(state: Any) -> TurnClock | None:
    return GAME.clock(state, read_options(GAME, {}))


def test_it_is_the_present_version_and_version_1_is_kept() -> None:
    assert GAMES["connect_four"] is GAME
    assert GAMES.rules("connect_four", 1) is CONNECT_FOUR
    assert GAMES.versions("connect_four") == [1, 2]


@pytest.mark.parametrize(
    ("options", "ends_in_ms", "clocks_ms"),
    [
        ({}, 30_000, ()),
        ({"turn_s": 5}, 5000, ()),
        ({"clock_s": 300}, 300_000, (300_000, 300_000)),
        ({"clock_s": 300, "turn_s": 20, "increment_s": 2}, 20_000, (300_000, 300_000)),
        ({"clock_s": 10, "turn_s": 20}, 10_000, (10_000, 10_000)),
    ],
)
def test_the_options_say_which_clocks_run(
    options: dict[str, float], ends_in_ms: int, clocks_ms: tuple[int, ...]
) -> None:
    state = beginning(**options)
    assert clock(state) == TurnClock(ends_in_ms, clocks_ms, (state.turn,))


@pytest.mark.parametrize(
    "options",
    [{"turn_s": 0.5}, {"clock_s": 0}, {"clock_s": 86_401}, {"increment_s": -1}, {"clock_s": "1"}],
)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptions):
        check_options(GAME, options)


def test_a_move_gives_the_increment_back_and_starts_the_clock_of_the_other() -> None:
    state = beginning(clock_s=60, increment_s=2)
    first = state.turn
    GAME.elapse(state, 7000)
    GAME.apply(state, Dropped(first, 3))
    left = [55_000 if seat == first else 60_000 for seat in (0, 1)]
    assert clock(state) == TurnClock(60_000, tuple(left), (1 - first,))


def test_who_is_out_of_time_loses() -> None:
    state = beginning(clock_s=60)
    turn = state.turn
    assert GAME.timeout(state) == (turn, TimedOut(turn))
    GAME.elapse(state, 60_000)
    GAME.apply(state, TimedOut(turn))
    assert GAME.result(state) == Result(1 - turn, "turn_timeout")
    assert clock(state) is None


def test_no_clock_runs_after_the_end() -> None:
    state = beginning(clock_s=60)
    turn = state.turn
    for _ in range(3):
        GAME.apply(state, Dropped(turn, 0))
        GAME.apply(state, Dropped(1 - turn, 1))
    GAME.apply(state, Dropped(turn, 0))
    assert GAME.result(state) == Result(turn)
    assert clock(state) is None


def test_what_is_seen_is_as_in_version_1() -> None:
    ours, theirs = beginning(clock_s=60), set_up(CONNECT_FOUR, 7, {}, 2)
    for seat, column in ((ours.turn, 3), (1 - ours.turn, 3), (ours.turn, 2)):
        for game, state in ((GAME, ours), (CONNECT_FOUR, theirs)):
            game.apply(state, Dropped(seat, column))
    assert GAME.view(ours, None) == CONNECT_FOUR.view(theirs, None)
