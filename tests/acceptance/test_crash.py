"""A few rounds of `crash.py`; as a script it goes on for as long as is asked."""

from pathlib import Path

from tests.acceptance.crash import Crashes, Outages

TIMES = 10


async def test_nothing_that_was_shown_is_lost_however_often_the_service_is_killed(
    tmp_path: Path,
) -> None:
    outages = Outages(s_max=0.3, long_s=1)
    summary = await Crashes(tmp_path, seed=20, outages=outages).run(TIMES, print)
    assert summary.rounds == TIMES
    assert summary.shown > 200
    assert summary.matches > 0
