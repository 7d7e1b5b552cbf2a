"""The driver of PostgreSQL costs nothing where the log is on SQLite."""

from __future__ import annotations

import subprocess
import sys

PARTS = "service.lifecycle, service.cli.verify, service.cli.skip, service.cli.outbox"


def test_without_postgresql_its_driver_is_not_imported() -> None:
    script = f"import sys, {PARTS}; print('psycopg' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
