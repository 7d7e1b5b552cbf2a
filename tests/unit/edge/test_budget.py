"""Budgets belong to users: more or new sockets do not extend them."""

from service.edge.session.rate_limit import Bucket, Budgets
from service.settings.sections.connections import Rate
from tests.limits import user_limits

LIMITS = user_limits(messages=Rate(10, 20), logged_bytes=Rate(100, 1000))


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = Bucket(Rate(2, 4), 0)
    assert [bucket.take(0) for _ in range(5)] == [True] * 4 + [False]
    assert bucket.wait_ms() == 500
    assert not bucket.take(0.4)
    assert bucket.take(0.5)
    assert not bucket.take(0.5)


def test_overspending_a_bucket_has_to_be_paid_back() -> None:
    bucket = Bucket(Rate(2, 4), 0)
    bucket.spend(6)
    assert not bucket.take(1)
    assert bucket.take(1.5)


def test_sockets_of_a_user_share_one_budget() -> None:
    budgets = Budgets(LIMITS, Clock())
    first, second, other = budgets.acquire(7), budgets.acquire(7), budgets.acquire(8)
    assert first is second
    assert first is not other


def test_a_budget_survives_a_reconnect_until_it_is_full() -> None:
    clock = Clock()
    budgets = Budgets(LIMITS, clock)
    budget = budgets.acquire(7)
    assert budget.messages.take(0, 20)
    budget.logged(0).spend(1000)
    budgets.release(7)
    clock.now = 1
    assert not budgets.acquire(7).messages.take(1, 11)
    budgets.release(7)
    clock.now = 11
    budgets.acquire(8)
    budgets.release(8)
    assert budgets.acquire(7) is not budget


def test_full_budgets_without_a_socket_are_removed() -> None:
    clock = Clock()
    budgets = Budgets(LIMITS, clock)
    for user in range(1, 101):
        budgets.acquire(user).messages.take(clock.now)
        budgets.release(user)
        clock.now += 1
    assert len(budgets) <= 3


def test_a_budget_is_kept_while_any_socket_is_open() -> None:
    budgets = Budgets(LIMITS, Clock())
    budget = budgets.acquire(7)
    budgets.acquire(7)
    budgets.release(7)
    assert budgets.acquire(7) is budget
