"""Limits of values, wherever they enter the service."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from service.edge.api.problems import ApiError
from service.edge.api.reading import read_body
from service.edge.api.shapes import Announcement
from service.edge.dialect import CLASSIC, SOCKET_IO, V1, Dialect
from service.edge.session.errors import MessageRefused
from service.edge.session.guard import DEPTH_MAX, INT_MAX, INT_MIN, KEYS_MAX, BadValue, check_fields
from service.edge.session.rate_limit import UserBudget
from service.edge.session.session import Session
from service.protocol import FromV1Client
from service.settings.sections.connections import SessionLimits, UserLimits
from tools.examples import FROM_CLIENT


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


GOOD = [
    "{}",
    f'{{"x":{nested(DEPTH_MAX - 2)}}}',
    f'{{"x":{INT_MAX},"y":[{INT_MIN}]}}',
    '{"x":[1.5e308,-0.0,true,null]}',
    '{"x":"\\ud83d\\ude00 \\\\u0000"}',
    json.dumps({str(number): 0 for number in range(KEYS_MAX)}),
]
BAD = [
    f'{{"x":{nested(DEPTH_MAX - 1)}}}',
    f'{{"x":{nested(500)}}}',
    '{"a":' * DEPTH_MAX + "1" + "}" * DEPTH_MAX,
    f'{{"x":{INT_MAX + 1}}}',
    f'{{"x":[{{"y":{INT_MIN - 1}}}]}}',
    f'{{"x":{10**30}}}',
    '{"x":"\\u0000"}',
    '{"\\\\\\u0000":1}',
    json.dumps({str(number): 0 for number in range(KEYS_MAX + 1)}),
    json.dumps({"x": [{str(number): 0} for number in range(KEYS_MAX)]}),
]


def session(dialect: Dialect = V1) -> Session:
    return Session(
        7,
        "n1.1.1",
        dialect,
        limits=SessionLimits(move_bytes_max=65_536),
        budget=UserBudget(UserLimits(), 0),
        new_token=lambda: "t",
        now=0,
    )


def open_fields() -> list[tuple[str, str]]:
    """Find the fields of any shape: in these the decoder takes whatever is JSON."""
    found = []
    for message in get_args(FromV1Client):
        info = inspect.type_info(message)
        assert isinstance(info, inspect.StructType)
        for field in info.fields:
            parts = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
            shapes = (inspect.AnyType, inspect.RawType, inspect.DictType)
            if field.encode_name != "id" and any(isinstance(part, shapes) for part in parts):
                found.append((message.__struct_config__.tag, field.encode_name))
    return found


def message_with(type_: str, field: str, value: str) -> str:
    (kind,) = (one for one in get_args(FromV1Client) if one.__struct_config__.tag == type_)
    others = {name: one for name, one in FROM_CLIENT[kind].items() if name != field}
    return json.dumps({"type": type_, "id": "i", **others})[:-1] + f',"{field}":{value}}}'


def test_there_are_fields_of_any_shape() -> None:
    assert ("room:create", "metadata") in open_fields()
    assert ("signal", "data") in open_fields()


@pytest.mark.parametrize(("type_", "field"), open_fields())
@pytest.mark.parametrize("value", GOOD)
def test_a_storable_value_is_accepted(type_: str, field: str, value: str) -> None:
    try:
        session().receive(message_with(type_, field, value), 0)
    except MessageRefused as refused:
        assert "bytes" in refused.error.message  # noqa: PT017 - too long, but for its shape


@pytest.mark.parametrize(("type_", "field"), open_fields())
@pytest.mark.parametrize("value", BAD)
def test_an_unstorable_value_is_refused_with_the_id(type_: str, field: str, value: str) -> None:
    with pytest.raises(MessageRefused) as refused:
        session().receive(message_with(type_, field, value), 0)
    assert (refused.value.error.code, refused.value.id) == ("BAD_VALUE", "i")


@pytest.mark.parametrize("value", BAD)
def test_a_body_that_cannot_be_forwarded_is_refused(value: str) -> None:
    with pytest.raises(ApiError) as refused:
        read_body(Announcement, f'{{"to":"all","data":{value}}}'.encode())
    assert refused.value.code == "BAD_BODY"


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 400, "9" * 5000 + ".0"])
@pytest.mark.parametrize(("type_", "field"), open_fields())
def test_an_invalid_number_is_refused_with_the_id(type_: str, field: str, number: str) -> None:
    with pytest.raises(MessageRefused) as refused:
        session().receive(message_with(type_, field, f'{{"x":{number}}}'), 0)
    assert refused.value.error.code in {"BAD_VALUE", "BAD_MESSAGE"}
    assert refused.value.id == "i"


@pytest.mark.parametrize("dialect", [CLASSIC, SOCKET_IO, V1])
@pytest.mark.parametrize(
    "half", [r"\ud83d", r"\udc00", r"\ud83d\u0041", r"\ud83dx", r"\ude00\ud83d"]
)
def test_half_of_a_surrogate_pair_is_refused_in_every_dialect(dialect: Dialect, half: str) -> None:
    id_ = {CLASSIC: None, SOCKET_IO: "3", V1: "3"}[dialect]
    written = '"3"' if dialect is V1 else "3"
    with pytest.raises(MessageRefused) as refused:
        session(dialect).receive(f'{{"id":{written},"type":"invite","x":"{half}","to":8}}', 0)
    assert (refused.value.error.code, refused.value.id) == ("BAD_JSON", id_)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.integers(-(2**70), 2**70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_every_accepted_value_can_be_encoded_by_every_codec(value: dict[str, Any]) -> None:
    try:
        check_fields(value)
    except BadValue:
        return
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(value)) == value
    assert msgspec.json.decode(msgspec.json.encode(value)) == value
    assert json.loads(json.dumps(value)) == value
