"""Measured times of turns and absences, with an injected clock."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from service.domain.events.matches import ClockState
from service.domain.projections.matches import Match
from service.domain.projections.room_options import RoomOptions
from service.runtime.match_clock import MatchClock


def match(turn_left_ms: int | None = 2000) -> Match:
    return Match(
        id="room-1",
        game="connect_four",
        rules_version=1,
        options=RoomOptions(),
        players=[7, 8],
        seed=1,
        pace="turns",
        turn_left_ms=turn_left_ms,
        spent_ms=[0, 0],
    )


def test_a_turn_runs_only_between_resume_and_pause() -> None:
    one = match()
    clock = MatchClock(one)
    assert clock.turn_left_ms(99) == 2000
    clock.resume(100)
    assert clock.turn_left_ms(101.5) == 500
    one.turn_left_ms = 500
    clock.pause(101.5)
    assert clock.turn_left_ms(150) == 500
    clock.resume(150)
    assert clock.turn_left_ms(150.25) == 250
    assert clock.turn_left_ms(160) == 0


def test_recording_the_remaining_turn_time_does_not_extend_it() -> None:
    one = match()
    clock = MatchClock(one)
    clock.resume(0)
    one.turn_left_ms = 1000
    assert clock.turn_left_ms(1.5) == 500


def test_a_new_turn_has_its_full_time() -> None:
    one = match()
    clock = MatchClock(one)
    clock.resume(0)
    clock.resume(1.9)
    assert clock.turn_left_ms(2.9) == 1000


def test_a_game_without_a_turn_clock_has_no_remaining_time() -> None:
    clock = MatchClock(match(None))
    clock.resume(0)
    assert clock.turn_left_ms(1) is None


def test_each_player_is_charged_for_their_own_absence() -> None:
    one = match()
    clock = MatchClock(one)
    clock.player_left(0, 10)
    one.paused = True
    clock.pause(10)
    clock.player_left(1, 12)
    assert clock.spent_ms(13) == [3000, 1000]
    clock.player_returned(0, 14)
    assert clock.spent_ms(20) == [4000, 8000]
    clock.player_left(0, 21)
    assert clock.spent_ms(22) == [5000, 10_000]


def test_closing_other_tabs_does_not_refund_pause_time() -> None:
    one = match()
    clock = MatchClock(one)
    clock.player_left(0, 10)
    one.paused = True
    clock.pause(10)
    clock.player_left(0, 13)
    clock.player_left(0, 14.5)
    assert clock.spent_ms(15) == [5000, 0]
    clock.player_returned(0, 16)
    assert clock.spent_ms(99) == [6000, 0]


def test_a_new_turn_does_not_reset_absences() -> None:
    one = match()
    clock = MatchClock(one)
    clock.player_left(0, 10)
    clock.begin_turn(10)
    one.paused = True
    clock.pause(10)
    assert clock.spent_ms(12) == [2000, 0]


def test_pause_time_in_the_log_is_not_charged_twice() -> None:
    one = match()
    clock = MatchClock(one)
    clock.player_left(0, 10)
    one.paused = True
    clock.pause(10)
    one.spent_ms = [2000, 0]
    clock.pause(12)
    assert clock.spent_ms(13) == [3000, 0]
    one.spent_ms, one.paused = [3000, 0], False
    clock.resume(13)
    assert clock.spent_ms(99) == [3000, 0]


@pytest.mark.parametrize("duration_s", [0, 0.0001])
def test_every_absence_costs_pause_time(duration_s: float) -> None:
    one = match()
    clock = MatchClock(one)
    clock.player_left(0, 10)
    one.paused = True
    assert clock.spent_ms(10 + duration_s) == [1, 0]
    clock.player_returned(0, 10 + duration_s)
    assert clock.spent_ms(11) == [1, 0]


def test_an_absence_without_a_pause_costs_nothing() -> None:
    clock = MatchClock(match())
    clock.player_left(0, 10)
    assert clock.spent_ms(20) == [0, 0]
    clock.player_returned(0, 20)
    assert clock.spent_ms(20) == [0, 0]


def timed(left_ms: int) -> Match:
    one = match(left_ms)
    one.clock = ClockState(left_ms)
    return one


def spend(one: Match, left_ms: int) -> None:
    one.clock, one.turn_left_ms = ClockState(left_ms), left_ms


def test_a_turn_that_goes_on_after_an_input_loses_no_time_to_the_commit() -> None:
    one = timed(60_000)
    clock = MatchClock(one)
    clock.begin_turn(0)
    assert clock.turn_left_ms(0.0155) == 59_985
    # It is decided on after 15.5 ms, and committed 5 ms later.
    spend(one, 59_985)
    clock.take_input(15, 0.0205)
    assert clock.turn_left_ms(0.031) == 60_000 - 31
    spend(one, 60_000 - 31)
    clock.take_input(16, 0.04)
    # Another one of the same commit.
    clock.take_input(0, 0.04)
    assert clock.turn_left_ms(1) == 59_000


def test_a_turn_that_goes_on_after_a_pause_loses_no_time_to_the_commit() -> None:
    one = timed(60_000)
    clock = MatchClock(one)
    clock.begin_turn(0)
    one.turn_left_ms = 50_000
    clock.pause(10)
    clock.resume(100)
    assert clock.turn_left_ms(101) == 49_000
    spend(one, 49_000)
    clock.take_input(11_000, 101.5)
    assert clock.turn_left_ms(102) == 48_000


def test_a_new_turn_of_timed_rules_has_its_full_time_from_the_commit_on() -> None:
    one = timed(60_000)
    clock = MatchClock(one)
    clock.begin_turn(0)
    spend(one, 30_000)
    clock.take_input(5000, 5.5)
    assert clock.turn_left_ms(6.5) == 29_000


def test_a_new_turn_of_rules_without_clocks_has_its_full_time_from_the_commit_on() -> None:
    clock = MatchClock(match())
    clock.resume(0)
    clock.take_input(UNSET, 1.9)
    assert clock.turn_left_ms(2.9) == 1000
