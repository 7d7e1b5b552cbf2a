"""The states of a match reach each socket at its frame rate, and events reach all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from service.domain.commands.hosting import JoinRoom
from service.domain.commands.presence import OpenSocket
from service.edge.backlog import Backlog
from service.edge.connection import Connection
from service.edge.dialect import CLASSIC, SOCKET_IO, V1, Dialect
from service.edge.frames import frame, texts_of
from service.edge.hub import Hub
from service.fanout.audience import Delivery
from service.fanout.profiles import Profiles
from service.games.catalogue import GAMES
from service.games.options import set_up
from service.protocol import v1
from service.replay.run import Run
from service.runtime.live_match import LiveMatch
from service.runtime.live_matches import LiveMatches
from service.runtime.match_publisher import MatchPublisher
from service.settings.sections.broadcasts import BroadcastLimits
from service.settings.sections.connections import SlowLimits
from service.settings.sections.storage import BacklogLimits
from service.telemetry import Metrics
from tests.unit.domain.story import ROOM, Story

PONG = GAMES["pong"]
ANA, BEN, CLEO, DAN = 1, 2, 3, 4


class Wire:
    """A transport that keeps each write."""

    def __init__(self) -> None:
        self.writes: list[list[dict[str, Any]]] = []
        self.has_written = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.has_written.set()
        texts = texts_of(data)
        self.writes.append([msgspec.json.decode(text) for text in texts if text[:1] == b"{"])

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        raise AssertionError


class Arena:
    """A live match of Pong, its publisher and a hub; steps are taken by hand."""

    def __init__(self, **options: Any) -> None:
        self.story = Story()
        self.match = self.story.match("pong", ANA, BEN, **options)
        self.world = self.story.world
        self.room = self.world.rooms.rooms[ROOM]
        profiles, metrics = Profiles(), Metrics()
        intervals = BroadcastLimits(user_list_ms=60_000, user_diff_ms=60_000)
        self.hub = Hub(self.world, profiles, Backlog(BacklogLimits()), intervals, metrics)
        matches = LiveMatches(lambda: 0.0, metrics)
        self.published: list[Delivery] = []
        self.publisher = MatchPublisher(
            matches,
            self.world,
            profiles,
            self,  # type: ignore[arg-type]  # it passes on what the hub gets
            clock=lambda: 0.0,
            grace_left_s=lambda _room: 10.0,
        )
        run = Run(PONG, set_up(PONG, 1, {}, 2))
        self.live = LiveMatch(self.match, self.room, run, 60)
        self.live.paused = False
        matches.add(self.live)
        self.wires: dict[int, Wire] = {}
        self.connections: dict[int, Connection] = {}

    def publish(self, message: Delivery, position: int = 0) -> None:
        if isinstance(message.v1, v1.GameUpdate):
            self.published.append(message)
        self.hub.publish(message, position)

    def frame_rates(self, room: str) -> frozenset[int]:
        return self.hub.frame_rates(room)

    def connect(self, user: int, frame_hz: int = 60, dialect: Dialect = V1) -> Connection:
        """Connect the tab of a user; one without a seat watches."""
        socket = f"n1.1.{user}a"
        if user not in (ANA, BEN):
            self.story.do(OpenSocket(user, socket))
            self.story.do(JoinRoom(user, socket, ROOM, "spectator", None, None))
        wire = self.wires[user] = Wire()
        made = Connection(
            socket, user, dialect, transport=wire, limits=SlowLimits(), frame_hz=frame_hz
        )
        self.connections[user] = made
        self.hub._index.add(made)  # noqa: SLF001 - the story has opened it already
        return made

    def step(self, count: int = 1) -> None:
        for _ in range(count):
            self.live.run.step()
            self.publisher.publish_tick(self.live)

    async def ticks(self, user: int) -> list[int]:
        """Return the ticks of the states that a user has got since the last call."""
        await asyncio.sleep(0)
        self.hub.flush()
        wire = self.wires[user]
        got = [one["tick"] for write in wire.writes for one in write if one["type"] == STATE]
        wire.writes.clear()
        return got


STATE = "game:update"


async def test_each_socket_in_a_room_gets_states_at_its_own_rate() -> None:
    arena = Arena()
    for user, hz in ((ANA, 60), (BEN, 30), (CLEO, 20)):
        arena.connect(user, hz)
    arena.step(12)
    assert await arena.ticks(ANA) == list(range(1, 13))
    assert await arena.ticks(BEN) == [2, 4, 6, 8, 10, 12]
    assert await arena.ticks(CLEO) == [3, 6, 9, 12]


async def test_two_tabs_of_one_user_have_a_rate_each() -> None:
    arena = Arena()
    arena.connect(ANA, 20)
    arena.connect(CLEO, 20)
    second = Connection(
        "n1.1.1b", ANA, V1, transport=(wire := Wire()), limits=SlowLimits(), frame_hz=30
    )
    arena.room.seats[0].sockets.add("n1.1.1b")
    arena.room.changed_at += 1
    arena.hub._index.add(second)  # noqa: SLF001 - the story does not open it
    arena.step(6)
    assert await arena.ticks(ANA) == [3, 6]
    states = [one for write in wire.writes for one in write if one["type"] == STATE]
    assert [one["tick"] for one in states] == [2, 4, 6]


@pytest.mark.parametrize("dialect", [CLASSIC, SOCKET_IO], ids=lambda one: one.protocol)
async def test_classic_and_socketio_clients_get_every_tick(dialect: Dialect) -> None:
    arena = Arena()
    old = arena.connect(ANA, dialect=dialect)
    arena.connect(BEN, 20)
    arena.step(6)
    assert len(old.frames) == 6 + 1  # the states, and a `game:timer`
    assert await arena.ticks(BEN) == [3, 6]


async def test_a_state_is_encoded_once_for_all_rates_that_it_is_shown_at() -> None:
    arena = Arena()
    ana, ben, cleo = (arena.connect(user, hz) for user, hz in ((ANA, 60), (BEN, 30), (CLEO, 20)))
    arena.step(6)
    assert ana.frames[-1] is ben.frames[-1] is cleo.frames[-1]
    assert len(arena.published) == 6


async def test_a_tick_that_nobody_is_shown_computes_and_encodes_no_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arena = Arena()
    arena.connect(ANA, 30)
    arena.connect(BEN, 30)
    views: list[object] = []
    view = PONG.view

    def count(state: Any, seat: int | None) -> object:
        views.append(view(state, seat))
        return views[-1]

    monkeypatch.setattr(PONG, "view", count)
    arena.step(12)
    assert len(views) == len(arena.published) == 6


async def test_the_frame_of_an_event_reaches_every_rate_at_once() -> None:
    arena = Arena()
    for user, hz in ((ANA, 60), (BEN, 30), (CLEO, 20)):
        arena.connect(user, hz)
    arena.step()
    arena.publisher.publish_frame(arena.live)
    assert await arena.ticks(BEN) == [1]
    assert await arena.ticks(CLEO) == [1]


async def test_a_paused_match_stands_at_its_newest_state_for_every_rate() -> None:
    arena = Arena()
    for user, hz in ((ANA, 60), (BEN, 30), (CLEO, 20)):
        arena.connect(user, hz)
    arena.step(4)
    arena.live.paused = True
    arena.publisher.publish_newest(arena.live)
    arena.publisher.publish_newest(arena.live)
    assert await arena.ticks(ANA) == [1, 2, 3, 4]
    assert await arena.ticks(BEN) == [2, 4]
    assert await arena.ticks(CLEO) == [3, 4]


async def test_an_outcome_that_is_not_committed_is_not_shown_by_a_pause() -> None:
    arena = Arena()
    arena.connect(ANA, 20)
    arena.step(4)
    arena.live.begin_recording()
    arena.publisher.publish_newest(arena.live)
    assert await arena.ticks(ANA) == [3]


async def test_the_clock_of_a_match_is_not_thinned() -> None:
    arena = Arena()
    arena.connect(ANA, 20)
    arena.step(121)
    await asyncio.sleep(0)
    timers = [one for write in arena.wires[ANA].writes for one in write]
    assert len([one for one in timers if one["type"] == "game:timer"]) == 3


async def test_a_rate_is_changed_while_the_match_runs() -> None:
    arena = Arena()
    ana = arena.connect(ANA, 60)
    cleo = arena.connect(CLEO, 20)
    arena.step(3)
    arena.hub.set_frame_hz(ana, 20)
    arena.hub.set_frame_hz(cleo, 30)
    arena.step(6)
    assert await arena.ticks(ANA) == [1, 2, 3, 6, 9]
    assert await arena.ticks(CLEO) == [3, 4, 6, 8]


async def test_a_rate_that_joins_later_is_shown_the_following_ticks() -> None:
    arena = Arena()
    arena.connect(ANA, 20)
    arena.connect(BEN, 20)
    arena.step(3)
    arena.connect(DAN, 60)
    arena.step(3)
    assert await arena.ticks(DAN) == [4, 5, 6]


async def test_delayed_spectators_get_states_at_their_rate_when_they_are_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arena = Arena(spectator_delay_s=10)
    arena.connect(ANA, 30)
    cleo, dan = arena.connect(CLEO, 20), arena.connect(DAN, 60)
    later: list[Any] = []
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "call_later", lambda _delay, call: later.append(call))
    arena.step(6)
    assert await arena.ticks(ANA) == [2, 4, 6]
    assert await arena.ticks(CLEO) == []
    # The rate is the one that a spectator has when the frames are sent.
    arena.hub.set_frame_hz(dan, 30)
    for send in later:
        send()
    assert len(cleo.frames) == 2 + 1
    assert len(dan.frames) == 3 + 1


# Several matches of one socket


class Watching:
    """A socket that is sent the states of several rooms, and how they are flushed."""

    def __init__(self, frame_hz: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.arena = Arena()
        self.connection = self.arena.connect(ANA, frame_hz)
        self.flushes: list[str] = []
        scope = self.arena.hub.flush_scope

        def note(
            frame: bytes, some: list[Connection], *, may_miss: bool = False, frame_ms: float = 0
        ) -> Sequence[Connection]:
            if self.connection in some:
                self.flushes.append("tick" if frame_ms else "soon")
            return scope.output.queue(frame, some, may_miss=may_miss, at_tick=True)

        monkeypatch.setattr(scope, "queue", note)

    def send(self, *rooms: str) -> list[str]:
        for room in rooms:
            message = v1.GameUpdate(room, 0, 1, {})
            self.arena.hub._send_state([self.connection], b"state", message)  # noqa: SLF001 - there is no public way
        return self.flushes


def test_states_of_several_matches_wait_for_each_other_at_a_lower_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watching = Watching(30, monkeypatch)
    assert watching.send("a", "b", "a", "b") == ["soon", "tick", "tick", "tick"]
    assert len(watching.connection.frames) == 4


def test_states_of_one_match_wait_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Watching(20, monkeypatch).send("a", "a", "a") == ["soon"] * 3


def test_states_at_the_full_rate_wait_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Watching(60, monkeypatch).send("a", "b", "a") == ["soon"] * 3


async def test_an_event_takes_the_waiting_states_along_in_one_write() -> None:
    arena = Arena()
    ana = arena.connect(ANA, 30)
    for room in ("a", "b", "c"):
        message = v1.GameUpdate(room, 0, 1, {})
        arena.hub._send_state([ana], frame(message), message)  # noqa: SLF001 - there is no public way
        await asyncio.sleep(0)
    arena.hub.send(ana, v1.Heartbeat(7))
    await asyncio.sleep(0)
    writes = [
        [one.get("roomId", one["type"]) for one in write] for write in arena.wires[ANA].writes
    ]
    assert writes == [["a"], ["b", "c", "heartbeat"]]


async def test_waiting_states_leave_in_one_write_within_a_tick() -> None:
    arena = Arena()
    ana = arena.connect(ANA, 30)
    for room in ("a", "b", "c"):
        message = v1.GameUpdate(room, 0, 1, {})
        arena.hub._send_state([ana], frame(message), message)  # noqa: SLF001 - there is no public way
        await asyncio.sleep(0)
    wire = arena.wires[ANA]
    wire.writes.clear()
    async with asyncio.timeout(10):
        wire.has_written.clear()
        await wire.has_written.wait()
    assert [one["roomId"] for one in wire.writes[0]] == ["b", "c"]
