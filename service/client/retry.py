"""Reconnect backoff with full jitter."""

from __future__ import annotations

RETRY_FIRST_S = 0.5
RETRY_MAX_S = 15.0
RETRY_WITH_SEAT_MAX_S = 3.0
"""Whoever has a seat tries again before its grace is over."""


def wait_s_max(attempt: int, drain_s: float | None, *, has_seat: bool) -> float:
    """Return the most to wait before a try: the 1st, 2nd, ... since the connection was lost.

    `drain_s` is within which time a service that stops asked its clients to come back.
    """
    wait_s = drain_s
    if wait_s is None:
        wait_s = min(RETRY_MAX_S, RETRY_FIRST_S * 2.0 ** (attempt - 1))
    return min(RETRY_WITH_SEAT_MAX_S, wait_s) if has_seat else wait_s
