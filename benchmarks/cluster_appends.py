"""Durable appends of one node under many producers: SQLite, PostgreSQL, or as one of a cluster.

Run as `python -m benchmarks.cluster_appends NODE URL BUS DIR PRODUCERS SECONDS`, where BUS is `-`
for a node that is alone. It prints `ready`, waits for a line, and prints one line of JSON. In a
cluster it has what a node has around its log: the lease, the bus, the condition of each append, and
a follower of what the others append, whose fold only counts.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import uvloop
from pydantic import SecretStr

from benchmarks.appends import inputs
from service.bus.nats import NatsBus
from service.cli.serve import tune_garbage_collection
from service.cluster.lease import PostgresLease
from service.cluster.port import NodeReport
from service.domain.events import LEVEL
from service.eventstore.plan import Condition
from service.eventstore.postgres_schema import conninfo, driver_url
from service.eventstore.reader import Reader, open_database
from service.eventstore.records import Origin, propose
from service.eventstore.replication import Replication
from service.eventstore.writer import EventLog
from service.settings.sections.cluster import BusSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.domain.ids import Owner, UserId
    from service.eventstore.follower import Batch
    from service.eventstore.plan import Committed
    from service.eventstore.records import RecordedEvent

SETTLE_S = 0.5


class NodeAppends(msgspec.Struct):
    """What a node has appended."""

    events: int
    wall_s: float
    cpu_s: float
    waits_ms: list[float]
    """How long the producers waited for each append."""


class _NoProfiles:
    names: Mapping[UserId, str] = {}


class _Node:
    """A log with all that a node has around it, and producers that append to it."""

    def __init__(self, name: str, url: str, directory: Path) -> None:
        self._name, self._url, self._path = name, url, directory / f"{name}.db"
        self._bus_url: str | None = None
        self._log: EventLog
        self._folded = 0
        self._waits_ms: list[float] = []
        self._until = 0.0

    async def start(self, bus: str | None) -> None:
        self._bus_url = bus
        url, is_shared = self._url, bus is not None
        lease = None
        if is_shared:
            lease = PostgresLease(conninfo(url), self._name, fingerprint={}, level=LEVEL)
            await lease.claim()
        self._log = EventLog(
            self._path, node=self._name, busy_ms=2000, postgres=driver_url(url), is_shared=is_shared
        )
        self._writing = self._log.start(self._count, None) if lease is None else None
        if lease is not None:
            await lease.join()
            self._log.begin_incarnation(lease.owner.incarnation)
            self._writing = self._log.start(self._count, await self._replication())
            self._renewing = asyncio.create_task(lease.run(_report, _ignore))

    async def _replication(self) -> Replication:
        settings = BusSettings(url=SecretStr(self._bus_url or ""))
        bus = NatsBus(settings, self._name, jitter=random.random)
        head = self._log.head
        self._replicating = Replication(
            bus,
            Reader(open_database(self._url)),
            realm="appends",
            epoch=head.epoch,
            position=head.position,
            fold=self._fold,
            profiles=_NoProfiles(),
        )
        await bus.start()
        return self._replicating

    async def append(self, producers: int, seconds: float) -> NodeAppends:
        began, cpu = time.monotonic(), time.process_time()
        self._until = began + seconds
        await asyncio.gather(*(self._produce(number) for number in range(producers)))
        wall_s, cpu_s = time.monotonic() - began, time.process_time() - cpu
        return NodeAppends(len(self._waits_ms), wall_s, cpu_s, self._waits_ms)

    def _produce(self, number: int) -> asyncio.Future[None]:
        finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        origin = Origin("0123456789abcdef0123456789abcdef", 1000 + number)
        match = f"{self._name}{number:011x}"
        events = inputs(match)
        own, nothing = frozenset({f"own:{match}"}), frozenset[str]()
        began = 0.0

        def append() -> None:
            nonlocal began
            began = time.monotonic()
            if began >= self._until:
                finished.set_result(None)
                return
            condition = None
            if self._bus_url is not None:
                condition = Condition(self._replicating.position, own, nothing)
            self._log.append(propose([next(events)], origin), settle, condition=condition)

        def settle(result: Committed | Exception) -> None:
            if isinstance(result, Exception):
                finished.set_exception(result)
                return
            self._waits_ms.append((time.monotonic() - began) * 1000)
            append()

        append()
        return finished

    def _count(self, recorded: Sequence[RecordedEvent]) -> None:
        self._folded += len(recorded)

    def _fold(self, batch: Batch) -> None:
        self._count(batch.events)


def _report() -> NodeReport:
    return NodeReport(position=0, sockets=0, rooms=0, bus_ok=True, draining=False)


def _ignore(_: Owner) -> None:
    pass


async def _run(arguments: Sequence[str]) -> None:
    name, url, bus, directory, producers, seconds = arguments
    node = _Node(name, url, Path(directory))
    await node.start(None if bus == "-" else bus)
    await asyncio.sleep(SETTLE_S)
    print("ready", flush=True)  # noqa: T201 - the one who has started this waits for it
    await asyncio.to_thread(sys.stdin.readline)
    appended = await node.append(int(producers), float(seconds))
    sys.stdout.buffer.write(msgspec.json.encode(appended) + b"\n")
    sys.stdout.flush()
    # Until this is killed, so that the nodes that are not done yet have somebody to follow.
    await asyncio.Event().wait()


def main() -> None:
    """Run the benchmark."""
    tune_garbage_collection()
    uvloop.run(_run(sys.argv[1:]))


if __name__ == "__main__":
    main()
