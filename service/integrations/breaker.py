"""Circuit breaker: stop requests after consecutive failures, then let one through as a trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.settings.sections.integrations import BreakerLimits


class Breaker:
    """A circuit breaker with three states.

    | state     | `allow()`                                   | success | failure
    |-----------|---------------------------------------------|---------|---------
    | closed    | true                                        | closed  | open after `failures_max`
    | open      | false; after `pause_s` true once: half-open |         |
    | half-open | false                                       | closed  | open
    """

    def __init__(self, limits: BreakerLimits, clock: Callable[[], float]) -> None:
        """Start closed; `clock` is monotonic, in seconds."""
        self._limits = limits
        self._clock = clock
        self._failures = 0
        self._open_until = 0.0
        self._half_open = False

    @property
    def is_open(self) -> bool:
        """Whether requests are held back; true in the half-open state as well."""
        return self._failures >= self._limits.failures_max

    @property
    def wait_s(self) -> float:
        """Seconds until the next request may be allowed; 0 while closed."""
        if not self.is_open:
            return 0
        return max(0.0, self._open_until - self._clock())

    def allow(self) -> bool:
        """Return whether a request may be sent.

        After True the caller must report `succeeded`, `failed` or `unused`.
        """
        if not self.is_open:
            return True
        if self._half_open or self.wait_s > 0:
            return False
        self._half_open = True
        return True

    def succeeded(self) -> None:
        """Close the breaker: there was a response, whatever its status."""
        self._failures = 0
        self._half_open = False

    def failed(self) -> None:
        """Count a failure; open the breaker at `failures_max` consecutive ones."""
        self._failures += 1
        self._half_open = False
        if self.is_open:
            self._open_until = self._clock() + self._limits.pause_s

    def unused(self) -> None:
        """Report that an allowed request was not sent."""
        self._half_open = False
