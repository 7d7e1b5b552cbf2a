"""Short forms of the campaigns of `make torture`."""

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


async def test_nothing_shown_to_a_client_is_lost_under_any_fault(tmp_path: Path) -> None:
    faults = [fault for fault in FAULTS if fault.name in SOME]
    torture = Torture(tmp_path, SEED, faults=faults)
    summary = await torture.run(len(faults), print)
    assert set(torture.happened) == SOME
    assert summary.shown > 200
    assert summary.matches > 0


async def test_all_clients_resume_without_loss_after_a_mass_disconnect(
    tmp_path: Path,
) -> None:
    done = await storm(tmp_path, sockets=200, times=2)
    assert done.sockets * done.times == 400


async def test_resource_use_does_not_grow_over_many_matches(tmp_path: Path) -> None:
    done = await soak(tmp_path, lambda matches: matches >= MATCHES)
    assert done.matches >= MATCHES
