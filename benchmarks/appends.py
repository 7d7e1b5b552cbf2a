"""Durable appends: `EventLog.append` under many producers, compared with a bare `sqlite3`.

Run as `python -m benchmarks.appends MODE DIR SECONDS`; it prints one line of JSON. `service` fills
a log in DIR and notes its batches; `raw` and `ready` write the same rows again in the same batches,
on a connection with the same pragmas and nothing around it: `raw` encodes and hashes each event as
the log must, `ready` finds the rows made.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import uvloop
from alembic import command

from benchmarks import measure
from service.cli.serve import tune_garbage_collection
from service.domain.events.matches import MatchInput
from service.eventstore import migrate
from service.eventstore.codec import decode, encode
from service.eventstore.records import GENESIS, Origin, Row, chain, propose
from service.eventstore.writer import EventLog

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from service.domain.events.base import Event
    from service.eventstore.plan import Committed
    from service.eventstore.records import RecordedEvent

PRODUCERS = 128

TABLE_OF_0_1_0 = "0003"
"""The schema in which every append keeps the index of events by stream up to date."""

_INSERT = f"INSERT INTO events VALUES ({', '.join('?' * len(Row._fields))})"  # noqa: S608 - question marks
_MOVE_HEAD = "UPDATE log_head SET position = ?, hash = ? WHERE id = 1"


class Appended(msgspec.Struct):
    """The measurements of a run."""

    events: int
    wall_s: float
    cpu_s: float
    batches: list[int]
    """The events of each transaction."""
    latencies_ms: dict[float, float] = {}
    """How long a producer waited, by percentile."""

    @property
    def events_per_s(self) -> float:
        """The figure."""
        return self.events / self.wall_s


def main() -> None:
    """Run the benchmark that the arguments name."""
    mode, directory, seconds = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
    tune_garbage_collection()
    if mode == "service":
        appended = uvloop.run(_append(directory, seconds))
        (directory / "batches").write_bytes(msgspec.json.encode(appended.batches))
    else:
        appended = _write_again(directory, hashing=mode == "raw")
    sys.stdout.buffer.write(msgspec.json.encode(appended))


# By the log


async def _append(directory: Path, seconds: float) -> Appended:
    path = _new_database(directory / "service.db")
    log = EventLog(path, node="n1", busy_ms=2000)
    batches: list[int] = []
    waits_ms: list[float] = []

    def committed(recorded: Sequence[RecordedEvent]) -> None:
        batches.append(len(recorded))

    log.start(committed)
    began, cpu = time.monotonic(), time.process_time()
    until = began + seconds
    producers = [_Producer(log, number, until, waits_ms) for number in range(PRODUCERS)]
    for producer in producers:
        producer.append()
    await asyncio.gather(*(producer.finished for producer in producers))
    wall_s, cpu_s = time.monotonic() - began, time.process_time() - cpu
    await log.close()
    return Appended(sum(batches), wall_s, cpu_s, batches, measure.percentiles(waits_ms))


class _Producer:
    """Appends one event after the other, each when the one before is committed.

    It gets results by a callback, as the engine does for the commands of clients.
    """

    def __init__(self, log: EventLog, number: int, until: float, waits_ms: list[float]) -> None:
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._log = log
        self._origin = Origin("0123456789abcdef0123456789abcdef", 1000 + number)
        self._events = inputs(f"{number:012x}-1")
        self._until = until
        self._waits_ms = waits_ms
        self._began = 0.0

    def append(self) -> None:
        """Append the next event, unless the time is over."""
        self._began = time.monotonic()
        if self._began < self._until:
            self._log.append(propose([next(self._events)], self._origin), self._settle)
        else:
            self.finished.set_result(None)

    def _settle(self, result: Committed | Exception) -> None:
        if isinstance(result, Exception):
            self.finished.set_exception(result)
            return
        self._waits_ms.append((time.monotonic() - self._began) * 1000)
        self.append()


def inputs(match: str) -> Iterator[Event]:
    """Yield the events of an endless match."""
    tick = 0
    while True:
        tick += 15
        yield MatchInput(
            match=match,
            tick=tick,
            seat=tick % 2,
            socket="n1.1.1000",
            input=msgspec.Raw(b'{"type":"keys_held","seat":0,"up":true,"down":false}'),
        )


# By hand


def _write_again(directory: Path, *, hashing: bool) -> Appended:
    batches = msgspec.json.decode((directory / "batches").read_bytes(), type=list[int])
    with closing(sqlite3.connect(directory / "service.db")) as source:
        rows = [Row(*row) for row in source.execute("SELECT * FROM events ORDER BY position")]
        epoch = source.execute("SELECT epoch FROM log_head").fetchone()[0]
    events = [decode(row.type, row.schema_version, row.data) for row in rows]
    path = _new_database(directory / "raw.db", TABLE_OF_0_1_0)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("INSERT INTO log_head VALUES (1, 0, ?, ?)", (GENESIS, epoch))
        began, cpu = time.monotonic(), time.process_time()
        hash_, done = GENESIS, 0
        for size in batches:
            batch = rows[done : done + size]
            if hashing:
                batch = list(_hashed(batch, events[done : done + size], hash_))
            hash_, done = batch[-1].hash, done + size
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_INSERT, batch)
            connection.execute(_MOVE_HEAD, (done, hash_))
            connection.execute("COMMIT")
        wall_s, cpu_s = time.monotonic() - began, time.process_time() - cpu
    if hash_ != rows[-1].hash:
        raise AssertionError("these are not the same rows")
    return Appended(done, wall_s, cpu_s, batches)


def _hashed(rows: Sequence[Row], events: Sequence[Event], hash_: bytes) -> Iterator[Row]:
    for row, event in zip(rows, events, strict=True):
        unhashed = (*row[:10], encode(event), None)
        hash_ = chain(hash_, unhashed)
        yield Row(*unhashed, hash_)


def _new_database(path: Path, revision: str = "head") -> Path:
    for file in path.parent.glob(f"{path.stem}.*"):
        file.unlink()
    url = f"sqlite+aiosqlite:///{path}"
    migrate.upgrade(url)
    if revision != "head":
        config = migrate.alembic_config()
        config.attributes["url"] = url
        command.downgrade(config, revision)
    return path


if __name__ == "__main__":
    main()
