"""A command that a test runs in its process changes nothing for the tests behind it."""

from __future__ import annotations

import logging
import signal

import structlog

from service.telemetry import configure_logging, get_logger
from tests.process_state import process_kept


def test_a_closed_pipe_ends_the_process_no_longer() -> None:
    before = signal.getsignal(signal.SIGPIPE)
    with process_kept():
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    assert signal.getsignal(signal.SIGPIPE) == before != signal.SIG_DFL


def test_logs_are_written_as_before() -> None:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    with process_kept():
        configure_logging("critical", "ecs")
    assert (root.handlers, root.level) == (handlers, level)
    with structlog.testing.capture_logs() as logs:
        get_logger("test").warning("seen")
    assert [line["event"] for line in logs] == ["seen"]


def test_a_configuration_from_before_comes_back() -> None:
    with process_kept():
        critical = structlog.make_filtering_bound_logger(logging.CRITICAL)
        structlog.configure(wrapper_class=critical)
        with process_kept():
            configure_logging("info", "ecs")
        assert structlog.get_config()["wrapper_class"] is critical
