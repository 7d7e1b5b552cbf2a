"""Run `ws-service` as a subprocess."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from service.cli import main
from tests.acceptance import log_databases
from tests.acceptance.service_process import PATIENCE_S, clean_environment


class Finished(NamedTuple):
    """What a command has left behind."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line of a failed command's reason."""
        assert self.code != 0
        # A refused start is also in the log.
        assert self.out == "" or "critical" in self.out.splitlines()[-1], self.out
        assert self.err.startswith("error: ")
        assert self.err.count("\n") == 1, self.err
        return self.err.strip()

    @property
    def output(self) -> str:
        """What a command has printed that did not fail and had nothing to complain of."""
        assert (self.code, self.err) == (0, "")
        return self.out


@contextmanager
def pipes_kept() -> Iterator[None]:
    """Undo what a command does to closed pipes: they would end the process of the tests."""
    before = signal.getsignal(signal.SIGPIPE)
    try:
        yield
    finally:
        signal.signal(signal.SIGPIPE, before)


class CommandLine:
    """The command, with the log of one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir

    def arguments(self, *arguments: str) -> list[str]:
        """Return the command as a program and its arguments."""
        return [sys.executable, "-m", "service", *arguments]

    def environment(self, **settings: str) -> dict[str, str]:
        """Return the environment with these settings and no others."""
        of_log = log_databases.settings_of(self.data_dir)
        return clean_environment({"WS_DATA_DIR": str(self.data_dir), **of_log, **settings})

    def run(self, *arguments: str, **settings: str) -> Finished:
        """Run the command to its end, in this process, which saves the time to start one."""
        out, err = (TextIOWrapper(BytesIO(), write_through=True) for _ in range(2))
        code: int | str | None = 0
        with (
            pipes_kept(),
            patch.dict(os.environ, self.environment(**settings), clear=True),
            patch.object(sys, "argv", ["ws-service", *arguments]),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                main()
            except SystemExit as ended:
                code = ended.code
        return Finished(int(code or 0), *(_written(file) for file in (out, err)))

    def run_apart(self, *arguments: str, **settings: str) -> Finished:
        """Run the command to its end, in a separate process."""
        done = subprocess.run(
            self.arguments(*arguments),
            env=self.environment(**settings),
            cwd=self.data_dir.parent,
            check=False,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def __call__(self, *arguments: str, **settings: str) -> str:
        """Run a command that must not fail, and return what it prints."""
        return self.run(*arguments, **settings).output


def _written(file: TextIOWrapper) -> str:
    file.seek(0)
    return file.read()
