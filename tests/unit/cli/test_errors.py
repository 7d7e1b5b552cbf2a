"""Errors of the command line: external ones are a single line."""

import errno
import sqlite3

import pytest
from sqlalchemy.exc import OperationalError

from service import cli

LOCKED = sqlite3.OperationalError("database is locked")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (LOCKED, "error: the database can't be used: database is locked\n"),
        (
            OperationalError("SELECT secret", {}, LOCKED),
            "error: the database can't be used: database is locked\n",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "copy.db"),
            "error: [Errno 28] No space left on device: 'copy.db'\n",
        ),
    ],
)
def test_a_disk_error_is_one_line_and_exit_code_1(
    error: Exception,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == line


def test_a_programming_error_shows_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(ZeroDivisionError):
        cli.main()
