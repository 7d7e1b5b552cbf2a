"""Snapshots of the world: when they are written, and how much of the log a start then reads."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from service.domain.events.nodes import NodeStarted
from service.domain.projections.world import World
from service.eventstore.codec import decode
from service.eventstore.records import RecordedEvent
from service.eventstore.writer import EventLog
from service.lifecycle import Service
from service.recovery import READ_PER_EVENT_MAX
from service.runtime import snapshots as snapshots_module
from service.runtime.snapshots import Snapshots, code_version, dump, restore, restore_world
from service.settings import load_settings
from tests.integration.log_file import LogFile, append_of, appended, joined, proposed

MANY = 100_000
KEPT = 100
"""The events with frames that a service keeps in memory."""
READ_FOR_TAIL = READ_PER_EVENT_MAX * KEPT
MORE = KEPT + 37
FEW = 20
"""What a service itself may write when it starts and ends."""
SECRET = "a-secret-that-is-long-enough-for-hs256"


def fill(log_file: LogFile, count: int) -> None:
    """Let some users come to the lobby and be there, so many times."""
    store = log_file.store()
    start = store.head.position
    store.commit([append_of(*(joined(at % 50, at % 7) for at in range(start, start + count)))])


async def test_a_start_folds_only_events_after_the_snapshot(
    log_file: LogFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = list[str]()

    def counted(type_: str, schema_version: int, data: bytes) -> object:
        decoded.append(type_)
        return decode(type_, schema_version, data)

    async def start_and_stop() -> int:
        decoded.clear()
        service = Service(settings, SECRET, dev=False)
        await service.start()
        read = len(decoded)
        await service.stop()
        return read

    for module in ("reader", "stored"):
        monkeypatch.setattr(f"service.eventstore.{module}.decode", counted)
    settings = load_settings(
        {
            "WS_DATABASE_URL": log_file.url,
            "WS_PORT": 0,
            "JWT_SECRET": SECRET,
            "WS_TAIL_EVENTS_MAX": KEPT,
        }
    )
    fill(log_file, MANY)
    assert MANY <= await start_and_stop() <= MANY + READ_FOR_TAIL + FEW
    # What is new is read twice: for the world, and for those who come back.
    fill(log_file, MORE)
    assert MORE <= await start_and_stop() <= READ_FOR_TAIL + 2 * MORE + FEW
    for _ in range(2):
        assert await start_and_stop() <= READ_FOR_TAIL + 2 * MORE + 2 * FEW


class Growing:
    """A log that writes snapshots while it grows."""

    def __init__(
        self, log: EventLog, *, every: int, needed_from: int = 1_000_000, is_ours: bool = True
    ) -> None:
        self.log = log
        self.world = World()
        self.snapshots = Snapshots(log, self.world, every, lambda: needed_from, lambda: is_ours)
        log.start(self._fold)

    def _fold(self, recorded: Sequence[RecordedEvent]) -> None:
        for one in recorded:
            self.world.fold(one.event, one.position)
            self.snapshots.observe(one.event, one.position)

    async def append(self, count: int) -> None:
        await appended(self.log, proposed(*(joined(user) for user in range(1, count + 1))))


def snapshots_of(log_file: LogFile) -> list[int]:
    return [at for (at,) in log_file.query("SELECT position FROM snapshots ORDER BY position")]


async def test_a_snapshot_is_written_every_n_events(log_file: LogFile) -> None:
    growing = Growing(log_file.log(), every=10)
    await growing.append(9)
    assert snapshots_of(log_file) == []
    await growing.append(3)
    # It is on its way to the writer after a turn or two; the probe comes behind it.
    for _ in range(2):
        await asyncio.sleep(0)
    await growing.log.probe()
    assert snapshots_of(log_file) == [12]
    assert await restore_world(growing.log, 12) == growing.world


async def test_a_snapshot_is_kept_as_long_as_events_after_it_are_needed(log_file: LogFile) -> None:
    growing = Growing(log_file.log(), every=1000, needed_from=5)
    for _ in range(4):
        await growing.append(3)
        await growing.snapshots.write()
    # The one at 3 is the last from which all after 5 can be folded.
    assert snapshots_of(log_file) == [3, 6, 9, 12]
    assert (await restore_world(growing.log, 5)).position == 3
    assert (await restore_world(growing.log, 100)).position == 12
    assert (await restore_world(growing.log, 1)).position == 0


async def test_a_snapshot_without_needed_events_is_deleted(log_file: LogFile) -> None:
    growing = Growing(log_file.log(), every=1000)
    for _ in range(3):
        await growing.append(3)
        await growing.snapshots.write()
    assert snapshots_of(log_file) == [9]


async def test_a_snapshot_of_other_code_is_not_used_and_is_deleted(
    log_file: LogFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    growing = Growing(log_file.log(), every=1000, needed_from=0)
    await growing.append(3)
    await growing.snapshots.write()
    monkeypatch.setattr(snapshots_module, "code_version", lambda: "other")
    assert await restore_world(growing.log, 3) == World()
    other = Snapshots(growing.log, growing.world, 1000, lambda: 0, lambda: True)
    await growing.append(3)
    await other.write()
    assert snapshots_of(log_file) == [6]


def damaged(data: bytes) -> dict[str, bytes]:
    """Damage a snapshot in all the ways that a disk, or a person, may."""
    other = restore(data)
    other.presence.sockets[999] = set()
    return {
        "empty": b"",
        "halved": data[: len(data) // 2],
        "garbage": b"\xde\xad\xbe\xef" * 10,
        "an empty map": b"\x80",
        "a flipped bit": data[:-1] + bytes([data[-1] ^ 1]),
        "the data of another world behind its checksum": data[:32] + dump(other)[32:],
        "deeper than can be read": _sealed(b"\x91" * 100_000),
        "not a world": _sealed(b"\xc0"),
        "of another position": dump(World(position=2)),
    }


def _sealed(data: bytes) -> bytes:
    return hashlib.sha256(data).digest() + data


async def test_snapshots_of_code_that_other_nodes_run_are_kept(
    log_file: LogFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a rolling deploy both versions start from snapshots of their own."""
    growing = Growing(log_file.log(), every=1000, needed_from=0)
    await growing.append(3)
    await growing.snapshots.write()
    older = code_version()
    growing.world.fold(NodeStarted(node="n1", incarnation=1, code=older), 3)
    monkeypatch.setattr(snapshots_module, "code_version", lambda: "other")
    other = Snapshots(growing.log, growing.world, 1000, lambda: 1_000_000, lambda: True)
    for _ in range(2):
        await growing.append(3)
        await other.write()
    rows = log_file.query("SELECT code_version, position FROM snapshots ORDER BY position")
    assert rows == [(older, 3), ("other", 9)]


