"""Whatever is archived: the world, and what is read of every stream, stay the same."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from service.domain.events.base import Event
from service.eventstore.reader import Reader
from tests.effort import effort
from tests.integration.eventstore.store_database import Database
from tests.integration.eventstore.test_archiving import ANA, BEN, Log, evening, rows_of

FEW = effort(12)


class Plan(NamedTuple):
    """Evenings of pairs of users, in rooms whose names may come again, and how they mix."""

    pairs: list[list[str]]
    """The rooms that each pair plays in, one after the other."""
    turns: list[int]
    """Which pair does its next step."""
    stays: list[bool]
    """Whether the last room of a pair stays open."""


PLANS = st.builds(
    Plan,
    st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4), min_size=1, max_size=3),
    st.lists(st.integers(0, 2), max_size=60),
    st.lists(st.booleans(), min_size=3, max_size=3),
)


def mixed(plan: Plan) -> list[Event]:
    """Return the events of a plan."""
    queues: list[list[Event]] = []
    for pair, names in enumerate(plan.pairs):
        users = (ANA + 10 * pair, BEN + 10 * pair)
        events: list[Event] = []
        for number, name in enumerate(names, 1):
            stays = plan.stays[pair] and number == len(names)
            events += evening(f"{name}{pair}", *users, stays=stays, number=number)
        queues.append(events)
    turns = (queues[turn] for turn in plan.turns if turn < len(queues))
    found = [queue.pop(0) for queue in turns if queue]
    return found + [event for queue in queues for event in queue]


def streams_of(log: Log, also: Collection[str] = ()) -> dict[str, list[object]]:
    """Read every stream that the log has, and these."""

    async def read(reader: Reader) -> dict[str, list[object]]:
        rows = [row async for page in reader.rows() for row in page]
        found = {row.stream for row in rows} | set(also)
        return {stream: await rows_of(reader, stream) for stream in found - {"log"}}

    return log.read(read)


@FEW
@given(PLANS)
def test_whatever_is_archived_the_world_and_every_stream_stay_the_same(plan: Plan) -> None:
    with tempfile.TemporaryDirectory() as directory:
        database = Database(f"sqlite+aiosqlite:///{directory}/log.db")
        log = Log(database, Path(directory) / "archives")
        log.append(*mixed(plan))
        world, streams = log.world(), streams_of(log)
        log.archive()
        now = log.world()
        now.position = world.position
        assert now == world
        assert streams_of(log, streams) == streams
        log.verify()
