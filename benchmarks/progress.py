"""How far a run is, and how long it will take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MINUTE_S = 60


class Progress:
    """Foretells the rest of a run from the pace of what is done."""

    def __init__(
        self, expected_s: Sequence[float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take the time that each step takes on a quiet machine, in their order."""
        self._expected_s = expected_s
        self._clock = clock
        self._began = clock()
        self._done = 0

    def step_done(self) -> None:
        """Note that the next step is done."""
        self._done += 1

    @property
    def left_s(self) -> float:
        """The seconds that the rest will take at this pace."""
        done_s = sum(self._expected_s[: self._done])
        pace = (self._clock() - self._began) / done_s if done_s else 1.0
        return pace * sum(self._expected_s[self._done :])

    def __str__(self) -> str:
        """Say it in words: `12/190, 8 min left`."""
        left_s = self.left_s
        left = f"{left_s / MINUTE_S:.0f} min" if left_s >= 2 * MINUTE_S else f"{left_s:.0f} s"
        return f"{self._done}/{len(self._expected_s)}, {left} left"
