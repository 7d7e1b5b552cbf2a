"""The rate of admissions follows the lateness of ticks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.edge.admission_rate import (
    BURST,
    FALL,
    FALL_PAUSE_S,
    LATE_S,
    RATE_MAX,
    RATE_MIN,
    AdmissionRate,
)
from tests.effort import effort

LATE = 2 * LATE_S


def taken(rate: AdmissionRate) -> int:
    """Take all tokens; return how many there were."""
    count = 0
    while rate.take():
        count += 1
    return count


def test_a_quiet_service_admits_a_burst_at_once_and_then_none() -> None:
    rate = AdmissionRate(0)
    assert taken(rate) == BURST
    assert not rate.take()


def test_tokens_come_back_at_the_rate_up_to_a_burst() -> None:
    rate = AdmissionRate(0)
    taken(rate)
    rate.update(2 / RATE_MAX, 0)
    assert taken(rate) == 2
    rate.update(60, 0)
    assert taken(rate) == BURST


def test_a_late_tick_lowers_the_rate_once_until_its_effect_can_show() -> None:
    rate = AdmissionRate(0)
    rate.update(1, LATE)
    rate.update(1 + FALL_PAUSE_S / 2, LATE)
    assert rate.per_s == FALL * RATE_MAX
    rate.update(1 + FALL_PAUSE_S, LATE)
    assert rate.per_s == pytest.approx(FALL * FALL * RATE_MAX)


def test_lateness_up_to_the_limit_is_not_late() -> None:
    rate = AdmissionRate(0)
    rate.update(1, LATE_S)
    assert rate.per_s == RATE_MAX


def test_the_rate_never_falls_below_its_minimum_so_that_all_get_in() -> None:
    rate = AdmissionRate(0)
    admitted = 0
    taken(rate)
    for step in range(1, 10_001):
        rate.update(step / 1000, LATE)
        admitted += taken(rate)
    assert rate.per_s == RATE_MIN
    assert admitted >= 10 * RATE_MIN * 0.95


def test_the_rate_recovers_when_ticks_are_in_time() -> None:
    rate = AdmissionRate(0)
    for step in range(1, 1001):
        rate.update(step / 10, LATE)
    rate.update(101, 0)
    rate.update(102, 0)
    assert rate.per_s == RATE_MAX


def test_the_expected_wait_is_that_of_the_present_rate() -> None:
    assert AdmissionRate(0).wait_s(int(2 * RATE_MAX)) == 2


@effort(200)
@given(steps=st.lists(st.tuples(st.floats(0, 0.1), st.floats(0, 0.1)), min_size=1, max_size=200))
def test_never_more_are_admitted_than_the_rate_allows(steps: list[tuple[float, float]]) -> None:
    rate, now, admitted, allowed = AdmissionRate(0), 0.0, 0, float(BURST)
    for passed_s, lateness_s in steps:
        now += passed_s
        allowed += passed_s * rate.per_s
        rate.update(now, lateness_s)
        admitted += taken(rate)
        assert RATE_MIN <= rate.per_s <= RATE_MAX
        assert admitted <= allowed + 1e-6
