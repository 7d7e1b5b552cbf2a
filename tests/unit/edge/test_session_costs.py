"""Each message is charged to its user, and limited in bytes where it is stored."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from service.edge.dialect import CLASSIC, SOCKET_IO, V1, Dialect
from service.edge.session.actions import Close, Execute
from service.edge.session.costs import COSTS, LOGGED_OVERHEAD_BYTES
from service.edge.session.errors import MessageRefused
from service.edge.session.rate_limit import UserBudget
from service.edge.session.session import Session
from service.protocol import FromClassicClient, FromV1Client
from service.settings.sections.connections import Rate, SessionLimits, UserLimits
from tests.limits import session_limits, user_limits

PLENTY = session_limits(Rate(1000, 100_000))
RICH = user_limits(messages=Rate(1000, 100_000))


def session(
    budget: UserBudget, dialect: Dialect = V1, limits: SessionLimits = PLENTY, number: int = 1
) -> Session:
    return Session(
        7,
        f"n1.1.{number}",
        dialect,
        limits=limits,
        budget=budget,
        new_token=lambda: "token",
        now=0,
    )


def code_of(one: Session, now: float = 0, **message: Any) -> str | None:
    """Return the code of the refusal, or None."""
    try:
        one.receive(json.dumps(message), now)
    except MessageRefused as refused:
        return refused.error.code
    return None


def test_every_client_message_has_a_cost() -> None:
    assert {*get_args(FromClassicClient), *get_args(FromV1Client)} == COSTS.keys()


UNITS = {
    1: "ping invite:declined matchmaking:leave room:leave room:ready room:kick room:lock "
    "room:subscribe room:unsubscribe lobby:unwatch game:begin game:leave game:move signal "
    "chat:mute",
    2: "frames:set invite invite:send chat:send",
    3: "room:join game:join",
    5: "user:status lobby:join lobby:leave invite:accepted matchmaking:join room:create "
    "room:addBot matchmaking:acceptBot lobby:say",
    10: "resume auth:refresh user:list:request user:sync lobby:request friends:subscribe "
    "friends:status:request room:list lobby:watch game:history",
}
"""The messages by their cost in units, a unit being about the CPU time of a `ping`."""


def test_the_cost_of_a_message_is_what_its_answer_takes() -> None:
    found: dict[int, set[str]] = {}
    for message_type, cost in COSTS.items():
        tag = message_type.__struct_config__.tag
        found.setdefault(cost.units, set()).add(str(tag))
    assert found == {units: set(types.split()) for units, types in UNITS.items()}


@pytest.mark.parametrize(
    ("fields", "units"),
    [
        ({}, 3),
        ({"orCreate": True, "game": "relay"}, 5),
        ({"password": "sesame"}, 10),
    ],
)
def test_a_join_that_may_create_or_that_hashes_costs_more(
    fields: dict[str, Any], units: int
) -> None:
    message = {"type": "room:join", "roomId": "r", **fields}
    for capacity, code in ((units, None), (units - 1, "RATE_LIMITED")):
        budget = UserBudget(user_limits(messages=Rate(0.001, capacity)), 0)
        assert code_of(session(budget), **message) == code


def test_tabs_of_a_user_share_one_budget() -> None:
    budget = UserBudget(user_limits(messages=Rate(1, 10)), 0)
    tabs = [session(budget, number=number) for number in range(1, 5)]
    codes = [code_of(tab, type="ping") for _ in range(5) for tab in tabs]
    assert codes == [None] * 10 + ["RATE_LIMITED"] * 10


def test_several_honest_tabs_fit_into_the_default_budget() -> None:
    budget = UserBudget(UserLimits(), 0)
    tabs = [session(budget, CLASSIC, SessionLimits(), number) for number in range(1, 5)]
    for step in range(600):
        for tab in tabs:
            assert code_of(tab, step / 120, type="lobby:leave" if step == 0 else "nothing") in {
                None,
                "UNKNOWN_TYPE",
            }


def test_a_held_key_at_120_a_second_is_never_limited() -> None:
    one = session(UserBudget(UserLimits(), 0), CLASSIC, SessionLimits())
    move = {"type": "game:move", "roomId": "r", "direction": "w", "action": "down"}
    assert {code_of(one, step / 120, **move) for step in range(1200)} == {None}


@pytest.mark.parametrize("dialect", [V1, CLASSIC, SOCKET_IO])
def test_a_list_costs_ten_messages(dialect: Dialect) -> None:
    budget = UserBudget(user_limits(messages=Rate(1, 25)), 0)
    one = session(budget, dialect)
    codes = (
        [code_of(one, type="lobby:request") for _ in range(3)]
        if dialect is not V1
        else [code_of(one, type="user:sync") for _ in range(3)]
    )
    assert codes == [None, None, "RATE_LIMITED"]


def test_a_refusal_has_retry_after() -> None:
    one = session(UserBudget(user_limits(messages=Rate(2, 1)), 0))
    one.receive('{"type":"ping"}', 0)
    with pytest.raises(MessageRefused) as refused:
        one.receive('{"type":"ping"}', 0)
    assert refused.value.error.retry_after_ms == 500


def test_a_socket_that_keeps_exceeding_the_user_limit_is_closed() -> None:
    budget = UserBudget(user_limits(messages=Rate(0.001, 1)), 0)
    one = session(budget, limits=session_limits(Rate(1000, 5)))
    answers: list[Any] = []
    for _ in range(20):
        try:
            answers.append(one.receive('{"type":"ping"}', 0).action)
        except MessageRefused as refused:
            answers.append(refused.error.code)
    assert answers[1] == "RATE_LIMITED"
    assert any(isinstance(answer, Close) for answer in answers)


@pytest.mark.parametrize(
    ("type_", "field", "bytes_max"), [("game:move", "move", 4096), ("signal", "data", 16_384)]
)
def test_moves_and_signals_are_limited_to_the_byte(type_: str, field: str, bytes_max: int) -> None:
    one = session(UserBudget(RICH, 0))
    for char in ("x", "ü", "語"):
        message = {"type": type_, "roomId": "r", field: {"a": ""}}
        empty = len(json.dumps(message, ensure_ascii=False).encode())
        room = bytes_max - empty
        text = char * (room // len(char.encode()))
        text += "x" * (room - len(text.encode()))
        for more, code in (("", None), ("x", "TOO_LARGE")):
            message[field] = {"a": text + more}
            raw = json.dumps(message, ensure_ascii=False)
            try:
                one.receive(raw, 0)
                found = None
            except MessageRefused as refused:
                found = refused.error.code
            assert found == code


@pytest.mark.parametrize("field", ["options", "metadata"])
@pytest.mark.parametrize("type_", ["room:create", "room:join"])
def test_room_options_and_metadata_are_limited_in_each_command(type_: str, field: str) -> None:
    one = session(UserBudget(RICH, 0))
    message: dict[str, Any] = {"type": type_, "game": "relay", "roomId": "r", "orCreate": True}
    if type_ == "room:create":
        del message["orCreate"]
    for size, code in ((4096, None), (4097, "BAD_MESSAGE")):
        message[field] = {"a": "x" * (size - len('{"a":""}'))}
        assert code_of(one, **message) == code


LOGGED = [
    {"type": "game:move", "roomId": "r", "move": {"a": "x" * 700}},
    {"type": "chat:mute", "userId": "x" * 100},
    {"type": "room:lock", "roomId": "r"},
    {"type": "lobby:join"},
    {"type": "user:status", "status": "away"},
    {"type": "matchmaking:leave"},
]


@pytest.mark.parametrize("message", LOGGED, ids=lambda message: message["type"])
def test_logged_data_is_charged_to_the_byte_budget_of_the_user(message: dict[str, Any]) -> None:
    budget = UserBudget(user_limits(messages=Rate(1000, 100_000), logged_bytes=Rate(1, 20_000)), 0)
    tabs = [session(budget, number=number) for number in range(1, 11)]
    size = len(json.dumps(message)) + LOGGED_OVERHEAD_BYTES
    codes = [code_of(tabs[number % 10], **message) for number in range(100)]
    assert codes.count(None) == min(100, 20_000 // size)
    assert set(codes) <= {None, "RATE_LIMITED"}


@pytest.mark.parametrize(
    "message",
    [
        {"type": "room:create", "game": "relay"},
        {"type": "room:join", "roomId": "r", "game": "relay", "orCreate": True},
        {"type": "invite:accepted", "from": 8},
        {"type": "matchmaking:join"},
    ],
    ids=lambda message: message["type"],
)
def test_each_command_that_creates_a_room_is_rate_limited(
    message: dict[str, Any],
) -> None:
    limits = user_limits(messages=Rate(1000, 100_000), rooms=Rate(0.1, 3))
    budget = UserBudget(limits, 0)
    tabs = [session(budget, number=number) for number in range(1, 6)]
    codes = [code_of(tab, **message) for tab in tabs]
    assert codes == [None] * 3 + ["RATE_LIMITED"] * 2


@pytest.mark.parametrize("type_", ["invite", "invite:send"])
def test_both_invite_messages_are_rate_limited(type_: str) -> None:
    limits = user_limits(messages=Rate(1000, 100_000), invites=Rate(0.1, 3))
    one = session(UserBudget(limits, 0), CLASSIC)
    codes = [code_of(one, type=type_, to=number) for number in range(10, 15)]
    assert codes == [None] * 3 + ["RATE_LIMITED"] * 2


def test_signals_are_charged_to_the_byte_budget_of_their_sender() -> None:
    limits = user_limits(messages=Rate(1000, 100_000), signal_bytes=Rate(1, 10_000))
    budget = UserBudget(limits, 0)
    tabs = [session(budget, number=number) for number in range(1, 5)]
    codes = [code_of(tab, type="signal", roomId="r", data="x" * 2900) for tab in tabs]
    assert codes == [None] * 3 + ["RATE_LIMITED"]


def test_tabs_share_one_chat_budget() -> None:
    limits = user_limits(messages=Rate(1000, 100_000), chat=Rate(0.1, 2))
    budget = UserBudget(limits, 0)
    tabs = [session(budget, number=number) for number in range(1, 4)]
    codes = [code_of(tab, type="chat:send", roomId="r", text="hi") for tab in tabs]
    assert codes == [None, None, "RATE_LIMITED"]


def test_control_frames_count_as_messages_and_too_many_close_the_socket() -> None:
    budget = UserBudget(RICH, 0)
    one = session(budget, limits=session_limits(Rate(1, 5)))
    verdicts = [one.count(0) for _ in range(20)]
    assert verdicts[:5] == [True] * 5
    assert verdicts[5] is False
    assert isinstance(verdicts[-1], Close)


def test_the_password_is_kept_outside_its_command() -> None:
    one = session(UserBudget(RICH, 0))
    for type_ in ("room:create", "room:join"):
        text = json.dumps({"type": type_, "game": "relay", "roomId": "r", "password": "sesame"})
        action = one.receive(text, 0).action
        assert isinstance(action, Execute)
        assert action.password == "sesame"
        assert "sesame" not in repr(action.command)


def test_a_list_is_charged_to_the_user_not_to_the_socket() -> None:
    budget = UserBudget(user_limits(messages=Rate(1, 10)), 0)
    one, other = session(budget, limits=session_limits(Rate(1, 8))), session(budget)
    one.spend_list(5)
    assert [code_of(one, type="ping") for _ in range(5)] == [None] * 5
    assert code_of(other, type="ping") == "RATE_LIMITED"
    one.spend_list(-5)
    assert [code_of(one, type="ping") for _ in range(3)] == [None] * 3
