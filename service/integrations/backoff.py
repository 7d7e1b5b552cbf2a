"""Polling schedule: a fixed interval on success, exponential backoff on failure."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def backoff(first_s: float, longest_s: float) -> Iterator[float]:
    """Give times that double up to `longest_s`, each with up to half of it left off by chance.

    Else all nodes that an outage has struck would come back at the same moment.
    """
    wait_s = min(first_s, longest_s)
    while True:
        yield wait_s * random.uniform(0.5, 1)  # noqa: S311 - nothing secret depends on it
        wait_s = min(wait_s * 2, longest_s)


class PollSchedule:
    """Counts what worked and what failed."""

    def __init__(self, every_s: float, retry_first_s: float) -> None:
        """Wait `every_s`; after a failure, from `retry_first_s` on up to `every_s`."""
        self._every_s = every_s
        self._retry_first_s = retry_first_s
        self._retries: Iterator[float] | None = None

    @property
    def failing(self) -> bool:
        """Whether the last time failed."""
        return self._retries is not None

    def worked(self) -> None:
        """Go on steadily."""
        self._retries = None

    def failed(self) -> None:
        """Try again soon, and then later and later."""
        if self._retries is None:
            self._retries = backoff(self._retry_first_s, self._every_s)

    def wait_s(self) -> float:
        """How long to wait with the next time."""
        return self._every_s if self._retries is None else next(self._retries)
