"""Print the table, and write the page of the docs."""

from __future__ import annotations

import datetime as dt
import statistics
from typing import TYPE_CHECKING, NamedTuple

from rich import box
from rich.table import Table

from benchmarks.measure import machine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.figures import Figure, Measured

OTHERS_MAX = 0.1
"""Above this part of its core, a server was disturbed."""

KEPT_UP_MIN = 0.95
"""Below this part of the offered load, a server counts as saturated."""

_HEAD = """\
# Performance

The service measured against services that could replace it, on one machine, in one run.
`make bench` writes this page; `make bench-quick` prints the same table from shorter measurements
in about a minute. `benchmarks/workloads.py` defines the work of each figure;
`benchmarks/peers/` has the peers.
"""

_HOW_TO_READ = """\
## How to read it

- Contenders alternate (A B A B ...); each figure is the median of all rounds. A contender is
  restarted for each measurement, and runs alone with the load generator. Rows that no goal is
  about are measured once; A, R, S, M, L and P have two or three rounds. CPU time per unit of
  work differs by some per cent from one process to the next, in long windows as in short ones.
- `ws-service` sends and reads frames by its native wire where that could be built (stated at the
  top), `ws-service, wire in Python` by the twin that takes its place elsewhere
  (`WS_WIRE=python`).
- The server is pinned to core 0, the generator to core 1. **CPU time of the server per unit of
  work** (user and system, all threads) is the main figure. It is comparable on a shared machine,
  as long as other processes do not evict the caches.
- **ratio** is relative to the better of the two Node versions; F3 is compared with F1.
- **kept up** is the share of the offered load that was delivered within the window. Below
  95 % the server was saturated: latencies then grow without bound, and queued work can be
  batched, which flatters the server. So a saturated row never meets a goal. The load (members
  of the room in F, rooms in G, pings in E) is halved beforehand until Fastify has spare
  capacity in F1; the share that was offered is stated at the top.
- Latencies are measured from the time at which a message was *due* (open loop), so they include
  delays of the generator. **generator** is the share of time in which the generator was busy;
  near 100 % the generator is the bottleneck. It polls, so that no server pays for waking it.
- **others** is the share of the server's core that other processes used. Above a few per cent,
  repeat the run.
- The C programs of F1 and E do nothing but their system calls, so that their figures are lower
  bounds on this machine: `a send each` for any server that sends each message separately,
  `one io_uring_enter` for one that hands all messages to the kernel together, on registered
  files. `rows ready` of A is that of the disk.
- P: frames are due on a grid of 60 Hz (30 Hz where v1 clients ask for that), whose phase is
  fitted to the received frames; a tick that no frame shows in time counts as late until one does.
  Fastify always sends 60.
- S: the log is one recorded by the service, repeated with other users, rooms and matches. The
  first start folds all of it and writes the snapshot; later starts are measured, with a warm
  page cache.
- R, S, M and P are absolute figures. The goals were set on a machine on which the C loop of F1
  took 2.3 CPU seconds per million deliveries; this one may be slower.
- A: `raw sqlite3` encodes and hashes the same events and writes the same rows in the same
  batches, on one thread and with nothing else; `rows ready` skips the encoding as well.
- `nodes` rows: PostgreSQL (`fsync` on) and NATS run on the same machine. In `A nodes` up to three
  nodes, PostgreSQL and NATS **share its two cores**, and all producers together are 128 whatever
  the number of nodes; in `F1 nodes` and `P nodes` all of them **share the core of the server**, and
  the generator has the other one. So throughput and latencies say what a cluster costs, not what
  several machines can carry: compare CPU time, and see [scaling.md](scaling.md). CPU time is that
  of all nodes, without PostgreSQL and NATS. In `P nodes`, p50 and p99 are how late frames are.
- M counts the resident memory of the process; kernel memory of sockets is not included.
"""

_WHERE = """\
## Where the time goes

[performance/profile.md](performance/profile.md) has profiles by row: E, G and F, starts and others.
`docs/decisions/0013-limits-of-further-optimisation.md` has older ones, the optimisations that
were made, and the reasons for the missed goals. To profile a run, start it
(`python -m benchmarks G`) and attach `perf record -g -p PID` or `py-spy record --gil -p PID` to
the server.
"""

_NOT_SHOWN = """\
## Limits of the figures

- No network: everything is loopback, where `send` also includes the receiver's interrupt. Real
  connections are slower and lose packets; TLS is left to a proxy.
- One core: Node and Python use one each; the service runs as one process, but for the `nodes` rows.
- The peers store nothing, and their matches end with their process. The service logs
  connections, rooms, seats, inputs and points before it publishes them. F, G and E are
  measured without logged messages (`G logged` with them); P includes everything that the
  service logs, on this machine's disk.
- The peers are the simplest programs that do the work. Fastify and `ws` can be tuned as well, for
  instance by corking a socket.
- The C programs check no token, parse no JSON and have no rooms. They are lower bounds, no peers.
- Not measured: memory and start-up after weeks of operation, clients of different speeds, and
  nodes on several machines.
"""


class Verdict(NamedTuple):
    """The comparison of a goal with the measurement."""

    ratio: float | None
    text: str


