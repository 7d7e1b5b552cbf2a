import asyncio
import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Literal

import jwt
import pytest

from service import __version__
from service.telemetry import configure_logging, get_logger
from service.telemetry.frequent import FrequentLine

TOKEN = jwt.encode({"id": 7}, "a-secret-that-is-long-enough-for-hs256", "HS256")

Configure = Callable[..., None]


@pytest.fixture
def configure() -> Configure:
    """Return what configures the logs of one test."""

    def configure(
        level: str = "info",
        format_: Literal["ecs", "console"] = "ecs",
        node: str | None = None,
    ) -> None:
        configure_logging(level, format_, node=node)

    return configure


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """Return what was logged so far, each line read as JSON."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


Lines = Callable[[], list[dict[str, Any]]]


def test_each_line_has_the_name_of_its_node(configure: Configure, lines: Lines) -> None:
    frequent = FrequentLine("service.edge", "connected", "user.id")
    for node in ("n1", "n2", None):
        configure(node=node)
        get_logger().info("listening")
        frequent.write("7")
        logging.getLogger("library").warning("of a library")
    service = {"name": "ws-service", "version": __version__}
    of_nodes = [{**service, "node": {"name": node}} for node in ("n1", "n2")]
    assert [line["service"] for line in lines()] == [
        one for one in (*of_nodes, service) for _ in range(3)
    ]


def test_an_event_is_one_line_in_ecs(configure: Configure, lines: Lines) -> None:
    configure()

    get_logger().info("listening", **{"url.full": "http://127.0.0.1:1/"})

    (line,) = lines()
    assert line["message"] == "listening"
    assert line["log.level"] == "info"
    assert line["service"] == {"name": "ws-service", "version": __version__}
    assert line["url"] == {"full": "http://127.0.0.1:1/"}
    assert line["@timestamp"].endswith("Z")
    assert line["ecs.version"]
    assert not {"level", "timestamp", "event", "_record"} & line.keys()


def test_driver_debug_logs_are_suppressed(configure: Configure, lines: Lines) -> None:
    configure(level="debug")

    for library in ("aiosqlite", "sqlalchemy.engine", "asyncio", "alembic.runtime"):
        logging.getLogger(library).debug("a statement")
    logging.getLogger("sqlalchemy.engine.Engine").info("BEGIN (implicit)")
    get_logger("service.edge").debug("a frame")

    assert [line["message"] for line in lines()] == ["a frame"]


def test_the_fields_of_the_contract_stand_at_the_top(configure: Configure, lines: Lines) -> None:
    configure()
    fields = {
        "correlation_id": "c1",
        "error_type": "authentication_error",
        "error_code": "MISSING_WEBSOCKET_TOKEN",
        "http_status": 401,
        "metadata": {"path": "/ws"},
    }

    get_logger().warning("refused", **fields)

    (line,) = lines()
    assert {key: line[key] for key in fields} == fields
    assert line["log.level"] == "warning"


def test_library_logs_use_the_same_format(configure: Configure, lines: Lines) -> None:
    configure()

    logging.getLogger("aiohttp.server").error("Error %s", "here", extra={"error_code": "X"})

    (line,) = lines()
    assert line["message"] == "Error here"
    assert line["log.level"] == "error"
    assert line["log"] == {"logger": "aiohttp.server"}
    assert line["error_code"] == "X"
    assert line["service"]["name"] == "ws-service"


def test_an_exception_is_part_of_its_line(configure: Configure, lines: Lines) -> None:
    configure()
    try:
        int("x")
    except ValueError:
        get_logger().exception("failed")
        logging.getLogger("asyncio").exception("failed too")

    for line in lines():
        assert "ValueError" in line["error"]["stack_trace"]


def test_events_below_the_level_are_dropped(configure: Configure, lines: Lines) -> None:
    configure("warning")

    get_logger().info("quiet")
    logging.getLogger("asyncio").info("quiet")
    get_logger().error("loud")

    assert [line["message"] for line in lines()] == ["loud"]


@pytest.mark.parametrize("format_", ["ecs", "console"])
def test_no_token_is_ever_logged(
    configure: Configure, capsys: pytest.CaptureFixture[str], format_: Literal["ecs", "console"]
) -> None:
    configure(format_=format_)

    get_logger().info(f"GET /?token={TOKEN}&since=1", metadata={"list": [f"bearer.{TOKEN}"]})
    logging.getLogger("aiohttp.access").info("GET /ws?token=opaque-token HTTP/1.1")
    try:
        int(TOKEN)
    except ValueError:
        get_logger().exception("failed")

    out = capsys.readouterr().out
    assert "&since=1" in out
    assert "bearer.***" in out
    assert "token=***" in out
    assert "opaque" not in out
    assert not any(part in out for part in TOKEN.split("."))


def test_a_redacted_line_is_still_json(configure: Configure, lines: Lines) -> None:
    configure()

    get_logger().info('said "token=a" and\ntoken=b\\', other="token=c")

    (line,) = lines()
    assert line["message"] == 'said "token=***" and\ntoken=***\\'
    assert line["other"] == "token=***"


def test_the_console_format_is_human_readable(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(format_="console")

    get_logger().info("listening", url="here")

    out = capsys.readouterr().out
    assert "listening" in out
    assert "url=here" in out
    assert not out.startswith("{")


class Flushed(io.StringIO):
    """Standard output that notes what was there at each flush."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[list[str]] = []

    def flush(self) -> None:
        lines = self.getvalue().splitlines()
        self.messages.append([json.loads(line)["message"] for line in lines])


async def test_lines_of_one_turn_of_the_loop_are_one_write(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Flushed()
    monkeypatch.setattr(sys, "stdout", out)
    configure()

    for turn in range(2):
        get_logger().info(f"first of {turn}")
        get_logger().info(f"second of {turn}")
        await asyncio.sleep(0)

    first = ["first of 0", "second of 0"]
    assert out.messages == [first, [*first, "first of 1", "second of 1"]]


async def test_a_warning_is_written_at_once_after_what_was_logged_before(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Flushed()
    monkeypatch.setattr(sys, "stdout", out)
    configure()

    get_logger("service.edge").info("first")
    get_logger("service.edge").warning("second")

    assert out.messages == [["first", "second"]]


def test_a_closed_log_reader_does_not_stop_the_service() -> None:
    program = """
import sys
from service.telemetry import configure_logging, get_logger
configure_logging("info", "ecs")
get_logger().info("first")
sys.stdin.readline()
for _ in range(3):
    get_logger().info("nobody reads this")
print("on", file=sys.stderr)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        # Each line is flushed: this one comes while the process waits.
        assert json.loads(process.stdout.readline())["message"] == "first"
        process.stdout.close()
        process.stdout = None
        _, errors = process.communicate("\n", timeout=60)

    assert errors == "on\n"
    assert process.returncode == 0
