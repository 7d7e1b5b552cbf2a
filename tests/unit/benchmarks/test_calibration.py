"""The constants of the capacity model follow from the samples of a run."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from benchmarks.calibration import calibrated, read_samples
from benchmarks.capacity import Constants, Load, Measured, predict, read
from benchmarks.cluster_figures import APPENDS, MATCHES, NODES, TOGETHER
from benchmarks.workloads import Sample

COUNT = 100


def known() -> Constants:
    """Return the constants of the file with other values."""
    values: dict[str, float] = {
        "append_us": 10,
        "batch_us": 400,
        "batches_per_s": 50,
        "commit_ms": 2,
    }
    values |= {"idle_share": 0.02, "follow_batch_us": 200, "match_ms": 2, "frame_us": 5}
    given = msgspec.structs.asdict(read().constants)
    for name, value in values.items():
        given[name] = msgspec.structs.replace(given[name], value=float(value))
    return msgspec.convert(given, Constants)


def sample(nodes: int, *, are_apart: bool) -> Sample:
    """Return what a run would measure if the model were true."""
    load = Load(COUNT, idle_share=0, joins_share=0, are_apart=are_apart)
    costs = known()
    if not are_apart:
        # The model has no such case but that of frames that cost nothing.
        free = msgspec.structs.replace(costs.frame_us, value=0.0)
        costs = msgspec.structs.replace(costs, frame_us=free)
    found = predict(costs, load, nodes)
    return Sample(
        1.0,
        {
            "matches": COUNT,
            "nodes": nodes,
            "nodes_busy": nodes * found.node_share,
            "node_busy_max": found.node_share,
            "database_busy": found.database_share,
            "events_per_s": found.events_per_s,
            "batches_per_s": nodes * 50,
            "commit_ms": 2.0,
            "idle_share": 0.02,
            "base_mib": 100.0,
        },
    )


def test_a_run_that_obeys_the_model_gives_its_constants_and_runs_as_predicted() -> None:
    matches = {name: [sample(nodes, are_apart=True)] for nodes, name in NODES.items()}
    matches[TOGETHER] = [sample(3, are_apart=False)]
    appends = {NODES[3]: [Sample(1.0, {"database_us_per_event": 10.0})]}
    found = calibrated(read(), {APPENDS: appends, MATCHES: matches}, "2026-11-26")
    for name in ("append_us", "batch_us", "idle_share", "follow_batch_us", "match_ms", "frame_us"):
        expected = getattr(known(), name).value
        assert getattr(found.constants, name).value == pytest.approx(expected, rel=0.01), name
    assert [run.nodes for run in found.runs] == [1, 2, 3]
    for run in found.runs:
        load = Load(run.matches, idle_share=0, joins_share=0, are_apart=True)
        predicted = predict(found.constants, load, run.nodes)
        assert run.node_share == pytest.approx(predicted.node_share, rel=0.01)
        assert run.database_share == pytest.approx(predicted.database_share, rel=0.01)


def test_what_was_not_measured_stays() -> None:
    before = read()
    samples = {
        "L": {"ws-service, 500 users": [Sample(9.0)], "ws-service, 2000 users": [Sample(0.4)]}
    }
    after = calibrated(before, samples, "2026-11-26")
    assert after.constants.join_ms.value == 0.4
    assert "2000 users (2026-11-26)" in after.constants.join_ms.source
    unchanged = msgspec.structs.replace(after.constants, join_ms=before.constants.join_ms)
    assert Measured(unchanged, after.runs) == before


def test_the_samples_of_several_files_are_joined(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    for number, file in enumerate(files):
        file.write_bytes(msgspec.json.encode({"M": {"ws-service": [Sample(float(number))]}}))
    assert [one.value for one in read_samples(files)["M"]["ws-service"]] == [0, 1]
