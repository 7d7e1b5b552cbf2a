"""Rebuild: how fast the world is folded from a log without a snapshot.

Run as `python -m benchmarks.rebuild DIR`, where DIR is the data directory of a service.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import msgspec

from service.cli.serve import tune_garbage_collection
from service.domain.projections.world import World
from service.eventstore.reader import Reader, open_database
from service.runtime.snapshots import fold_log


class Rebuilt(msgspec.Struct):
    """What a run has measured."""

    events: int
    wall_s: float
    cpu_s: float


async def _rebuild(directory: Path) -> Rebuilt:
    reader = Reader(open_database(f"sqlite+aiosqlite:///{directory / 'ws-service.db'}"))
    world = World()
    began, cpu = time.monotonic(), time.process_time()
    await fold_log(world, reader, (await reader.head()).position)
    rebuilt = Rebuilt(world.position, time.monotonic() - began, time.process_time() - cpu)
    await reader.close()
    return rebuilt


if __name__ == "__main__":
    tune_garbage_collection()
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(_rebuild(Path(sys.argv[1])))))
