"""When commands may be sent, with an injected clock."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from service.client.clock import Clock, Stopwatch
from service.client.commands import (
    IN_FLIGHT_MAX,
    LATE_MAX,
    NEWER_COMMANDS_MAX,
    Commands,
    PendingCommand,
)
from service.client.errors import NoAnswer
from service.client.rate_limit import RateLimiter

LIMITS = {"messagesPerS": 100, "messagesBurst": 40}


class FakeClock(Clock):
    def __init__(self) -> None:
        self.wall_s = self.steady_s = 1000.0

    def wall(self) -> float:
        return self.wall_s

    def steady(self) -> float:
        return self.steady_s

    def pass_(self, seconds: float) -> None:
        self.wall_s += seconds
        self.steady_s += seconds


class Sending:
    """Commands on an unlimited line, unless limits are given."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.pace = RateLimiter(self.clock)
        self.commands = Commands(self.clock, self.pace)
        self.commands.connected([])
        self.count = 0

    def give(self, type_: str, timeout_s: float = 30, **fields: Any) -> PendingCommand:
        self.count += 1
        command = {"type": type_, "id": str(self.count), **fields}
        return self.commands.add(command, f"{type_} {self.count}", timeout_s)

    def send_all(self) -> list[str]:
        """Send what may be sent now, and return the ids."""
        sent = []
        while isinstance(following := self.commands.next(), PendingCommand):
            sent.append(following.id)
        return sent

    def answer(self, pending: PendingCommand) -> None:
        pending.answer.set_result({"type": "ack"})
        self.commands.drop(pending)

    def reconnect(self) -> None:
        self.commands.disconnected()
        self.commands.connected([])


@pytest.fixture
async def sending() -> Sending:
    return Sending()


async def test_a_stopwatch_uses_the_clock_that_advanced_more() -> None:
    clock = FakeClock()
    watch = Stopwatch(clock)
    clock.wall_s += 320
    assert watch.elapsed_s == 320
    clock.wall_s -= 3600
    clock.steady_s += 5
    assert watch.elapsed_s == 5


async def test_commands_given_offline_are_sent_in_order_after_connecting(
    sending: Sending,
) -> None:
    sending.commands.disconnected()
    given = [sending.give("game:move", roomId="r1").id for _ in range(5)]
    assert sending.send_all() == []
    sending.commands.connected([])
    assert sending.send_all() == given


async def test_an_unanswered_command_is_resent_on_the_next_connection(sending: Sending) -> None:
    answered, other = sending.give("ping"), sending.give("ping")
    sending.send_all()
    sending.answer(answered)
    assert sending.send_all() == []
    sending.reconnect()
    assert sending.send_all() == [other.id]


@pytest.mark.parametrize(("wall_s", "steady_s"), [(320, 0), (0, 31), (30, 0)])
async def test_a_command_too_old_by_either_clock_is_not_resent(
    sending: Sending, wall_s: float, steady_s: float
) -> None:
    pending = sending.give("chat:send", to=8)
    sending.send_all()
    sending.clock.wall_s += wall_s
    sending.clock.steady_s += steady_s
    sending.reconnect()
    assert sending.send_all() == []
    assert isinstance(pending.answer.exception(), NoAnswer)


async def test_a_clock_step_back_does_not_prevent_a_resend(
    sending: Sending,
) -> None:
    pending = sending.give("chat:send", to=8)
    sending.send_all()
    sending.clock.wall_s -= 3600
    sending.reconnect()
    assert sending.send_all() == [pending.id]


async def test_a_command_followed_by_many_newer_ones_is_not_resent(sending: Sending) -> None:
    old = sending.give("lobby:join", timeout_s=240)
    sending.send_all()
    for _ in range(NEWER_COMMANDS_MAX + 1):
        newer = sending.give("ping")
        sending.send_all()
        sending.answer(newer)
    last = sending.give("ping")
    sending.reconnect()
    assert sending.send_all() == [last.id]
    assert isinstance(old.answer.exception(), NoAnswer)


async def test_commands_are_sent_below_the_rate_limit(sending: Sending) -> None:
    sending.pace.limit(LIMITS)
    given = [sending.give("game:move", roomId="r1").id for _ in range(60)]
    sent = sending.send_all()
    assert len(sent) == 20
    wait_s = sending.commands.next()
    assert isinstance(wait_s, float)
    sending.clock.pass_(wait_s)
    sent += sending.send_all()
    assert len(sent) == 21
    sending.clock.pass_(1)
    sent += sending.send_all()
    assert sent == given[: len(sent)]
    assert len(sent) <= 20 + 1 + 100


