"""Clocks in the state of a match: turns, players, increments; and phases of hidden moves."""

from __future__ import annotations

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from service.games.clocks import Clocks, clocks_of
from service.games.phases import AlreadyMoved, NotAsked, Phase
from service.games.protocol import TurnClock


def ticking(*seats: int, **limits: float) -> Clocks:
    clocks = clocks_of(2, **limits)
    clocks.begin(seats)
    return clocks


def test_a_fixed_turn_ends_when_it_is_over_and_begins_anew() -> None:
    clocks = ticking(0, turn_s=30)
    assert clocks.show() == TurnClock(30_000, (), (0,))
    clocks.elapse(12_000)
    assert clocks.show() == TurnClock(18_000, (), (0,))
    clocks.moved(0)
    clocks.begin([1])
    assert clocks.show() == TurnClock(30_000, (), (1,))


def test_a_clock_of_a_player_is_a_sum_over_all_turns() -> None:
    clocks = ticking(0, clock_s=60, increment_s=2)
    clocks.elapse(10_000)
    clocks.moved(0)
    assert clocks.left_ms == [52_000, 60_000]
    clocks.begin([1])
    clocks.elapse(1)
    assert clocks.show() == TurnClock(59_999, (52_000, 59_999), (1,))


def test_the_shorter_of_turn_and_clock_ends_the_turn() -> None:
    clocks = ticking(0, turn_s=30, clock_s=20)
    assert clocks.show() == TurnClock(20_000, (20_000, 20_000), (0,))
    assert ticking(0, turn_s=10, clock_s=20).show() == TurnClock(10_000, (20_000, 20_000), (0,))


@pytest.mark.parametrize(
    ("turn_s", "spent", "out"), [(None, 15_000, [1]), (30.0, 0, [1]), (4.0, 0, [0, 1])]
)
def test_who_is_out_of_time_first_is_told(turn_s: float | None, spent: int, out: list[int]) -> None:
    clocks = clocks_of(2, turn_s=turn_s, clock_s=20)
    clocks.begin([1])
    clocks.elapse(spent or 5000)
    clocks.begin([0, 1])
    assert clocks.next_out_of_time() == out


def test_stopped_clocks_show_nothing_and_nobody_is_out_of_time() -> None:
    clocks = ticking(0, turn_s=30, clock_s=60)
    clocks.stop()
    assert clocks.show() is None
    assert clocks.next_out_of_time() == []
    assert ticking(0).show() is None


def test_a_clock_stops_at_0() -> None:
    clocks = ticking(0, turn_s=30, clock_s=1)
    clocks.elapse(40_000)
    assert clocks.show() == TurnClock(0, (0, 1000), (0,))


def test_the_increment_is_for_a_move_in_turn_alone() -> None:
    clocks = ticking(0, clock_s=60, increment_s=2)
    clocks.moved(1)
    assert clocks.left_ms == [60_000, 60_000]


def test_clocks_survive_json() -> None:
    clocks = ticking(1, turn_s=30, clock_s=60, increment_s=0.5)
    clocks.elapse(7)
    assert msgspec.json.decode(msgspec.json.encode(clocks), type=Clocks) == clocks


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5000))))
def test_what_is_left_is_the_base_minus_all_that_was_spent_plus_the_increments(
    turns: list[tuple[int, int]],
) -> None:
    clocks, spent, moves = clocks_of(2, clock_s=86_400, increment_s=1.5), [0, 0], [0, 0]
    for seat, ms in turns:
        clocks.begin([seat])
        clocks.elapse(ms)
        clocks.moved(seat)
        spent[seat] += ms
        moves[seat] += 1
    assert clocks.left_ms == [86_400_000 - spent[seat] + 1500 * moves[seat] for seat in range(2)]


# Phases


def asked(*seats: int, limit_ms: int | None = None) -> Phase[str]:
    phase = Phase[str](limit_ms=limit_ms)
    phase.begin(seats)
    return phase


def test_a_phase_is_complete_when_nobody_owes_a_move() -> None:
    phase = asked(1, 0)
    assert phase.owing == [0, 1]
    phase.make(1, "rock")
    assert (phase.owes(0), phase.owes(1), phase.is_complete) == (True, False, False)
    with pytest.raises(ValueError, match="0"):
        phase.reveal()
    phase.make(0, "paper")
    assert phase.is_complete
    assert phase.reveal() == {0: "paper", 1: "rock"}
    assert phase.moves == {}


def test_a_move_is_made_once_and_only_by_who_is_asked() -> None:
    phase = asked(0, 1)
    phase.make(0, "rock")
    with pytest.raises(AlreadyMoved):
        phase.make(0, "paper")
    with pytest.raises(NotAsked):
        phase.make(2, "rock")
    assert phase.moves == {0: "rock"}


def test_a_viewer_is_shown_no_more_than_their_own_move() -> None:
    phase = asked(0, 1)
    phase.make(0, "rock")
    assert [phase.own(viewer) for viewer in (0, 1, None)] == ["rock", None, None]


def test_who_runs_out_of_time_makes_the_default_move() -> None:
    phase = asked(0, 1, 2)
    phase.make(1, "rock")
    phase.fill("nothing")
    assert phase.reveal() == {0: "nothing", 1: "rock", 2: "nothing"}


def test_a_phase_does_not_wait_for_who_has_left() -> None:
    phase = asked(0, 1)
    phase.drop(0)
    phase.drop(0)
    phase.make(1, "rock")
    assert phase.reveal() == {1: "rock"}


def test_the_clock_of_a_phase_runs_on_over_hidden_moves_and_tells_nothing_of_them() -> None:
    phase = asked(0, 1, limit_ms=10_000)
    phase.elapse(3000)
    phase.make(0, "rock")
    assert phase.clock() == TurnClock(7000, (), ())
    phase.elapse(8000)
    assert phase.clock() == TurnClock(0, (), ())
    phase.make(1, "rock")
    assert phase.clock() is None
    phase.begin([0])
    assert phase.clock() == TurnClock(10_000, (), ())
    assert asked(0).clock() is None


def test_a_phase_survives_json() -> None:
    phase = asked(0, 1, limit_ms=5)
    phase.make(1, "rock")
    assert msgspec.json.decode(msgspec.json.encode(phase), type=Phase[str]) == phase
