"""The service with injected faults: it kills itself at a named point, or disk and clock fail.

    python -m tests.torture.victim --kill-at in_transaction:7 -- serve

Everything after `--` is the command line of the service. The faults are put around the parts from
outside, so that the service itself knows nothing of them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias

Point: TypeAlias = tuple[Any, str, bool]
"""A part, the name of its method, and whether the fault comes after the call, not before it."""


def points() -> dict[str, Point]:
    """Name the moments at which a process can die between what it does and what it has done."""
    # Imported late: the clock must be wrong before any module imports its functions.
    from sqlalchemy.engine.default import DefaultDialect  # noqa: PLC0415 - imported only where it is needed

    from service.eventstore.side_file import SideFile  # noqa: PLC0415 - imported only where it is needed
    from service.eventstore.sqlite import SqliteStore  # noqa: PLC0415 - imported only where it is needed
    from service.eventstore.writer import EventLog  # noqa: PLC0415 - imported only where it is needed
    from service.runtime.engine import Engine  # noqa: PLC0415 - imported only where it is needed

    return {
        "before_append": (EventLog, "submit", False),
        "before_commit": (SqliteStore, "commit", False),
        "in_transaction": (SqliteStore, "_write", True),
        "after_commit": (SqliteStore, "commit", True),
        "before_fold": (Engine, "committed", False),
        "after_fold": (Engine, "committed", True),
        "before_snapshot": (SqliteStore, "save_snapshot", False),
        "after_snapshot": (SqliteStore, "save_snapshot", True),
        "before_side_file": (SideFile, "write", False),
        "after_side_file": (SideFile, "write", True),
        # Those of a migration, and of what looks at the schema before it.
        "statement": (DefaultDialect, "do_execute", False),
    }


POINTS = (
    "before_append",
    "before_commit",
    "in_transaction",
    "after_commit",
    "before_fold",
    "after_fold",
    "before_snapshot",
    "after_snapshot",
    "before_side_file",
    "after_side_file",
)


def kill_at(point: Point, count: int) -> None:
    """Let the process die when a point is reached for the `count`-th time."""
    part, name, after = point
    method = getattr(part, name)
    left = [count]

    def reached() -> None:
        left[0] -= 1
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(*arguments: Any, **options: Any) -> Any:
        if not after:
            reached()
        result = method(*arguments, **options)
        if after:
            reached()
        return result

    setattr(part, name, around)


def slow_disk(commit_s: float) -> None:
    """Let every transaction take so much longer, with the lock held."""
    from service.eventstore.sqlite import SqliteStore  # noqa: PLC0415 - imported only where it is needed

    method = SqliteStore._write  # noqa: SLF001 - the faults come from outside

    def around(*arguments: Any, **options: Any) -> Any:
        result = method(*arguments, **options)
        time.sleep(commit_s)
        return result

    SqliteStore._write = around  # type: ignore[method-assign]  # noqa: SLF001 - the same


def erring_clock(file: Path) -> None:
    """Shift the wall clock by the seconds in `file`, which is read again at each SIGUSR2."""
    real, real_ns = time.time, time.time_ns
    off_s = [0.0]

    def read(_signal: int, _frame: FrameType | None) -> None:
        off_s[0] = float(file.read_text())

    signal.signal(signal.SIGUSR2, read)
    time.time = lambda: real() + off_s[0]
    time.time_ns = lambda: real_ns() + int(off_s[0] * 1e9)


def counted(file: Path) -> None:
    """At SIGUSR1 write down how many tasks and threads there are."""

    def write(_signal: int, _frame: FrameType | None) -> None:
        tasks = len(asyncio.all_tasks(asyncio.get_running_loop()))
        draft = file.with_suffix(".draft")
        draft.write_text(json.dumps({"tasks": tasks, "threads": threading.active_count()}))
        draft.replace(file)

    signal.signal(signal.SIGUSR1, write)


def main() -> None:
    """Build the faults in, and run the service."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kill-at", metavar="POINT:COUNT")
    parser.add_argument("--slow-commit-s", type=float)
    parser.add_argument("--clock", type=Path)
    parser.add_argument("--counts", type=Path)
    options, command = parser.parse_known_args()
    if options.clock is not None:
        erring_clock(options.clock)
    if options.kill_at is not None:
        name, _, count = options.kill_at.partition(":")
        kill_at(points()[name], int(count))
    if options.slow_commit_s is not None:
        slow_disk(options.slow_commit_s)
    if options.counts is not None:
        counted(options.counts)
    from service.cli import main as service  # noqa: PLC0415 - the faults are built in first

    sys.argv = ["ws-service", *(word for word in command if word != "--")]
    service()


if __name__ == "__main__":
    main()
