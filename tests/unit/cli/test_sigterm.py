"""SIGTERM ends a command that writes files as Ctrl-C does."""

from __future__ import annotations

import os
import signal

import pytest

from service.cli.common import ended_by_sigterm


def write(steps: list[str]) -> None:
    """Write something in part, until SIGTERM comes."""
    with ended_by_sigterm():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        finally:
            steps.append("removed")


def test_sigterm_lets_a_command_clean_up() -> None:
    before, steps = signal.getsignal(signal.SIGTERM), list[str]()
    with pytest.raises(KeyboardInterrupt):
        write(steps)
    assert steps == ["removed"]
    assert signal.getsignal(signal.SIGTERM) is before
