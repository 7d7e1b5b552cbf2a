"""Refill what clients need from before a start: ids of commands, and the backlog for resumes.

It is done while the service already runs, in slices, so that matches keep their ticks. A command
with an id waits until the ids are known, and a resume until the events that it needs are there. The
backlog is refilled in parts, from one snapshot to the next: the newest part first, since most
clients were there until the last process ended. Nothing depends on how that was.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from service.domain.events.matches import MatchInput, MatchStarted
from service.edge.tail import Ages, Refill
from service.eventstore.reader import SHORT_PAGE
from service.fanout.profiles import Profiles
from service.recovery import (
    WITHOUT_FRAMES,
    ProfileCache,
    restored_world,
    save_snapshot,
    tail_start,
)
from service.runtime.idempotency import RESULT_TTL_US
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.domain.events.base import Position
    from service.domain.projections.world import World
    from service.edge.backlog import Backlog
    from service.edge.refill_progress import RefillProgress
    from service.eventstore.reader import Reader
    from service.eventstore.records import RecordedEvent
    from service.eventstore.writer import EventLog
    from service.runtime.engine import Engine
    from service.settings.sections.storage import BacklogLimits

SLICE_S = 0.002
"""How long a refill may keep the event loop at a time, in seconds."""

PAUSE_S = 0.001
"""How long it then leaves the loop to other work at least."""

logger = get_logger(__name__)


class Slices:
    """Divides a long work of the event loop into slices."""

    def __init__(self, slice_s: float = SLICE_S) -> None:
        """Begin a slice of `slice_s` seconds."""
        self._slice_s = slice_s
        self._ends_at = time.perf_counter() + slice_s

    @property
    def is_over(self) -> bool:
        """Whether the work has to pause."""
        return time.perf_counter() >= self._ends_at

    async def pause(self) -> None:
        """Let the loop do other work, and begin the next slice."""
        await asyncio.sleep(PAUSE_S)
        self._ends_at = time.perf_counter() + self._slice_s


class BacklogRefill:
    """Prepends the messages of the events up to a position to a backlog that starts there."""

    def __init__(  # noqa: PLR0913 - the sources, the parts that are refilled, and the limits
        self,
        log: EventLog,
        reader: Reader,
        backlog: Backlog,
        limits: BacklogLimits,
        progress: RefillProgress,
        *,
        snapshot_events: int,
    ) -> None:
        """Refill `backlog` up to its present start; `limits` say how far back."""
        self._log = log
        self._reader = reader
        self._backlog = backlog
        self._limits = limits
        self._progress = progress
        self._snapshot_events = snapshot_events
        self._slices = Slices()
        self._end = backlog.start

    async def run(self, now_us: int) -> None:
        """Refill it, part by part; `now_us` is the time in microseconds since 1970."""
        until = self._end
        tail_from = await tail_start(self._reader, self._limits, until, now_us)
        self._progress.aim(tail_from)
        baseline = await self._reader.archived.baseline()
        while until > tail_from:
            ages = Ages(now_us, time.monotonic())
            world = await restored_world(self._log, self._reader, until - 1)
            if not world.position and baseline is not None and until <= baseline.position:
                # Without a snapshot, older messages may need archived events.
                return
            if world.position < tail_from:
                await self._fold(world, tail_from)
            begun = world.position
            older = await self._part(world, until, ages)
            if not await self._prepend(older) or older.start != begun:
                return
            until = begun

    async def _part(self, world: World, until: Position, ages: Ages) -> Backlog:
        """Return the messages of the events after `world` up to `until`."""
        older, profiles = self._backlog.part(world.position), Profiles()
        cache = ProfileCache(profiles, world, self._reader)
        await cache.load()
        refill = Refill(older, world, profiles, ages)
        streams = await streams_with_moves(refill, self._reader, world.position, until)
        pages = self._reader.stored(
            world.position, until, without=WITHOUT_FRAMES, sparse=MatchInput.type, streams=streams
        )
        async for page in pages:
            await cache.load_of(page)
            for stored in page:
                refill.fold(stored)
                if self._slices.is_over:
                    await self._slices.pause()
        return older

    async def _fold(self, world: World, until: Position) -> None:
        """Fold events whose messages are not needed, and write a snapshot if they are many."""
        restored_at = world.position
        async for page in self._reader.events(restored_at, until, limit=SHORT_PAGE):
            for position, event in page:
                world.fold(event, position)
                if self._slices.is_over:
                    await self._slices.pause()
        if until - restored_at >= self._snapshot_events:
            await save_snapshot(self._log, world)

    async def _prepend(self, older: Backlog) -> bool:
        """Move the messages of a part to the front of the backlog; return False when it is full."""
        while len(older):
            # New events may have displaced what was prepended.
            if self._backlog.start != self._end or not self._backlog.prepend(older):
                return False
            self._end = self._backlog.start
            if self._slices.is_over:
                self._progress.advance()
                await self._slices.pause()
        if self._backlog.start != self._end:
            return False
        self._backlog.end_with(older)
        self._end = older.start
        self._progress.advance()
        return True


async def streams_with_moves(
    refill: Refill, reader: Reader, after: Position, until: Position
) -> set[str]:
    """Return the streams of matches between two positions whose inputs are sent to clients."""
    begun = [event async for event in reader.of_type_between(MatchStarted.type, after, until)]
    return refill.streams_with_moves(begun)


async def recall_commands(
    reader: Reader, until: Position, since_us: int, remember: Callable[[RecordedEvent], None]
) -> None:
    """Pass the commands with ids that were recorded since `since_us`, up to `until`, on."""
    slices = Slices()
    after = await reader.last_before(since_us, after=0)
    if after < until:
        async for recorded in reader.commands(after, until):
            remember(recorded)
            if slices.is_over:
                await slices.pause()


async def refill(  # noqa: PLR0913 - the sources, and the parts that are refilled
    engine: Engine,
    reader: Reader,
    backlog: BacklogRefill,
    progress: RefillProgress,
    *,
    until: Position,
    now_us: int,
) -> None:
    """Refill the ids of commands up to `until`, and then the backlog.

    `now_us` is the time in microseconds since 1970.
    """
    is_complete = False
    try:
        await recall_commands(reader, until, now_us - RESULT_TTL_US, engine.recall.remember)
        engine.recall.end()
        await backlog.run(now_us)
        is_complete = True
    finally:
        engine.recall.abort()
        progress.end(is_complete=is_complete)
