"""Decide when appends are handed to the commit thread: at once, or together with later ones."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BUSY_S = 0.05
"""Nothing waits for a group if so much time has passed since the last commit."""

GATHER_S = 0.003
"""How long one that may wait at all waits for others."""

FAST_S = 0.004
"""Up to this duration of a commit, those who need it can wait for it."""

SPARE_S = 0.002
"""How much later than when they are needed events are handed over if nobody has called `hurry`."""

LEAD_MIN_S, LEAD_MAX_S = 0.001, 0.02
"""Limits of the expected duration of a commit."""

SMOOTHING = 8
"""How many commits the expected duration of a commit is averaged over, about."""


class HandOver:
    """The timer of a log's appends; what is to be handed over is known to its owner.

    A commit costs the same for one append as for many. So those that may wait are committed with
    later ones, but only while the log is busy: a lone one is committed at once.
    """

    def __init__(self, hand_over: Callable[[], None], clock: Callable[[], float]) -> None:
        """Call `hand_over` when it is time, in the loop; `clock` is monotonic, in seconds."""
        self._hand_over = hand_over
        self._clock = clock
        self._committed_at = -math.inf
        self._commit_s = LEAD_MIN_S
        """The expected duration of a commit, until its results are in the loop."""
        self._due_at = math.inf
        """When the appends that wait are handed over; infinite while none do."""
        self._timer: asyncio.Handle | None = None

    def schedule(self, may_wait_s: float = 0.0) -> None:
        """Hand over at once, or within `may_wait_s`, when the events are needed.

        While commits are slow that is so early that they are expected to be done by then, while
        they are fast it is when the events are needed (`hurry`). What comes too late for that waits
        for `GATHER_S`, as others may come too late with it.
        """
        now, due_at = self._clock(), -math.inf
        if may_wait_s > 0 and now - self._committed_at < BUSY_S:
            lead_s = -SPARE_S if self._commit_s < FAST_S else self._commit_s
            due_at = now + max(may_wait_s - lead_s, GATHER_S)
        if due_at >= self._due_at:
            return
        self._due_at = due_at
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        if due_at == -math.inf:
            self._timer = loop.call_soon(self._run)
        else:
            self._timer = loop.call_later(due_at - now, self._run)

    def hurry(self) -> None:
        """Hand over what waits, if anything does: it is needed now.

        That is done at once, and not in the next turn of the loop, which may be milliseconds later.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._run()

    def committed(self, took_s: float) -> None:
        """Note that a commit has succeeded, and how long it took until now."""
        self._committed_at = self._clock()
        took_s = min(max(took_s, LEAD_MIN_S), LEAD_MAX_S)
        self._commit_s += (took_s - self._commit_s) / SMOOTHING

    def _run(self) -> None:
        self._due_at = math.inf
        self._timer = None
        self._hand_over()
