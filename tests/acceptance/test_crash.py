"""A few rounds of `crash.py`, which as a script runs for as long as you ask."""

from pathlib import Path

from tests.acceptance.crash import Crashes, Outages

TIMES = 10


async def test_nothing_shown_to_a_client_is_lost_by_repeated_kills(
    tmp_path: Path,
) -> None:
    outages = Outages(s_max=0.3, long_s=1)
    summary = await Crashes(tmp_path, seed=20, outages=outages).run(TIMES, print)
    assert summary.rounds == TIMES
    assert summary.shown > 200
    assert summary.matches > 0
