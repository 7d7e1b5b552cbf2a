"""What a run measures, how often, and how long that takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.cluster_figures import cluster_figures
from benchmarks.clusters import Clusters
from benchmarks.figures import Figure, Goal, figures, schedule
from benchmarks.logs import Logs
from benchmarks.progress import Progress
from benchmarks.scale import FULL, QUICK, Scale
from benchmarks.workloads import Span

if TYPE_CHECKING:
    from benchmarks.workloads import Sample

LOGS = Logs()
"""Not entered: none is written."""

CLUSTERS = Clusters()
"""Not entered: no server is started."""

OLD_FULL_S = 2400
"""Five rounds in windows of 5 s, 20,000 idle connections, a log of ten million events."""

FULL_MAX_S = 11 * 60
"""With the figures of clusters."""


def nothing() -> Sample:
    raise AssertionError


def figure(key: str, *contenders: str, goal: Goal | None = None, most: int | None = None) -> Figure:
    return Figure(key, "", "", dict.fromkeys(contenders, nothing), goal, "ours", rounds_max=most)


def test_contenders_take_turns_and_what_no_goal_is_about_is_measured_once() -> None:
    goal = Goal(1.0, [("F", "peer")])
    steps = schedule([figure("F", "peer", "other", "ours", goal=goal)], 3)
    assert [(step.round, step.contender) for step in steps] == [
        (1, "peer"),
        (1, "other"),
        (1, "ours"),
        (2, "peer"),
        (2, "ours"),
        (3, "peer"),
        (3, "ours"),
    ]


def test_a_row_that_the_goal_of_another_figure_compares_with_is_measured_as_often() -> None:
    goal = Goal(1.0, [("F", "peer")])
    steps = schedule([figure("F", "peer", "ours"), figure("G", "ours", goal=goal)], 2)
    assert [(step.figure.key, step.round, step.contender) for step in steps] == [
        ("F", 1, "peer"),
        ("F", 1, "ours"),
        ("F", 2, "peer"),
        ("G", 1, "ours"),
        ("G", 2, "ours"),
    ]


def test_a_figure_may_have_fewer_rounds() -> None:
    steps = schedule([figure("M", "ours", goal=Goal(22), most=2)], 5)
    assert [step.round for step in steps] == [1, 2]


@pytest.mark.parametrize("scale", [QUICK, FULL])
def test_every_goal_is_about_rows_that_are_measured(scale: Scale) -> None:
    chosen = figures(scale, LOGS) + cluster_figures(scale, CLUSTERS)
    rows = {(one.key, contender) for one in chosen for contender in one.measurements}
    assert len({one.key for one in chosen}) == len(chosen)
    ours = {(one.key, one.ours) for one in chosen if one.goal is not None}
    assert ours <= rows
    for one in chosen:
        against = [] if one.goal is None else one.goal.against
        assert not against or rows & set(against)


def test_a_full_run_takes_a_fifth_of_its_former_time_and_a_quick_one_a_minute() -> None:
    full, quick = (
        sum(step.figure.seconds for step in schedule(figures(scale, LOGS), scale.rounds))
        for scale in (FULL, QUICK)
    )
    assert full < OLD_FULL_S / 5
    assert quick < 60
    clusters = cluster_figures(FULL, CLUSTERS)
    of_clusters = sum(step.figure.seconds for step in schedule(clusters, FULL.rounds))
    assert full + of_clusters < FULL_MAX_S
    assert cluster_figures(QUICK, CLUSTERS) == []


def test_the_time_left_follows_the_pace_so_far() -> None:
    now = 100.0
    progress = Progress([10, 10, 100, 300], clock=lambda: now)
    assert str(progress) == "0/4, 7 min left"
    now += 30
    progress.step_done()
    assert progress.left_s == 3 * 410
    now += 10
    progress.step_done()
    progress.step_done()
    progress.step_done()
    assert str(progress) == "4/4, 0 s left"


def test_less_than_two_minutes_are_seconds() -> None:
    assert str(Progress([119])) == "0/1, 119 s left"


@pytest.mark.parametrize(("load", "warmup_s"), [(1.0, 0.7), (0.5, 0.7), (0.25, 1.4), (0.1, 1.4)])
def test_at_a_small_load_the_servers_are_warmed_up_for_longer(load: float, warmup_s: float) -> None:
    assert Span(0.7, 1.0).at(load) == Span(warmup_s, 1.0, load)
