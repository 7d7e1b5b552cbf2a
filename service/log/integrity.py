"""Is this the log that was written, all of it? The hash chain, and the side file of its head."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import msgspec

from service.errors import ConfigurationError, ServiceError
from service.log.records import GENESIS, Head, Row, chain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from service.domain.event import Position


class BrokenChain(ServiceError):
    """A row of the log is not what was written."""


class LostTail(ConfigurationError):
    """The log is shorter than it once was."""


class LogInUse(ConfigurationError):
    """Another process uses this log."""


class ChainCheck:
    """Walks the log row by row, from its beginning, and raises `BrokenChain` where it breaks."""

    def __init__(self) -> None:
        """Begin before the first event."""
        self.position = 0
        self.hash = GENESIS

    def take(self, row: Row) -> None:
        """Check the next row."""
        if row.position != self.position + 1:
            raise BrokenChain(f"position {self.position + 1} is missing")
        if chain(self.hash, tuple(row[:-1])) != row.hash:
            raise BrokenChain(f"position {row.position} was changed: its hash does not match")
        self.position, self.hash = row.position, row.hash

    def finish(self, head: Head) -> None:
        """Check that the log ends where its head says."""
        if (self.position, self.hash) != (head.position, head.hash):
            raise BrokenChain(f"the log ends at {self.position}, its head says {head.position}")


class _Side(msgspec.Struct):
    epoch: str
    position: int
    hash: str


class SideFile:
    """A small file that says how far the log once was; a log that does not reach it lost its tail.

    It is written after the commit that it tells of, at most once a second (design, section 9).
    """

    def __init__(self, path: Path) -> None:
        """Keep it at `path`."""
        self._path = path

    def check(self, head: Head, hash_at: Callable[[Position], bytes | None]) -> None:
        """Raise `LostTail` unless the log holds what this file remembers."""
        try:
            side = msgspec.json.decode(self._path.read_bytes(), type=_Side)
        except (FileNotFoundError, msgspec.DecodeError):
            return
        found = hash_at(side.position)
        if side.epoch == head.epoch and found is not None and found.hex() == side.hash:
            return
        raise LostTail(
            f"the event log ends at position {head.position}, but it once had the event "
            f"{side.position} with the hash {side.hash[:12]} (says {self._path}). Restore the "
            "database from a backup that holds it, or start with --accept-lost-tail to go on "
            "without what is lost"
        )

    def write(self, head: Head) -> None:
        """Remember `head`."""
        side = _Side(epoch=head.epoch, position=head.position, hash=head.hash.hex())
        draft = self._path.with_suffix(".draft")
        with draft.open("wb") as file:
            file.write(msgspec.json.encode(side))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)


class LogLock:
    """Keeps a second process from writing to the same log."""

    def __init__(self, path: Path) -> None:
        """Take the lock file at `path`; raise `LogInUse` when somebody has it."""
        self._file = path.open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise LogInUse(
                f"another ws-service uses the log beside {path}; stop it first, or set "
                "WS_DATA_DIR to another directory"
            ) from None

    def release(self) -> None:
        """Let others have it; so does the end of the process."""
        self._file.close()
