"""Exclusive process lock on a data directory."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from service.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


class LogInUse(ConfigurationError):
    """Another process uses this log."""

    error_code = "LOG_IN_USE"


class LogLock:
    """Keeps a second process from writing to the same log; the end of the process lets it go.

    The file says which process had it last. It is empty until a log was opened beside it, and so
    also tells that there once was one.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock file at `path`; raise `LogInUse` when somebody has it."""
        # Whoever is refused must not change the file, not even its times.
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = self._file.read(20).strip()
            self._file.close()
            raise LogInUse(
                f"another ws-service uses the log beside {path}"
                f"{f' (process {holder})' if holder else ''}; stop it first, or set WS_DATA_DIR to "
                "another directory"
            ) from None

    def mark(self) -> None:
        """Say that a log is there, and who uses it."""
        self._file.seek(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.truncate()
        self._file.flush()

    def release(self) -> None:
        """Let others have it."""
        self._file.close()
