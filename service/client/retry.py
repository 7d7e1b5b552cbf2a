"""Reconnect backoff with full jitter."""

from __future__ import annotations

from collections.abc import Callable

RETRY_FIRST_S = 0.5
RETRY_MAX_S = 15.0
RETRY_WITH_SEAT_MAX_S = 3.0
"""Shorter with a seat, so that the client is back within the grace period of the seat."""
STABLE_S = 5.0
"""A connection that held for this long resets the backoff."""


def wait_s_max(attempt: int, drain_s: float | None, *, has_seat: bool) -> float:
    """Return the upper bound of the wait before a try, in seconds; `attempt` counts from 1.

    `drain_s` is the bound that a stopping service sent in `server:draining`.
    """
    wait_s = drain_s
    if wait_s is None:
        wait_s = min(RETRY_MAX_S, RETRY_FIRST_S * 2.0 ** (attempt - 1))
    return min(RETRY_WITH_SEAT_MAX_S, wait_s) if has_seat else wait_s


class Backoff:
    """Counts attempts to reconnect."""

    def __init__(self, jitter: Callable[[], float]) -> None:
        """Let `jitter` return a random number from 0 to 1."""
        self._jitter = jitter
        self._attempt = 0
        self.drain_s: float | None = None
        """The bound of the next wait, sent by a stopping service."""

    def reset(self) -> None:
        """Begin again, after a connection that held."""
        self._attempt = 0

    def next_s(self, *, has_seat: bool) -> float:
        """Return how long to wait before the next attempt, in seconds."""
        drain_s, self.drain_s = self.drain_s, None
        if drain_s is None:
            self._attempt += 1
        return self._jitter() * wait_s_max(self._attempt, drain_s, has_seat=has_seat)
