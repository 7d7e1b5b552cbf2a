"""Reading the id of a message that is not valid JSON."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.edge.session.salvage import TOKENS_MAX, id_in


@pytest.mark.parametrize(
    "text",
    [
        r'{"type":"chat:send","id":"a","to":1,"text":"hi \ud83d"}',
        r'{"text":"\udc00 \" {[ ","id" : "a"}',
        '{"id":"a",}',
        '{"id":"a","to":1 "text":2}',
        '{"id":"a","text":"cut o',
        '{"id":"a","text":"cut \\',
        '{"id":"a"',
        '{"id":"a","n":1e999}',
        '{"id":"b","id":"a"}',
        '{"data":{"id":"b"},"id":"a"}',
        '{"id":"a","data":[{"id":"b"},{"id":"c"}],"x":NaN}',
        '{"id":"a"}}{"id":"b"}',
        '{"id":"a"} {"id":"b"}',
        r'{"id":"a","text":"id"}',
        '\ufeff{"id":"a"}',
        '{"x":' + "[" * 50_000 + "]" * 50_000 + ',"id":"a"}',
        '{"x":' + '{"y":' * 5000 + "0" + "}" * 5000 + ',"id":"a"}',
        '{"x":{' + ",".join(f'"{name}":0' for name in range(3000)) + '},"id":"a"}',
        r'{"x":{' + ",".join(f'"{name}":0' for name in range(3000)) + r'},"y":"\ud83d","id":"a" } ',
    ],
)
def test_the_id_is_read_at_any_place(text: str) -> None:
    assert id_in(text) == "a"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "id",
        '"id":"a"',
        '["id","a"]',
        '{"data":{"id":"a"}}',
        '{"id":null}',
        '{"id":1.5}',
        '{"id":1e3}',
        '{"id":["a"]}',
        r'{"id":"\ud83d"}',
        '{"id":"a',
        '{"text":"\\"id\\":\\"a\\""}',
    ],
)
def test_an_unreadable_id_is_none(text: str) -> None:
    assert id_in(text) is None


def test_a_numeric_id_is_read() -> None:
    assert id_in('{"data":[,],"id":12}') == 12


@given(
    st.dictionaries(st.text(), st.recursive(st.text() | st.integers(), st.lists), max_size=4),
    st.text(min_size=1, max_size=8),
    st.sampled_from(["first", "last"]),
)
def test_valid_json_is_read_as_by_a_parser(fields: dict[str, object], id_: str, place: str) -> None:
    fields.pop("id", None)
    message = {"id": id_, **fields} if place == "first" else {**fields, "id": id_}
    assert id_in(json.dumps(message)) == id_


@pytest.mark.parametrize("part", ['"', "[]", '\\"', '{"a":', '"id":', '"\\"', "[", '""'])
def test_reading_the_id_of_a_long_message_is_cheap(part: str) -> None:
    text = "{" + part * (65_536 // len(part))
    began = time.process_time()
    id_in(text)
    assert time.process_time() - began < 0.1
    assert len(text) > TOKENS_MAX
