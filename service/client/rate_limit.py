"""Client-side rate limiting, below the limits of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.client.clock import Clock
    from service.client.state import Message

RATE_SHARE = 0.9
BURST_SHARE = 0.5
"""Shares of the service's limits that are used, since both clocks differ a little."""

COMMAND_BYTES_PER_UNIT = 512
BYTES_PER_UNIT = 4096
"""A message costs one unit more for each of these; commands cost more, since they are logged."""


class RateLimiter:
    """A token bucket."""

    def __init__(self, clock: Clock) -> None:
        """Start without limits, until `welcome` has them."""
        self._clock = clock
        self._per_s = float("inf")
        self._burst = float("inf")
        self._tokens = float("inf")
        self._wanted = 1.0
        self._at = clock.steady()

    def limit(self, limits: Message) -> None:
        """Set the limits from `welcome.limits`."""
        self._per_s = RATE_SHARE * limits["messagesPerS"]
        self._burst = max(1.0, BURST_SHARE * limits["messagesBurst"])
        self._tokens = min(self._tokens, self._burst)
        self._at = self._clock.steady()

    def take(self, units: int) -> bool:
        """Take units from the bucket; return False, and take none, if there are too few."""
        now = self._clock.steady()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_s)
        self._at = now
        self._wanted = min(units, self._burst)
        if self._tokens < self._wanted:
            return False
        self._tokens -= self._wanted
        return True

    @property
    def wait_s(self) -> float:
        """Seconds until the last `take` that failed would succeed."""
        return 0.001 + max(0.0, (self._wanted - self._tokens) / self._per_s)
