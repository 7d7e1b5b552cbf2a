"""`ws-service log skip`: recovery from an event that can't be read or folded."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import ClassVar

import psycopg
import pytest

from service.domain.events.base import Event
from service.domain.events.rooms import RoomLocked
from tests.acceptance.cli.conftest import log_of
from tests.acceptance.service_process import SECRET, Running
from tests.command_line import CommandLine
from tests.integration.log_file import LogFile, append_of, joined
from tests.integration.postgres_log import PostgresLog

GOOD = joined(1)


class MoonLanded(Event, frozen=True):
    """What no version of the service knows."""

    type: ClassVar[str] = "moon.landed"

    @property
    def stream(self) -> str:
        return "moon"


UNKNOWN = MoonLanded()
UNFOLDABLE = RoomLocked(room="nowhere", locked=True)


@pytest.fixture
def ws_service(tmp_path: Path) -> CommandLine:
    ws_service = CommandLine(tmp_path / "data")
    ws_service("db", "upgrade")
    return ws_service


def write(ws_service: CommandLine, *events: Event) -> LogFile | PostgresLog:
    file = log_of(ws_service.data_dir)
    store = file.store()
    for event in events:
        store.commit([append_of(event)])
    store.close()
    return file


@pytest.mark.parametrize(
    ("event", "why"),
    [(UNKNOWN, "moon.landed.* can't be read: .*unknown type"), (UNFOLDABLE, "can't be folded")],
)
def test_a_start_names_the_failing_event_and_continues_when_it_is_skipped(
    ws_service: CommandLine, event: Event, why: str
) -> None:
    write(ws_service, GOOD, event, joined(2))

    refused = ws_service.run_apart("serve", JWT_SECRET=SECRET, WS_PORT="0")
    assert refused.code == 1
    assert "Traceback" not in refused.err
    assert re.search(rf"^error: the event at position 2 .*{why}", refused.err, re.MULTILINE)
    assert "ws-service log skip 2 --reason" in refused.err

    assert "position 2" in ws_service("log", "skip", "2", "--reason", "a bug of 0.0.9")
    service = Running(ws_service.data_dir, {}, dev=False)
    service.start()
    service.stop()
    for _ in range(2):
        lines = ws_service("log", "verify").splitlines()
        assert lines[0].startswith("skipped: position 2, by ")
        assert lines[0].endswith(": a bug of 0.0.9")
        assert lines[1].startswith("ok: ")


@pytest.mark.parametrize(
    ("position", "why"),
    [
        ("1", "position 1 can be read and folded"),
        ("3", "an earlier event fails first: the event at position 2"),
        ("9", "the log ends at position 3"),
    ],
)
def test_only_the_first_failing_event_can_be_skipped(
    ws_service: CommandLine, position: str, why: str
) -> None:
    file = write(ws_service, GOOD, UNFOLDABLE, UNFOLDABLE)
    assert why in ws_service.run("log", "skip", position, "--reason", "x").complaint
    assert file.query("SELECT count(*) FROM skipped") == [(0,)]


def test_a_skip_cannot_be_repeated_or_undone(ws_service: CommandLine) -> None:
    file = write(ws_service, UNFOLDABLE)
    ws_service("log", "skip", "1", "--reason", "x")
    assert "skipped already" in ws_service.run("log", "skip", "1", "--reason", "y").complaint
    for change in ("DELETE FROM skipped", "UPDATE skipped SET reason = 'z'"):
        with pytest.raises((sqlite3.Error, psycopg.Error), match="skips are immutable"):
            file.query(change)


def test_a_skip_refuses_a_running_service(ws_service: CommandLine) -> None:
    service = Running(ws_service.data_dir, {}, dev=False)
    service.start()
    try:
        refused = ws_service.run("log", "skip", "1", "--reason", "x")
    finally:
        service.stop()
    assert "another ws-service" in refused.complaint


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_a_skip_needs_a_reason(ws_service: CommandLine, reason: str) -> None:
    write(ws_service, UNFOLDABLE)
    assert ws_service.run("log", "skip", "1", "--reason", reason).code == 2