def verdict(figure: Figure, results: Mapping[str, Measured]) -> Verdict:
    """Return whether the goal of a figure is met, and by how much."""
    goal = figure.goal
    ours = results[figure.key].median(figure.ours)
    if goal is None:
        return Verdict(None, "no goal")
    if ours is None:
        return Verdict(None, "not measured")
    value, ratio = ours, None
    if goal.against:
        theirs = [
            median
            for key, contender in goal.against
            if key in results and (median := results[key].median(contender)) is not None
        ]
        if not theirs:
            return Verdict(None, "not compared")
        value = ratio = ours / (max(theirs) if goal.at_least else min(theirs))
    away = f"{abs(value / goal.limit - 1):.0%}"
    saturated = _is_saturated(results, [(figure.key, figure.ours), *goal.against])
    if goal.met(value):
        return Verdict(ratio, "not shown: saturated" if saturated else f"met by {away}")
    return Verdict(ratio, f"missed by {away}" + (", saturated" if saturated else ""))


def _is_saturated(results: Mapping[str, Measured], compared: Sequence[tuple[str, str]]) -> bool:
    parts = [
        results[key].detail(contender, "kept_up") for key, contender in compared if key in results
    ]
    return any(part is not None and part < KEPT_UP_MIN for part in parts)


def goal_text(figure: Figure) -> str:
    """Format a goal: `<= 0.85 x`."""
    if figure.goal is None:
        return ""
    sign = ">=" if figure.goal.at_least else "<="
    times = " x" if figure.goal.against else ""
    return f"{sign} {_number(figure.goal.limit)}{times}"


def console_table(results: Mapping[str, Measured]) -> Table:
    """Return the table to print."""
    table = Table(title="Medians of all rounds", box=box.SIMPLE)
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name in _LEFT else "right", no_wrap=True)
    for measured in results.values():
        key, *_ = next(rows := _rows(measured, results))
        for _, *row in rows:
            table.add_row(key, *row)
            key = ""
        table.add_section()
    return table


def legend(results: Mapping[str, Measured]) -> str:
    """Return the explanation of the rows."""
    return "\n".join(
        f"{key:9} {measured.figure.title}: {measured.figure.unit}"
        for key, measured in results.items()
    )


def markdown(
    results: Mapping[str, Measured],
    versions: Mapping[str, str],
    plots: Sequence[str],
    how: str,
) -> str:
    """Return the page."""
    today = dt.datetime.now(dt.UTC).date().isoformat()
    facts = "\n".join(f"- {name}: {value}" for name, value in {**machine(), **versions}.items())
    pictures = "\n".join(f"![{name}](performance/{name}.svg)" for name in plots)
    return "\n".join(
        [
            _HEAD,
            f"Measured on {today}, {how}.\n",
            _disturbance(results),
            facts,
            "",
            *_markdown_table(results),
            "",
            *_failures(results),
            pictures,
            "",
            _HOW_TO_READ,
            _WHERE,
            _NOT_SHOWN,
        ]
    )


_COLUMNS = (
    "",
    "contender",
    "median",
    "ratio",
    "goal",
    "verdict",
    "kept up",
    "p50 ms",
    "p99 ms",
    "generator",
    "others",
)
_LEFT = {"", "contender", "verdict"}


def _rows(measured: Measured, results: Mapping[str, Measured]) -> Iterator[tuple[str, ...]]:
    figure = measured.figure
    judged = verdict(figure, results)
    yield (figure.key, f"{figure.title} ({figure.unit})", *[""] * (len(_COLUMNS) - 2))
    for contender in figure.measurements:
        median = measured.median(contender)
        is_ours = contender == figure.ours
        yield (
            "",
            contender,
            "failed" if median is None else _number(median),
            _number(judged.ratio) if is_ours and judged.ratio is not None else "",
            goal_text(figure) if is_ours else "",
            judged.text if is_ours else "",
            _percent(measured.detail(contender, "kept_up")),
            _latency(measured, contender, 50.0),
            _latency(measured, contender, 99.0),
            _percent(measured.detail(contender, "generator_busy")),
            _percent(measured.detail(contender, "others_busy")),
        )


def _markdown_table(results: Mapping[str, Measured]) -> Iterator[str]:
    yield "| " + " | ".join(_COLUMNS) + " |"
    yield "|" + "|".join("---" if name in _LEFT else "--:" for name in _COLUMNS) + "|"
    for measured in results.values():
        for key, contender, *rest in _rows(measured, results):
            bold = f"**{key}**" if key else ""
            yield "| " + " | ".join([bold, contender, *rest]) + " |"


def _failures(results: Mapping[str, Measured]) -> list[str]:
    lines = [
        f"- {key}, {contender}: {reason.splitlines()[-1][:300]}"
        for key, measured in results.items()
        for contender, reason in measured.failures.items()
    ]
    return ["Not measured:\n", *lines, ""] if lines else []


def _disturbance(results: Mapping[str, Measured]) -> str:
    """Return a warning if other processes disturbed the run."""
    parts = [
        part
        for measured in results.values()
        for contender in measured.samples
        if (part := measured.detail(contender, "others_busy")) is not None
    ]
    if not parts or statistics.median(parts) <= OTHERS_MAX:
        return ""
    return (
        "**The machine was not quiet**: other processes used "
        f"{statistics.median(parts):.0%} of the server's core. "
        "Measure again before you rely on these figures.\n"
    )


def _latency(measured: Measured, contender: str, point: float) -> str:
    values = [
        one.latencies_ms[point]
        for one in measured.samples.get(contender, ())
        if point in one.latencies_ms
    ]
    return _number(sorted(values)[len(values) // 2]) if values else ""


def _number(value: float) -> str:
    if value >= 1000:  # noqa: PLR2004 - from here on decimals say nothing
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _percent(part: float | None) -> str:
    return "" if part is None else f"{part:.0%}"
