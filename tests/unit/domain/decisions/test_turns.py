"""Decisions about the turn clock: the time left is logged, and turns time out."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from service.domain.commands.turns import NoteTurn, TimeOutTurn, note_every_s
from service.domain.events.base import Event
from service.domain.events.matches import ClockState, MatchEnded, MatchTurnNoted
from service.games.connect_four import Dropped, TimedOut
from tests.unit.domain.decisions.plays import (
    MATCH,
    TimesOutSeat,
    by_rules,
    connect_four_state,
    entered,
    last,
    match_of,
    measured,
    over,
    paused,
    play,
    resumed,
)
from tests.unit.domain.scenario import Scenario, scenario

VOID = MatchEnded(match=MATCH, tick=5, reason="void", winner=None, scores=[0, 0], hash="")


def turn(**options: Any) -> tuple[Scenario, int]:
    """Begin with a match whose first turn began with the last event, at the position returned."""
    one = measured(play("connect_four", **options), state=connect_four_state(turn=1))
    return one, last(one)


def noted(left_ms: int) -> MatchTurnNoted:
    return MatchTurnNoted(match=MATCH, tick=5, turn_left_ms=left_ms)


@pytest.mark.parametrize("command", [NoteTurn("a-b-1", 3), TimeOutTurn("a-b-1", 3)])
def test_the_clock_of_a_turn_locks_the_room(command: NoteTurn | TimeOutTurn) -> None:
    assert command.streams(scenario().story.world) == {"room:a-b"}


@pytest.mark.parametrize(
    ("turn_s", "every_s"), [(None, 0.5), (1.0, 0.5), (5.0, 0.5), (5.1, 0.51), (30.0, 3.0)]
)
def test_what_is_left_is_logged_ten_times_a_turn_but_not_more_often_than_twice_a_second(
    turn_s: float | None, every_s: float
) -> None:
    match = msgspec.structs.replace(match_of(play("connect_four")), turn_s=turn_s)
    assert note_every_s(match) == pytest.approx(every_s)


def test_what_is_left_of_a_turn_is_logged() -> None:
    one, since = turn()
    one.measured(turn_left_ms=1).when(NoteTurn(MATCH, since)).then(noted(1))


@pytest.mark.parametrize("left_ms", [0, None])
def test_nothing_is_logged_when_nothing_is_left(left_ms: int | None) -> None:
    one, since = turn()
    one.measured(turn_left_ms=left_ms).when(NoteTurn(MATCH, since)).then_nothing()


@pytest.mark.parametrize("late", [-1, 1])
def test_a_note_that_another_one_was_faster_than_is_left_out(late: int) -> None:
    one, since = turn()
    one.when(NoteTurn(MATCH, since + late)).then_nothing()


def test_a_note_follows_the_note_before_it() -> None:
    one, since = turn()
    one.given(noted(9_000))
    one.when(NoteTurn(MATCH, since)).then_nothing()
    one.measured(turn_left_ms=8_000).when(NoteTurn(MATCH, since + 1)).then(noted(8_000))


@pytest.mark.parametrize("event", [paused(), over()])
@pytest.mark.parametrize("command", [NoteTurn, TimeOutTurn])
def test_no_turn_runs_in_a_pause_or_after_the_end(
    event: Event, command: type[NoteTurn | TimeOutTurn]
) -> None:
    one, since = turn()
    one.given(event).when(command(MATCH, since)).then_nothing()


def test_a_turn_that_takes_too_long_is_an_input_of_the_service() -> None:
    one, since = turn()
    timed_out = entered(TimedOut(1), tick=9, seat=1, spent_ms=20_000)
    one.when(TimeOutTurn(MATCH, since)).then(timed_out)


@pytest.mark.parametrize("late", [-1, 1])
def test_the_time_of_another_turn_ends_none(late: int) -> None:
    one, since = turn()
    one.when(TimeOutTurn(MATCH, since + late)).then_nothing()


def test_a_move_postpones_the_end_of_its_turn() -> None:
    one, since = turn()
    one.given(entered(Dropped(1, 3), seat=1))
    one.when(TimeOutTurn(MATCH, since)).then_nothing()


def test_a_turn_continues_after_a_pause_with_a_time_of_its_own() -> None:
    one, since = turn()
    one.given(paused(), resumed())
    one.when(TimeOutTurn(MATCH, since)).then_nothing()
    one.when(TimeOutTurn(MATCH, since + 2)).then_types("match.input")


def test_a_note_does_not_postpone_the_end_of_a_turn() -> None:
    one, since = turn()
    one.given(noted(1)).when(TimeOutTurn(MATCH, since)).then_types("match.input")


def test_a_turn_of_a_game_that_is_over_does_not_end() -> None:
    one, since = turn()
    over_ = connect_four_state(turn=None, winner=0)
    one.measured(state=over_).when(TimeOutTurn(MATCH, since)).then_nothing()


@pytest.mark.parametrize("seat", [2, -1, "x", None])
def test_rules_that_end_the_turn_of_nobody_make_the_match_void(seat: object) -> None:
    one, since = turn()
    failures = by_rules(one, TimesOutSeat(seat))
    one.when(TimeOutTurn(MATCH, since)).then(VOID)
    ((match, error),) = failures
    assert match == MATCH
    assert f"seat {seat!r}" in error


@pytest.mark.parametrize("seat", [0, 1])
def test_the_turn_of_every_seat_may_end(seat: int) -> None:
    one, since = turn()
    by_rules(one, TimesOutSeat(seat))
    one.when(TimeOutTurn(MATCH, since)).then(
        entered(Dropped(0, 0), tick=9, seat=seat, spent_ms=20_000, clock=ClockState(20_000))
    )


def test_rules_that_are_not_available_make_the_match_void() -> None:
    one, since = turn()
    failures = by_rules(one)
    one.when(TimeOutTurn(MATCH, since)).then(VOID)
    assert len(failures) == 1
