"""A start without a usable snapshot goes on from the newest baseline, and says how far it is."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from service import recovery
from service.domain.events.base import Event
from service.domain.events.presence import UserCameOnline
from service.edge.backlog import Backlog
from service.edge.refill_progress import RefillProgress
from service.eventstore.archiving import archive
from service.eventstore.codec import decode
from service.recovery import recover
from service.refilling import BacklogRefill
from service.settings.sections.storage import BacklogLimits
from tests.integration.eventstore.test_archiving import ANA, BEN, CAT, evening
from tests.integration.log_file import LogFile, append_of

LIMITS = BacklogLimits(age_s=600, events_max=1000)


def now_us() -> int:
    return time.time_ns() // 1000


async def archived(log_file: LogFile, directory: Path) -> int:
    """Archive an evening, and append one more event; return the position of the baseline."""
    store = log_file.store()
    store.commit([append_of(*evening("r1", ANA, BEN), *evening("r2", ANA, BEN))])
    position = store.head.position
    store.close()
    done = await archive(log_file.reader(), log_file.url, directory, now_us() + 1, lambda *_: None)
    assert done.rooms == 1
    store = log_file.store()
    store.commit([append_of(UserCameOnline(CAT))])
    return position


async def test_a_start_folds_only_what_is_behind_the_baseline(
    log_file: LogFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    baseline = await archived(log_file, tmp_path / "archives")
    decoded = list[str]()

    def counted(type_: str, schema_version: int, data: bytes) -> Event:
        decoded.append(type_)
        return decode(type_, schema_version, data)

    monkeypatch.setattr("service.eventstore.reader.decode", counted)
    log, reader = log_file.log(), log_file.reader()
    recovered = await recover(log, reader, LIMITS, snapshot_events=10**6, now_us=now_us())
    assert decoded == ["log.archived", "user.came_online"]
    assert recovered.world.position == baseline + 2
    assert recovered.folded == 2
    assert set(recovered.world.rooms.left.values()) == {"r2"}


async def test_messages_from_before_the_baseline_are_not_refilled_without_a_snapshot(
    log_file: LogFile, tmp_path: Path
) -> None:
    baseline = await archived(log_file, tmp_path / "archives")
    log, reader = log_file.log(), log_file.reader()
    recovered = await recover(log, reader, LIMITS, snapshot_events=10**6, now_us=now_us())
    backlog = Backlog(LIMITS, recovered.world.position)
    progress = RefillProgress(backlog)
    refill = BacklogRefill(log, reader, backlog, LIMITS, progress, snapshot_events=10**6)
    await refill.run(now_us())
    assert backlog.start == baseline


async def test_a_rebuild_of_the_world_logs_its_progress(
    log_file: LogFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_file.store().commit([append_of(*evening("r1", ANA, BEN))])
    monkeypatch.setattr(recovery, "PROGRESS_S", 0)
    with capture_logs() as logs:
        log = log_file.log()
        recovered = await recover(
            log, log_file.reader(), LIMITS, snapshot_events=10**6, now_us=now_us()
        )
    head = recovered.world.position
    said = [line["metadata"] for line in logs if line["event"] == "rebuilding the world"]
    assert said == [{"position": head, "from": 0, "to": head}]
