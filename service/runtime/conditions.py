"""The conditions under which the commands of one of several nodes may be appended."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from service.domain.commands.conditions import keys_of
from service.eventstore.plan import Condition

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.domain.events.base import Event, Position
    from service.runtime.pending import PendingCommand

CONFLICTS_MAX = 5
"""After so many conflicts a command of a client is refused as `Unavailable`."""

PAUSE_S = 0.002
"""The longest pause after the first conflict; it is doubled for each further one."""

PAUSE_MAX_S = 0.1


@final
class Conditions:
    """Makes conditions, and the pauses after conflicts."""

    def __init__(
        self, jitter: Callable[[], float], sync: Callable[[Callable[[], None]], None]
    ) -> None:
        """Take a function that returns a number from 0 to 1 at random, and `sync`.

        `sync` calls its argument once the world has all events that are in the log now.
        """
        self._jitter = jitter
        self.sync = sync

    def of(
        self,
        seen: Position,
        pending: PendingCommand,
        events: Sequence[Event],
    ) -> Condition:
        """Return the condition of a command that was decided to `events` at `seen`."""
        key, lease = pending.key, pending.lease
        streams = frozenset[str]() if lease is None else lease.streams
        needs, marks = keys_of(streams, events)
        if key is not None:
            once = frozenset((f"cmd:{key[0]}:{key[1]}",))
            needs, marks = needs | once, marks | once
        return Condition(seen, needs, marks)

    def pause_s(self, conflicts: int) -> float:
        """Return how long to wait after so many conflicts: nodes must not meet again at once."""
        return self._jitter() * min(PAUSE_S * 2.0 ** min(conflicts - 1, 10), PAUSE_MAX_S)
