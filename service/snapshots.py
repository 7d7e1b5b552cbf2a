"""Snapshots of the world: a cache, so that a start folds only what came after the last one."""

from __future__ import annotations

import asyncio
import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from service.domain.world import World
from service.errors import Unavailable
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.domain.event import Event, Position
    from service.log.log import EventLog
    from service.log.reader import Reader

logger = get_logger(__name__)


def code_version() -> str:
    """Fingerprint the code that folds: a snapshot that other code made is not used."""
    digest = hashlib.sha256()
    for path in sorted((Path(__file__).parent / "domain").glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def dump(world: World) -> bytes:
    """Write a world down."""
    return msgspec.msgpack.encode(world)


def restore(data: bytes) -> World:
    """Read what `dump` has written."""
    return msgspec.msgpack.decode(data, type=World)


async def restore_world(log: EventLog, at_most: Position) -> World:
    """Return the world of a snapshot, the newest one that is not after `at_most` if there is one.

    Without any it is the world before the first event. What came after it must be folded.
    """
    found = await log.load_snapshot(code_version(), at_most)
    return World() if found is None else restore(found[1])


async def fold_log(world: World, reader: Reader, until: Position) -> None:
    """Fold what came after `world`, up to the event at `until`, and tell nobody of it."""
    async for page in reader.events(world.position, until):
        for position, event in page:
            world.fold(event, position)


class Snapshots:
    """Writes a snapshot every so many events."""

    def __init__(
        self,
        log: EventLog,
        world: World,
        every_events: int,
        needed_from: Callable[[], Position],
    ) -> None:
        """Count from where `world` is; the next start must fold what is after `needed_from`."""
        self._log = log
        self._world = world
        self._needed_from = needed_from
        self._every_events = every_events
        self._next_at = world.position + every_events
        self._code_version = code_version()
        self._tasks: set[asyncio.Task[None]] = set()
        self._written_at = time.monotonic()

    @property
    def age_s(self) -> float:
        """The time since one was written, or since the start."""
        return time.monotonic() - self._written_at

    def observe(self, _event: Event, position: Position) -> None:
        """Write one when it is time, at the end of the batch that is being folded."""
        if position >= self._next_at:
            self._next_at = position + self._every_events
            asyncio.get_running_loop().call_soon(self._begin)

    async def write(self) -> None:
        """Write one now; that it can't be written harms nothing but the next start."""
        position, data = self._world.position, dump(self._world)
        try:
            await self._log.save_snapshot(
                self._code_version, position, data, needed_from=self._needed_from()
            )
        except Unavailable as error:
            logger.warning("snapshot not written", metadata={"reason": str(error)})
        else:
            self._written_at = time.monotonic()

    def _begin(self) -> None:
        task = asyncio.create_task(self.write())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
