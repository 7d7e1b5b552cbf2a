"""Parsing of API requests: every value is parsed or refused with a message."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict

from service.edge.api.history_shapes import MatchesParams
from service.edge.api.problems import ApiError, BadBody, BadParameter
from service.edge.api.reading import read_body, read_parameters
from service.edge.api.routes import ROUTES
from service.edge.api.shapes import (
    Announcement,
    EventsParams,
    FramesParams,
    Recipient,
    RoomsParams,
)


def refused(
    asks: Any, query: dict[str, str], path: dict[str, str] | None = None
) -> tuple[Any, str]:
    """Return the field that is refused, and the sentence."""
    with pytest.raises(BadParameter) as error:
        read_parameters(asks, path or {}, MultiDict(query))
    return error.value.field, error.value.message


def test_parameters_are_parsed_by_their_type() -> None:
    wanted = read_parameters(
        MatchesParams,
        {},
        MultiDict({"user": "7", "cursor": "7", "since": "2026-11-24T10:00:00+01:00"}),
    )
    assert wanted == MatchesParams(
        user="7", cursor=7, since=datetime(2026, 11, 24, 9, tzinfo=UTC), limit=50
    )
    frames = read_parameters(FramesParams, {"matchId": "7"}, MultiDict({"hz": "2.5", "from": "0"}))
    assert frames == FramesParams(match_id="7", hz=2.5, start=0)
    small = read_parameters(FramesParams, {"matchId": "7"}, MultiDict({"hz": "25e-1"}))
    assert small.hz == 2.5
    assert read_parameters(RoomsParams, {}, MultiDict({"game": "null"})).game == "null"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"limit": "0"}, "`limit`: expected `int` >= 1."),
        ({"limit": "1e1"}, "`limit`: expected `int`, got `str`."),
        ({"limit": "5.0"}, "`limit`: expected `int`, got `str`."),
        ({"limit": "٣"}, "`limit`: expected `int`, got `str`."),
        ({"cursor": "null"}, "`cursor`: expected `int`, got `str`."),
        ({"cursor": "9" * 30}, "`cursor`: expected `int`, got `str`."),
        ({"colour": "red"}, "`colour` is not known here."),
        ({"limits": "5"}, "`limits` is not known here; perhaps `limit` is meant."),
        ({"": "red"}, "`` is not known here."),
    ],
)
def test_the_error_names_the_parameter(query: dict[str, str], sentence: str) -> None:
    assert refused(EventsParams, query, {"matchId": "m"}) == (next(iter(query)), sentence)


def test_a_missing_or_repeated_parameter_is_named() -> None:
    assert refused(EventsParams, {}) == ("matchId", "`matchId` is missing.")
    again = refused(EventsParams, {"matchId": "other"}, {"matchId": "m"})
    assert again == ("matchId", "`matchId` is given more than once.")


def test_a_body_is_read() -> None:
    assert read_body(Announcement, b'{"to": {"user": 7.0}, "data": [1]}') == Announcement(
        to=Recipient(user=7), data=[1]
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"to": {"user": []}, "data": 1}', "to.user"),
        (b'{"to": {"users": 1}, "data": 1}', "to.users"),
        (b'{"to": "all"}', "data"),
        (b"7", None),
    ],
)
def test_an_invalid_body_field_is_named_with_its_path(body: bytes, field: str | None) -> None:
    with pytest.raises(BadParameter) as error:
        read_body(Announcement, body)
    assert error.value.field == field


@pytest.mark.parametrize("body", [b"", b"{", b'{"to": "\xff"}', b'{"data": ' + b"[" * 5000])
def test_a_body_that_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(BadBody):
        read_body(Announcement, body)


def complaint_of(read: Callable[[], object]) -> ApiError | None:
    try:
        read()
    except ApiError as error:
        return error
    return None


@given(
    st.sampled_from([route for route in ROUTES if not route.has_body]),
    st.lists(
        st.tuples(
            st.sampled_from(
                ["limit", "cursor", "user", "since", "hz", "from", "to", "x", "matchId"]
            )
            | st.text(),
            st.text() | st.integers().map(str) | st.floats().map(str),
        )
    ),
)
def test_any_query_is_parsed_or_refused_with_a_message(
    route: Any, query: list[tuple[str, str]]
) -> None:
    complaint = complaint_of(lambda: read_parameters(route.params_type, {}, MultiDict(query)))
    assert complaint is None or (complaint.field is not None and complaint.message.endswith("."))


@given(
    st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["to", "data", "user"]), inner)
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_body_is_parsed_or_refused(body: bytes) -> None:
    complaint = complaint_of(lambda: read_body(Announcement, body))
    assert complaint is None or complaint.message.endswith(".")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ('{"to":"all","data":1,"dta":2}', "`dta` is not known here; perhaps `data` is meant."),
        (
            '{"to":{"roomid":"r"},"data":1}',
            "`to.roomid` is not known here; perhaps `roomId` is meant.",
        ),
    ],
)
def test_an_unknown_body_field_is_refused_with_the_nearest_name(body: str, sentence: str) -> None:
    with pytest.raises(BadParameter) as error:
        read_body(Announcement, body.encode())
    assert error.value.message == sentence
