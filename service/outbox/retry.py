"""Retry policy of deliveries: exponential backoff with jitter, and the concurrency."""

from __future__ import annotations

import msgspec


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait between attempts, and how many deliveries run at a time."""

    retry_s: float = 1
    """The longest wait after the first failure."""
    retry_max_s: float = 300
    concurrency: int = 8
    """Deliveries to one consumer that may run at the same time."""

    def after(self, attempts: int, jitter: float) -> float:
        """Return the seconds to wait after this many failed attempts; `jitter` is from 0 to 1.

        The bound doubles with each attempt. Half of it is jitter, so that deliveries that failed
        together are not retried together.
        """
        bound = min(self.retry_max_s, self.retry_s * 2.0 ** min(attempts - 1, 60))
        return bound * (1 + jitter) / 2
