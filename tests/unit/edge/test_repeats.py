"""Whoever repeats a command by a new socket is in the room that the answer names."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from service.domain.commands.base import Command
from service.domain.commands.hosting import CreateRoom, JoinRoom, RoomPlan
from service.domain.commands.seats import LeaveRoom, SetReady, TakeSeat
from service.edge.repeats import missed_seat, with_seat
from service.errors import Unavailable
from service.eventstore.records import Origin
from service.runtime.idempotency import CommandResult
from service.runtime.pending import Executed
from tests.unit.domain.story import ROOM, Story

ANA, BEN = 1, 2

ORIGIN = Origin("repeats", ANA)


class Seats:
    """Ana has lost the socket by which she took a seat, and has another one."""

    def __init__(self) -> None:
        self.story = Story()
        former = self.story.open(ANA)
        self.plan = RoomPlan(game="connect_four")
        self.story.do(CreateRoom(ANA, former, ROOM, self.plan))
        self.story.close(ANA, former)
        self.socket = self.story.open(ANA, "b")
        self.world = self.story.world
        self.dispatched: list[tuple[Command, Any]] = []

    @property
    def create(self) -> CreateRoom:
        return CreateRoom(ANA, self.socket, ROOM, self.plan)

    @property
    def connection(self) -> Any:
        return SimpleNamespace(user=ANA, socket=self.socket)

    def missed(self, command: Command, room: str | None = ROOM) -> TakeSeat | None:
        """Return what follows when a command was carried out before."""
        result = Executed((), CommandResult(3, room))
        return missed_seat(command, result, self.connection, self.world)

    def dispatch(self, command: Command, origin: Origin, done: Any) -> None:
        assert origin == ORIGIN
        self.dispatched.append((command, done))

    def told(self, command: Command, result: Executed | Exception) -> list[Any]:
        """Return the list of what the client is told of a command."""
        told: list[Any] = []
        engine = cast(Any, self)
        with_seat(command, told.append, self.connection, engine, lambda: ORIGIN)(result)
        return told


@pytest.fixture
def seats() -> Seats:
    return Seats()


def test_a_repeated_command_lets_the_new_socket_join_the_seat(seats: Seats) -> None:
    expected = TakeSeat(ANA, seats.socket, ROOM)
    assert seats.missed(seats.create) == expected
    assert seats.missed(JoinRoom(ANA, seats.socket, ROOM, "player", None, None)) == expected
    assert seats.missed(TakeSeat(ANA, seats.socket, ROOM)) == expected
    seats.story.do(expected)
    assert seats.missed(seats.create) is None


def test_a_command_that_was_carried_out_now_lets_no_socket_join(seats: Seats) -> None:
    event = seats.story.events[-1]
    for result in (
        Executed([event], CommandResult(3, ROOM)),
        Executed((), CommandResult(3, ROOM), is_elsewhere=True),
    ):
        assert missed_seat(seats.create, result, seats.connection, seats.world) is None


def test_whoever_has_left_meanwhile_stays_outside(seats: Seats) -> None:
    other = seats.story.open(BEN)
    seats.story.do(JoinRoom(BEN, other, ROOM, "player", None, None))
    seats.story.do(LeaveRoom(ANA, ROOM))
    assert seats.missed(seats.create) is None
    assert seats.missed(seats.create, room=None) is None
    assert seats.missed(seats.create, room="closed") is None


def test_other_commands_let_no_socket_join(seats: Seats) -> None:
    assert seats.missed(SetReady(ANA, ROOM, ready=True)) is None


def test_the_client_is_told_the_first_result_once_the_socket_has_joined(seats: Seats) -> None:
    first = Executed((), CommandResult(3, ROOM))
    told = seats.told(seats.create, first)
    ((command, done),) = seats.dispatched
    assert (told, command) == ([], TakeSeat(ANA, seats.socket, ROOM))
    done(Executed([seats.story.events[-1]], CommandResult(9, ROOM)))
    assert told == [first]


def test_the_client_is_told_to_try_again_when_the_socket_can_not_join_for_now(
    seats: Seats, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Executed((), CommandResult(3, ROOM))
    told = seats.told(seats.create, first)
    outage = Unavailable()
    seats.dispatched[0][1](outage)
    assert told == [outage]

    def stopping(*_: object) -> None:
        raise outage

    monkeypatch.setattr(seats, "dispatch", stopping)
    assert seats.told(seats.create, first) == [outage]


def test_a_refusal_is_told_as_it_is(seats: Seats) -> None:
    refused = Unavailable()
    assert seats.told(seats.create, refused) == [refused]
    assert seats.dispatched == []
