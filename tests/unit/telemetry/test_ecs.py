"""The quick formatter writes the lines of `ecs_logging`."""

import copy
import json
import re
from typing import Any

import pytest
from ecs_logging import StructlogFormatter
from hypothesis import given, reject
from hypothesis import strategies as st

from service.telemetry import ecs
from service.telemetry.ecs import EcsFormatter
from tests.effort import effort

_TIME = re.compile(r'"@timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"')

_names = st.sampled_from(
    [
        "a",
        "b",
        "event",
        "log",
        "error",
        "user",
        "message",
        "exception",
        "metadata",
        "ecs",
        "@timestamp",
    ]
)
_keys = st.one_of(_names, st.lists(_names, min_size=2, max_size=3).map(".".join))
_plain = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(st.characters()), st.floats(), st.binary()
)
_values = st.one_of(
    _plain,
    st.dictionaries(st.one_of(_keys, st.just("level")), _plain, max_size=3),
    st.lists(_plain, max_size=2),
)
_events = st.dictionaries(_keys, _values, max_size=5)


def rendered(formatter: Any, event: dict[str, Any]) -> str:
    """Return the line without its time."""
    return _TIME.sub("", formatter(None, "INFO", copy.deepcopy(event)))


@effort(500)
@given(fields=_events, message=st.text(st.characters()))
def test_a_line_is_that_of_the_library(fields: dict[str, Any], message: str) -> None:
    event = {**fields, "event": message}
    try:
        expected = rendered(StructlogFormatter(ensure_ascii=False), event)
    except (AttributeError, TypeError, RecursionError):
        # Fields that contradict each other; the service logs none such.
        reject()

    assert rendered(EcsFormatter(), event) == expected


def test_the_line_of_a_connection_does_not_need_the_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ecs, "_library", None)
    event = {
        "event": "connected",
        "correlation_id": "c",
        "user.id": "7",
        "event.duration": 5,
        "service": {"name": "ws-service", "version": "1"},
        "log": {"logger": "service.edge.endpoint"},
        "metadata": {"socket": "n1.1.1", "protocol": "classic"},
    }

    line = json.loads(EcsFormatter()(None, "info", event))

    assert (line["user"], line["event"], line["message"]) == (
        {"id": "7"},
        {"duration": 5},
        "connected",
    )


def test_a_name_beside_its_own_object_is_left_to_the_library() -> None:
    event = {"event": "x", "user": {"name": "A"}, "user.id": "7"}

    assert json.loads(EcsFormatter()(None, "info", event))["user"] == {"id": "7", "name": "A"}
