"""Figures of the event log, measured in processes of their own; the logs are kept for a run."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from benchmarks import long_log, workloads
from benchmarks.appends import Appended
from benchmarks.contenders import ROOT, SERVICE
from benchmarks.interpreters import service_python
from benchmarks.processes import SERVER_CORE, BenchmarkError, clean_environment, pinned, stop
from benchmarks.rebuild import Rebuilt
from benchmarks.workloads import Sample

if TYPE_CHECKING:
    from types import TracebackType

REBUILD_PATIENCE_S = 900.0
"""The first start over a log has no snapshot, and folds all of it."""


class Logs:
    """The logs of a run, which are removed at the end of the block."""

    def __enter__(self) -> Self:
        """Make a place for them."""
        self._temporary = tempfile.TemporaryDirectory(prefix="ws-bench-logs-")
        self._directory = Path(self._temporary.name)
        self._templates: list[long_log.Template] = []
        self._with_snapshot: set[Path] = set()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Remove them."""
        self._temporary.cleanup()

    def appends(self, mode: str, seconds: float) -> Sample:
        """Append durably; the value is events a second by the clock."""
        directory = self._directory / "appends"
        directory.mkdir(exist_ok=True)
        answer = _run("benchmarks.appends", mode, str(directory), str(seconds))
        appended = msgspec.json.decode(answer, type=Appended)
        return Sample(
            appended.events_per_s,
            {
                "events_per_batch": appended.events / len(appended.batches),
                "cpu_us_per_event": appended.cpu_s / appended.events * 1_000_000,
            },
            appended.latencies_ms,
        )

    def rebuild(self, events: int) -> Sample:
        """Fold a log from its beginning; the value is events for each second of CPU."""
        directory = self._built(events)
        answer = _run("benchmarks.rebuild", str(directory))
        rebuilt = msgspec.json.decode(answer, type=Rebuilt)
        details = {"events_per_s": rebuilt.events / rebuilt.wall_s}
        return Sample(rebuilt.events / rebuilt.cpu_s, details)

    def start(self, events: int) -> Sample:
        """Start over a log with the snapshot that the service itself has written."""
        directory = self._built(events)
        if directory not in self._with_snapshot:
            data = {"WS_DATA_DIR": str(directory)}
            with SERVICE.started(data, REBUILD_PATIENCE_S) as server:
                stop(server.process, signal.SIGTERM)
            self._with_snapshot.add(directory)
        return workloads.start(directory)

    def _built(self, events: int) -> Path:
        """Return a data directory with a log of so many events, which is written once."""
        directory = self._directory / f"{events}"
        if not directory.exists():
            if not self._templates:
                self._templates = long_log.record(self._directory / "recorded")
            long_log.build(directory, self._templates, events)
        return directory


def _run(module: str, *arguments: str) -> bytes:
    command = pinned(SERVER_CORE, [str(service_python()), "-m", module, *arguments])
    answer = subprocess.run(
        command, cwd=ROOT, env=clean_environment({}), capture_output=True, check=False
    )
    if answer.returncode:
        raise BenchmarkError(answer.stderr.decode(errors="replace")[-2000:])
    return answer.stdout
