"""Commands import what they need when they run, so that `--help` is fast."""

import os
import subprocess
import sys

import pytest
import typer

from service.cli.commands import app

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

LIGHT = {
    "service",
    "service.cli",
    "service.cli.commands",
    "service.cli.log_commands",
    "service.cli.match_commands",
    "service.cli.paths",
    "service.domain",
    "service.domain.errors",
    "service.domain.ids",
    "service.edge",
    "service.edge.claims",
    "service.errors",
}
"""What the declaration of the commands needs."""


def imported(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", SEEN, *arguments],
        env=os.environ | {"JWT_SECRET": "a secret of thirty-two bytes or more"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout != ""
    return set(done.stderr.split())


def heavy(modules: set[str]) -> set[str]:
    """Return what costs: other libraries than Typer's, and the parts of the service."""
    libraries = {"aiohttp", "alembic", "asyncio", "cryptography", "jwt", "sqlalchemy", "structlog"}
    parts = {name for name in modules if name.split(".")[0] == "service"} - LIGHT
    return parts | modules & (libraries | {"prometheus_client", "uvloop"})


def every_command() -> list[str]:
    """Name all commands with theirs, as they are typed."""
    found = []
    for name, command in typer.main.get_group(app).commands.items():
        found.append(name)
        found += [f"{name} {verb}" for verb in getattr(command, "commands", ())]
    return found


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]])
def test_the_version_and_the_help_import_no_part_of_the_service(arguments: list[str]) -> None:
    assert heavy(imported(*arguments)) == set()


@pytest.mark.parametrize("command", every_command())
def test_the_help_of_a_command_imports_no_part_of_the_service(command: str) -> None:
    assert heavy(imported(*command.split(), "--help")) == set()


def test_a_token_is_made_without_a_database() -> None:
    unneeded = {"sqlalchemy", "alembic", "service.app"}
    assert not imported("token", "--id", "7") & unneeded