async def test_commands_in_flight_are_bounded(sending: Sending) -> None:
    given = [sending.give("ping") for _ in range(IN_FLIGHT_MAX + 10)]
    assert len(sending.send_all()) == IN_FLIGHT_MAX
    sending.answer(given[0])
    assert sending.send_all() == [given[IN_FLIGHT_MAX].id]


async def test_commands_for_a_room_wait_for_a_retryable_one(
    sending: Sending,
) -> None:
    first = sending.give("chat:send", roomId="r1")
    second = sending.give("chat:send", roomId="r1")
    leaving = sending.give("room:leave", roomId="r1")
    elsewhere = sending.give("chat:send", roomId="r2")
    assert sending.send_all() == [first.id, elsewhere.id]
    sending.commands.pause(first, 1)
    assert sending.send_all() == []
    sending.clock.pass_(1)
    assert sending.send_all() == [first.id]
    sending.answer(first)
    assert sending.send_all() == [second.id]
    sending.answer(second)
    assert sending.send_all() == [leaving.id]


async def test_rooms_are_rejoined_before_other_commands(sending: Sending) -> None:
    sending.commands.disconnected()
    talking = sending.give("chat:send", roomId="r1")
    sending.commands.connected([({"type": "room:join", "id": "again", "roomId": "r1"}, "join")])
    assert sending.send_all() == ["again"]
    rejoin = sending.commands.find_rejoin("again")
    assert rejoin is not None
    sending.commands.rejoined(rejoin)
    assert sending.send_all() == [talking.id]


async def test_a_rate_limited_rejoin_is_retried_regardless_of_newer_commands(
    sending: Sending,
) -> None:
    sending.commands.disconnected()
    sending.commands.connected([({"type": "room:join", "id": "again", "roomId": "r1"}, "join")])
    assert sending.send_all() == ["again"]
    for _ in range(NEWER_COMMANDS_MAX + 1):
        newer = sending.give("ping")
        sending.send_all()
        sending.answer(newer)
    rejoin = sending.commands.find_rejoin("again")
    sending.commands.pause(rejoin, 1)
    sending.clock.pass_(1)
    assert sending.send_all() == ["again"]


async def test_a_late_answer_is_matched_to_its_command(sending: Sending) -> None:
    pending = sending.give("room:join", roomId="r1")
    sending.send_all()
    sending.commands.drop(pending)
    assert sending.commands.find(pending.id) is None
    assert sending.commands.take_late(pending.id) == pending.command
    assert sending.commands.take_late(pending.id) is None


async def test_timed_out_commands_are_remembered_within_a_bound(sending: Sending) -> None:
    given = [sending.give("ping") for _ in range(LATE_MAX + 1)]
    for pending in given:
        sending.commands.drop(pending)
    assert sending.commands.take_late(given[0].id) is None
    assert sending.commands.take_late(given[1].id) is not None


async def test_only_an_oversized_command_fails(sending: Sending) -> None:
    long, short = sending.give("x" * 100), sending.give("ping")
    sending.commands.fail_too_long(50)
    assert isinstance(long.answer.exception(), ValueError)
    assert sending.send_all() == [short.id]


async def test_long_commands_are_paced_and_never_blocked(
    sending: Sending,
) -> None:
    sending.pace.limit(LIMITS)
    for _ in range(3):
        sending.commands.add({"type": "game:move", "id": str(_)}, "x" * 4096, 30)
    assert len(sending.send_all()) == 2
    sending.commands.add({"type": "game:move", "id": "long"}, "x" * 60_000, 30)
    sending.clock.pass_(1)
    assert sending.send_all() == ["2"]
    sending.clock.pass_(1)
    assert sending.send_all() == ["long"]


async def test_after_rate_limited_commands_of_a_room_are_sent_one_by_one(
    sending: Sending,
) -> None:
    given = [sending.give("game:move", roomId="r1") for _ in range(4)]
    sending.send_all()
    for pending in given[1:]:
        sending.commands.pause(pending, 1)
    sending.clock.pass_(1)
    assert sending.send_all() == []
    for before, after in itertools.pairwise(given):
        sending.answer(before)
        assert sending.send_all() == [after.id]
