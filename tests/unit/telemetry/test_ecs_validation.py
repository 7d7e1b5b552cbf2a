"""The log validator of the acceptance tests finds invalid lines."""

import json
from typing import Any

import pytest

from tests.ecs.validation import FIELDS, check, problems

GOOD: dict[str, Any] = {
    "@timestamp": "2026-01-02T03:04:05.678Z",
    "log.level": "info",
    "log": {"logger": "service.app"},
    "message": "listening",
    "ecs.version": "1.6.0",
    "service": {"name": "ws-service", "version": "1.2.3"},
    "correlation_id": "c1",
    "http_status": 401,
    "error_type": "authentication_error",
    "error_code": "MISSING_WEBSOCKET_TOKEN",
    "metadata": {"any": {"thing": [1, "two"]}},
    "event": {"duration": 12},
}


def test_the_known_fields_match_the_ecs_package() -> None:
    assert len(FIELDS) == 2605
    assert FIELDS["log.level"] == "keyword"


def test_a_valid_line_passes() -> None:
    check([json.dumps(GOOD)])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"level": "info"}, "level is no field"),
        ({"service": {"name": "x", "version": "1", "colour": "red"}}, "service.colour is no field"),
        ({"message": None}, "message must be of the type match_only_text"),
        ({"@timestamp": "yesterday"}, "@timestamp must be of the type date"),
        ({"event": {"duration": "12"}}, "event.duration must be of the type long"),
        ({"http_status": True}, "http_status must be of the type long"),
        ({"metadata": "text"}, "metadata must be of the type flattened"),
        ({"error_type": "bad_luck"}, "none of the contract's"),
        ({"log": {"level": "info"}}, "log.level is there twice"),
        ({"service": {"name": "ws-service"}}, "service.version is missing"),
    ],
)
def test_each_defect_of_a_line_is_named(change: dict[str, Any], problem: str) -> None:
    (found,) = problems(json.dumps(GOOD | change))
    assert problem in found


@pytest.mark.parametrize("line", ["", "listening", "[1]", '{"message": "cut'])
def test_a_line_that_is_not_an_object_is_refused(line: str) -> None:
    with pytest.raises(AssertionError, match="not"):
        check([line])
