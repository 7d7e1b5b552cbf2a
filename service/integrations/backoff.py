"""Polling schedule: a fixed interval on success, exponential backoff on failure."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def backoff(first_s: float, longest_s: float) -> Iterator[float]:
    """Yield waits in seconds that double up to `longest_s`, each reduced by up to half at random.

    The jitter keeps nodes that fail together from retrying together.
    """
    wait_s = min(first_s, longest_s)
    while True:
        yield wait_s * random.uniform(0.5, 1)  # noqa: S311 - nothing secret depends on it
        wait_s = min(wait_s * 2, longest_s)


class PollSchedule:
    """Computes the wait before the next poll."""

    def __init__(self, every_s: float, retry_first_s: float) -> None:
        """Poll every `every_s`; after a failure, back off from `retry_first_s` to `every_s`."""
        self._every_s = every_s
        self._retry_first_s = retry_first_s
        self._retries: Iterator[float] | None = None

    @property
    def failing(self) -> bool:
        """Whether the last poll failed."""
        return self._retries is not None

    def succeeded(self) -> None:
        """Return to the fixed interval."""
        self._retries = None

    def failed(self) -> None:
        """Start to back off, or go on with it."""
        if self._retries is None:
            self._retries = backoff(self._retry_first_s, self._every_s)

    def wait_s(self) -> float:
        """Return the seconds to wait before the next poll."""
        return self._every_s if self._retries is None else next(self._retries)
