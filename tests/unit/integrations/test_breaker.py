from hypothesis import given
from hypothesis import strategies as st

from service.integrations.breaker import Breaker
from service.settings.sections.integrations import BreakerLimits


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def ill(clock: Clock) -> Breaker:
    breaker = Breaker(BreakerLimits(failures_max=3, pause_s=10), clock)
    for _ in range(3):
        assert breaker.allow()
        breaker.failed()
    return breaker


def test_the_breaker_stays_closed_below_its_failure_limit() -> None:
    breaker = Breaker(BreakerLimits(failures_max=3, pause_s=10), Clock())
    for _ in range(5):
        breaker.failed()
        breaker.failed()
        breaker.succeeded()
    assert breaker.allow()


def test_an_open_breaker_becomes_half_open_after_its_pause() -> None:
    clock = Clock()
    breaker = ill(clock)
    assert not breaker.allow()
    assert breaker.wait_s == 10
    clock.now += 10
    assert breaker.allow()
    assert not breaker.allow()


def test_a_half_open_breaker_reopens_on_failure_and_closes_on_success() -> None:
    clock = Clock()
    breaker = ill(clock)
    clock.now += 10
    assert breaker.allow()
    breaker.failed()
    assert not breaker.allow()
    clock.now += 10
    assert breaker.allow()
    breaker.succeeded()
    assert breaker.allow()
    assert breaker.allow()


def test_an_unsent_trial_frees_the_half_open_breaker() -> None:
    clock = Clock()
    breaker = ill(clock)
    clock.now += 10
    assert breaker.allow()
    breaker.unused()
    assert breaker.allow()


@given(st.lists(st.sampled_from(["allow", "succeeded", "failed", "unused", "wait"])))
def test_the_breaker_never_gets_stuck(steps: list[str]) -> None:
    clock = Clock()
    breaker = Breaker(BreakerLimits(failures_max=2, pause_s=5), clock)
    for step in steps:
        if step == "wait":
            clock.now += 3
        else:
            getattr(breaker, step)()
    breaker.unused()
    clock.now += 5
    assert breaker.allow()
