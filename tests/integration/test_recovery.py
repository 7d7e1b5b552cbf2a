"""Recovery at start: any start serves the same messages to resuming clients."""

from __future__ import annotations

import time

import msgspec
import pytest

from service import refilling
from service.domain.events.base import Event
from service.domain.events.chat import ChatSaid
from service.domain.events.invites import InviteDeclined, InviteSent
from service.domain.events.matches import MatchInput, MatchStarted, Pace
from service.domain.events.presence import UserWentOffline
from service.domain.personal_data import NO_PERSONAL_DATA, PersonalData, Text
from service.domain.projections.world import World
from service.edge.backlog import Backlog
from service.edge.refill_progress import RefillProgress
from service.edge.tail import Ages, Refill
from service.eventstore.codec import decode
from service.eventstore.plan import Append
from service.eventstore.records import Origin, RecordedEvent, propose
from service.fanout.profiles import Profiles
from service.recovery import FOLDED_PER_EVENT_MAX, ProfileCache, recover
from service.refilling import BacklogRefill, Slices, recall_commands
from service.runtime.idempotency import CommandResult, CommandResults
from service.runtime.snapshots import code_version, dump
from service.settings.sections.storage import BacklogLimits
from tests.integration.log_file import LogFile, append_of, joined

HOUR_US = 3_600_000_000
LIMITS = BacklogLimits(age_s=600, events_max=1000)


def now_us() -> int:
    return time.time_ns() // 1000


def invited(number: int) -> Event:
    return InviteSent(1, 2, "pong") if number % 2 else InviteDeclined(1, 2)


class Started:
    """What a start has made of a log."""

    def __init__(self, world: World, backlog: Backlog) -> None:
        self.world = world
        self.backlog = backlog

    def missed(self, after: int) -> int | None:
        """Count the frames that either user missed after a position."""
        found = [self.backlog.between(user, after, 10**9) for user in (1, 2)]
        return None if None in found else sum(len(frames or ()) for frames in found)


async def start(
    log_file: LogFile, *, limits: BacklogLimits = LIMITS, snapshot_events: int = 10**6
) -> Started:
    log, reader = log_file.log(), log_file.reader()
    recovered = await recover(log, reader, limits, snapshot_events=snapshot_events, now_us=now_us())
    backlog = Backlog(BacklogLimits(), recovered.world.position)
    progress = RefillProgress(backlog)
    progress.begin()
    refilled = BacklogRefill(
        log, reader, backlog, limits, progress, snapshot_events=snapshot_events
    )
    await refilled.run(now_us())
    progress.end(is_complete=True)
    await log_file.close_logs()
    return Started(recovered.world, backlog)


def fill(log_file: LogFile) -> World:
    """Write ten old events and ten new ones, and return the world after them."""
    store = log_file.store()
    events = [invited(number) for number in range(1, 21)]
    store.commit([append_of(*events)])
    log_file.change(
        f"UPDATE events SET recorded_at = recorded_at - {HOUR_US} WHERE position <= 10"  # noqa: S608 - our own text
    )
    log_file.chain_anew()
    world = World()
    for position, event in enumerate(events, 1):
        world.fold(event, position)
    return world


def save(log_file: LogFile, *positions: int) -> None:
    """Write the snapshots that a service would have written at these positions."""
    store = log_file.store()
    for at in positions:
        world = World()
        for position in range(1, at + 1):
            world.fold(invited(position), position)
        store.save_snapshot("world", code_version(), at, dump(world), needed_from=0)
    store.close()


@pytest.mark.parametrize("snapshots", [(), (20,), (4, 20), (4, 10, 15), (15,), (3,)])
async def test_recovery_is_the_same_from_any_snapshot(
    log_file: LogFile, snapshots: tuple[int, ...]
) -> None:
    world = fill(log_file)
    save(log_file, *snapshots)
    started = await start(log_file)
    assert started.world == world
    assert started.backlog.start == 10
    assert (started.missed(9), started.missed(10), started.missed(19)) == (None, 10, 1)


async def test_a_start_without_a_snapshot_writes_one(
    log_file: LogFile,
) -> None:
    fill(log_file)
    await start(log_file, snapshot_events=10)
    assert log_file.query("SELECT position FROM snapshots") == [(10,)]


def moves(count: int) -> list[Event]:
    """Return inputs of a match, which have no messages."""
    return [
        MatchInput(
            match="r-1", tick=tick, seat=0, socket="n1.1.1", input=msgspec.Raw(b'{"type":"x"}')
        )
        for tick in range(count)
    ]


async def test_recovery_reads_a_bounded_multiple_of_the_tail(log_file: LogFile) -> None:
    log_file.store().commit([append_of(*moves(100))])
    started = await start(log_file, limits=BacklogLimits(age_s=600, events_max=2))
    assert started.backlog.start == 60


async def test_recovery_folds_a_bounded_multiple_of_the_tail(log_file: LogFile) -> None:
    fill(log_file)
    started = await start(log_file, limits=BacklogLimits(age_s=7 * 24 * 3600, events_max=3))
    folded = FOLDED_PER_EVENT_MAX * 3
    assert started.missed(20 - folded) == folded
    assert started.missed(20 - folded - 1) is None


async def test_inputs_do_not_count_against_the_events_that_recovery_folds(
    log_file: LogFile,
) -> None:
    log_file.store().commit([append_of(invited(1), invited(2)), append_of(*moves(18))])
    started = await start(log_file, limits=BacklogLimits(age_s=600, events_max=1))
    assert started.missed(0) == 2


