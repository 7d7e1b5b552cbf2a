"""Two minutes of torture of a cluster; `make torture-cluster` does it for as long as asked."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.postgres, pytest.mark.balancers]

SECONDS = 120

COMMAND = [sys.executable, "-m", "tests.cluster.torture", "--seconds", str(SECONDS), "--seed", "1"]

NICE = ["nice", "-n", "5"]
"""The tests that run at the same time have bounds in milliseconds, this one has none."""


@pytest.mark.timeout(SECONDS + 480)
def test_a_cluster_that_is_hurt_loses_nothing_and_ends_all_matches() -> None:
    """With a hundred matches and two hundred users."""
    done = subprocess.run([*NICE, *COMMAND], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    verified = re.search(r"(\d+) matches verified, 0 wrong", done.stdout)
    # Each of the hundred pairs has played at least one match.
    assert verified is not None, done.stdout
    assert int(verified[1]) >= 100, done.stdout
