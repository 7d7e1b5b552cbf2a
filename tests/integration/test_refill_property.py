"""From whatever snapshots: a refilled backlog has what one fold of the whole tail gives."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from service.domain.projections.world import World
from service.edge.backlog import Backlog
from service.edge.refill_progress import RefillProgress
from service.edge.tail import Ages, Refill
from service.fanout.profiles import Profiles
from service.refilling import BacklogRefill
from service.runtime.snapshots import code_version, dump
from service.settings.sections.storage import BacklogLimits
from tests.effort import effort
from tests.integration.eventstore.test_archiving import ANA, BEN
from tests.integration.eventstore.test_archiving_property import PLANS, Plan, mixed
from tests.integration.log_file import LogFile, append_of

FEW = effort(15)
USERS = [user + 10 * pair for user in (ANA, BEN) for pair in range(3)]
LIMITS = st.builds(
    BacklogLimits,
    events_max=st.sampled_from([3, 10, 1000]),
    bytes_per_user_max=st.sampled_from([4096, 10**6]),
)


@FEW
@given(PLANS, st.sets(st.integers(1, 200), max_size=4), LIMITS)
def test_a_backlog_refilled_in_parts_is_the_one_of_a_single_fold(
    migrated: Path, plan: Plan, snapshots: set[int], limits: BacklogLimits
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        shutil.copy(migrated, f"{directory}/log.db")
        asyncio.run(compare(LogFile(Path(directory) / "log.db"), plan, snapshots, limits))


async def compare(
    log_file: LogFile, plan: Plan, snapshots: set[int], limits: BacklogLimits
) -> None:
    """Refill a backlog from the snapshots, and compare it with one that is filled in order."""
    events = mixed(plan)
    store, head = log_file.store(), len(events)
    store.commit([append_of(*events)])
    world = World()
    for position, event in enumerate(events, 1):
        world.fold(event, position)
        if position in snapshots:
            store.save_snapshot("world", code_version(), position, dump(world), needed_from=0)
    store.close()
    log, reader = log_file.log(), log_file.reader()
    in_order = Backlog(limits)
    whole = Refill(in_order, World(), Profiles(), Ages(time.time_ns() // 1000, time.monotonic()))
    async for page in reader.stored(0, head, without=(), sparse="", streams=()):
        for stored in page:
            whole.fold(stored)
    refilled = Backlog(limits, head)
    progress = RefillProgress(refilled)
    refill = BacklogRefill(log, reader, refilled, BacklogLimits(), progress, snapshot_events=10**6)
    await refill.run(time.time_ns() // 1000)
    for after in range(head + 1):
        for user in USERS:
            expected = in_order.between(user, after, head)
            if expected is not None:
                assert refilled.between(user, after, head) == expected
    await log_file.close()
