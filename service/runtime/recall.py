"""Read the ids of earlier commands after a start, while the service already runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from service.errors import Unavailable

if TYPE_CHECKING:
    from service.eventstore.records import RecordedEvent
    from service.runtime.idempotency import CommandResults


class Recall:
    """Refills an idempotency store; until its end no command with an id may be dispatched."""

    def __init__(self, results: CommandResults) -> None:
        """Refill `results`; nothing has to be refilled before `begin`."""
        self._results = results
        self._ended: asyncio.Future[None] | None = None
        self.is_under_way = False

    def begin(self) -> None:
        """Note that commands from before the start will be passed to `remember`."""
        self._results.begin_refill()
        self._ended = asyncio.get_running_loop().create_future()
        self.is_under_way = True

    def remember(self, recorded: RecordedEvent) -> None:
        """Keep the result of a command, given its event from before the start."""
        self._results.refill(recorded)

    def end(self) -> None:
        """Let commands with ids go on."""
        if self._ended is None:
            raise AssertionError
        self._results.end_refill()
        self.is_under_way = False
        self._ended.set_result(None)

    def abort(self) -> None:
        """Fail the commands that wait, since the service stops."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(Unavailable("The service is stopping; try again."))
            # Nobody may be waiting for it.
            self._ended.exception()

    async def ended(self) -> None:
        """Wait until it is not under way; raise `Unavailable` if the service stops before."""
        if self.is_under_way and self._ended is not None:
            await asyncio.shield(self._ended)
