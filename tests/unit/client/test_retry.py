"""Reconnect delays of the Python client."""

from service.client.retry import RETRY_MAX_S, wait_s_max

ATTEMPTS = range(1, 13)


def test_reconnect_delays_grow_without_a_seat() -> None:
    waits = [wait_s_max(attempt, None, has_seat=False) for attempt in ATTEMPTS]
    assert waits == sorted(waits)
    assert waits[-1] == RETRY_MAX_S
    assert wait_s_max(1, 60, has_seat=False) == 60


def test_reconnect_delays_with_a_seat_are_at_most_three_seconds() -> None:
    assert max(wait_s_max(attempt, None, has_seat=True) for attempt in ATTEMPTS) == 3
    assert wait_s_max(1, 60, has_seat=True) == 3
    assert wait_s_max(1, 1, has_seat=True) == 1
