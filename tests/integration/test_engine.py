"""Many commands at once over one log: nobody decides on what another is about to change."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from service.domain.commands.base import Context
from service.domain.commands.invites import AcceptInvite, SendInvite
from service.domain.commands.presence import OpenSocket, StartNode
from service.domain.errors import AlreadyInRoom, InviteNotFound, TooManySockets, UserOffline
from service.domain.events.base import Event
from service.domain.personal_data import PersonalData
from service.domain.projections.world import World
from service.errors import ClientError, Unavailable
from service.eventstore.records import Origin, RecordedEvent
from service.runtime.engine import Done, Engine
from service.runtime.idempotency import IdReused
from tests.integration.engine_parts import JoinAtOnce, JoinNext, engine_on, never
from tests.integration.log_file import LogFile, joined

ORIGIN = Origin("test")


class Running:
    """An engine at work, and what it did."""

    def __init__(self, log_file: LogFile) -> None:
        self.log_file = log_file
        self.world = World()
        self.seen: list[tuple[int, Event]] = []
        self.commits: list[int] = []
        log = log_file.log()
        self.engine: Engine = engine_on(log, self.world, [self._observe])
        log.start(self._committed)

    async def execute(self, *commands: JoinNext) -> list[list[Event] | BaseException]:
        """Carry out commands at the same time, and return what became of each."""
        work = (self._events_of(command) for command in commands)
        return await asyncio.gather(*work, return_exceptions=True)

    async def _events_of(self, command: JoinNext) -> list[Event]:
        return (await self.engine.execute(command, ORIGIN)).events

    def _observe(self, event: Event, position: int) -> None:
        # An observer finds the world as it is right after the event.
        assert self.world.position == position
        self.seen.append((position, event))

    def _committed(self, recorded: Sequence[RecordedEvent]) -> None:
        self.commits.append(len(recorded))
        self.engine.committed(recorded)


@pytest.fixture
async def running(log_file: LogFile) -> Running:
    return Running(log_file)


async def locks_of(running: Running) -> int:
    """Say how many locks there are, after those who held them have gone on."""
    await asyncio.sleep(0)
    return len(running.engine._locks._locks)  # noqa: SLF001 - that they go is what is tested


async def test_commands_on_one_stream_are_serialized(running: Running) -> None:
    answers = await running.execute(*[JoinNext(1)] * 20)
    assert answers == [[joined(1, number)] for number in range(1, 21)]
    assert running.world.lobby.members[1] == {f"n1.1.{number}" for number in range(1, 21)}


async def test_only_one_of_several_conflicting_commands_succeeds(running: Running) -> None:
    answers = await running.execute(*[JoinNext(1, max=1)] * 5)
    assert answers[0] == [joined(1, 1)]
    assert all(isinstance(answer, TooManySockets) for answer in answers[1:])
    assert running.seen == [(1, joined(1, 1))]


async def test_commands_on_different_streams_share_a_commit(running: Running) -> None:
    await running.execute(*(JoinNext(user) for user in range(1, 51)))
    assert running.commits == [50]
    await running.execute(*[JoinNext(1)] * 3, *[JoinNext(2)] * 3)
    # Each round has one command of each stream.
    assert running.commits == [50, 2, 2, 2]


async def test_a_refused_command_leaves_no_trace_and_blocks_nobody(
    running: Running,
) -> None:
    refused, done = await running.execute(JoinNext(1, max=0), JoinNext(1))
    assert isinstance(refused, TooManySockets)
    assert done == [joined(1, 1)]
    assert running.log_file.query("SELECT position, type FROM events") == [(1, "lobby.joined")]
    assert await locks_of(running) == 0


async def test_unused_locks_are_removed(running: Running) -> None:
    work = asyncio.gather(*(running.engine.execute(JoinNext(user), ORIGIN) for user in (1, 1, 2)))
    await asyncio.sleep(0)
    assert await locks_of(running) == 2
    await work
    assert await locks_of(running) == 0


async def test_a_cancelled_command_releases_its_locks(running: Running) -> None:
    engine = running.engine
    first, second, third = (asyncio.create_task(engine.execute(JoinNext(1), ORIGIN)) for _ in "abc")
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    events = (await third).events
    with pytest.raises(asyncio.CancelledError):
        await first
    with pytest.raises(asyncio.CancelledError):
        await second
    # The first was on its way into the log already, the second had not begun.
    assert running.world.lobby.members[1] == {"n1.1.1", "n1.1.2"}
    assert events == [joined(1, 2)]
    assert await locks_of(running) == 0


async def test_observers_see_each_event_once_and_in_order(running: Running) -> None:
    await running.execute(*(JoinNext(user % 7) for user in range(1, 40)))
    assert [position for position, _ in running.seen] == list(range(1, 40))
    assert len({event for _, event in running.seen}) == 39
    assert running.world.position == 39


async def test_the_world_is_unchanged_when_the_log_is_unwritable(running: Running) -> None:
    other = running.log_file.connect()
    other.execute("BEGIN IMMEDIATE")
    (failed,) = await running.execute(JoinNext(1))
    assert isinstance(failed, Unavailable)
    assert (running.world, running.seen) == (World(), [])
    other.close()
    assert await running.execute(JoinNext(1)) == [[joined(1, 1)]]
    assert await locks_of(running) == 0


async def test_a_command_without_locks_is_decided_at_once_and_acknowledged_after_the_fold(
    running: Running,
) -> None:
    told: asyncio.Future[tuple[Exception | None, list[tuple[int, Event]]]] = asyncio.Future()

    def then(error: Exception | None) -> None:
        told.set_result((error, list(running.seen)))

    assert running.engine.submit(JoinAtOnce(1), ORIGIN, then)
    assert not told.done()
    assert running.seen == []
    assert await told == (None, [(1, joined(1, 1))])


async def test_a_command_with_locks_or_an_id_is_not_decided_at_once(running: Running) -> None:
    origin = Origin("test", 1, "c1")
    assert not running.engine.submit(JoinNext(1), ORIGIN, never)
    assert not running.engine.submit(JoinAtOnce(1), origin, never)
    await running.engine.execute(JoinAtOnce(1), origin)
    assert [event for _, event in running.seen] == [joined(1, 1)]


async def test_a_reused_id_is_refused_for_other_content_and_answered_for_the_same(
    running: Running,
) -> None:
    origin = Origin("test", 1, "c1", b"key-first")
    first = await running.engine.execute(JoinAtOnce(1), origin)
    again = await running.engine.execute(JoinAtOnce(1), origin)
    assert (again.events, again.answer.position) == ([], first.answer.position)
    with pytest.raises(IdReused):
        await running.engine.execute(JoinAtOnce(2), Origin("test", 1, "c1", b"key-other"))
    with pytest.raises(IdReused):
        running.engine.check_unused(Origin("test", 1, "c1"))
    running.engine.check_unused(Origin("test", 1, "c2"))
    running.engine.check_unused(Origin("test", 2, "c1"))
    assert [event for _, event in running.seen] == [joined(1, 1)]


async def test_concurrent_commands_with_one_id_are_compared_by_content(running: Running) -> None:
    results = await asyncio.gather(
        running.engine.execute(JoinNext(1), Origin("test", 1, "c1", b"key-first")),
        running.engine.execute(JoinNext(1), Origin("test", 1, "c1", b"key-other")),
        return_exceptions=True,
    )
    assert [type(one) for one in results] == [Done, IdReused]


async def test_a_refused_immediate_decision_leaves_no_trace(running: Running) -> None:
    with pytest.raises(TooManySockets):
        running.engine.submit(JoinAtOnce(1, max=0), ORIGIN, never)
    assert await running.execute(JoinNext(1)) == [[joined(1, 1)]]
    assert running.log_file.query("SELECT count(*) FROM events") == [(1,)]


async def test_an_unwritable_log_is_reported_to_the_submitter(running: Running) -> None:
    other = running.log_file.connect()
    other.execute("BEGIN IMMEDIATE")
    told: asyncio.Future[Exception | None] = asyncio.Future()
    assert running.engine.submit(JoinAtOnce(1), ORIGIN, told.set_result)
    assert isinstance(await told, Unavailable)
    assert (running.world, running.seen) == (World(), [])
    other.close()
    await running.log_file.close_logs()
    with pytest.raises(Unavailable):
        running.engine.submit(JoinAtOnce(1), ORIGIN, never)


async def test_names_are_stored_in_the_commit(running: Running) -> None:
    await running.engine.execute(JoinNext(7), ORIGIN, beside=PersonalData(names={"7": "Ana"}))
    assert running.log_file.query("SELECT user, name FROM profiles") == [("7", "Ana")]


class JoinFirstThen(JoinNext, frozen=True):
    """A command whose streams change while it waits for them."""

    def streams(self, world: World) -> set[str]:
        """Another one, as soon as somebody is in the lobby."""
        return super().streams(world) | ({"user:9"} if world.lobby.members else set())

    def decide(self, world: World, context: Context) -> list[Event]:
        """Be alone on all of them."""
        assert world.lobby.members.keys() >= {1}
        return super().decide(world, context)


async def test_locks_are_recomputed_after_they_are_acquired(running: Running) -> None:
    answers = await running.execute(JoinNext(1), JoinFirstThen(1), JoinNext(9))
    assert answers == [[joined(1, 1)], [joined(1, 2)], [joined(9, 1)]]
    assert await locks_of(running) == 0


async def test_crossing_invites_create_one_room(running: Running) -> None:
    engine = running.engine
    await engine.execute(StartNode("n1"), ORIGIN)
    with pytest.raises(UserOffline):
        await engine.execute(SendInvite(1, 2, "pong"), ORIGIN)
    for user in (1, 2):
        await engine.execute(OpenSocket(user, f"n1.1.{user}"), ORIGIN)
    await asyncio.gather(
        *(engine.execute(SendInvite(*pair, "pong"), ORIGIN) for pair in ((1, 2), (2, 1)))
    )
    first, second = await asyncio.gather(
        *(engine.execute(AcceptInvite(*pair), ORIGIN) for pair in ((1, 2), (2, 1))),
        return_exceptions=True,
    )
    assert isinstance(first, Done)
    assert isinstance(second, InviteNotFound | AlreadyInRoom)
    assert isinstance(second, ClientError)
    assert [room.players for room in running.world.rooms.rooms.values()] == [[1, 2]]
