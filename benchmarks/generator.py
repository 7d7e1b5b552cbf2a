"""The load generator: a plan for `generator.c`, and what it measures.

A plan opens connections; each follows a script, then is ready. Lines of a script:

- `send TEXT` sends a message
- `await PART` waits for a frame that contains PART
- `room PART` the same, and remembers the frame's `roomId` as `$R`
- `barrier` waits until all connections are here; a plan has at most one in each script
- `if PART<tab>TEXT` sends TEXT if the frame that was last waited for contains PART

A connection with `messages` is a sender: it sends one after the other, at a fixed rate, however
late the answers are. In a message `$T` is the time at which it was due.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec

from benchmarks import measure
from benchmarks.processes import GENERATOR_CORE, SERVER_CORE, BenchmarkError, pinned, stop

if TYPE_CHECKING:
    import array
    from collections.abc import Sequence
    from types import TracebackType

HERE = Path(__file__).parent
BUILD = HERE / ".build"


@dataclass
class Connection:
    """A connection: its target, its script, and what it sends once it is ready."""

    target: str
    script: Sequence[str] = ()
    messages: Sequence[str] = ()
    port: int | None = None
    """Of the server, if it is not that of the plan."""


@dataclass
class Plan:
    """The input of the generator; times are in seconds."""

    port: int
    connections: Sequence[Connection]
    pids: Sequence[int] = ()
    """The processes whose CPU time is measured, as a sum."""
    header: str = ""
    concurrency: int = 64
    """Connections that run their scripts at a time."""
    leaders: int = 0
    """Connections that must be ready before the others start."""
    patience_s: float = 180.0
    """Timeout for all connections to be ready."""
    period_s: float = 0.0
    """Interval between two messages of a sender; senders are spread over it."""
    burst: int = 1
    """Messages that are due at the same time."""
    warmup_s: float = 0.0
    window_s: float = 1.0
    drain_s: float = 1.0
    """Timeout for the delivery of what was sent."""
    fanout: int = 0
    """Deliveries per message."""
    stamp: str = ""
    """The digits after it are the due time of the message that is delivered."""
    watch: str = ""
    """Frames that contain it are counted, with the time of their arrival."""
    count: str = ""
    """Counted in all text frames, from the beginning."""
    refuse: str = '"type":"error"'
    """A frame that contains it fails the script."""

    def lines(self) -> list[str]:
        """Encode the plan for the generator."""
        options: dict[str, object] = {
            "concurrency": self.concurrency,
            "leaders": self.leaders,
            "patience_us": _us(self.patience_s),
            "period_us": _us(self.period_s),
            "burst": self.burst,
            "warmup_us": _us(self.warmup_s),
            "window_us": _us(self.window_s),
            "drain_us": _us(self.drain_s),
            "fanout": self.fanout,
            "stamp": self.stamp,
            "watch": self.watch,
            "count": self.count,
            "refuse": self.refuse,
            "header": self.header,
        }
        lines = [f"server 127.0.0.1 {self.port}", *(f"pid {pid}" for pid in self.pids)]
        lines += [f"{name} {value}" for name, value in options.items() if value != ""]
        for connection in self.connections:
            lines.append(f"connection {connection.target}")
            if connection.port is not None:
                lines.append(f"port {connection.port}")
            lines += connection.script
            lines += [f"message {message}" for message in connection.messages]
        return lines


class Counts(msgspec.Struct, frozen=True):
    """What the generator has counted; all but those with `all` are of the window."""

    connections: int
    connect_s: float
    window_s: float
    sent: int
    deliveries: int
    sent_all: int
    delivered_all: int
    watched: int
    counted: int
    """How often `count` was seen, from the first connection on."""
    frames: int
    bytes: int
    window_bytes: int
    gone: int
    """Connections that the server closed."""
    late_mean_us: float
    """The lateness of the generator's own sends."""
    late_max_us: int
    server_cpu_s: float
    generator_cpu_s: float
    generator_busy_s: float
    """The generator polls; this is the time in which it had work to do."""

    @property
    def generator_busy(self) -> float:
        """The share of time in which the generator had work to do."""
        return self.generator_busy_s / self.window_s


@dataclass(frozen=True)
class Result:
    """The counts, and each latency and arrival."""

    counts: Counts
    latencies_us: array.array[int]
    arrivals_us: dict[int, list[int]]
    """By the number of the connection."""
    others_busy: float
    """The share of the server's core that other processes or the host used."""


class Generator:
    """A generator whose connections are open; the end of the block closes them."""

    def __init__(self, plan: Plan) -> None:
        """Prepare to carry out `plan`."""
        self._plan = plan

    def __enter__(self) -> Self:
        """Connect, and run all scripts."""
        self._directory = Path(tempfile.mkdtemp(prefix="ws-bench-"))
        try:
            plan = self._directory / "plan"
            files = [f"{name} {self._directory / name}" for name in ("latencies", "arrivals")]
            plan.write_text("\n".join([*files, *self._plan.lines(), ""]))
            self._process = subprocess.Popen(
                pinned(GENERATOR_CORE, [str(compiled(HERE / "generator.c")), str(plan)]),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except BaseException:
            shutil.rmtree(self._directory)
            raise
        try:
            self._line()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Close all connections."""
        stop(self._process)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        shutil.rmtree(self._directory)

    def measure(self) -> Result:
        """Send according to the plan, and return the result."""
        began, others_s = time.monotonic(), self._others_s()
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._process.stdin.write(b"go\n")
        self._process.stdin.flush()
        counts = msgspec.json.decode(self._line(), type=Counts)
        others_s = max(0.0, self._others_s() - others_s)
        return Result(
            counts,
            measure.read_numbers(self._directory / "latencies"),
            measure.arrivals_by_connection(self._directory / "arrivals"),
            others_s / (time.monotonic() - began),
        )

    def _others_s(self) -> float:
        servers_s = sum(measure.cpu_s(pid) for pid in self._plan.pids)
        return measure.core_busy_s(SERVER_CORE) - servers_s

    def _line(self) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        line = self._process.stdout.readline()
        if not line:
            assert self._process.stderr is not None  # noqa: S101 - it is a pipe
            raise BenchmarkError(self._process.stderr.read().decode(errors="replace").strip())
        return line


def run(plan: Plan) -> Result:
    """Connect, measure, and close."""
    with Generator(plan) as generator:
        return generator.measure()


def compiled(*sources: Path) -> Path:
    """Compile a C program, named after the first of its sources, unless it is there already."""
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    program = BUILD / f"{sources[0].stem}-{digest}"
    if not program.exists():
        BUILD.mkdir(exist_ok=True)
        draft = program.with_suffix(".draft")
        gcc = shutil.which("gcc")
        if gcc is None:
            raise BenchmarkError("gcc is missing: the generator is compiled at run time")
        subprocess.run([gcc, "-O2", "-o", str(draft), *map(str, sources)], check=True)
        draft.replace(program)
    return program


def text(message: Any) -> str:
    """Write a message as JSON without spaces."""
    return json.dumps(message, separators=(",", ":"))


def _us(seconds: float) -> int:
    return round(seconds * 1_000_000)
