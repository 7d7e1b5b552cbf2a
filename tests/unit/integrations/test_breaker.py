from hypothesis import given
from hypothesis import strategies as st

from service.integrations.breaker import Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def ill(clock: Clock) -> Breaker:
    breaker = Breaker(3, 10, clock)
    for _ in range(3):
        assert breaker.ask()
        breaker.failed()
    return breaker


def test_it_stays_closed_while_failures_are_fewer_than_its_limit_in_a_row() -> None:
    breaker = Breaker(3, 10, Clock())
    for _ in range(5):
        breaker.failed()
        breaker.failed()
        breaker.succeeded()
    assert breaker.ask()


def test_it_opens_for_a_while_and_then_lets_one_trial_through() -> None:
    clock = Clock()
    breaker = ill(clock)
    assert not breaker.ask()
    assert breaker.wait_s == 10
    clock.now += 10
    assert breaker.ask()
    assert not breaker.ask()


def test_a_trial_that_fails_opens_it_again_and_one_that_succeeds_closes_it() -> None:
    clock = Clock()
    breaker = ill(clock)
    clock.now += 10
    assert breaker.ask()
    breaker.failed()
    assert not breaker.ask()
    clock.now += 10
    assert breaker.ask()
    breaker.succeeded()
    assert breaker.ask()
    assert breaker.ask()


def test_a_trial_that_was_never_sent_leaves_room_for_another() -> None:
    clock = Clock()
    breaker = ill(clock)
    clock.now += 10
    assert breaker.ask()
    breaker.unused()
    assert breaker.ask()


@given(st.lists(st.sampled_from(["ask", "succeeded", "failed", "unused", "wait"])))
def test_it_never_gets_stuck(steps: list[str]) -> None:
    clock = Clock()
    breaker = Breaker(2, 5, clock)
    for step in steps:
        if step == "wait":
            clock.now += 3
        else:
            getattr(breaker, step)()
    breaker.unused()
    clock.now += 5
    assert breaker.ask()
