"""Exclusive process lock on a data directory."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from service.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class LogInUse(ConfigurationError):
    """Another process is using this log."""

    error_code = "LOG_IN_USE"


class LogLock:
    """An exclusive lock of a log; the system releases it when the process ends.

    The file holds the id of the last process. It stays empty until a log was opened, so it also
    shows that there once was a log.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock file at `path`; raise `LogInUse` if another process holds it."""
        # A process that does not get the lock must not change the file, not even its times.
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = self._file.read(20).strip()
            self._file.close()
            raise LogInUse(
                f"another ws-service is using the log of {path}"
                f"{f' (process {holder})' if holder else ''}; stop it first, or set WS_DATA_DIR to "
                "another directory"
            ) from None

    def mark(self) -> None:
        """Write the id of this process, which also marks that there is a log."""
        self._file.seek(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.truncate()
        self._file.flush()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Release the lock at the end of the block."""
        try:
            yield
        finally:
            self.release()

    def release(self) -> None:
        """Release the lock."""
        self._file.close()
