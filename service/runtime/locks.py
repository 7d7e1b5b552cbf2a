"""Locks of streams (aggregate boundaries): at most one command decides on a stream at a time.

A command requests all of its streams at once, and holds them when it is first in the queue of each.
All queues are in the order of the requests, so that no two commands ever wait for each other.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet


class StreamLocks:
    """One queue of leases for each locked stream."""

    def __init__(self) -> None:
        """Start without queues; each exists only while a lease is in it."""
        self._queues: dict[str, deque[Lease]] = {}

    def __len__(self) -> int:
        """Return the number of locked streams."""
        return len(self._queues)

    def acquire(self, streams: AbstractSet[str], granted: Callable[[], None]) -> Lease:
        """Request `streams`; the lease is held immediately, or `granted` is called once it is.

        `granted` runs in a callback of its own, never inside `acquire` or `Lease.release`: whoever
        releases is in the middle of a fold.
        """
        lease = Lease(self._queues, streams, granted)
        for stream in streams:
            queue = self._queues.setdefault(stream, deque())
            if queue:
                lease.behind += 1
            queue.append(lease)
        return lease


class Lease:
    """The locks of one command, held or requested; its owner calls `release` once."""

    __slots__ = ("_granted", "_queues", "behind", "is_released", "streams")

    def __init__(
        self,
        queues: dict[str, deque[Lease]],
        streams: AbstractSet[str],
        granted: Callable[[], None],
    ) -> None:
        """Be in no queue yet."""
        self._queues = queues
        self._granted = granted
        self.streams = streams
        self.behind = 0
        """The number of queues in which this lease is not the first."""
        self.is_released = False

    @property
    def is_held(self) -> bool:
        """Whether the streams are locked for this lease."""
        return not self.behind

    def release(self) -> None:
        """Release the streams to the next leases, or withdraw the request."""
        self.is_released = True
        for stream in self.streams:
            queue = self._queues[stream]
            if queue[0] is not self:
                queue.remove(self)
                continue
            queue.popleft()
            if queue:
                queue[0].advance()
            else:
                del self._queues[stream]

    def advance(self) -> None:
        """Become the first in one more queue."""
        self.behind -= 1
        if not self.behind:
            asyncio.get_running_loop().call_soon(self._grant)

    def _grant(self) -> None:
        # It may have been released in the same turn of the loop.
        if not self.is_released:
            self._granted()
