"""A few rounds of `crash.py`; as a script it goes on for as long as is asked."""

from pathlib import Path

from tests.acceptance.crash import Crashes


async def test_nothing_that_was_shown_is_lost_however_often_the_service_is_killed(
    tmp_path: Path,
) -> None:
    summary = await Crashes(tmp_path, seed=20).run(5, print)
    assert summary.rounds == 5
    assert summary.shown > 200
    assert summary.matches > 0
