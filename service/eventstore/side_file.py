"""Side file with the last known head, to detect a truncated log."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import msgspec

from service.errors import ConfigurationError, ServiceError
from service.eventstore.records import GENESIS, Head
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from service.domain.events.base import Position

logger = get_logger(__name__)

REBUILD = "stop the service and run `ws-service log rebuild`"
LAST_EVENT = "SELECT position, hash FROM events ORDER BY position DESC LIMIT 1"


class LostTail(ConfigurationError):
    """The log is shorter than it once was."""

    error_code = "LOG_LOST_TAIL"


class DamagedHead(ConfigurationError):
    """The row that says where the log ends is not what was written."""

    error_code = "LOG_HEAD_DAMAGED"


class DamagedSideFile(ServiceError):
    """The side file is not what was written, so it says nothing of the log."""


def check_end(head: Head | None, last: tuple[Position, bytes] | None) -> None:
    """Raise unless the log ends where its head says; `last` is position and hash of its last event.

    Both are written in one transaction, so they only differ in a database that was damaged.
    Raises `LostTail` when events are missing, else `DamagedHead`.
    """
    position, hash_ = last or (0, GENESIS)
    if head is None:
        if position:
            raise DamagedHead(f"the log ends at {position}, and its head is missing: {REBUILD}")
    elif head.position > position:
        raise LostTail(
            f"the log ends at {position}, its head says {head.position}. Restore the database from "
            "a backup, or start with --accept-lost-tail to go on without what is lost"
        )
    elif (head.position, head.hash) != (position, hash_):
        raise DamagedHead(
            f"the log ends at {position}, its head says {head.position} or another hash: {REBUILD}"
        )


class RecordedHead(msgspec.Struct, frozen=True):
    """How far the log once was."""

    epoch: str
    position: int
    hash: str
    checksum: str | None = None
    """Of the fields before; older files have none."""

    @classmethod
    def of(cls, head: Head) -> RecordedHead:
        """Remember `head`."""
        side = cls(head.epoch, head.position, head.hash.hex())
        return msgspec.structs.replace(side, checksum=side.computed())

    def computed(self) -> str:
        """Return the checksum that belongs to the other fields."""
        return hashlib.sha256(f"{self.epoch} {self.position} {self.hash}".encode()).hexdigest()

    def check(self, head: Head, found: bytes | None) -> None:
        """Raise `LostTail` unless the log holds it; `found` is the hash at its position."""
        if self.epoch == head.epoch and found is not None and found.hex() == self.hash:
            return
        if self.epoch != head.epoch and head.position:
            raise LostTail(
                f"the side file beside the event log is of another log: it names the epoch "
                f"{self.epoch[:12]} and position {self.position}, the log has the epoch "
                f"{head.epoch[:12]} and ends at {head.position}. Put the log back that belongs to "
                "it, or start with --accept-lost-tail to go on with this one"
            )
        raise LostTail(
            f"the event log ends at position {head.position}, but it once had the event "
            f"{self.position} with the hash {self.hash[:12]} (says the side file beside it). "
            "Restore the database from a backup that holds it, or start with --accept-lost-tail "
            "to go on without what is lost"
        )


class SideFile:
    """A small file that says how far the log once was; a log that does not reach it lost its tail.

    It is written after the commit that it tells of, at most once a second (design, section 9).
    """

    def __init__(self, path: Path) -> None:
        """Keep it at `path`."""
        self._path = path

    def read(self) -> RecordedHead | None:
        """Return what it remembers, or None when there is no such file.

        Raises `DamagedSideFile` when it is not what was written.
        """
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            side = msgspec.json.decode(data, type=RecordedHead)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise DamagedSideFile(
                f"{self._path} can't be read: {str(error) or 'it is empty'}"
            ) from None
        if side.checksum not in {None, side.computed()} or not 0 <= side.position < 1 << 63:
            raise DamagedSideFile(f"{self._path} was changed: its checksum does not match")
        return side

    def check(self, head: Head, hash_at: Callable[[Position], bytes | None]) -> None:
        """Raise `LostTail` unless the log holds what this file remembers.

        A file that is damaged says nothing; it is warned of, and written anew by the next commit.
        """
        try:
            side = self.read()
        except DamagedSideFile as error:
            logger.warning(
                "damaged side file not used; that the log is whole can't be checked",
                error_code="SIDE_FILE_DAMAGED",
                metadata={"reason": error.message},
            )
            return
        if side is not None:
            side.check(head, hash_at(side.position))

    def write(self, head: Head) -> None:
        """Remember `head`."""
        draft = self._path.with_suffix(".draft")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(RecordedHead.of(head)))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
