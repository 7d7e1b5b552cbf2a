"""Concurrent commands over one log: decisions on one stream are serialized."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace

import msgspec
import pytest

from service.domain.commands.base import Context
from service.domain.commands.invites import AcceptInvite, SendInvite
from service.domain.commands.nodes import StartNode
from service.domain.commands.presence import OpenSocket
from service.domain.errors import AlreadyInRoom, InviteNotFound, TooManySockets, UserOffline
from service.domain.events.base import Event
from service.domain.events.matches import MatchCheckpoint, MatchEvent
from service.domain.personal_data import PersonalData
from service.domain.projections.world import World
from service.errors import ClientError, InternalError, Unavailable
from service.eventstore.commit_thread import WriterDied
from service.eventstore.records import Origin, RecordedEvent
from service.fanout.profiles import Profiles
from service.runtime.engine import Engine
from service.runtime.gate import Hold
from service.runtime.idempotency import CommandResult, IdReused
from service.runtime.pending import Executed
from service.runtime.record import Record
from tests.integration.engine_parts import JoinAtOnce, JoinNext, NoMatches, engine_on
from tests.integration.log_file import LogFile, joined

ORIGIN = Origin("test")

PATIENCE_S = 10


class Running:
    """An engine at work, and what it did."""

    def __init__(self, log_file: LogFile) -> None:
        self.log_file = log_file
        self.world = World()
        self.seen: list[tuple[int, Event]] = []
        self.commits: list[int] = []
        log = log_file.log()
        self.engine: Engine = engine_on(log, self.world, [self._observe])
        self.writer = log.start(self._committed)

    async def execute(self, *commands: JoinNext) -> list[list[Event] | BaseException]:
        """Carry out commands at the same time, and return what became of each."""
        work = (self._events_of(command) for command in commands)
        return await asyncio.gather(*work, return_exceptions=True)

    async def _events_of(self, command: JoinNext) -> list[Event]:
        return list((await self.engine.execute(command, ORIGIN)).events)

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
    return len(running.engine._locks)  # noqa: SLF001 - that they go is what is tested


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


async def test_a_caller_that_is_cancelled_when_its_command_is_just_refused_releases_nothing_twice(
    running: Running,
) -> None:
    engine, last = running.engine, Callback()
    waiting: list[asyncio.Task[Executed]] = []

    def done(_result: Executed | Exception) -> None:
        # Behind the callback that lets the waiting command be decided, which is refused there.
        asyncio.get_running_loop().call_soon(waiting[0].cancel)

    engine.dispatch(JoinNext(1), ORIGIN, done)
    refused = engine.execute(JoinNext(1, max=1), Origin("test", 1, "c1"))
    waiting.append(asyncio.create_task(refused))
    await asyncio.sleep(0)
    engine.dispatch(JoinNext(1), ORIGIN, last)
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    assert await last.result() == Executed([joined(1, 2)], CommandResult(2))
    assert await locks_of(running) == 0


class HoldsAll(NoMatches):
    """A gate that counts how often each of its holds is released."""

    def __init__(self) -> None:
        self.held: list[MatchEvent] = []
        self.released: list[MatchEvent] = []

    def hold(self, event: MatchEvent) -> Hold:
        self.held.append(event)
        return SimpleNamespace(release=lambda: self.released.append(event))


def checkpoint() -> MatchCheckpoint:
    return MatchCheckpoint(match="r-1", tick=0, state=msgspec.Raw(b"{}"), hash="")


async def test_a_hold_is_released_once_and_before_its_event_is_folded(log_file: LogFile) -> None:
    log, gate, done = log_file.log(), HoldsAll(), Callback()
    released_at_fold: list[int] = []
    engine = engine_on(
        log,
        World(),
        [lambda _event, _position: released_at_fold.append(len(gate.released))],
        gate=gate,
    )
    log.start(engine.committed)
    # Equal events have a hold each.
    engine.dispatch(Record([checkpoint(), checkpoint()]), ORIGIN, done)
    assert (len(gate.held), gate.released) == (2, [])
    assert isinstance(await done.result(), Executed)
    assert released_at_fold == [1, 2]
    assert gate.released == gate.held


async def test_a_hold_is_released_when_its_event_is_not_committed(log_file: LogFile) -> None:
    log, gate, done = log_file.log(), HoldsAll(), Callback()
    engine = engine_on(log, World(), gate=gate)
    log.start(engine.committed)
    other = log_file.connect()
    other.execute("BEGIN IMMEDIATE")
    engine.dispatch(Record([checkpoint()]), ORIGIN, done)
    assert isinstance(await done.result(), Unavailable)
    assert gate.released == gate.held == [checkpoint()]
    other.close()
    await log_file.close_logs()
    closing = Callback()
    engine.dispatch(Record([checkpoint()]), ORIGIN, closing)
    assert [type(one) for one in closing.results] == [Unavailable]
    assert gate.held == [checkpoint()]


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


class Callback:
    """A callback of `dispatch` that records the results."""

    def __init__(self) -> None:
        self.results: list[Executed | Exception] = []
        self._is_called = asyncio.Event()

    def __call__(self, result: Executed | Exception) -> None:
        self.results.append(result)
        self._is_called.set()

    async def result(self) -> Executed | Exception:
        async with asyncio.timeout(PATIENCE_S):
            await self._is_called.wait()
        (result,) = self.results
        return result


async def test_a_command_that_needs_no_lock_is_decided_at_once_and_reported_when_it_is_folded(
    running: Running,
) -> None:
    for origin in (ORIGIN, Origin("test", 1, "c1")):
        callback, seen = Callback(), list[tuple[int, Event]]()

        def done(
            result: Executed | Exception,
            callback: Callback = callback,
            seen: list[tuple[int, Event]] = seen,
        ) -> None:
            seen.extend(running.seen)
            callback(result)

        before = len(running.seen)
        running.engine.dispatch(JoinAtOnce(1), origin, done)
        assert running.engine._log.waiting == 1  # noqa: SLF001 - that it is decided is tested
        assert len(running.seen) == before
        assert await callback.result() == Executed(
            [joined(1, before + 1)], CommandResult(before + 1)
        )
        assert seen[before:] == [(before + 1, joined(1, before + 1))]


async def test_a_command_whose_streams_are_free_is_decided_at_once_and_the_next_one_after_it(
    running: Running,
) -> None:
    first, second = Callback(), Callback()
    running.engine.dispatch(JoinNext(1), ORIGIN, first)
    running.engine.dispatch(JoinNext(1), ORIGIN, second)
    assert running.engine._log.waiting == 1  # noqa: SLF001 - as above
    assert await second.result() == Executed([joined(1, 2)], CommandResult(2))
    assert first.results == [Executed([joined(1, 1)], CommandResult(1))]
    assert not asyncio.all_tasks() - {asyncio.current_task(), running.writer}


async def test_a_concurrent_command_with_the_same_id_gets_the_first_result(
    running: Running,
) -> None:
    origin, done = Origin("test", 1, "c1", b"key-first"), [Callback(), Callback(), Callback()]
    running.engine.dispatch(JoinAtOnce(1), origin, done[0])
    running.engine.dispatch(JoinAtOnce(1), origin, done[1])
    running.engine.dispatch(JoinAtOnce(2), Origin("test", 1, "c1", b"key-other"), done[2])
    first, second, third = [await one.result() for one in done]
    assert isinstance(first, Executed)
    assert isinstance(second, Executed)
    assert (second.events, second.result.position) == ((), first.result.position)
    assert isinstance(third, IdReused)
    assert [event for _, event in running.seen] == [joined(1, 1)]


async def test_the_id_of_a_refused_command_is_free_again(running: Running) -> None:
    origin, done = Origin("test", 1, "c1"), [Callback(), Callback()]
    running.engine.dispatch(JoinNext(1, max=0), origin, done[0])
    running.engine.dispatch(JoinNext(1), origin, done[1])
    assert isinstance(done[0].results[0], TooManySockets)
    assert await done[1].result() == Executed([joined(1, 1)], CommandResult(1))
    assert running.engine._under_way == {}  # noqa: SLF001 - that none is left is what is tested


async def test_a_command_that_is_dispatched_and_refused_leaves_nothing(running: Running) -> None:
    for command in (JoinAtOnce(1, max=0), JoinNext(1, max=0)):
        refused = Callback()
        running.engine.dispatch(command, ORIGIN, refused)
        assert [type(one) for one in refused.results] == [TooManySockets]
    assert await running.execute(JoinNext(1)) == [[joined(1, 1)]]
    assert running.log_file.query("SELECT count(*) FROM events") == [(1,)]


async def test_a_fault_of_a_command_is_an_internal_error_and_costs_nothing_else(
    running: Running,
) -> None:
    for command in (Faulty(1), FaultyStreams(1)):
        failed = Callback()
        running.engine.dispatch(command, Origin("test", 1, "c1"), failed)
        assert [type(one) for one in failed.results] == [InternalError]
    assert await running.execute(JoinNext(1)) == [[joined(1, 1)]]
    assert await locks_of(running) == 0


async def test_a_dispatched_command_fails_when_the_log_cannot_be_written(running: Running) -> None:
    other = running.log_file.connect()
    other.execute("BEGIN IMMEDIATE")
    done, name = Callback(), PersonalData(names={"1": "Ana"})
    running.engine.dispatch(JoinNext(1), ORIGIN, done, personal_data=name)
    assert running.engine.profiles.name(1) == "Ana"
    assert isinstance(await done.result(), Unavailable)
    assert (running.world, running.seen) == (World(), [])
    # No message may be published of what was not written.
    assert running.engine.profiles == Profiles()
    other.close()


async def test_a_command_that_is_dispatched_when_the_log_is_closing_fails_at_once(
    running: Running,
) -> None:
    await running.log_file.close_logs()
    for command in (JoinAtOnce(1), JoinNext(1)):
        done = Callback()
        running.engine.dispatch(command, Origin("test", 1, "c1"), done)
        assert [type(one) for one in done.results] == [Unavailable]
    assert await locks_of(running) == 0


async def test_commands_that_wait_when_the_log_writer_dies_fail(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(running.engine._log._thread, "_write", die)  # noqa: SLF001 - the thread dies
    done = [Callback(), Callback(), Callback()]
    for one, command in zip(done, (JoinNext(1), JoinNext(1), JoinAtOnce(2)), strict=True):
        running.engine.dispatch(command, ORIGIN, one)
    assert [type(await one.result()) for one in done] == [Unavailable] * 3
    with pytest.raises(WriterDied):
        await running.writer
    assert await locks_of(running) == 0


async def test_a_reused_id_is_refused_for_other_content_and_answered_for_the_same(
    running: Running,
) -> None:
    origin = Origin("test", 1, "c1", b"key-first")
    first = await running.engine.execute(JoinAtOnce(1), origin)
    again = await running.engine.execute(JoinAtOnce(1), origin)
    assert (again.events, again.result.position) == ((), first.result.position)
    with pytest.raises(IdReused):
        await running.engine.execute(JoinAtOnce(2), Origin("test", 1, "c1", b"key-other"))
    with pytest.raises(IdReused):
        running.engine.check_unused(1, "c1")
    running.engine.check_unused(1, "c2")
    running.engine.check_unused(2, "c1")
    assert [event for _, event in running.seen] == [joined(1, 1)]


async def test_concurrent_commands_with_one_id_are_compared_by_content(running: Running) -> None:
    results = await asyncio.gather(
        running.engine.execute(JoinNext(1), Origin("test", 1, "c1", b"key-first")),
        running.engine.execute(JoinNext(1), Origin("test", 1, "c1", b"key-other")),
        return_exceptions=True,
    )
    assert [type(one) for one in results] == [Executed, IdReused]


async def test_names_are_stored_in_the_commit(running: Running) -> None:
    await running.engine.execute(
        JoinNext(7), ORIGIN, personal_data=PersonalData(names={"7": "Ana"})
    )
    assert running.log_file.query("SELECT user, name FROM profiles") == [("7", "Ana")]


class Faulty(JoinNext, frozen=True):
    """A command whose decision has a fault."""

    def decide(self, _world: World, _context: Context) -> list[Event]:
        """Raise."""
        raise KeyError(self.user)


class FaultyStreams(JoinNext, frozen=True):
    """A command that can't say what it decides on."""

    def streams(self, _world: World) -> set[str]:
        """Raise."""
        raise KeyError(self.user)


class JoinFirstThen(JoinNext, frozen=True):
    """A command whose streams change while it waits for them."""

    def streams(self, world: World) -> set[str]:
        """Another one, as soon as a user is in the lobby."""
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
    assert isinstance(first, Executed)
    assert isinstance(second, InviteNotFound | AlreadyInRoom)
    assert isinstance(second, ClientError)
    assert [room.players for room in running.world.rooms.rooms.values()] == [[1, 2]]
