"""Rate limits of a session: each message is charged, and a flooding client is closed."""

from __future__ import annotations

from typing import Any

import pytest

from service.edge.close_codes import CloseCode
from service.edge.dialect import V1
from service.edge.session.actions import Close
from service.edge.session.costs import LOGGED_OVERHEAD_BYTES
from service.edge.session.errors import MessageRefused
from service.edge.session.rate_limit import UserBudget
from service.edge.session.session import Session
from service.settings.sections.connections import Rate, SessionLimits, UserLimits
from tests.limits import session_limits, user_limits

PING = '{"type":"ping"}'
CLOSE = Close(CloseCode.RATE_LIMITED, "Rate limited")
PLENTY = Rate(1, 10_000)


def session(
    messages: Rate = PLENTY, limits: UserLimits | None = None, budget: UserBudget | None = None
) -> Session:
    return Session(
        7,
        "n1.1.1",
        V1,
        limits=session_limits(messages),
        budget=budget or UserBudget(limits or user_limits(messages=PLENTY), 0),
        new_token=lambda: "token",
        now=0,
    )


def limited(one: Session, text: str | None, now: float = 0) -> tuple[str, str | None, Any]:
    """Return the parts of a rate limit refusal: message, id, and delay."""
    with pytest.raises(MessageRefused) as caught:
        one.receive(text, now)
    error: Any = caught.value.error
    assert error.code == "RATE_LIMITED"
    return error.message, caught.value.id, error.retry_after_ms


def taken(one: Session, text: str, count: int, now: float = 0) -> None:
    for _ in range(count):
        one.receive(text, now)


# Messages


def test_a_rate_limited_message_has_retry_after() -> None:
    one = session(Rate(4, 2))
    taken(one, PING, 2)
    _, id_, wait_ms = limited(one, '{"type":"ping","id":"p"}')
    assert (id_, wait_ms) == ("p", 250)
    taken(one, PING, 1, now=0.25)


def test_retry_after_is_the_longer_of_both_waits() -> None:
    one = session(Rate(4, 1), user_limits(messages=Rate(2, 1)))
    taken(one, PING, 1)
    assert limited(one, PING)[2] == 500
    one = session(Rate(2, 1), user_limits(messages=Rate(4, 1)))
    taken(one, PING, 1)
    assert limited(one, PING)[2] == 500


def test_a_rate_limited_binary_frame_has_no_id() -> None:
    one = session(Rate(1, 1))
    taken(one, PING, 1)
    assert limited(one, None)[1] is None


def test_sockets_of_a_user_spend_one_budget() -> None:
    budget = UserBudget(user_limits(messages=Rate(1, 3)), 0)
    one, other = session(budget=budget), session(budget=budget)
    taken(one, PING, 2)
    taken(other, PING, 1)
    limited(one, PING)


@pytest.mark.parametrize(
    ("length", "units"), [(4_095, 1), (4_096, 2), (8_191, 2), (8_192, 3), (40_960, 8)]
)
def test_a_message_costs_one_more_unit_per_4_kb_up_to_the_burst(length: int, units: int) -> None:
    """Also one that is wrong: it has to be read first."""
    text = '{"type":"nothing","x":"%s"}'
    text %= "x" * (length - len(text) + 2)
    assert len(text) == length
    one = session(Rate(1, 8))
    with pytest.raises(MessageRefused) as caught:
        one.receive(text, 0)
    assert caught.value.error.code == "UNKNOWN_TYPE"
    taken(one, PING, 8 - units)
    limited(one, PING)


def test_a_refused_message_is_charged_by_its_length() -> None:
    one = session(Rate(1, 4))
    taken(one, PING, 1)
    long = '{"type":"nothing","x":"%s"}' % ("x" * 40_000)
    assert limited(one, long)[2] == 1_000
    assert one.receive(long, 0).action == CLOSE


# Closing


def test_a_burst_of_refused_messages_closes_the_socket() -> None:
    one = session(Rate(1, 3))
    taken(one, PING, 3)
    for _ in range(3):
        limited(one, PING)
    request = one.receive('{"type":"ping","id":"p"}', 0)
    assert (request.action, request.id) == (CLOSE, None)


def test_refusals_are_reset_when_the_bucket_is_more_than_half_full() -> None:
    one = session(Rate(1, 4))
    taken(one, PING, 4)
    for _ in range(4):
        limited(one, PING)
    taken(one, PING, 1, now=4)  # With what is left then, 3 of 4.
    taken(one, PING, 3, now=4)
    for _ in range(4):
        limited(one, PING, now=4)
    assert one.receive(PING, 4).action == CLOSE


def test_refusals_are_kept_while_the_bucket_is_at_most_half_full() -> None:
    one = session(Rate(1, 4))
    taken(one, PING, 4)
    for _ in range(4):
        limited(one, PING)
    taken(one, PING, 3, now=3)
    assert one.receive(PING, 3).action == CLOSE


def test_refusals_of_one_exhausted_budget_close_the_socket() -> None:
    signal = '{"type":"signal","to":8,"data":1,"id":"s"}'
    rate = Rate(0.001, len(signal))
    one = session(Rate(1, 4), user_limits(messages=PLENTY, signal_bytes=rate))
    taken(one, signal, 1)
    taken(one, PING, 3)
    for now in range(1, 5):
        assert limited(one, signal, now)[1] == "s"
    request = one.receive(signal, 5)
    assert (request.action, request.id) == (CLOSE, None)


# Control frames


def test_control_frames_count_and_too_many_close_the_connection() -> None:
    one = session(Rate(1, 2))
    assert [one.count(0) for _ in range(5)] == [True, True, False, False, CLOSE]


