"""A command imports what it needs itself, and nothing else."""

import subprocess
import sys

import pytest

HEAVY = {"aiohttp", "sqlalchemy", "alembic", "service.app", "jwt", "cryptography"}

SEEN = """
import sys
from service.cli import main
sys.argv = ["ws-service", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
print(*sys.modules, file=sys.stderr)
"""


def imported(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", SEEN, *arguments], capture_output=True, text=True, check=True
    )
    return HEAVY & set(done.stderr.split())


def test_the_version_is_printed_without_importing_the_service() -> None:
    assert imported("--version") == set()


def test_a_token_is_made_without_a_database() -> None:
    assert not imported("token", "--help") & {"sqlalchemy", "alembic", "service.app"}


@pytest.mark.parametrize("command", ["serve", "db", "log", "matches", "outbox", "replay", "token"])
def test_every_command_has_its_help(command: str) -> None:
    assert imported(command, "--help") <= HEAVY
