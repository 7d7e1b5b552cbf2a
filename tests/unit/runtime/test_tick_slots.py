"""In which part of a tick matches are stepped, and when the parts are visited."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from service.protocol.frame_rates import ALL_RATES
from service.runtime.live_match import LiveMatch
from service.runtime.tick_slots import (
    BLOCKED_ROUNDS,
    GRID_HZ,
    PHASES,
    ROUNDING_S,
    SLOT_S,
    VISIT_MATCHES,
    TickSlots,
    visits_of,
)
from tests.unit.runtime.live_pong import live_pong

TICK_S = 1 / GRID_HZ
AFTER_S = 1e-6
"""So that rounding does not matter."""


def live_match(number: int = 0, rates: frozenset[int] = ALL_RATES) -> LiveMatch:
    live = live_pong(f"r-{number}")
    live.wanted = rates
    return live


def running(slots: TickSlots, count: int, rates: frozenset[int] = ALL_RATES) -> list[LiveMatch]:
    matches = [live_match(number, rates) for number in range(count)]
    for live in matches:
        slots.add(live)
        slots.resume(live, 1.0)
    return matches


def visits(slots: TickSlots, until: float) -> list[tuple[float, int, list[str]]]:
    """Step all matches that are due up to a time; return when, in which phase, and which."""
    found = []
    while slots.next_visit <= until:
        now = slots.next_visit + AFTER_S
        for phase in slots.phases_due(now):
            stepped = []
            for live in slots.due(phase, now):
                ticks = 0
                while live.is_due(now):
                    live.step(now)
                    ticks += 1
                if ticks:
                    stepped.append(live.id)
                    live.plan_wake()
            found.append((now - AFTER_S, phase, stepped))
    return found


def test_nothing_is_to_be_visited_without_a_match_that_runs() -> None:
    slots = TickSlots(0.0)
    assert slots.next_visit == math.inf
    slots.add(live_match())
    assert (len(slots), slots.next_visit, slots.phases_due(5.0)) == (1, math.inf, [])


def test_a_match_is_stepped_once_a_tick_from_when_its_phase_comes_round() -> None:
    slots = TickSlots(0.0)
    running(slots, 1)
    seen = visits(slots, 1.0 + 10 * TICK_S)
    assert [at for at, _, stepped in seen if stepped] == pytest.approx(
        [1.0 + tick * TICK_S for tick in range(11)]
    )


@pytest.mark.parametrize(("hz", "ticks"), [(30, 2), (20, 3)])
def test_a_match_that_is_shown_less_often_is_visited_less_often(hz: int, ticks: int) -> None:
    slots = TickSlots(0.0)
    (live,) = running(slots, 1, frozenset({hz}))
    seen = visits(slots, 2.0)
    assert len(seen) == pytest.approx(60 / ticks, abs=1)
    assert all(stepped for _, _, stepped in seen)
    assert 58 <= live.run.tick <= 62


def test_a_match_that_nobody_is_shown_is_stepped_at_the_lowest_rate() -> None:
    slots = TickSlots(0.0)
    running(slots, 1, frozenset())
    assert 19 <= len(visits(slots, 2.0)) <= 21


def test_matches_at_half_the_rate_share_their_visits() -> None:
    slots = TickSlots(0.0)
    many = VISIT_MATCHES
    running(slots, many, frozenset({30}))
    assert {len(stepped) for _, _, stepped in visits(slots, 2.0)} == {many}


def test_when_a_visit_is_full_the_rounds_between_are_filled_before_the_next_phase() -> None:
    slots = TickSlots(0.0)
    running(slots, 2 * VISIT_MATCHES, frozenset({30}))
    seen = visits(slots, 2.0)[2:]
    assert {(phase, len(stepped)) for _, phase, stepped in seen} == {(0, VISIT_MATCHES)}
    assert len(seen) == pytest.approx(60, abs=2)


@pytest.mark.parametrize(
    ("rates", "rounds"),
    [
        ({60}, {0, 1, 2, 3, 4, 5}),
        ({60, 20}, {0, 1, 2, 3, 4, 5}),
        ({30}, {0, 2, 4}),
        ({20}, {0, 3}),
        ({30, 20}, {0, 2, 3, 4}),
        (set(), {0, 3}),
    ],
)
def test_the_visits_of_a_match_follow_from_its_rates(rates: set[int], rounds: set[int]) -> None:
    assert visits_of(frozenset(rates), 0) == rounds
    assert visits_of(frozenset(rates), 1) == {(round_ - 1) % 6 for round_ in rounds}


def test_those_that_start_at_different_times_share_their_visits_too() -> None:
    slots = TickSlots(0.0)
    for number in range(7):
        live = live_match(number, frozenset({30}))
        slots.add(live)
        slots.resume(live, 1.0 + number * 0.9 * TICK_S)
    visits(slots, 1.5)
    assert {len(stepped) for _, _, stepped in visits(slots, 2.0)} == {7}


def test_phases_are_filled_one_after_the_other_and_evenly_when_all_are_full() -> None:
    slots = TickSlots(0.0)
    per_phase = VISIT_MATCHES
    matches = running(slots, PHASES * per_phase + PHASES * 6)
    first, all_ = Counter[int](), Counter[int]()
    for _, phase, stepped in visits(slots, 1.0 + TICK_S - SLOT_S / 2):
        first[phase] += len(set(stepped) & {live.id for live in matches[:per_phase]})
        all_[phase] += len(stepped)
    assert first == {0: per_phase, 1: 0, 2: 0, 3: 0}
    assert set(all_.values()) == {per_phase + 6}


def test_the_slot_of_a_match_that_ended_is_given_to_the_next_one() -> None:
    slots = TickSlots(0.0)
    running(slots, VISIT_MATCHES)
    slots.remove("r-3")
    slots.remove("r-3")
    late = live_match(10_000)
    slots.add(late)
    slots.resume(late, 1.0)
    assert [phase for _, phase, _ in visits(slots, 1.0 + AFTER_S)] == [0]


def test_a_match_that_waits_for_a_commit_causes_no_visit_each_tick() -> None:
    slots = TickSlots(0.0)
    (live,) = running(slots, 1)
    live.begin_recording()
    seen = visits(slots, 1.0 + 2 * BLOCKED_ROUNDS * TICK_S + AFTER_S)
    assert [stepped for _, _, stepped in seen] == [[], [], []]
    live.end_recording()
    live.step(1.5)
    live.plan_wake()
    slots.plan(live)
    assert slots.next_visit == pytest.approx(slots.visit_at(0))


def test_a_match_that_is_planned_anew_is_visited_in_time() -> None:
    slots = TickSlots(0.0)
    (live,) = running(slots, 1, frozenset({20}))
    visits(slots, 1.5)
    live.wanted = ALL_RATES
    live.plan_wake()
    slots.plan(live)
    assert slots.next_visit <= 1.5 + TICK_S + ROUNDING_S


def test_a_paused_match_is_not_visited() -> None:
    slots = TickSlots(0.0)
    (live,) = running(slots, 1)
    visits(slots, 1.5)
    live.pause()
    visits(slots, 2.0)
    assert slots.next_visit == math.inf
    slots.resume(live, 3.0)
    assert slots.next_visit == pytest.approx(3.0)


def test_a_phase_is_never_visited_early() -> None:
    slots = TickSlots(0.0)
    running(slots, 1)
    assert slots.phases_due(slots.next_visit - 0.0001) == []
    assert slots.phases_due(slots.next_visit) == [0]


def test_a_visit_before_any_match_is_due_steps_nothing_and_plans_the_next_one() -> None:
    slots = TickSlots(0.0)
    (live,) = running(slots, 1)
    slots.visit_soon(live, 0.5 - AFTER_S)
    assert slots.next_visit == pytest.approx(0.5)
    assert [stepped for _, _, stepped in visits(slots, 0.6)] == [[]]
    assert slots.next_visit == pytest.approx(1.0)


def test_planning_a_match_that_has_ended_does_nothing() -> None:
    slots = TickSlots(0.0)
    (live,) = running(slots, 1)
    slots.remove(live.id)
    visits(slots, 2.0)
    slots.plan(live)
    assert (len(slots), slots.next_visit) == (0, math.inf)
