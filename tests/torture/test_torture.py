"""Short forms of what `make torture` does for as long as is asked."""

from pathlib import Path

from tests.torture.faults import FAULTS
from tests.torture.soak import soak
from tests.torture.storm import storm
from tests.torture.torture import Torture

SEED = 7
MATCHES = 250

SOME = {
    "killed in transaction",
    "killed after commit",
    "killed before fold",
    "killed in a migration",
    "full disk",
    "frozen",
    "clock jumps",
    "bad line",
}
"""One of each kind."""


async def test_nothing_that_was_shown_is_lost_whatever_befalls_the_service(tmp_path: Path) -> None:
    faults = [fault for fault in FAULTS if fault.name in SOME]
    torture = Torture(tmp_path, SEED, faults=faults)
    summary = await torture.run(len(faults), print)
    assert set(torture.happened) == SOME
    assert summary.shown > 200
    assert summary.matches > 0


async def test_everybody_who_is_cut_off_at_once_is_back_and_has_missed_nothing(
    tmp_path: Path,
) -> None:
    done = await storm(tmp_path, sockets=200, times=2)
    assert done.sockets * done.times == 400


async def test_nothing_grows_over_many_matches(tmp_path: Path) -> None:
    done = await soak(tmp_path, lambda matches: matches >= MATCHES)
    assert done.matches >= MATCHES
