"""Deadlines, with short times; each test waits for the outcome."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from service.domain.commands.base import Command
from service.domain.commands.hosting import CreateRoom, RoomPlan
from service.domain.commands.invites import AcceptInvite, SendInvite
from service.domain.commands.matchmaking import JoinQueue
from service.domain.commands.nodes import StartNode
from service.domain.commands.presence import CloseSocket, OpenSocket
from service.domain.commands.seats import TakeSeat
from service.domain.events.base import Event
from service.domain.events.invites import InviteExpired
from service.domain.events.matchmaking import SearchGaveUp
from service.domain.events.nodes import NodeStarted
from service.domain.events.presence import SocketClosed, UserWentOffline
from service.domain.events.rooms import RoomClosed
from service.errors import Unavailable
from service.eventstore.records import Origin
from service.runtime import scheduler as deadlines_module
from service.runtime.pending import Executed
from service.runtime.scheduler import DeadlineScheduler
from service.runtime.snapshots import restore_world
from service.settings.sections.play import Times
from tests.integration.engine_parts import engine_on
from tests.integration.log_file import LogFile

SHORT_S, LONG_S = 0.25, 60
PATIENCE_S = 10
BROKEN = 1006

Kind = TypeVar("Kind", bound=Event)


class Life:
    """One life of a service that has an engine and deadlines, and no sockets."""

    def __init__(self, log_file: LogFile, times: Times) -> None:
        self.log_file = log_file
        self.times = times
        self.events: list[Event] = []
        self.news = asyncio.Event()

    async def begin(self) -> None:
        self.log = self.log_file.log()
        self.world = await restore_world(self.log, self.log.head.position)
        async for page in self.log_file.reader().read(self.world.position):
            for recorded in page:
                self.world.fold(recorded.event, recorded.position)
        self.engine = engine_on(self.log, self.world, [self._observe])
        self.deadlines = DeadlineScheduler(self.engine, self.times)
        self.log.start(self.engine.committed)
        await self.execute(StartNode("n1"))

    async def again(self) -> None:
        """Crash and restart: a rebuilt world, and no deadlines from before."""
        await self.end()
        await self.begin()

    async def end(self) -> None:
        await self.deadlines.stop()
        await self.log_file.close_logs()

    async def execute(self, command: Command) -> list[Event]:
        return list((await self.engine.execute(command, Origin("test"))).events)

    async def come(self, *users: int) -> None:
        for user in users:
            await self.execute(OpenSocket(user, self.socket(user)))

    async def drop(self, user: int) -> None:
        await self.execute(CloseSocket(user, self.socket(user), BROKEN))

    def socket(self, user: int) -> str:
        return f"n1.{self.world.nodes.incarnations['n1']}.{user}"

    def all_of(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self.events if isinstance(event, kind)]

    async def happened(self, expected: Event) -> None:
        """Wait until an event has happened."""
        async with asyncio.timeout(PATIENCE_S):
            while expected not in self.events:
                self.news.clear()
                await self.news.wait()

    def _observe(self, event: Event, position: int) -> None:
        self.deadlines.observe(event, position)
        self.events.append(event)
        self.news.set()


@pytest.fixture
async def life(log_file: LogFile) -> AsyncIterator[Life]:
    """A life in which invites, graces, searches and rooms are short."""
    times = Times(
        presence_grace_s=SHORT_S,
        invite_ttl_s=SHORT_S,
        seat_take_s=SHORT_S,
        room_empty_s=SHORT_S,
        matchmaking_timeout_s=SHORT_S,
        restart_grace_s=SHORT_S,
    )
    life = Life(log_file, times)
    await life.begin()
    yield life
    await life.end()


async def test_an_invite_expires(life: Life) -> None:
    await life.come(1, 2)
    await life.execute(SendInvite(1, 2, "pong"))
    await life.happened(InviteExpired(inviter=1, invitee=2))
    assert life.world.invites.pending == {}
    (actor,) = life.log_file.query(
        "SELECT correlation_id, actor FROM events WHERE type = 'invite.expired'"
    )
    assert actor == ("deadline", None)


async def test_an_answered_invite_does_not_expire(life: Life) -> None:
    await life.come(1, 2, 3, 4)
    await life.execute(SendInvite(1, 2, "pong"))
    await life.execute(AcceptInvite(1, 2))
    # This one was sent later, so the time of the first one is over before.
    await life.execute(SendInvite(3, 4, "pong"))
    await life.happened(InviteExpired(inviter=3, invitee=4))
    assert life.all_of(InviteExpired) == [InviteExpired(inviter=3, invitee=4)]


async def test_a_resent_invite_gets_its_full_ttl(life: Life) -> None:
    await life.come(1, 2)
    for _ in range(2):
        await life.execute(SendInvite(1, 2, "pong"))
        await life.happened(InviteExpired(inviter=1, invitee=2))
        life.events.clear()


async def test_a_user_whose_connection_broke_goes_offline_after_the_grace(life: Life) -> None:
    await life.come(1)
    await life.drop(1)
    await life.happened(UserWentOffline(user=1))


async def test_a_user_who_reconnects_stays_online(life: Life) -> None:
    await life.come(1, 2)
    await life.drop(1)
    await life.come(1)
    await life.drop(2)
    await life.happened(UserWentOffline(user=2))
    assert life.all_of(UserWentOffline) == [UserWentOffline(user=2)]


async def test_a_matchmaking_search_times_out(life: Life) -> None:
    await life.come(1)
    await life.execute(JoinQueue(1, "pong"))
    await life.happened(SearchGaveUp(user=1, game="pong"))
    assert life.world.matchmaking.queues.get("pong", {}) == {}


async def test_a_room_with_untaken_seats_is_closed(life: Life) -> None:
    await life.come(1, 2)
    await life.execute(SendInvite(1, 2, "pong"))
    await life.execute(AcceptInvite(1, 2))
    await life.happened(RoomClosed(room="room", reason="untaken"))
    assert life.world.rooms.seated == {}


async def test_a_deadline_is_retried_until_it_can_be_written(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines_module, "RETRY_S", SHORT_S)
    failures, failed = 0, asyncio.Event()
    execute = life.engine.execute

    async def counted(command: Command, origin: Origin) -> Executed:
        nonlocal failures
        try:
            return await execute(command, origin)
        except Unavailable:
            failures += 1
            if failures == 2:
                failed.set()
            raise

    monkeypatch.setattr(life.engine, "execute", counted)
    await life.come(1)
    await life.drop(1)
    other = life.log_file.connect()
    other.execute("BEGIN IMMEDIATE")
    async with asyncio.timeout(PATIENCE_S):
        await failed.wait()
    assert life.all_of(UserWentOffline) == []
    other.close()
    await life.happened(UserWentOffline(user=1))
    assert life.all_of(UserWentOffline) == [UserWentOffline(user=1)]


async def test_pending_deadlines_restart_after_a_crash(life: Life) -> None:
    short, life.times = life.times, Times()
    await life.again()
    await life.come(1, 2, 3)
    await life.execute(SendInvite(1, 2, "pong"))
    await life.execute(JoinQueue(3, "pong"))

    # With a long grace, for who goes offline takes invites and searches with them.
    life.times = replace(short, presence_grace_s=LONG_S)
    await life.again()
    await life.come(4)
    await life.happened(InviteExpired(inviter=1, invitee=2))
    await life.happened(SearchGaveUp(user=3, game="pong"))


async def test_users_online_at_a_crash_get_their_grace_from_the_next_start(
    life: Life,
) -> None:
    await life.come(1, 2)
    await life.again()
    await life.come(2)
    await life.happened(UserWentOffline(user=1))
    # Their sockets were closed by the node's new start, not by their own events.
    assert life.all_of(SocketClosed) == []
    assert [event.incarnation for event in life.all_of(NodeStarted)] == [1, 2]
    assert list(life.world.presence.online()) == [2]


async def test_deadlines_pending_at_start_wait_at_least_the_restart_grace(life: Life) -> None:
    life.times = replace(life.times, restart_grace_s=3 * SHORT_S)
    await life.come(1, 2)
    await life.again()
    # What begins after the first socket has its own time alone, and so is over before.
    await life.come(3)
    await life.drop(3)
    await life.happened(UserWentOffline(user=2))
    assert [event.user for event in life.all_of(UserWentOffline)] == [3, 1, 2]


async def test_the_remaining_grace_of_an_away_player_is_reported(life: Life) -> None:
    await life.come(1, 2)
    plan = RoomPlan(game="relay", options={"seats": 2, "reconnect_grace_s": 5})
    await life.execute(CreateRoom(1, life.socket(1), "room", plan))
    await life.drop(1)
    assert 4 < (life.deadlines.grace_left_s(life.world.rooms.rooms["room"]) or 0) <= 5
    life.times = replace(life.times, restart_grace_s=LONG_S)
    await life.again()
    room = life.world.rooms.rooms["room"]
    assert life.deadlines.grace_left_s(room) is None
    await life.come(1)
    assert LONG_S - 1 < (life.deadlines.grace_left_s(room) or 0) <= LONG_S
    await life.execute(TakeSeat(1, life.socket(1), "room"))
    assert life.deadlines.grace_left_s(room) is None


async def test_deadlines_do_not_run_before_the_first_socket_after_a_start(life: Life) -> None:
    await life.come(1)
    life.times = Times()
    counts = asyncio.get_running_loop().call_later
    armed: list[float] = []

    def note(after_s: float, *arguments: Any) -> asyncio.TimerHandle:
        armed.append(after_s)
        return counts(after_s, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.get_running_loop(), "call_later", note)
        await life.again()
        assert not [after_s for after_s in armed if after_s == life.times.restart_grace_s]
        await life.come(2)
    assert [after_s for after_s in armed if after_s == life.times.restart_grace_s]


async def test_no_deadline_fires_after_stop(life: Life) -> None:
    await life.come(1, 2)
    await life.execute(JoinQueue(1, "pong"))
    await life.execute(SendInvite(1, 2, "pong"))
    await life.deadlines.stop()
    # Only the absence that begins now is short.
    life.deadlines = DeadlineScheduler(life.engine, Times(presence_grace_s=SHORT_S))
    await life.come(3)
    await life.drop(2)
    await life.happened(UserWentOffline(user=2))
    assert life.all_of(SearchGaveUp) == []
    assert life.all_of(InviteExpired) == []
