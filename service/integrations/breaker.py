"""Circuit breaker: after consecutive failures, pause requests, then try one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Breaker:
    """Lets requests through while they succeed; after a pause, one of them as a trial.

    | state  | `ask()`         | success | failure                          |
    |--------|-----------------|---------|----------------------------------|
    | closed | yes             | closed  | open, after `failures_max` of them |
    | open   | no, until `pause_s` is over; then yes, once: trial | |           |
    | trial  | no              | closed  | open                             |
    """

    def __init__(self, failures_max: int, pause_s: float, clock: Callable[[], float]) -> None:
        """Begin closed; `clock` is monotonic, in seconds."""
        self._failures_max = failures_max
        self._pause_s = pause_s
        self._clock = clock
        self._failures = 0
        self._open_until = 0.0
        self._trial = False

    @property
    def is_open(self) -> bool:
        """Tell whether the breaker is open."""
        return self._failures >= self._failures_max

    @property
    def wait_s(self) -> float:
        """How long until a request may be let through, as far as is known."""
        if not self.is_open:
            return 0
        return max(0.0, self._open_until - self._clock())

    def ask(self) -> bool:
        """Tell whether a request may go; whoever is let through says how it went."""
        if not self.is_open:
            return True
        if self._trial or self.wait_s > 0:
            return False
        self._trial = True
        return True

    def succeeded(self) -> None:
        """Close the breaker: the service has answered, whatever the answer was."""
        self._failures = 0
        self._trial = False

    def failed(self) -> None:
        """Count; open when it was one too many."""
        self._failures += 1
        self._trial = False
        if self.is_open:
            self._open_until = self._clock() + self._pause_s

    def unused(self) -> None:
        """Take back what was let through but never sent."""
        self._trial = False
