"""A fresh environment with the wheel of this checkout, in which packages of games are installed.

What the service needs is taken from the environment of the tests, so nothing is downloaded.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
EXAMPLES = CHECKOUT / "examples" / "games"

OFFLINE = ("--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check")
"""Options of pip by which it downloads nothing."""


class GameVenv:
    """An environment in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.bin = directory / "bin"
        self.python = self.bin / "python"
        run(sys.executable, "-m", "venv", "--without-pip", directory)
        (packages,) = directory.glob("lib/python*/site-packages")
        # A line of a .pth file adds this directory, but not what its own .pth files add: the
        # checkout itself, which is installed in place there.
        (packages / "tests.pth").write_text(f"{sysconfig.get_path('purelib')}\n")

    def install(self, *packages: str | Path) -> None:
        """Install wheels, or packages from their directories, also `--editable`."""
        pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", self.python]
        run(*pip, "install", "--quiet", *OFFLINE, *packages)

    def ws_service(self, *arguments: str, cwd: Path) -> str:
        """Run the command of the installed wheel, and return what it prints."""
        return run(self.bin / "ws-service", *arguments, cwd=cwd)


def build_wheel(directory: Path) -> Path:
    """Build the wheel of this checkout."""
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory, cwd=CHECKOUT)
    (wheel,) = directory.glob("*.whl")
    return wheel


def run(
    *command: str | Path, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> str:
    """Run a command that must succeed, and return what it prints."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout
