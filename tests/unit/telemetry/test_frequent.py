"""Frequent lines are those that the logger itself would write."""

import json
import sys
import time
from collections.abc import Callable
from io import StringIO
from typing import Literal

import pytest

from service.telemetry import FrequentLine, configure_logging, get_logger, logs
from service.telemetry.ecs import EcsFormatter

NAMES = "correlation_id", "user.id", "event.duration", "metadata.socket", "metadata.close_code"

TOKEN = "eyJhbGciOiJIUzI1NiJ9.e30.x"


Configure = Callable[..., StringIO]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Configure logging, and return standard output; the time stands still."""

    def configure(level: str, format_: Literal["ecs", "console"]) -> StringIO:
        out = StringIO()
        monkeypatch.setattr(sys, "stdout", out)
        configure_logging(level, format_)
        return out

    monkeypatch.setattr(EcsFormatter, "now", lambda _self: "2026-11-26T08:00:00.000Z")
    # A line that msgspec can't encode gets its time from the formatter of ecs_logging.
    monkeypatch.setattr(time, "time", lambda: 1_795_680_000.0)
    return configure


def expected(user: str, lasted_ns: int) -> None:
    get_logger("service.edge").info(
        "disconnected",
        correlation_id="c1",
        **{"user.id": user, "event.duration": lasted_ns},
        metadata={"socket": "n1.1.1", "close_code": 1006},
    )


@pytest.mark.parametrize("format_", ["ecs", "console"])
@pytest.mark.parametrize(
    "user",
    ["7", "%0%", "%4%", 'a"b\\', "\u00e9\u4e16\U0001f600", "\x7f", "\ud800", TOKEN, "token=a"],
)
def test_a_frequent_line_is_the_line_of_the_logger(
    configure: Configure, user: str, format_: Literal["ecs", "console"]
) -> None:
    line = FrequentLine("service.edge", "disconnected", *NAMES)
    out = configure("info", format_)
    expected(user, 10**18)
    line.write("c1", user, 10**18, "n1.1.1", 1006)
    by_logger, frequent = out.getvalue().splitlines()
    assert frequent == by_logger
    assert TOKEN not in frequent


def test_a_frequent_line_takes_no_other_way_where_it_can_be_rendered(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = FrequentLine("service.edge", "connected", "user.id")
    out = configure("info", "ecs")
    line.write("6")
    monkeypatch.setattr(EcsFormatter, "__call__", None)
    line.write("7")
    assert [json.loads(line)["user"] for line in out.getvalue().splitlines()] == [
        {"id": "6"},
        {"id": "7"},
    ]


def test_a_frequent_line_is_dropped_below_the_level(configure: Configure) -> None:
    line = FrequentLine("service.edge", "connected", "user.id")
    out = configure("warning", "ecs")
    line.write("7")
    assert out.getvalue() == ""
    assert logs.ecs_output() is None
