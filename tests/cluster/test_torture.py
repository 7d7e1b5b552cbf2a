"""Two minutes of torture of a cluster; `make torture-cluster` does it for as long as asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.torture import torture

pytestmark = [pytest.mark.postgres, pytest.mark.balancers]


@pytest.mark.timeout(400)
async def test_a_cluster_that_is_hurt_loses_nothing_and_ends_all_matches(tmp_path: Path) -> None:
    found = await torture(tmp_path, seconds=120, seed=1, pairs=100)
    assert found.done
    assert not found.faults, "\n".join(found.faults)
    # Each of the hundred pairs has played at least one match.
    assert found.verified >= 100