def test_control_frames_count_for_all_sockets_of_a_user() -> None:
    one = session(limits=user_limits(messages=Rate(1, 2)))
    assert [one.count(0) for _ in range(3)] == [True, True, False]


def test_the_control_frame_budget_refills_over_time() -> None:
    one = session(Rate(1, 2))
    assert [one.count(at) for at in (0, 0, 0, 1)] == [True, True, False, True]


# What turns out later


def test_the_actual_cost_of_a_message_is_charged_to_its_socket() -> None:
    one = session(Rate(1, 10))
    one.spend(12)
    assert limited(one, PING)[2] == 3_000


def test_the_actual_cost_of_a_message_is_charged_to_its_user() -> None:
    budget = UserBudget(user_limits(messages=Rate(1, 10)), 0)
    session(budget=budget).spend(12)
    assert limited(session(budget=budget), PING)[2] == 3_000


# Costs of each kind


def test_a_message_that_costs_more_is_charged_to_socket_and_user() -> None:
    """A list costs ten."""
    said = "Too many messages of this kind at once; slow down."
    text = '{"type":"room:list","id":"l"}'
    one = session(Rate(1, 15))
    taken(one, text, 1)
    assert limited(one, text) == (said, "l", 5_000)
    one = session(limits=user_limits(messages=Rate(1, 15)))
    taken(one, text, 1)
    assert limited(one, text) == (said, "l", 5_000)


def test_a_message_that_costs_two_is_charged_for_both() -> None:
    one = session(Rate(1, 3))
    taken(one, '{"type":"invite","to":8}', 1)
    assert limited(one, '{"type":"invite","to":8}')[2] == 1_000


def test_a_cost_above_the_burst_takes_the_whole_bucket() -> None:
    budget = UserBudget(user_limits(messages=PLENTY, signal_bytes=Rate(10, 40)), 0)
    one = session(budget=budget)
    signal = '{"type":"signal","to":8,"data":"%s"}' % ("x" * 100)
    taken(one, signal, 1)
    said, _, wait_ms = limited(one, signal)
    assert (said, wait_ms) == ("You send too many bytes to others; slow down.", 4_000)


def test_room_creation_is_rate_limited() -> None:
    one = session(limits=user_limits(messages=PLENTY, rooms=Rate(1, 2)))
    taken(one, '{"type":"room:create"}', 1)
    taken(one, '{"type":"matchmaking:join"}', 1)
    said, _, wait_ms = limited(one, '{"type":"invite:accepted","from":8}')
    assert (said, wait_ms) == ("You create rooms too fast; wait a little.", 1_000)


def test_invites_are_rate_limited() -> None:
    one = session(limits=user_limits(messages=PLENTY, invites=Rate(1, 2)))
    taken(one, '{"type":"invite","to":8}', 1)
    taken(one, '{"type":"invite:send","to":8}', 1)
    said, _, wait_ms = limited(one, '{"type":"invite","to":8}')
    assert (said, wait_ms) == ("You invite too fast; wait a little.", 1_000)


def test_logged_data_is_charged_by_its_bytes_and_row_overhead() -> None:
    text = '{"type":"room:leave","roomId":"é"}'
    bytes_each = len(text.encode()) + LOGGED_OVERHEAD_BYTES
    text = text.replace("é", "ab")
    assert len(text) + LOGGED_OVERHEAD_BYTES == bytes_each
    one = session(limits=user_limits(messages=PLENTY, logged_bytes=Rate(1, 2 * bytes_each)))
    taken(one, text, 2)
    said, _, wait_ms = limited(one, text)
    assert said == "Your commands add too many bytes to the log; slow down."
    assert wait_ms == bytes_each * 1_000


def test_non_ascii_text_is_charged_by_its_bytes() -> None:
    text = '{"type":"chat:send","to":8,"text":"%s"}' % ("é" * 100)
    bytes_each = len(text) + 100 + LOGGED_OVERHEAD_BYTES
    one = session(limits=user_limits(messages=PLENTY, logged_bytes=Rate(1, 2 * bytes_each)))
    taken(one, text, 2)
    limited(one, text)
    one = session(limits=user_limits(messages=PLENTY, logged_bytes=Rate(1, 2 * bytes_each - 1)))
    taken(one, text, 1)
    limited(one, text)


def test_signals_are_rate_limited_in_bytes() -> None:
    text = '{"type":"signal","to":8,"data":1}'
    one = session(limits=user_limits(messages=PLENTY, signal_bytes=Rate(1, 2 * len(text))))
    taken(one, text, 2)
    said, _, wait_ms = limited(one, text)
    assert (said, wait_ms) == (
        "You send too many bytes to others; slow down.",
        len(text) * 1_000,
    )


def test_chat_is_rate_limited() -> None:
    text = '{"type":"chat:send","to":8,"text":"x"}'
    one = session(limits=user_limits(messages=PLENTY, chat=Rate(1, 2)))
    taken(one, text, 2)
    said, _, wait_ms = limited(one, text)
    assert (said, wait_ms) == ("You send chat messages too fast; wait a little.", 1_000)
    taken(one, text, 1, now=1)


def test_the_default_limits_of_a_session() -> None:
    assert SessionLimits() == SessionLimits(
        message_bytes_max=65_536,
        messages_per_s=120,
        messages_burst=240,
        chat_length_max=500,
        friends_max=1_000,
        move_bytes_max=4_096,
        signal_bytes_max=16_384,
        room_bytes_max=4_096,
    )
