"""Take the constants of the capacity model, and its runs, from samples of the benchmarks.

The samples are those that `python -m benchmarks --json FILE` writes. What a figure is missing for
stays as it is. With several files, or rounds, medians count.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

from benchmarks.capacity import FRAME_HZ, Measured, Run
from benchmarks.cluster_figures import APPENDS, MATCHES, NODES, TOGETHER
from benchmarks.contenders import SERVICE
from benchmarks.workloads import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

Samples: TypeAlias = dict[str, dict[str, list[Sample]]]
"""By figure and contender."""

MOST = max(NODES)


def read_samples(files: Sequence[Path]) -> Samples:
    """Read files, and join their samples."""
    joined: Samples = {}
    for file in files:
        for key, rows in msgspec.json.decode(file.read_bytes(), type=Samples).items():
            for contender, samples in rows.items():
                joined.setdefault(key, {}).setdefault(contender, []).extend(samples)
    return joined


def calibrated(measured: Measured, samples: Samples, date: str) -> Measured:
    """Return the constants and runs that follow from samples of a day like `2026-11-26`."""
    constants = msgspec.structs.asdict(measured.constants)
    for name, (value, source) in _found(samples, measured.constants.follow_us.value).items():
        constants[name] = msgspec.structs.replace(
            constants[name], value=float(f"{max(0.0, value):.3g}"), source=f"{source} ({date})"
        )
    runs = list(_runs(samples, date)) or measured.runs
    return Measured(msgspec.convert(constants, type(measured.constants)), runs)


class Found(NamedTuple):
    """A value, and the row that it is from."""

    value: float
    source: str


def _found(samples: Samples, follow_us: float) -> dict[str, Found]:
    found = {}
    joins, idle = samples.get("L", {}), samples.get("M", {}).get(SERVICE.name)
    many = [name for name in joins if name.startswith(SERVICE.name)]
    if many:
        row = joins[many[-1]]
        found["join_ms"] = Found(_median(row), f"docs/performance.md, L, {many[-1]}")
    if idle is not None:
        found["connection_kib"] = Found(_median(idle), "docs/performance.md, M")
    if APPENDS in samples and MATCHES in samples:
        found |= _of_clusters(samples[APPENDS][NODES[MOST]], samples[MATCHES], follow_us)
    return found


def _of_clusters(
    appends: Sequence[Sample], matches: dict[str, list[Sample]], follow_us: float
) -> dict[str, Found]:
    """Solve the model for the costs of single steps, from runs that differ in one of them."""
    one, apart, together = (matches[name] for name in (NODES[1], NODES[MOST], TOGETHER))
    count = _median(one, "matches")
    idle = _median(together, "idle_share")
    work = {
        name: _median(rows, "nodes_busy") - _median(rows, "nodes") * idle
        for name, rows in (("one", one), ("apart", apart), ("together", together))
    }
    events, batches = (_median(together, f"{what}_per_s") for what in ("events", "batches"))
    append_us = _median(appends, "database_us_per_event")
    follow_s = work["together"] - work["one"] - events * (MOST - 1) * follow_us / 1e6
    database_s = _median(together, "database_busy") - events * append_us / 1e6
    rows = f"docs/performance.md, {MATCHES}"
    return {
        "append_us": Found(append_us, f"docs/performance.md, {APPENDS}, {NODES[MOST]}"),
        "batch_us": Found(1e6 * database_s / batches, f"{rows}: what events do not explain"),
        "batches_per_s": Found(batches / MOST, f"{rows}, {TOGETHER}"),
        "commit_ms": Found(_median(one, "commit_ms"), f"{rows}, {NODES[1]}"),
        "idle_share": Found(idle, f"{rows}: before the first client"),
        "follow_batch_us": Found(
            1e6 * follow_s / (batches * (MOST - 1)),
            f"{rows}: {TOGETHER}, less {NODES[1]}",
        ),
        "match_ms": Found(1e3 * work["one"] / count, f"{rows}, {NODES[1]}, less an idle node"),
        "frame_us": Found(
            1e6 * (work["apart"] - work["together"]) / (2 * FRAME_HZ * count),
            f"{rows}: players apart, less together; with the inputs that are sent there",
        ),
        "base_mib": Found(_median(one, "base_mib"), f"{rows}: a node after its start"),
    }


def _runs(samples: Samples, date: str) -> Iterator[Run]:
    for nodes, name in NODES.items():
        rows = samples.get(MATCHES, {}).get(name)
        if rows:
            yield Run(
                date,
                nodes,
                round(_median(rows, "matches")),
                node_share=_median(rows, "node_busy_max"),
                database_share=_median(rows, "database_busy"),
                commit_ms=_median(rows, "commit_ms"),
            )


def _median(rows: Sequence[Sample], detail: str | None = None) -> float:
    return statistics.median(one.value if detail is None else one.details[detail] for one in rows)
