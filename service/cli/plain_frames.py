"""Print the states of a match where output is no terminal: as plain text, one below the other."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class PlainFrames:
    """Prints a state a second, and each one at which something else has changed."""

    def __init__(self) -> None:
        """Begin with the next state, whatever it is."""
        self._said: object = None

    def wants(self, second: int, *said: object) -> bool:
        """Return whether a state is printed; `said` is what is always worth another one."""
        before, self._said = self._said, (second, *said)
        return self._said != before

    def print(self, frame: str) -> None:
        """Print a state, unless it is empty, at once: output to a pipe would be buffered."""
        if frame:
            print(f"{frame}\n", flush=True)


@contextmanager
def ending_with_the_pipe() -> Iterator[None]:
    """End the process when nobody reads its output any more, also while it has nothing to print."""
    loop, output = asyncio.get_running_loop(), None
    with suppress(OSError):  # Standard output may be closed, or none of the system's files.
        if stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode):
            output = sys.stdout.fileno()
            # The end for writing never becomes readable: only an error wakes it.
            loop.add_reader(output, os.kill, os.getpid(), signal.SIGPIPE)
    try:
        yield
    finally:
        if output is not None:
            loop.remove_reader(output)
