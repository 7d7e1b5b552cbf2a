"""Which ticks are shown at each frame rate."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from service.protocol.frame_rates import ALL_RATES, FRAME_HZ
from service.runtime.frame_schedule import PHASES, FrameSchedule

TICK_HZ = 60
SECOND = range(1, TICK_HZ + 1)


def shown(hz: int, phase: int = 0, *, steps: int = 1, tick_hz: int = TICK_HZ) -> list[int]:
    """Return the ticks of one second that are shown at a rate, some steps at a time."""
    schedule = FrameSchedule(tick_hz, phase, 0)
    ticks = range(steps, tick_hz + 1, steps)
    return [tick for tick in ticks if hz in schedule.advance(tick)]


def test_each_rate_shows_evenly_spaced_ticks() -> None:
    assert shown(60) == list(SECOND)
    assert shown(30) == list(range(2, 61, 2))
    assert shown(20) == list(range(3, 61, 3))


@pytest.mark.parametrize("phase", range(PHASES))
@pytest.mark.parametrize("hz", FRAME_HZ)
def test_each_rate_shows_as_many_states_a_second_in_every_phase(hz: int, phase: int) -> None:
    ticks = shown(hz, phase)
    assert len(ticks) == hz
    assert {after - before for before, after in pairwise(ticks)} == {TICK_HZ // hz}


@pytest.mark.parametrize("steps", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("phase", range(PHASES))
@pytest.mark.parametrize("hz", FRAME_HZ)
def test_no_rate_starves_when_ticks_are_caught_up(hz: int, phase: int, steps: int) -> None:
    frames = TICK_HZ // steps
    assert len(shown(hz, phase, steps=steps)) >= min(frames, hz) - 1
    assert len(shown(hz, phase, steps=steps)) <= min(frames, hz)


def test_matches_that_run_together_share_the_ticks_evenly() -> None:
    schedules = [FrameSchedule(TICK_HZ, phase, 0) for phase in range(PHASES)]
    for tick in SECOND:
        counts = Counter(hz for schedule in schedules for hz in schedule.advance(tick))
        assert counts == {hz: PHASES * hz // TICK_HZ for hz in FRAME_HZ}


def test_a_rate_is_behind_until_it_is_shown_the_newest_state() -> None:
    schedule = FrameSchedule(TICK_HZ, 0, 0)
    assert schedule.behind == frozenset()
    assert schedule.advance(1) == {60}
    assert schedule.behind == {30, 20}
    schedule.show_all(1)
    assert schedule.behind == frozenset()
    assert schedule.advance(2) == {60, 30}
    assert schedule.behind == {20}


def test_a_frame_for_all_does_not_move_the_following_ones() -> None:
    schedule = FrameSchedule(TICK_HZ, 0, 0)
    schedule.show_all(3)
    assert [schedule.advance(tick) for tick in (4, 5, 6)] == [{60, 30}, {60}, {60, 30, 20}]


def test_a_match_that_is_recovered_keeps_its_frames() -> None:
    schedule = FrameSchedule(TICK_HZ, 0, 601)
    assert schedule.advance(602) == {60, 30}


def test_a_game_without_ticks_shows_every_state_at_all_rates() -> None:
    schedule = FrameSchedule(0, 3, 0)
    assert [schedule.advance(tick) for tick in (1, 2, 5)] == [ALL_RATES] * 3


@pytest.mark.parametrize("tick_hz", [10, 20, 30, 45])
def test_a_game_with_fewer_ticks_is_thinned_by_what_is_above_the_rate(tick_hz: int) -> None:
    for hz in FRAME_HZ:
        assert len(shown(hz, tick_hz=tick_hz)) == min(hz, tick_hz)