async def test_inputs_of_a_match_with_ticks_are_not_decoded_for_the_tail(
    log_file: LogFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = [
        MatchInput(match="r-1", tick=tick, seat=0, socket="n1.1.1", input=msgspec.Raw(b"{}"))
        for tick in range(50)
    ]
    log_file.store().commit([append_of(*inputs, invited(1), joined(3))])
    decoded = list[str]()

    def counted(type_: str, schema_version: int, data: bytes) -> Event:
        decoded.append(type_)
        return decode(type_, schema_version, data)

    log, reader = log_file.log(), log_file.reader()
    recovered = await recover(log, reader, LIMITS, snapshot_events=10**6, now_us=now_us())
    for module in ("reader", "stored"):
        monkeypatch.setattr(f"service.eventstore.{module}.decode", counted)
    backlog = Backlog(BacklogLimits(), recovered.world.position)
    progress = RefillProgress(backlog)
    refilled = BacklogRefill(log, reader, backlog, LIMITS, progress, snapshot_events=10**6)
    await refilled.run(now_us())
    assert decoded == ["invite.sent", "lobby.joined"]
    assert len(backlog.between(2, 0, 100) or ()) == 1


async def test_recent_command_ids_are_recovered(log_file: LogFile) -> None:
    store, reader = log_file.store(), log_file.reader()
    for number in range(1, 21):
        origin = Origin("test", 7, f"id-{number}", b"digest")
        store.commit([Append(propose([invited(number)], origin), {}, NO_PERSONAL_DATA)])
    log_file.change(
        f"UPDATE events SET recorded_at = recorded_at - {HOUR_US} WHERE position <= 10"  # noqa: S608 - our own text
    )
    remembered, answers = list[RecordedEvent](), CommandResults()
    await recall_commands(reader, 20, now_us() - HOUR_US // 2, remembered.append)
    assert [one.position for one in remembered] == list(range(11, 21))
    await recall_commands(reader, 20, now_us() - HOUR_US // 2, answers.record)
    found = [answers.find(("7", f"id-{number}")) for number in range(1, 21)]
    assert found == [None] * 10 + [CommandResult(at, None, b"digest") for at in range(11, 21)]


def test_recovered_ages_are_monotonic_and_never_negative() -> None:
    ages = Ages(100_000_000, 1000.0)
    found = [ages.at(second * 1_000_000) for second in (40, 70, 50, 400, 90)]
    assert found == [940, 970, 970, 1000, 1000]


def begun(match: str, pace: Pace) -> MatchStarted:
    return MatchStarted(
        match=match,
        tick=0,
        game="any",
        rules_version=1,
        players=[1, 2],
        seed=1,
        options={},
        pace=pace,
        turn_s=None,
    )


def test_moves_are_read_only_for_matches_without_ticks() -> None:
    world = World()
    world.matches.on_match_started(begun("a-1", "free"), 1)
    world.matches.on_match_started(begun("b-1", "ticks"), 2)
    tail = Refill(Backlog(BacklogLimits()), world, Profiles(), Ages(0, 0.0))
    assert tail.streams_with_moves([begun("c-1", "turns"), begun("d-1", "ticks"), joined(1)]) == {
        "match:a-1",
        "match:c-1",
    }


async def test_command_ids_from_before_the_tail_are_recovered_by_their_last_events(
    log_file: LogFile,
) -> None:
    store, reader = log_file.store(), log_file.reader()
    for command, events in (("old", 1), ("one", 1), ("three", 3)):
        origin = Origin("test", 7, command, b"digest")
        store.commit([Append(propose([invited(1)] * events, origin), {}, NO_PERSONAL_DATA)])
    store.commit([append_of(invited(1))])
    log_file.change(
        f"UPDATE events SET recorded_at = recorded_at - {HOUR_US} WHERE position = 1"  # noqa: S608 - our own text
    )
    answers = CommandResults()
    await recall_commands(reader, 6, now_us() - HOUR_US // 2, answers.record)
    found = [answers.find(("7", command)) for command in ("old", "one", "three")]
    assert found == [None, CommandResult(2, None, b"digest"), CommandResult(5, None, b"digest")]
    await recall_commands(reader, 2, now_us(), answers.record)


async def test_a_chat_text_is_available_until_its_event_is_published(
    log_file: LogFile,
) -> None:
    """Its event is being appended; without the text it could not be published."""
    profiles, world = Profiles(), World()
    known = ProfileCache(profiles, world, log_file.reader())
    profiles.texts = {f"old-{number}": "said long ago" for number in range(1001)}
    profiles.names = dict.fromkeys(range(1001), "gone")
    data = PersonalData(names={"ana": "Ana"}, texts={"new": Text("salt", "hello")})
    expectation = profiles.expect(data)
    known.observe(ChatSaid(chat="old-1", author=7, digest="", room=None, to=8), 1)
    known.observe(UserWentOffline(user=1), 2)
    assert (profiles.texts, profiles.names) == ({"new": "hello"}, {"ana": "Ana"})
    expectation.settle(is_committed=True)
    assert profiles.expected == {}
    known.observe(UserWentOffline(user=1), 3)


async def test_other_work_goes_on_between_the_slices_of_a_refill(
    log_file: LogFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(log_file)
    turns = 0

    class Short(Slices):
        @property
        def is_over(self) -> bool:
            return True

        async def pause(self) -> None:
            nonlocal turns
            turns += 1
            await super().pause()

    monkeypatch.setattr(refilling, "Slices", Short)
    started = await start(log_file)
    assert (started.backlog.start, started.missed(10)) == (10, 10)
    # Ten events are folded without messages, ten with them, and those ten are prepended.
    assert turns == 30


def test_a_slice_is_over_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 5.0
    monkeypatch.setattr("time.perf_counter", lambda: now)
    slices = Slices(0.25)
    states = [slices.is_over]
    now = 5.2
    states.append(slices.is_over)
    now = 5.25
    states.append(slices.is_over)
    assert states == [False, False, True]
