"""`ws-service bots`: from the shell, until it is stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.service_process import SECRET, Running, clean_environment
from tests.command_line import CommandLine


def test_users_from_outside_come_and_leave_by_sigterm(service: Running) -> None:
    url = service.url.replace("http", "ws")
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "bots", "--count", "2", "--url", url],
        env=clean_environment({"JWT_SECRET": SECRET}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("2 of 2 connected"):
            process.send_signal(signal.SIGTERM)
            break
    out, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert out.splitlines()[-1].startswith("0 of 2 connected")
    assert out.rstrip().endswith("all have left")


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        (("--game", "chess"), "choose one of: pong"),
        (("--game", "relay"), "choose one of: pong, connect_four"),
        (("--level", "4"), "from 1 to 3"),
        (("--url", "ws://127.0.0.1:9"), "--url"),
        (("--tokens", "tokens.txt", "--count", "3"), "has 1 lines"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], advice: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tokens.txt").write_text("a.b.c\n")
    assert advice in CommandLine(tmp_path).run("bots", *options, JWT_SECRET=SECRET).complaint


def test_a_refused_token_is_explained(service: Running, tmp_path: Path) -> None:
    (tmp_path / "tokens.txt").write_text("a.b.c\n")
    url = service.url.replace("http", "ws")
    options = ("--count", "1", "--tokens", str(tmp_path / "tokens.txt"), "--url", url)
    done = CommandLine(tmp_path).run("bots", *options)
    assert "JWT_SECRET must be the one of the service" in done.complaint
