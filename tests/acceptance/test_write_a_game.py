"""The guide docs/write-a-game.md works from an empty directory, block by block."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.handbook import Command, commands_of, pattern_of
from tests.acceptance.service_process import PATIENCE_S, clean_environment
from tests.game_venv import OFFLINE, GameVenv
from tests.ports import free_port

PAGE = Path(__file__).parents[2] / "docs" / "write-a-game.md"
BLOCK = re.compile(r"(?:<!-- file: (\S+) -->\n)?```(\w+)\n(.*?)```", re.DOTALL)
SERVE = "ws-service serve --dev"


class Author:
    """Somebody who follows the guide, in a directory."""

    def __init__(self, directory: Path, venv: GameVenv) -> None:
        self.directory = directory
        # As pip is in an environment of theirs, but without downloads.
        options = " ".join(OFFLINE)
        pip = f'{sys.executable} -m pip --python {venv.python} "$verb" {options}'
        pytest_ = f'{venv.python} -m pytest -p no:cacheprovider "$verb"'
        for name, text in (("pip", pip), ("pytest", pytest_)):
            script = f'#!/bin/sh\nverb=$1; shift\nexec {text} "$@"\n'
            (venv.bin / name).write_text(script)
            (venv.bin / name).chmod(0o755)
        settings = {"WS_PORT": str(free_port()), "WS_DATA_DIR": str(directory / "data")}
        self.environment = clean_environment(settings) | {
            "PATH": f"{venv.bin}:{os.environ['PATH']}",
            "COLUMNS": "200",
            # The plugins of this project are not needed, and slow to load.
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }
        self.service: subprocess.Popen[bytes] | None = None

    def write(self, name: str, text: str) -> None:
        """Save a file of the guide."""
        file = self.directory / name
        file.write_text(text)

    def run(self, command: Command) -> None:
        """Run a command of the guide, which must succeed and print what the guide says."""
        if command.text == SERVE:
            self.serve()
            return
        done = subprocess.run(
            ["/bin/bash", "-c", f"set -o pipefail; {command.text}"],
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=6 * PATIENCE_S,
        )
        assert done.returncode == 0, f"{command.text}\n{done.stdout}"
        for line in command.expected:
            assert pattern_of(line).search(done.stdout), f"{command.text}\n{done.stdout}"

    def serve(self) -> None:
        """Start the service, and wait until it listens."""
        self.service = subprocess.Popen(
            ["/bin/bash", "-c", f"exec {SERVE}"],
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self.service.stdout is not None
        assert any(b"listening" in line for line in self.service.stdout)

    def stop(self) -> None:
        """Stop the service, if it was started."""
        if self.service is not None:
            self.service.terminate()
            self.service.communicate()


@pytest.fixture
def author(tmp_path: Path, game_venv: GameVenv) -> Iterator[Author]:
    made = Author(tmp_path, game_venv)
    yield made
    made.stop()


@pytest.mark.sqlite
@pytest.mark.timeout(300)
def test_every_block_of_the_guide_works(author: Author) -> None:
    kinds = set()
    for file, kind, text in BLOCK.findall(PAGE.read_text()):
        kinds.add(kind)
        if file:
            author.write(file, text)
        elif kind == "console":
            for command in commands_of(text):
                author.run(command)
        else:
            # What `games new` has written already.
            project = (author.directory / "high_card" / "pyproject.toml").read_text()
            assert kind == "toml"
            assert text in project
            tomllib.loads(text)
    assert kinds == {"console", "python", "js", "toml"}
