"""The sans-I/O session: from a frame to an action."""

from typing import Any

import pytest

from service.domain.commands.moves import Move
from service.edge.dialect import CLASSIC, SOCKET_IO, V1, Dialect
from service.edge.session.actions import Close, Execute, RelaySignal, Reply, ShowRooms
from service.edge.session.costs import LIST
from service.edge.session.errors import MessageRefused, RateLimited
from service.edge.session.rate_limit import UserBudget
from service.edge.session.session import Session
from service.protocol import v1
from service.settings.sections.connections import Rate, SessionLimits
from tests.limits import session_limits, user_limits

LIMITS = session_limits(Rate(1, 20))
USER_LIMITS = user_limits(chat=Rate(1, 2))


def session(
    dialect: Dialect = V1,
    limits: SessionLimits = LIMITS,
    budget: UserBudget | None = None,
) -> Session:
    return Session(
        7,
        "n1.1.1",
        dialect,
        limits=limits,
        budget=budget or UserBudget(USER_LIMITS, 0),
        new_token=lambda: "token",
        now=0,
    )


def refusal(text: str, one: Session | None = None) -> tuple[str, str | None]:
    with pytest.raises(MessageRefused) as caught:
        (one or session()).receive(text, 0)
    return caught.value.error.code, caught.value.id


def test_a_ping_is_answered_with_its_id() -> None:
    request = session().receive('{"type":"ping","id":"p"}', 0)
    assert request.action == Reply(v1.Pong("p"))
    assert request.id == "p"


def test_a_move_of_both_dialects_is_one_command() -> None:
    text = '{"type":"game:move","roomId":"r","direction":"w","action":"down"}'
    move = Move(7, "n1.1.1", "r", {"direction": "w", "action": "down"})
    for dialect in (CLASSIC, V1):
        action = session(dialect).receive(text, 0).action
        assert isinstance(action, Execute)
        assert action.command == move


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "BAD_JSON"),
        ("[]", "BAD_MESSAGE"),
        ("{}", "BAD_MESSAGE"),
        ('{"type":7}', "BAD_MESSAGE"),
        ('{"type":"nothing"}', "UNKNOWN_TYPE"),
        ('{"type":"signal","data":1}', "BAD_MESSAGE"),
        ('{"type":"signal","data":1,"to":8,"roomId":"r"}', "BAD_MESSAGE"),
        ('{"type":"chat:send","text":"","roomId":"r"}', "BAD_MESSAGE"),
        ('{"type":"chat:send","text":"x"}', "BAD_MESSAGE"),
        ('{"type":"invite","to":0}', "BAD_INVITE"),
        ('{"type":"invite","to":1.5}', "BAD_INVITE"),
        ('{"type":"room:join","roomId":"../x"}', "BAD_MESSAGE"),
        ('{"type":"game:move","roomId":"r"}', "BAD_MESSAGE"),
        ('{"type":"game:move","roomId":"r","move":null}', "BAD_MESSAGE"),
        ('{"type":"game:move","roomId":"r","direction":"w"}', "BAD_MESSAGE"),
        ('{"type":"game:move","roomId":"r","action":"up"}', "BAD_MESSAGE"),
        ('{"type":"resume","position":-1,"epoch":""}', "BAD_MESSAGE"),
        ('{"type":"room:create","metadata":' + '{"a":' * 50_000, "BAD_JSON"),
    ],
)
def test_each_invalid_message_is_refused_with_its_code(text: str, code: str) -> None:
    assert refusal(text) == (code, None)


def test_an_error_carries_the_id_when_it_is_readable() -> None:
    assert refusal('{"type":"room:join","id":"j","roomId":7}') == ("BAD_MESSAGE", "j")
    assert refusal('{"type":"nothing","id":"n"}') == ("UNKNOWN_TYPE", "n")
    assert refusal('{"type":"nothing","id":"n"}', session(CLASSIC)) == ("UNKNOWN_TYPE", None)
    long = "i" * 65
    assert refusal(f'{{"type":"ping","id":"{long}"}}') == ("BAD_MESSAGE", long)
    assert refusal(f'{{"type":"ping","id":"{long}","x":NaN}}') == ("BAD_JSON", long)
    assert refusal('{"type":"ping","id":""}') == ("BAD_MESSAGE", None)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (
            '{"type":"room:create","id":"i","gaem":"relay"}',
            "UNKNOWN_FIELD",
            "`gaem`; did you mean `game`?",
        ),
        ('{"type":"matchmaking:join","id":"i","rating":1500}', "UNKNOWN_FIELD", "has no `rating`."),
        ('{"type":"room:join","id":"i","roomid":"r"}', "UNKNOWN_FIELD", "did you mean `roomId`?"),
        ('{"id":"i","type":"invite","To":8}', "UNKNOWN_FIELD", "did you mean `to`?"),
        ('{"type":"ping","id":"i","%s":1}' % ("x" * 9000), "UNKNOWN_FIELD", "`xxx"),
        ('{"type":"room:join","id":"i","roomId":"."}', "BAD_MESSAGE", "roomId"),
        ('{"type":"room:join","id":"i","roomId":".."}', "BAD_MESSAGE", "roomId"),
        ('{"type":"room:create","id":"i","roomId":"r\\n"}', "BAD_MESSAGE", "roomId"),
        (
            '{"type":"room:create","id":"i","maxSpectators":9223372036854775807}',
            "BAD_MESSAGE",
            "max",
        ),
        ('{"type":"resume","id":"i","position":9007199254740992,"epoch":""}', "BAD_MESSAGE", "pos"),
    ],
)
def test_an_unknown_field_and_an_invalid_room_id_are_refused_with_the_id(
    text: str, code: str, words: str
) -> None:
    with pytest.raises(MessageRefused) as refused:
        session().receive(text, 0)
    assert (refused.value.error.code, refused.value.id) == (code, "i")
    assert words in refused.value.error.message
    assert len(refused.value.error.message) < 300


@pytest.mark.parametrize("room", ["...", "..a", "-", "~", "a.b"])
def test_a_room_id_may_contain_dots(room: str) -> None:
    session().receive(f'{{"type":"room:create","roomId":"{room}"}}', 0)


@pytest.mark.parametrize("dialect", [CLASSIC, SOCKET_IO])
def test_classic_clients_may_send_unknown_fields(dialect: Dialect) -> None:
    session(dialect).receive('{"type":"invite","to":8,"gaem":"pong"}', 0)


def test_a_client_above_the_rate_is_refused_and_then_closed() -> None:
    one = session()
    answers: list[Any] = []
    for _ in range(60):
        try:
            answers.append(one.receive('{"type":"ping"}', 0).action)
        except MessageRefused as refused:
            answers.append(refused.error)
    assert all(isinstance(answer, Reply) for answer in answers[:20])
    assert all(isinstance(answer, RateLimited) for answer in answers[20:40])
    assert isinstance(answers[40], Close)


def test_binary_frames_count_against_the_rate() -> None:
    one = session()
    for _ in range(20):
        with pytest.raises(MessageRefused) as caught:
            one.receive(None, 0)
        assert caught.value.error.code == "BINARY_FRAME"
    with pytest.raises(MessageRefused) as caught:
        one.receive(None, 0)
    assert caught.value.error.code == "RATE_LIMITED"


def test_the_rate_limit_refills_over_time() -> None:
    one = session()
    for _ in range(20):
        one.receive('{"type":"ping"}', 0)
    assert refusal('{"type":"ping"}', one)[0] == "RATE_LIMITED"
    assert isinstance(one.receive('{"type":"ping"}', 1).action, Reply)


def test_a_list_request_costs_several_messages() -> None:
    one = session()
    assert isinstance(one.receive('{"type":"room:list"}', 0).action, ShowRooms)
    assert isinstance(one.receive('{"type":"user:sync"}', 0).action, object)
    assert LIMITS.messages.burst == 2 * LIST.units
    assert refusal('{"type":"room:list","id":"l"}', one) == ("RATE_LIMITED", "l")


def test_a_chat_command_contains_only_the_digest_of_its_text() -> None:
    action = session().receive('{"type":"chat:send","roomId":"r","text":"hello"}', 0).action
    assert isinstance(action, Execute)
    assert [text.text for text in action.personal_data.texts.values()] == ["hello"]
    assert "hello" not in repr(action.command)


def test_signal_data_is_forwarded_verbatim() -> None:
    action = session().receive('{"type":"signal","to":"8","data":{"a": [1,  2]}}', 0).action
    assert isinstance(action, RelaySignal)
    assert (action.to, bytes(action.message.data)) == (8, b'{"a": [1,  2]}')
