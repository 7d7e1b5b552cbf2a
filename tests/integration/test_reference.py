import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent.parent


def test_the_committed_reference_matches_the_code() -> None:
    check = subprocess.run(
        [sys.executable, "tools/reference.py", "--check"],
        cwd=CHECKOUT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (check.returncode, check.stderr) == (0, "")
