"""Locks of streams: at most one command decides on a stream at a time.

A command asks for all of its streams at once, and gets a lease of them when it is the first in the
queue of each. Since all queues have the same order, that of the requests, no two commands ever
wait for each other.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet


class StreamLocks:
    """A queue of leases for each stream that somebody decides on."""

    def __init__(self) -> None:
        """Begin without any; a queue exists only while somebody is in it."""
        self._queues: dict[str, deque[Lease]] = {}

    def __len__(self) -> int:
        """Count the streams that are locked."""
        return len(self._queues)

    def acquire(self, streams: AbstractSet[str], granted: Callable[[], None]) -> Lease:
        """Ask for `streams`; the lease is held at once, or `granted` is called when it is.

        `granted` runs in a callback of its own, never within `acquire` or `Lease.release`.
        """
        lease = Lease(self._queues, streams, granted)
        for stream in streams:
            queue = self._queues.setdefault(stream, deque())
            if queue:
                lease.behind += 1
            queue.append(lease)
        return lease


class Lease:
    """The locks of one command, held or waited for; `release` them once."""

    __slots__ = ("_granted", "_queues", "behind", "is_released", "streams")

    def __init__(
        self,
        queues: dict[str, deque[Lease]],
        streams: AbstractSet[str],
        granted: Callable[[], None],
    ) -> None:
        """Stand in no queue yet."""
        self._queues = queues
        self._granted = granted
        self.streams = streams
        self.behind = 0
        """In how many of the queues others are before this one."""
        self.is_released = False

    @property
    def is_held(self) -> bool:
        """Whether nobody else may decide on these streams now."""
        return not self.behind

    def release(self) -> None:
        """Let the next ones have the streams, or stop waiting for them."""
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
        """Come first in one more queue."""
        self.behind -= 1
        if not self.behind:
            asyncio.get_running_loop().call_soon(self._grant)

    def _grant(self) -> None:
        # It may have been released in the same turn of the loop.
        if not self.is_released:
            self._granted()
