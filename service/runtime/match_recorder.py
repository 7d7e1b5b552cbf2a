"""Record what follows from the steps of live matches: outcomes, checkpoints, and ends.

All but checkpoints are retried for as long as the log can't be written.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from service.domain.commands.ending import FinishMatch
from service.errors import Unavailable
from service.eventstore.records import Origin
from service.games.checking import check_size
from service.replay.run import checkpoint_of
from service.runtime.record import Record
from service.tasks import Tasks
from service.telemetry import Metrics, get_logger, note_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from service.domain.commands.ending import VoidMatch
    from service.domain.events.base import Event
    from service.domain.events.matches import MatchCheckpoint, MatchOutcome
    from service.runtime.engine import Engine
    from service.runtime.live_match import LiveMatch
    from service.runtime.live_matches import LiveMatches
    from service.runtime.pending import Executed

LOG_RETRY_S = 0.5
"""The pause before a retry while the log can't be written."""

FAULT_RETRY_MAX_S = 30.0
"""The maximum pause before a retry after a fault."""

ORIGIN = Origin("ticker")
"""The origin of commands that no client sent."""

logger = get_logger(__name__)


class MatchRecorder:
    """Writes the events of live matches that follow from their steps."""

    def __init__(
        self,
        engine: Engine,
        matches: LiveMatches,
        on_recorded: Callable[[LiveMatch, Sequence[MatchOutcome]], None],
        metrics: Metrics,
    ) -> None:
        """Call `on_recorded` when the outcomes of a step are committed."""
        self._engine = engine
        self._matches = matches
        self._on_recorded = on_recorded
        self._metrics = metrics
        self._checkpoints: list[MatchCheckpoint] = []
        """Checkpoints that are taken but not appended yet."""
        self._tasks = Tasks()

    def record(self, live: LiveMatch, outcomes: Sequence[MatchOutcome]) -> None:
        """Append the outcomes of a step; its frame is published after the commit."""
        live.begin_recording()

        def done(result: Executed | Exception) -> None:
            if isinstance(result, Exception):
                self._tasks.spawn(self._record_again(live, outcomes, result))
            else:
                self._end_recording(live, outcomes)

        self._engine.dispatch(Record(outcomes), ORIGIN, done)

    def finish(self, live: LiveMatch) -> None:
        """End a match that is over by its rules."""
        self._tasks.spawn(self._finish(live))

    def void(self, command: VoidMatch) -> None:
        """End a match whose rules have failed."""
        self._tasks.spawn(self._void(command))

    def add_checkpoint(self, live: LiveMatch) -> None:
        """Take a checkpoint, which `write_checkpoints` appends.

        Raises what encoding the state raises, or `RulesFailed` where it is too large.
        """
        checkpoint = checkpoint_of(live.id, live.run)
        check_size("The state", checkpoint.state)
        self._checkpoints.append(checkpoint)

    def write_checkpoints(self) -> None:
        """Append the pending checkpoints together; on failure they are dropped without a retry.

        The next checkpoint of each match replaces them.
        """
        if not self._checkpoints:
            return
        checkpoints, self._checkpoints = self._checkpoints, []

        def done(result: Executed | Exception) -> None:
            # The event store logs an outage itself, once.
            if isinstance(result, Exception) and not isinstance(result, Unavailable):
                matches = [checkpoint.match for checkpoint in checkpoints]
                logger.warning("checkpoints not written", metadata={"matches": matches})

        self._engine.dispatch(Record(checkpoints), ORIGIN, done)

    async def stop(self, last: Iterable[Event]) -> None:
        """Append the checkpoints and the `last` events, and cancel all retries."""
        with suppress(Unavailable):
            await self._engine.execute(Record([*self._checkpoints, *last]), ORIGIN)
        await self._tasks.stop()

    def _end_recording(self, live: LiveMatch, outcomes: Sequence[MatchOutcome]) -> None:
        live.end_recording()
        if not self._is_run_here(live):
            return
        is_over = live.finishing
        self._on_recorded(live, outcomes)
        if is_over:
            self.finish(live)

    async def _record_again(
        self, live: LiveMatch, outcomes: Sequence[MatchOutcome], error: Exception
    ) -> None:
        """Append outcomes, however long that takes: the match can't step on without them.

        An error other than an outage ends the match as void.
        """
        while isinstance(error, Unavailable):
            live.recording_failed()
            await asyncio.sleep(LOG_RETRY_S)
            try:
                await self._engine.execute(Record(outcomes), ORIGIN)
            except Exception as again:  # noqa: BLE001 - it harms this match alone
                error = again
            else:
                self._end_recording(live, outcomes)
                return
        live.end_recording()
        note_fault(self._metrics, "rules", error, match=live.id)
        self._matches.void(live, outcomes[0].tick)

    async def _finish(self, live: LiveMatch) -> None:
        """End a match, however long that takes; one whose end fails is void."""
        while self._is_run_here(live) and not live.failed:
            try:
                await self._engine.execute(FinishMatch(live.id), ORIGIN)
            except Unavailable:
                await asyncio.sleep(LOG_RETRY_S)
            except Exception as error:  # noqa: BLE001 - it harms this match alone
                self._matches.fail(live, error)
            else:
                # A later input may have undone the result; then the match goes on.
                live.finishing = False
                return

    def _is_run_here(self, live: LiveMatch) -> bool:
        """Return whether a match has neither ended nor been moved to another node."""
        return self._matches.get(live.id) is live

    async def _void(self, command: VoidMatch) -> None:
        """End a match as void, however long that takes."""
        pause_s = LOG_RETRY_S
        while True:
            try:
                await self._engine.execute(command, ORIGIN)
            except Unavailable:
                await asyncio.sleep(LOG_RETRY_S)
            except Exception as error:  # noqa: BLE001 - its players wait for the end
                note_fault(self._metrics, "rules", error, match=command.match)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, FAULT_RETRY_MAX_S)
            else:
                return
