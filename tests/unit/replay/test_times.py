import json
from pathlib import Path

import pytest

from service.replay.times import left_as_text, seconds_as_text, whole_seconds

TIMES = json.loads((Path(__file__).parents[2] / "times.json").read_text())
"""Times as the terminal and the page show them; the tests of the page read the same file."""


@pytest.mark.parametrize("time", TIMES, ids=lambda time: str(time["seconds"]))
def test_a_time_that_has_passed_is_rounded_down_as_on_the_page(time: dict[str, str]) -> None:
    assert seconds_as_text(float(time["seconds"])) == time["terminal"]


@pytest.mark.parametrize(
    ("seconds", "whole"), [(0, 0), (0.999, 0), (29.5, 29), (30.5, 30), (0.1 * 3 * 10, 3), (90, 90)]
)
def test_a_duration_in_seconds_is_rounded_down(seconds: float, whole: int) -> None:
    assert whole_seconds(seconds) == whole


@pytest.mark.parametrize(
    ("ms", "text"),
    [(60_000, "1:00"), (59_999, "1:00"), (1001, "0:02"), (1, "0:01"), (0, "0:00"), (-5, "0:00")],
)
def test_a_time_that_is_left_is_rounded_up_so_that_zero_means_over(ms: int, text: str) -> None:
    assert left_as_text(ms) == text
