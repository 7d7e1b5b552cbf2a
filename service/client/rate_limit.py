"""Client-side rate limiting, below the limits of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.client.clock import Clock
    from service.client.memory import Message

RATE_SHARE = 0.9
BURST_SHARE = 0.5
"""Which part of the service's limits is used: its clock runs a little beside this one."""

COMMAND_BYTES_PER_UNIT = 512
BYTES_PER_UNIT = 4096
"""What a message costs besides: so many bytes of a command, which are logged, or of another one."""


class RateLimiter:
    """A token bucket."""

    def __init__(self, clock: Clock) -> None:
        """Begin without limits; `welcome` tells them."""
        self._clock = clock
        self._per_s = float("inf")
        self._burst = float("inf")
        self._tokens = float("inf")
        self._wanted = 1.0
        self._at = clock.steady()

    def limit(self, limits: Message) -> None:
        """Take the limits of the service, as `welcome` has them."""
        self._per_s = RATE_SHARE * limits["messagesPerS"]
        self._burst = max(1.0, BURST_SHARE * limits["messagesBurst"])
        self._tokens = min(self._tokens, self._burst)
        self._at = self._clock.steady()

    def take(self, units: int) -> bool:
        """Tell whether a message of so many units may go now, and count them."""
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
        """How long until the message may go that was not let go."""
        return 0.001 + max(0.0, (self._wanted - self._tokens) / self._per_s)
