"""Warn before, and close after, a v1 socket's token expires."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.settings.sections.connections import TokenTimes


class TokenTimer:
    """Warns before a token expires, and closes some time after it; a newer token restarts it."""

    def __init__(
        self, times: TokenTimes, warn: Callable[[int], None], close: Callable[[], None]
    ) -> None:
        """Call `warn` with the milliseconds that are left, then `close`."""
        self._times = times
        self._warn = warn
        self._close = close
        self._timer: asyncio.TimerHandle | None = None
        self._warned_of: float | None = None
        """The time of which the last warning told."""

    def begin(self, expires_at_s: float | None) -> None:
        """Restart for a token that expires at this time, in seconds since 1970, or never.

        A client that answers a warning by the same token, or by one that lives hardly longer, is
        not warned again at once: it would answer again.
        """
        self.stop()
        if expires_at_s is None:
            return
        left_s = expires_at_s - time.time()
        loop = asyncio.get_running_loop()
        close_at = loop.time() + max(0.0, left_s + self._times.grace_s)
        warn_in_s = max(0.0, left_s - self._times.warning_s)
        if self._warned_of is not None:
            if expires_at_s <= self._warned_of:
                self._timer = loop.call_at(close_at, self._close)
                return
            warn_in_s = max(warn_in_s, left_s / 2)
        warn_ms = max(0, int((left_s - warn_in_s) * 1000))
        self._timer = loop.call_later(warn_in_s, self._on_warning, warn_ms, close_at, expires_at_s)

    def stop(self) -> None:
        """Stop both timers."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_warning(self, left_ms: int, close_at: float, expires_at_s: float) -> None:
        self._warned_of = expires_at_s
        self._warn(left_ms)
        self._timer = asyncio.get_running_loop().call_at(close_at, self._close)
