"""The arithmetic of the measurements, on known schedules."""

from __future__ import annotations

import array
import os
import time
from typing import TYPE_CHECKING

import pytest

from benchmarks.measure import (
    arrivals_by_connection,
    core_busy_s,
    cpu_s,
    percentiles,
    rss_kib,
    tick_lateness_us,
)

if TYPE_CHECKING:
    from pathlib import Path

TICK_US = 1000.0


def test_a_percentile_is_the_nearest_rank() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert percentiles(values) == {50.0: 50, 90.0: 90, 99.0: 99, 99.9: 100, 100.0: 100}
    assert percentiles([7.0]) == {50.0: 7, 90.0: 7, 99.0: 7, 99.9: 7, 100.0: 7}
    assert percentiles([]) == {}


def test_ticks_on_their_grid_are_not_late_whatever_its_phase() -> None:
    arrivals = [317 + tick * 1000 for tick in range(20)]
    assert set(tick_lateness_us(arrivals, TICK_US)) == {0.0}


def test_a_late_frame_is_late_by_as_much_as_it_came_after_its_grid() -> None:
    arrivals = [317 + tick * 1000 for tick in range(20)]
    arrivals[7] += 400
    lateness = list(tick_lateness_us(arrivals, TICK_US))
    assert lateness == [0] * 7 + [400] + [0] * 12


def test_ticks_that_one_frame_shows_together_are_late_for_each() -> None:
    arrivals = [317 + tick * 1000 for tick in range(20) if tick not in {7, 8}]
    lateness = list(tick_lateness_us(arrivals, TICK_US))
    assert lateness == [0] * 7 + [2000, 1000] + [0] * 11


def test_a_few_early_frames_do_not_move_the_grid() -> None:
    arrivals = [10_317 + tick * 1000 + (tick % 3) * 50 for tick in range(300)]
    arrivals[100] -= 450
    lateness = percentiles(list(tick_lateness_us(arrivals, TICK_US)))
    assert lateness[50.0] == 50
    assert lateness[99.0] == 100


def test_the_generators_arrivals_are_read_by_connection(tmp_path: Path) -> None:
    path = tmp_path / "arrivals"
    path.write_bytes(array.array("I", [3, 10, 1, 12, 3, 20]).tobytes())
    assert arrivals_by_connection(path) == {1: [12], 3: [10, 20]}


def test_the_cpu_time_of_a_process_matches_its_own_measure() -> None:
    before = time.process_time()
    measured = cpu_s(os.getpid())
    assert before <= measured <= time.process_time()


def test_memory_and_cores_are_read_from_this_machine() -> None:
    assert rss_kib(os.getpid()) > 1000
    assert core_busy_s(0) > 0
    with pytest.raises(ValueError, match="no core"):
        core_busy_s(100_000)