async def test_a_node_whose_snapshots_another_one_writes_writes_none(log_file: LogFile) -> None:
    growing = Growing(log_file.log(), every=2, is_ours=False)
    await growing.append(3)
    await asyncio.sleep(0)
    await growing.snapshots.stop()
    assert snapshots_of(log_file) == []
    assert growing.snapshots.age_s == 0


async def test_a_damaged_snapshot_is_logged_and_an_older_one_is_used(
    log_file: LogFile,
) -> None:
    growing = Growing(log_file.log(), every=1000, needed_from=0)
    await growing.append(3)
    await growing.snapshots.write()
    await growing.append(3)
    await growing.snapshots.write()
    ((whole,),) = log_file.query("SELECT data FROM snapshots WHERE position = 6")
    for name, data in damaged(whole).items():
        log_file.change(
            "DELETE FROM snapshots WHERE position = 6",
            "INSERT INTO snapshots SELECT projection, 6, code_version, (SELECT hash FROM events"  # noqa: S608 - hex
            f" WHERE position = 6), x'{data.hex()}' FROM snapshots WHERE position = 3",
        )
        with capture_logs() as logs:
            assert (await restore_world(growing.log, 6)).position == 3, name
        assert [line["error_code"] for line in logs] == ["SNAPSHOT_DAMAGED"], name
        assert snapshots_of(log_file) == [3], name


async def test_a_snapshot_that_is_not_a_blob_is_damaged(log_file: LogFile) -> None:
    growing = Growing(log_file.log(), every=1000, needed_from=0)
    await growing.append(3)
    await growing.snapshots.write()
    log_file.change("UPDATE snapshots SET data = 'text'")
    assert await restore_world(growing.log, 3) == World()


async def test_failing_to_write_a_snapshot_does_not_affect_the_service(log_file: LogFile) -> None:
    growing = Growing(log_file.log(), every=1000)
    await growing.append(5)
    other = log_file.connect()
    other.execute("BEGIN IMMEDIATE")
    await growing.snapshots.write()
    other.close()
    assert snapshots_of(log_file) == []
    await growing.append(1)
    assert growing.world.position == 6
