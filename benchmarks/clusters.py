"""Figures of clusters: nodes over one PostgreSQL and one NATS server, which are kept for a run.

Nodes, PostgreSQL and NATS share the core of the servers in all figures but those of appends, which
have both cores and no load generator.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.request import urlopen

import msgspec
from tests import nats_server, postgres

from benchmarks import generator, measure, workloads
from benchmarks.cluster_appends import NodeAppends
from benchmarks.contenders import ROOT, SERVICE, V1_HEADER, token
from benchmarks.generator import Connection, Plan
from benchmarks.interpreters import service_python
from benchmarks.processes import SERVER_CORE, BenchmarkError, clean_environment, pin, stop
from benchmarks.workloads import MEGA, TICK_HZ, Sample
from service.eventstore import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from tests.nats_server import NatsServer
    from tests.postgres import Postgres

    from benchmarks.processes import Server
    from benchmarks.workloads import Rooms, Span

PRODUCERS = 128
"""Of all nodes together."""

POSTGRES_SETTINGS = ("fsync=on", "shared_buffers=256MB")

SETTLE_S = 1.0
"""In which the nodes find each other; the CPU time of idle nodes is that of this time."""


def missing() -> str | None:
    """Return what a cluster needs and this machine lacks, or None."""
    if postgres.binaries() is None:
        return "PostgreSQL (apt-get install postgresql)"
    if not Path(sys.executable).with_name("nats-server").exists():
        return "nats-server (make .venv/.dev-ready)"
    return None


class Usage(NamedTuple):
    """What the processes of a cluster had used at a moment, and its nodes had appended."""

    at: float
    nodes_s: tuple[float, ...]
    database_s: float
    bus_s: float
    commits: float
    commits_s: float
    events: float

    def until(self, end: Usage) -> dict[str, float]:
        """Return the details of a sample for the time until `end`."""
        took_s = end.at - self.at
        nodes = [(b - a) / took_s for a, b in zip(self.nodes_s, end.nodes_s, strict=True)]
        commits, events = end.commits - self.commits, end.events - self.events
        return {
            "nodes_busy": sum(nodes),
            "node_busy_max": max(nodes),
            "database_busy": (end.database_s - self.database_s) / took_s,
            "bus_busy": (end.bus_s - self.bus_s) / took_s,
            "events_per_s": events / took_s,
            "batches_per_s": commits / took_s,
            "commit_ms": 1000 * (end.commits_s - self.commits_s) / max(commits, 1),
        }


_COMMITS = ("duration_seconds_count", "duration_seconds_sum", "batch_events_sum")


def _commit_metrics(node: Server) -> list[float]:
    """Return the number of a node's commits, their seconds, and their events."""
    with urlopen(f"http://127.0.0.1:{node.port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    values = dict(line.rsplit(maxsplit=1) for line in lines if line.startswith("ws_commit_"))
    return [float(values[f"ws_commit_{name}"]) for name in _COMMITS]


class Cluster:
    """Nodes that run."""

    def __init__(self, nodes: Sequence[Server], database: Postgres, bus: NatsServer) -> None:
        """Take what has been started."""
        self.nodes = nodes
        self.base_mib = max(measure.rss_kib(node.pid) for node in nodes) / 1024
        self._database, self._bus = database, bus
        before_s = sum(map(measure.cpu_s, self.pids))
        time.sleep(SETTLE_S)
        self.idle_share = (sum(map(measure.cpu_s, self.pids)) - before_s) / SETTLE_S / len(nodes)

    @property
    def pids(self) -> list[int]:
        """The processes of the nodes."""
        return [node.pid for node in self.nodes]

    def usage(self) -> Usage:
        """Return what is used up to now."""
        nodes_s = tuple(measure.cpu_s(pid) for pid in self.pids)
        commits = [_commit_metrics(node) for node in self.nodes]
        return Usage(
            time.monotonic(),
            nodes_s,
            measure.family_cpu_s(self._database.pid),
            measure.cpu_s(self._bus.pid),
            *(sum(values) for values in zip(*commits, strict=True)),
        )

    def measure(
        self, plan: Plan, after_s: float = 0.0
    ) -> tuple[generator.Result, dict[str, float]]:
        """Carry a plan out, so long after all connections are ready.

        Returns its result and the details of a sample, which are of the warm-up as well.
        """
        with generator.Generator(plan) as running:
            time.sleep(after_s)
            before = self.usage()
            result = running.measure()
            details = before.until(self.usage())
        counts = result.counts
        return result, {
            "nodes": len(self.nodes),
            **details,
            "idle_share": self.idle_share,
            "base_mib": self.base_mib,
            "generator_busy": counts.generator_busy,
            "gone": counts.gone,
        }


class Clusters:
    """The servers of a run, which are started when they are needed, and stopped at the end."""

    def __enter__(self) -> Self:
        """Start nothing yet."""
        self._stack = ExitStack()
        self._servers: tuple[Postgres, NatsServer] | None = None
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Stop the servers."""
        self._stack.close()

    def appends(self, nodes: int, *, database: str = "shared", seconds: float = 1.0) -> Sample:
        """Append durably at so many nodes; the value is events a second of all of them.

        `database` is `sqlite` or `postgres` for a single node without others, else `shared`.
        """
        server, bus = self._started(are_pinned=False)
        with tempfile.TemporaryDirectory(prefix="ws-bench-") as directory, ExitStack() as stack:
            url = f"sqlite+aiosqlite:///{directory}/n1.db"
            if database == "sqlite":
                migrate.upgrade(url)
            else:
                url = server.create_log()
            bus_url = bus.url if database == "shared" else "-"
            workers = [
                stack.enter_context(
                    _worker(f"n{number}", url, bus_url, directory, PRODUCERS // nodes, seconds)
                )
                for number in range(1, nodes + 1)
            ]
            for worker in workers:
                _line(worker, b"ready")
            before_s = measure.family_cpu_s(server.pid)
            for worker in workers:
                assert worker.stdin is not None  # noqa: S101 - it is a pipe
                worker.stdin.write(b"go\n")
                worker.stdin.flush()
            done = [msgspec.json.decode(_line(one, b"{"), type=NodeAppends) for one in workers]
            database_s = measure.family_cpu_s(server.pid) - before_s
        return _appended(done, database_s)

    def relay(self, nodes: int, rooms: Rooms, span: Span) -> Sample:
        """Relay messages of a room whose members are spread over so many nodes.

        The value is CPU seconds of all nodes for a million deliveries.
        """
        rooms = rooms.scaled(span.load)
        with self._running(nodes) as cluster:
            plan = workloads.rooms_plan(SERVICE, cluster.nodes[0], rooms, span)
            plan.pids = cluster.pids
            for index, connection in enumerate(plan.connections):
                connection.port = cluster.nodes[index % nodes].port
            result, details = cluster.measure(plan)
        counts = result.counts
        expected = rooms.deliveries_per_s * counts.window_s
        sample = workloads.sample(result, counts.deliveries, kept_up=counts.deliveries / expected)
        return msgspec.structs.replace(sample, details={**details, **sample.details})

    def matches(self, nodes: int, count: int, span: Span, *, are_apart: bool = True) -> Sample:
        """Play matches of Pong at 60 Hz; the value is CPU ms of all nodes per match and second.

        The players of a match are at different nodes, unless there is but one, or they are not
        `are_apart`. Latencies are how late frames are.
        """
        with self._running(nodes) as cluster:
            plan = _match_plan(cluster, count, span, are_apart=are_apart)
            # The clock of the last match starts a second after it has begun.
            result, details = cluster.measure(plan, workloads.START_DELAY_S)
        counts = result.counts
        late = measure.percentiles(
            [
                late_us / 1000
                for arrivals in result.arrivals_us.values()
                for late_us in measure.tick_lateness_us(arrivals, MEGA / TICK_HZ)
            ]
        )
        if not late:
            raise BenchmarkError("no frame was received")
        return Sample(
            1000 * counts.server_cpu_s / counts.window_s / count,
            {
                "matches": count,
                "frames_per_s": counts.watched / counts.window_s / (2 * count),
                **details,
            },
            late,
        )

    @contextmanager
    def _running(self, nodes: int) -> Iterator[Cluster]:
        """Start so many nodes on a new log."""
        database, bus = self._started(are_pinned=True)
        settings = {
            "WS_DATABASE_URL": database.create_log(),
            "WS_BUS_URL": bus.url,
            "WS_REALM": f"bench{time.monotonic_ns()}",
        }
        with ExitStack() as stack, ThreadPoolExecutor(nodes) as threads:

            def start(number: int) -> Server:
                given = {**settings, "WS_NODE": f"n{number}"}
                return stack.enter_context(SERVICE.started(given))

            started = list(threads.map(start, range(1, nodes + 1)))
            yield Cluster(started, database, bus)

    def _started(self, *, are_pinned: bool) -> tuple[Postgres, NatsServer]:
        """Return the servers, which run on the core of the nodes if they `are_pinned`."""
        if self._servers is None:
            database = self._stack.enter_context(postgres.running(*POSTGRES_SETTINGS))
            self._servers = database, self._stack.enter_context(nats_server.running())
        database, bus = self._servers
        for pid in (*measure.family(database.pid), bus.pid):
            pin(pid, SERVER_CORE if are_pinned else None)
        return self._servers


def _appended(done: Sequence[NodeAppends], database_s: float) -> Sample:
    events = sum(node.events for node in done)
    waits_ms = [wait for node in done for wait in node.waits_ms]
    return Sample(
        events / max(node.wall_s for node in done),
        {
            "nodes": len(done),
            "node_us_per_event": sum(node.cpu_s for node in done) / events * MEGA,
            "database_us_per_event": database_s / events * MEGA,
        },
        measure.percentiles(waits_ms),
    )


@contextmanager
def _worker(*arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Start a node that only appends; it has both cores."""
    command = [service_python(), "-m", "benchmarks.cluster_appends", *arguments]
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=ROOT,
        env=clean_environment({}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        stop(process)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def _line(worker: subprocess.Popen[bytes], start: bytes) -> bytes:
    """Wait for the line that begins so; what is logged stands between such lines."""
    assert worker.stdout is not None  # noqa: S101 - it is a pipe
    for line in worker.stdout:
        if line.startswith(start):
            return line
    assert worker.stderr is not None  # noqa: S101 - it is a pipe
    raise BenchmarkError(worker.stderr.read().decode(errors="replace")[-2000:])


def _match_plan(cluster: Cluster, count: int, span: Span, *, are_apart: bool) -> Plan:
    """Let the first players make the rooms, then the others join, and all play."""
    ports = [node.port for node in cluster.nodes]
    away = 1 if are_apart else 0
    players = [
        _player(match, seat, ports[(match + seat * away) % len(ports)])
        for seat in (0, 1)
        for match in range(count)
    ]
    return Plan(
        ports[0],
        players,
        pids=cluster.pids,
        header=V1_HEADER,
        concurrency=16,
        leaders=count,
        period_s=workloads.KEY_S,
        warmup_s=span.warmup_s,
        window_s=span.window_s,
        drain_s=0,
        watch='"type":"game:update"',
    )


def _player(match: int, seat: int, port: int) -> Connection:
    room = f"match-{match + 1}"
    join = {"type": "room:join", "id": "j", "roomId": room, "orCreate": True, "game": "pong"}
    ready = {"type": "room:ready", "id": "r", "roomId": room}
    moves = [
        {"type": "game:move", "roomId": room, "direction": key, "action": action}
        for key in ("w", "s")
        for action in ("down", "up")
    ]
    script = ['await "type":"welcome"']
    for message in (join, ready):
        script += [f"send {generator.text(message)}", f'await "id":"{message["id"]}"']
    user = workloads.FIRST_USER + 2 * match + seat
    return Connection(
        f"/?token={token(user)}", script, [generator.text(move) for move in moves], port
    )
