"""Snapshots of the projections, so that a start folds only later events."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from service.domain.projections.world import World
from service.errors import ServiceError, Unavailable
from service.tasks import Tasks
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.domain.events.base import Event, Position
    from service.eventstore.reader import Reader
    from service.eventstore.writer import EventLog

_CHECKSUM = hashlib.sha256
_CHECKSUM_BYTES = _CHECKSUM().digest_size

logger = get_logger(__name__)


class DamagedSnapshot(ServiceError):
    """A snapshot differs from what was written."""


def code_version() -> str:
    """Return a digest of the code that folds: `events`, `projections` and `ids`.

    A snapshot of another version is not used.
    """
    digest = hashlib.sha256()
    domain = Path(__file__).parent.parent / "domain"
    folds = [*domain.glob("events/*.py"), *domain.glob("projections/*.py"), domain / "ids.py"]
    for path in sorted(folds):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def dump(world: World) -> bytes:
    """Serialize a world, with a checksum in front."""
    data = msgspec.msgpack.encode(world)
    return _CHECKSUM(data).digest() + data


def restore(data: bytes) -> World:
    """Deserialize what `dump` has written; raise `DamagedSnapshot` for anything else."""
    if not isinstance(data, bytes):
        raise DamagedSnapshot("it is no bytes")
    checksum, dumped = data[:_CHECKSUM_BYTES], data[_CHECKSUM_BYTES:]
    if _CHECKSUM(dumped).digest() != checksum:
        raise DamagedSnapshot("its checksum does not match")
    try:
        return msgspec.msgpack.decode(dumped, type=World)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise DamagedSnapshot(str(error)) from error


async def restore_world(log: EventLog, at_most: Position) -> World:
    """Return the world of the newest snapshot that is not after `at_most`.

    Without any it is the world before the first event; the caller folds the later events. A
    snapshot is only a cache: a damaged one is logged and dropped.
    """
    while True:
        try:
            found = await log.load_snapshot(code_version(), at_most)
            if found is None:
                return World()
            position, data = found
            return _restore_at(position, data)
        except sqlite3.DatabaseError as error:
            logger.warning("snapshots can't be read", metadata={"reason": str(error)})
            return World()
        except DamagedSnapshot as error:
            logger.warning(
                "damaged snapshot not used; the world is rebuilt from the log",
                error_code="SNAPSHOT_DAMAGED",
                metadata={"position": position, "reason": error.message},
            )
            with suppress(Unavailable):
                await log.drop_snapshot(position)
            at_most = position - 1


def _restore_at(position: Position, data: bytes) -> World:
    world = restore(data)
    if world.position != position:
        raise DamagedSnapshot(f"it is of position {world.position}")
    return world


async def fold_log(world: World, reader: Reader, until: Position) -> None:
    """Fold the events after `world.position` up to `until`, and publish nothing."""
    async for page in reader.events(world.position, until):
        for position, event in page:
            world.fold(event, position)


class Snapshots:
    """Writes a snapshot of the world every `every_events` events.

    Of several nodes with the same code, one does.
    """

    def __init__(
        self,
        log: EventLog,
        world: World,
        every_events: int,
        needed_from: Callable[[], Position],
        is_ours: Callable[[], bool],
    ) -> None:
        """Count from `world.position`; the next start folds the events after `needed_from()`.

        `is_ours` returns whether it is this node that writes them.
        """
        self._log = log
        self._world = world
        self._needed_from = needed_from
        self._every_events = every_events
        self._next_at = world.position + every_events
        self._code_version = code_version()
        self._is_ours = is_ours
        self._tasks = Tasks()
        self._written_at = time.monotonic()

    @property
    def age_s(self) -> float:
        """The time since the last one was written, or since the start, in seconds.

        0 while another node writes them.
        """
        return time.monotonic() - self._written_at if self._is_ours() else 0

    def observe(self, _event: Event, position: Position) -> None:
        """Write one when it is due, after the batch that is being folded."""
        if position >= self._next_at:
            self._next_at = position + self._every_events
            if self._is_ours():
                asyncio.get_running_loop().call_soon(self._begin)

    async def stop(self) -> None:
        """Write the last one, if this node does."""
        if self._is_ours():
            await self.write()

    async def write(self) -> None:
        """Write one now; a failure is logged, and only makes the next start slower."""
        position = self._world.position
        try:
            data = dump(self._world)
            await self._log.save_snapshot(
                self._code_version,
                position,
                data,
                needed_from=self._needed_from(),
                used=self._world.nodes.codes(),
            )
        except Unavailable as error:
            logger.warning("snapshot not written", metadata={"reason": str(error)})
        except Exception:
            logger.exception("snapshot not written", error_type="internal_error")
        else:
            self._written_at = time.monotonic()

    def _begin(self) -> None:
        self._tasks.spawn(self.write())
