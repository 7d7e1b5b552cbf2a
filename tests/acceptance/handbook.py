"""Runs the procedures of docs/operations, literally, on a service of this machine.

A block of commands below `<!-- tested: NAME -->` is one procedure. Paths like /var/lib/ws-service
are replaced by those of a sandbox, and `systemctl` starts and stops the real service there. Lines
below a command must be in what it prints; numbers in them stand for any, and `...` for anything.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.service_process import PATIENCE_S, SECRET, clean_environment

PAGES = Path(__file__).parents[2] / "docs" / "operations"

_BLOCK = re.compile(r"<!-- tested: ([\w-]+) -->\n```console\n(.*?)```", re.DOTALL)

_SYSTEMCTL = """#!/bin/bash
set -eu
stop() {
    [ -f "$SANDBOX/pid" ] || return 0
    kill -TERM "$(cat "$SANDBOX/pid")"
    while kill -0 "$(cat "$SANDBOX/pid")" 2>/dev/null; do sleep 0.02; done
    rm "$SANDBOX/pid"
}
start() {
    : > "$SANDBOX/log"
    (set -a; . "$SANDBOX/ws-service.env"; set +a
     exec ws-service serve >> "$SANDBOX/log" 2>&1 & echo $! > "$SANDBOX/pid")
    until grep -q '"listening"' "$SANDBOX/log"; do
        kill -0 "$(cat "$SANDBOX/pid")" || { cat "$SANDBOX/log"; exit 1; }
        sleep 0.02
    done
}
case "$1" in
    start) start ;;
    stop) stop ;;
    restart) stop; start ;;
    *) exit 2 ;;
esac
"""


@dataclass
class Command:
    """A command of a procedure, and what it is to print."""

    text: str
    expected: list[str] = field(default_factory=list)


def procedures() -> dict[str, list[Command]]:
    """Read the procedures of all pages, by name."""
    found: dict[str, list[Command]] = {}
    for page in sorted(PAGES.glob("*.md")):
        for name, block in _BLOCK.findall(page.read_text()):
            assert name not in found, name
            found[name] = commands_of(block)
    return found


def commands_of(block: str) -> list[Command]:
    """Read the commands of a block, with what each is to print."""
    commands: list[Command] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            commands.append(Command(line[2:]))
        elif commands[-1].text.endswith("\\"):
            commands[-1].text += f"\n{line}"
        else:
            commands[-1].expected.append(line)
    return commands


def pattern_of(line: str) -> re.Pattern[str]:
    """Return what a line of a page matches."""
    text = re.escape(line).replace(r"\.\.\.", ".*")
    return re.compile(re.sub(r"\d+", r"\\d+", text))


class Sandbox:
    """The machine of the pages, in a directory."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.directory = directory
        self.data_dir = directory / "data"
        self.backups = directory / "backups"
        tools = directory / "bin"
        tools.mkdir()
        (tools / "systemctl").write_text(_SYSTEMCTL)
        (tools / "systemctl").chmod(0o755)
        # No procedure needs it to install the same version again.
        (tools / "pip").write_text("#!/bin/sh\n")
        (tools / "pip").chmod(0o755)
        self.settings = {
            "WS_PORT": "0",
            "WS_DATA_DIR": str(self.data_dir),
            "JWT_SECRET": SECRET,
            "WS_ALLOWED_ORIGINS": "https://play.example.org",
            **settings,
        }
        self.file = directory / "ws-service.env"
        self.file.write_text("".join(f"{name}={text}\n" for name, text in self.settings.items()))
        venv = Path(sys.executable).parent
        self.environment = clean_environment(self.settings) | {
            "SANDBOX": str(directory),
            "PATH": f"{tools}:{venv}:{os.environ['PATH']}",
        }
        self._paths = {
            "/var/lib/ws-service": str(self.data_dir),
            "/var/backups/ws-service": str(self.backups),
            "/etc/ws-service.env": str(self.file),
            "/opt/ws-service/bin/pip": str(tools / "pip"),
        }

    def run(self, commands: list[Command], **environment: str) -> None:
        """Run a procedure in one shell; fail at the first command that fails or prints other."""
        script = ["set -euo pipefail"]
        for number, command in enumerate(commands):
            script += [f"echo; echo '@@@ {number}'", self._here(command.text)]
        done = self.shell("\n".join(script), environment)
        printed = re.split(r"^@@@ \d+\n", done.stdout, flags=re.MULTILINE)[1:]
        assert done.returncode == 0, f"{commands[len(printed) - 1].text}\n{done.stdout}"
        for command, lines in zip(commands, printed, strict=True):
            for line in command.expected:
                assert pattern_of(self._here(line)).search(lines), f"{command.text}\n{lines}"

    def shell(
        self, script: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a script as an operator would."""
        return subprocess.run(
            ["/bin/bash", "-c", script],
            cwd=self.directory,
            env={**self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=3 * PATIENCE_S,
        )

    def systemctl(self, verb: str) -> None:
        """Start or stop the service."""
        done = self.shell(f"systemctl {verb} ws-service")
        assert done.returncode == 0, done.stdout

    @property
    def url(self) -> str:
        """Where the service listens."""
        (found,) = re.findall(r'"full":"(http[^"]+)"', (self.directory / "log").read_text())
        return str(found)

    def _here(self, text: str) -> str:
        for path, here in self._paths.items():
            text = text.replace(path, here)
        return text
