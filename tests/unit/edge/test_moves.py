"""The move history for late joiners: complete, in order, and with the spectator delay."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from service.domain.commands.hosting import JoinRoom
from service.domain.commands.moves import Move
from service.domain.errors import MatchNotRunning, NotInRoom
from service.domain.events.base import Event
from service.edge.connection import Connection
from service.edge.dialect import V1
from service.edge.moves import MoveHistory
from service.edge.past_moves import PAGE_MOVES
from service.edge.session.errors import RateLimited
from service.errors import ClientError
from service.settings.sections.connections import SlowLimits
from service.telemetry import Metrics
from tests.unit.domain.story import ROOM, Story

DELAY_S = 10


class Wire:
    """A transport that keeps what is written, and a client that reads it at once."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True


class Service:
    """A story with a log that can be read, and sockets that can be looked at."""

    def __init__(self, bytes_max: int = 100_000, **options: Any) -> None:
        self.story = Story()
        self.now = 100.0
        self.connections: dict[str, Connection] = {}
        self.wires: dict[str, Wire] = {}
        self.spent: list[float] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.reads = 0
        self.match = self.story.match("relay", 1, 2, seats=2, **options)
        self.bytes_max = bytes_max
        self.shown = 0
        self.begin()

    def begin(self) -> None:
        """Begin as after a start, with the world as it is."""
        self.history = MoveHistory(
            self.story.world,
            self,  # type: ignore[arg-type]  # the part of a hub that it needs
            self,  # type: ignore[arg-type]  # the part of a reader that it needs
            bytes_max=self.bytes_max,
            clock=lambda: self.now,
            metrics=Metrics(),
        )

    # The hub

    def connection(self, socket: str) -> Connection | None:
        return self.connections.get(socket)

    def shown_late(self, _room: str) -> int:
        return self.shown

    def send_frames(self, connection: Connection, frames: tuple[bytes, ...]) -> None:
        connection.frames.extend(frames)
        connection.flush()

    def send_before_hold(self, connection: Connection, data: bytes) -> None:
        connection.insert(data)
        connection.flush()

    # The reader

    async def of_match(self, stream: str, after: int, limit: int) -> list[tuple[int, int, Event]]:
        self.reads += 1
        await self.gate.wait()
        own = [
            (position, event)
            for position, event in enumerate(self.story.events, 1)
            if event.stream == stream
        ]
        numbered = [(version, *one) for version, one in enumerate(own, 1)]
        return numbered[after : after + limit]

    # What happens

    def move(self, number: int) -> None:
        socket = next(iter(self.story.world.rooms.rooms[ROOM].seats[0].sockets))
        self.do(Move(1, socket, ROOM, {"n": number}))

    def do(self, command: Any) -> None:
        before = len(self.story.events)
        self.story.do(command)
        for position, event in enumerate(self.story.events[before:], before + 1):
            self.history.observe(event, position)

    def come(self, user: int, tab: str, role: Any) -> Wire:
        socket = self.story.open(user, tab)
        wire = self.wires[socket] = Wire()
        limits = SlowLimits()
        self.connections[socket] = Connection(socket, user, V1, transport=wire, limits=limits)
        self.connections[socket].spend = self.spent.append
        self.do(JoinRoom(user, socket, ROOM, role, None, None))
        return wire

    def say(self, wire: Wire, text: bytes) -> None:
        socket = next(one for one, other in self.wires.items() if other is wire)
        self.send_frames(self.connections[socket], (_frame(text),))

    async def settle(self) -> None:
        # There is nothing else to wait for.
        while running := [*self.history._tasks._tasks]:  # noqa: SLF001 - there is no public way
            await asyncio.wait(running)


def _frame(text: bytes) -> bytes:
    """Write a text frame, as a server does."""
    size = len(text)
    assert size < 126
    return bytes([0x81, size]) + text


def messages(wire: Wire) -> list[Any]:
    data, found = b"".join(wire.written), []
    while data:
        size, start = data[1], 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(data[2:10], "big"), 10
        found.append(msgspec.json.decode(data[start : start + size]))
        data = data[start + size :]
    return found


def moves(wire: Wire) -> list[int]:
    return [
        move["input"]["move"]["n"]
        for message in messages(wire)
        if message["type"] == "game:moves"
        for move in message["moves"]
    ]


@pytest.mark.parametrize(("user", "role"), [(3, "spectator"), (2, "player")])
async def test_a_late_joiner_gets_the_moves_so_far(user: int, role: str) -> None:
    service = Service()
    for number in range(5):
        service.move(number)
    wire = service.come(user, "late", role)
    await service.settle()
    (message,) = messages(wire)
    assert [move["seat"] for move in message["moves"]] == [0] * 5
    assert [move["tick"] for move in message["moves"]] == [0, 1, 2, 3, 4]
    assert (message["more"], message["next"]) == (False, None)
    assert moves(wire) == [0, 1, 2, 3, 4]


async def test_new_messages_wait_for_the_move_history() -> None:
    service = Service()
    service.move(0)
    service.gate.clear()
    wire = service.come(3, "late", "spectator")
    service.say(wire, b'{"type":"later"}')
    await asyncio.sleep(0)
    assert messages(wire) == []
    service.move(1)
    service.gate.set()
    await service.settle()
    assert [message["type"] for message in messages(wire)] == ["game:moves", "later"]
    assert moves(wire) == [0]


async def test_the_move_history_is_paged_up_to_a_bound() -> None:
    service = Service(bytes_max=9000)
    count = 5 * PAGE_MOVES
    for number in range(count):
        service.move(number)
    wire = service.come(3, "late", "spectator")
    await service.settle()
    pages = messages(wire)
    assert 1 < len(pages) < 5
    assert [page["more"] for page in pages] == [True] * (len(pages) - 1) + [False]
    assert sum(service.spent) == pytest.approx(sum(map(len, wire.written)) / 4096)
    while pages[-1]["next"] is not None:
        service.history.ask(next(iter(service.connections.values())), ROOM, pages[-1]["next"])
        await service.settle()
        pages = messages(wire)
    assert moves(wire) == list(range(count))


async def test_a_socket_has_one_history_request_at_a_time() -> None:
    service = Service()
    service.come(3, "late", "spectator")
    (connection,) = service.connections.values()
    with pytest.raises(RateLimited):
        service.history.ask(connection, ROOM, 0)
    await service.settle()
    service.history.ask(connection, ROOM, 0)
    await service.settle()


async def test_only_members_of_the_room_may_request_the_history() -> None:
    service = Service()
    socket = service.story.open(9)
    limits = SlowLimits()
    stranger = Connection(socket, 9, V1, transport=Wire(), limits=limits)
    refused: type[ClientError] = NotInRoom
    with pytest.raises(refused):
        service.history.ask(stranger, ROOM, 0)


async def test_a_room_without_a_live_match_has_no_move_history() -> None:
    service = Service()
    service.come(3, "late", "spectator")
    await service.settle()
    service.story.world.matches.live.clear()
    with pytest.raises(MatchNotRunning):
        service.history.ask(next(iter(service.connections.values())), ROOM, 0)


async def test_the_move_history_respects_the_spectator_delay() -> None:
    service = Service(spectator_delay_s=DELAY_S)
    service.now += DELAY_S
    for number in range(3):
        service.move(number)
        service.shown = len(service.story.events) if number < 2 else service.shown
    wire = service.come(3, "late", "spectator")
    (connection,) = service.connections.values()
    await service.settle()
    assert moves(wire) == [0, 1]
    service.history.ask(connection, ROOM, 0)
    await service.settle()
    assert moves(wire) == [0, 1, 0, 1]


async def test_moves_from_before_a_restart_are_shown_after_the_spectator_delay() -> None:
    service = Service(spectator_delay_s=DELAY_S)
    service.move(0)
    service.begin()
    service.now += 2
    later: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        loop = asyncio.get_running_loop()
        patch.setattr(loop, "call_later", lambda *wanted: later.append(wanted))
        wire = service.come(3, "late", "spectator")
    service.move(1)
    await service.settle()
    assert moves(wire) == []
    ((wait_s, send, *arguments),) = later
    assert wait_s == DELAY_S - 2
    service.now += wait_s
    send(*arguments)
    await service.settle()
    assert moves(wire) == [0]
    other = service.come(4, "late", "spectator")
    await service.settle()
    assert moves(other) == [0]


async def test_the_spectator_delay_does_not_delay_players() -> None:
    service = Service(spectator_delay_s=DELAY_S)
    service.move(0)
    wire = service.come(2, "late", "player")
    await service.settle()
    assert moves(wire) == [0]


async def test_an_unreadable_log_releases_withheld_messages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = Service()

    async def broken(*_: object) -> list[Any]:
        await asyncio.sleep(0)
        raise OSError

    monkeypatch.setattr(service, "of_match", broken)
    wire = service.come(3, "late", "spectator")
    service.say(wire, b'{"type":"later"}')
    await service.settle()
    assert [message["type"] for message in messages(wire)] == ["later"]


def test_a_socket_with_too_many_withheld_messages_is_closed() -> None:
    wire = Wire()
    limits = SlowLimits(bytes_max=100)
    connection = Connection("n1.1.1", 7, V1, transport=wire, limits=limits)
    connection.begin_hold()
    connection.frames.append(b"x" * 101)
    connection.flush()
    assert (connection.aborted, connection.frames) == (True, [])


def test_two_withheld_histories_arrive_in_order() -> None:
    wire = Wire()
    connection = Connection("n1.1.1", 7, V1, transport=wire, limits=SlowLimits())
    for text in (b"1", b"3", b"5"):
        connection.frames.append(text)
        if text != b"5":
            connection.begin_hold()
    connection.flush()
    connection.insert(b"2")
    connection.flush()
    connection.end_hold()
    connection.flush()
    connection.insert(b"4")
    connection.end_hold()
    connection.flush()
    assert b"".join(wire.written) == b"12345"
