"""A replay in a real terminal: output, keys, and exit."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyte
import pytest

from tests.acceptance.cli.conftest import DURATION_S, Recorded
from tests.acceptance.service_process import PATIENCE_S

COLUMNS, LINES = 80, 24
TICKS = 60 * DURATION_S
LEFT, RIGHT = "\x1b[D", "\x1b[C"


class Terminal:
    """A terminal in which the command runs."""

    def __init__(self, *arguments: str, environment: dict[str, str]) -> None:
        self.ours, self._theirs = pty.openpty()
        termios.tcsetwinsize(self._theirs, (LINES, COLUMNS))
        self.before = self.modes
        self.written = ""
        self._screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.Stream(self._screen)
        self.process = subprocess.Popen(
            arguments,
            env=environment | {"TERM": "xterm-256color"},
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            # A session of its own, so that Ctrl-C reaches it from this terminal.
            start_new_session=True,
            preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),  # noqa: PLW1509 - the child has no threads yet
        )

    @property
    def modes(self) -> list[Any]:
        """How the terminal is set."""
        return termios.tcgetattr(self._theirs)

    @property
    def text(self) -> str:
        """What the screen shows."""
        return "\n".join(self._screen.display)

    @property
    def tick(self) -> int | None:
        """The tick that is shown."""
        found = re.search(rf"tick (\d+) of {TICKS}", self.text)
        return int(found[1]) if found else None

    def press(self, *keys: str) -> None:
        """Type keys, all at once."""
        os.write(self.ours, "".join(keys).encode())

    def until(self, shown: Callable[[Terminal], object]) -> None:
        """Read until the screen shows something."""
        deadline = time.monotonic() + PATIENCE_S
        while not shown(self):
            assert time.monotonic() < deadline, f"it does not come; the screen:\n{self.text}"
            self._read(0.1)

    def end(self) -> int:
        """Read until the process ends, and return its exit code."""
        self.until(lambda _: self.process.poll() is not None)
        self._read(0)
        return self.process.returncode

    def close(self) -> None:
        """End what still runs, and take the terminal away."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.ours)
        os.close(self._theirs)

    def _read(self, wait_s: float) -> None:
        if select.select([self.ours], [], [], wait_s)[0]:
            text = os.read(self.ours, 65536).decode(errors="replace")
            self.written += text
            self._stream.feed(text)


@contextmanager
def playing(recorded: Recorded, *options: str) -> Iterator[Terminal]:
    """Play a match in a terminal, and wait until it shows something."""
    command = recorded.ws_service
    terminal = Terminal(
        *command.arguments("replay", recorded.played, *options), environment=command.environment()
    )
    try:
        terminal.until(lambda one: one.tick is not None)
        yield terminal
    finally:
        terminal.close()


@contextmanager
def paused(recorded: Recorded) -> Iterator[Terminal]:
    """Play slowly, and pause at the beginning."""
    with playing(recorded, "--speed", "0.25") as terminal:
        terminal.press(" ")
        terminal.until(lambda one: "0.25x  paused" in one.text)
        yield terminal


def check_left_as_it_was(terminal: Terminal) -> None:
    assert terminal.modes == terminal.before
    assert "Traceback" not in terminal.written
    # The cursor was hidden, and is shown again.
    assert terminal.written.rindex("\x1b[?25h") > terminal.written.rindex("\x1b[?25l")


def test_a_replay_plays_to_the_end(recorded: Recorded) -> None:
    with playing(recorded, "--speed", "4") as terminal:
        terminal.until(lambda one: re.search(r"Ana   \d+ : \d+   Ben", one.text))
        terminal.until(lambda one: "█" in one.text)
        terminal.until(lambda one: "4x" in one.text and "q quit" in one.text)
        # It stays open at the end, so that one can go back.
        terminal.until(lambda one: "4x  over" in one.text)
        assert terminal.process.poll() is None
        terminal.press("q")
        assert terminal.end() == 0
        assert terminal.tick == TICKS
        check_left_as_it_was(terminal)


def test_the_picture_fits_the_terminal(recorded: Recorded) -> None:
    with paused(recorded) as terminal:
        rows = [row.rstrip() for row in terminal.text.splitlines()]
        assert rows[0].strip().startswith("Ana")
        field = rows[1 : rows.index("└" + "─" * (len(rows[1]) - 2) + "┘")]
        assert all(row.startswith("│") and row.endswith("│") for row in field[1:])
        assert "q quit" in rows[len(field) + 3]


def test_space_pauses_and_resumes(recorded: Recorded) -> None:
    with paused(recorded) as terminal:
        stood = terminal.tick
        assert stood is not None
        assert stood < TICKS
        terminal.press(" ")
        terminal.until(lambda one: "paused" not in one.text)
        terminal.until(lambda one: (one.tick or 0) > stood)


def test_arrows_seek_forward_and_back(recorded: Recorded) -> None:
    with paused(recorded) as terminal:
        # Beyond the end there is nothing from which one would have to come back.
        terminal.press(RIGHT, RIGHT, RIGHT)
        terminal.until(lambda one: one.tick == TICKS)
        terminal.press(LEFT)
        terminal.until(lambda one: one.tick == 0 and "paused" in one.text)


def test_keys_pressed_together_are_all_handled(recorded: Recorded) -> None:
    with paused(recorded) as terminal:
        terminal.press("+", RIGHT, "+")
        terminal.until(lambda one: one.tick == TICKS and "1x" in one.text)


def test_plus_and_minus_change_the_speed_within_bounds(recorded: Recorded) -> None:
    with paused(recorded) as terminal:
        for key, speed in (("+", "0.5x"), ("=", "1x"), ("-", "0.5x"), ("-", "0.25x")):
            terminal.press(key)
            terminal.until(lambda one, speed=speed: f"\n{speed}" in one.text)  # type: ignore[misc]
        terminal.press(*"-" * 5)
        terminal.press(*"+" * 9)
        terminal.until(lambda one: "\n8x" in one.text)


def test_q_quits(recorded: Recorded) -> None:
    with paused(recorded) as terminal:
        assert terminal.modes != terminal.before
        terminal.press("q")
        assert terminal.end() == 0
        check_left_as_it_was(terminal)


@pytest.mark.parametrize("how", ["key", "signal"])
def test_ctrl_c_exits_without_a_traceback(recorded: Recorded, how: str) -> None:
    with paused(recorded) as terminal:
        if how == "key":
            terminal.press("\x03")
        else:
            terminal.process.send_signal(signal.SIGINT)
        assert terminal.end() == 130
        check_left_as_it_was(terminal)


def test_n_and_p_jump_between_points_and_the_timeline_says_what_happened(
    recorded: Recorded,
) -> None:
    with paused(recorded) as terminal:
        terminal.press("n")
        terminal.until(lambda one: "scores" in one.text)
        point = terminal.tick
        assert 0 < (point or 0) < TICKS
        terminal.press(".")
        terminal.until(lambda one: one.tick == (point or 0) + 1)
        terminal.press("p")
        terminal.until(lambda one: one.tick == point)
