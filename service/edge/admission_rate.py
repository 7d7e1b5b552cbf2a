"""The rate at which new connections are admitted: adapts to how late live matches are stepped.

It falls by a factor while ticks are late, and rises steadily while they are not. A connection costs
about a quarter of a millisecond of the event loop, so a burst delays a tick by two.
"""

from __future__ import annotations

RATE_MAX = 4000.0
"""Connections per second while nothing is late; more than the loop can serve."""

RATE_MIN = 200.0
"""Connections per second however late ticks are: about a tenth of a core, so that all get in."""

BURST = 8
"""Connections that are admitted at once after a quiet moment."""

LATE_S = 0.006
"""Lateness of ticks above which the rate falls; a match that steps on time has less."""

RISE_PER_S = 4000.0
"""By how much the rate rises in a second without late ticks."""

FALL = 0.7
"""What is left of the rate after a late tick."""

FALL_PAUSE_S = 0.02
"""Time between two falls, in which the effect of the first one shows."""


class AdmissionRate:
    """A token bucket of connections, whose rate follows the lateness of ticks."""

    def __init__(self, now: float) -> None:
        """Begin quiet; `now` is monotonic, in seconds, as all times here."""
        self.per_s = RATE_MAX
        self._tokens = float(BURST)
        self._updated_at = now
        self._fell_at = -FALL_PAUSE_S

    def update(self, now: float, lateness_s: float) -> None:
        """Adapt the rate to the lateness of the last tick, 0 if no match is live."""
        passed_s = max(0.0, now - self._updated_at)
        self._updated_at = now
        self._tokens = min(self._tokens + passed_s * self.per_s, self.burst)
        if lateness_s <= LATE_S:
            self.per_s = min(RATE_MAX, self.per_s + passed_s * RISE_PER_S)
        elif now - self._fell_at >= FALL_PAUSE_S:
            self._fell_at = now
            self.per_s = max(RATE_MIN, self.per_s * FALL)

    @property
    def burst(self) -> float:
        """How many may be admitted at once; fewer at a lower rate.

        At least two: with one, what is left over between two calls would be lost.
        """
        return max(2.0, BURST * self.per_s / RATE_MAX)

    def take(self) -> bool:
        """Take the token of one connection; return False if there is none now."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def wait_s(self, waiting: int) -> float:
        """Estimate how long so many take to be admitted, in seconds."""
        return waiting / self.per_s
