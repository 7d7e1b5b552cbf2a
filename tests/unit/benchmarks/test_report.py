"""When a goal counts as met."""

from __future__ import annotations

import pytest

from benchmarks.figures import Figure, Goal, Measured
from benchmarks.report import console_table, goal_text, markdown, verdict
from benchmarks.workloads import Sample


def measured(goal: Goal | None, *, ours: float, theirs: float, kept_up: float = 1.0) -> Measured:
    def nothing() -> Sample:
        raise AssertionError

    figure = Figure("F1", "title", "unit", {"peer": nothing, "ws-service": nothing}, goal)
    return Measured(
        figure,
        {
            "peer": [Sample(theirs, {"kept_up": kept_up}), Sample(theirs, {"kept_up": kept_up})],
            "ws-service": [Sample(ours * 9), Sample(ours), Sample(ours / 9)],
        },
    )


AT_MOST = Goal(0.5, [("F1", "peer")])
AT_LEAST = Goal(0.8, [("F1", "peer")], at_least=True)


@pytest.mark.parametrize(
    ("goal", "ours", "theirs", "ratio", "text"),
    [
        (AT_MOST, 2.0, 5.0, 0.4, "met by 20%"),
        (AT_MOST, 4.0, 5.0, 0.8, "missed by 60%"),
        (AT_LEAST, 4.5, 5.0, 0.9, "met by 12%"),
        (AT_LEAST, 2.0, 5.0, 0.4, "missed by 50%"),
        (Goal(8), 4.0, 5.0, None, "met by 50%"),
        (Goal(8), 10.0, 5.0, None, "missed by 25%"),
        (None, 10.0, 5.0, None, "no goal"),
    ],
)
def test_medians_are_compared_with_the_goal(
    goal: Goal | None, ours: float, theirs: float, ratio: float | None, text: str
) -> None:
    one = measured(goal, ours=ours, theirs=theirs)
    assert verdict(one.figure, {"F1": one}) == (ratio, text)


def test_a_goal_is_not_met_by_a_row_with_a_saturated_server() -> None:
    met = measured(AT_MOST, ours=2, theirs=5, kept_up=0.9)
    assert verdict(met.figure, {"F1": met}).text == "not shown: saturated"
    missed = measured(AT_MOST, ours=4, theirs=5, kept_up=0.9)
    assert verdict(missed.figure, {"F1": missed}).text == "missed by 60%, saturated"


def test_an_unmeasured_row_has_no_verdict() -> None:
    one = measured(AT_MOST, ours=2, theirs=5)
    del one.samples["peer"]
    assert verdict(one.figure, {"F1": one}).text == "not compared"
    del one.samples["ws-service"]
    assert verdict(one.figure, {"F1": one}).text == "not measured"


def test_the_page_has_a_row_for_each_contender_and_says_what_failed() -> None:
    one = measured(AT_MOST, ours=2, theirs=5)
    one.failures["peer"] = "it said:\nno"
    page = markdown({"F1": one}, {"Node": "1.2.3"}, ["F1"], "2 rounds")
    assert "| **F1** | title (unit) |" in page
    assert "|  | ws-service | 2 | 0.4 | <= 0.5 x | met by 20% |" in page
    assert "- Node: 1.2.3" in page
    assert "- F1, peer: no" in page
    assert "![F1](performance/F1.svg)" in page
    assert console_table({"F1": one}).row_count == 2
    assert goal_text(one.figure) == "<= 0.5 x"
