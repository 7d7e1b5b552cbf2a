"""Processes that are measured: started on a core of their own, and ended whatever happens."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SERVER_CORE = 0
GENERATOR_CORE = 1 if (os.cpu_count() or 1) > 1 else 0

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 60.0
POLL_S = 0.002

_LISTENING = re.compile(r"^listening (\d+)$|\"listening\".*http://127\.0\.0\.1:(\d+)", re.MULTILINE)


class BenchmarkError(Exception):
    """A measurement failed; the message says why."""


class Server(NamedTuple):
    """A server that accepts connections."""

    pid: int
    port: int
    process: subprocess.Popen[bytes]


def pinned(core: int, command: Sequence[str]) -> list[str]:
    """Let a command and all its threads run on one core."""
    return ["taskset", "--cpu-list", str(core), *command]


def pin(pid: int, core: int | None) -> None:
    """Let a process that runs already run on one core, or on all if it is None."""
    os.sched_setaffinity(pid, range(os.cpu_count() or 1) if core is None else {core})


def clean_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return this environment without settings of a service, but those given."""
    ours = ("WS_", "JWT_", "LOG_LEVEL", "VAULT_", "USER_SERVICE_", "NODE_OPTIONS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | dict(settings)


@contextmanager
def running(
    command: Sequence[str],
    settings: Mapping[str, str],
    cwd: Path,
    patience_s: float = START_TIMEOUT_S,
) -> Iterator[Server]:
    """Run a server on its core, from the moment that it says where it listens."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            pinned(SERVER_CORE, command),
            env=clean_environment(settings),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            try:
                port = _port(process, output.fileno(), patience_s)
            except BenchmarkError as error:
                raise BenchmarkError(f"{' '.join(command)} does not listen: {error}") from None
            yield Server(process.pid, port, process)
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes], signal_: signal.Signals = signal.SIGKILL) -> None:
    """End a process and wait until it has ended."""
    if process.poll() is None:
        process.send_signal(signal_)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _port(process: subprocess.Popen[bytes], output: int, patience_s: float) -> int:
    deadline = time.monotonic() + patience_s
    while True:
        ended = process.poll() is not None
        text = os.pread(output, 1 << 20, 0).decode(errors="replace")
        found = _LISTENING.search(text)
        if found:
            return int(found[1] or found[2])
        if ended or time.monotonic() > deadline:
            raise BenchmarkError(text[-2000:])
        time.sleep(POLL_S)
