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
    """The row of the log's head is missing or wrong."""

    error_code = "LOG_HEAD_DAMAGED"


class DamagedSideFile(ServiceError):
    """The side file was changed or can't be read, so it can't be used to check the log."""


def check_end(head: Head | None, last: tuple[Position, bytes] | None) -> None:
    """Compare the head with the last event, given by position and hash.

    Both are written in one transaction, so they differ only in a damaged database. Raises
    `LostTail` if events are missing, else `DamagedHead`.
    """
    position, hash_ = last or (0, GENESIS)
    if head is None:
        if position:
            raise DamagedHead(f"the log ends at {position}, and its head is missing: {REBUILD}")
    elif head.position > position:
        raise LostTail(
            f"the log ends at {position}, its head says {head.position}. Restore the database from "
            "a backup, or start with --accept-lost-tail to go on without the lost events"
        )
    elif (head.position, head.hash) != (position, hash_):
        raise DamagedHead(
            f"the log ends at {position}, its head says {head.position} or another hash: {REBUILD}"
        )


class RecordedHead(msgspec.Struct, frozen=True):
    """A former head of the log, as the side file records it."""

    epoch: str
    position: int
    hash: str
    checksum: str | None = None
    """Checksum of the other fields; None in files of older versions."""

    @classmethod
    def of(cls, head: Head) -> RecordedHead:
        """Record `head`, with a checksum."""
        recorded = cls(head.epoch, head.position, head.hash.hex())
        return msgspec.structs.replace(recorded, checksum=recorded.computed())

    def computed(self) -> str:
        """Compute the checksum of the other fields."""
        return hashlib.sha256(f"{self.epoch} {self.position} {self.hash}".encode()).hexdigest()

    def check(self, head: Head, found: bytes | None) -> None:
        """Raise `LostTail` unless the log has this event; `found` is its hash at the position."""
        if self.epoch == head.epoch and found is not None and found.hex() == self.hash:
            return
        if self.epoch != head.epoch and head.position:
            raise LostTail(
                f"the side file belongs to another log: it records epoch {self.epoch[:12]} and "
                f"position {self.position}, the log has epoch {head.epoch[:12]} and ends at "
                f"{head.position}. Put back the log that belongs to it, or start with "
                "--accept-lost-tail to go on with this one"
            )
        raise LostTail(
            f"the event log ends at position {head.position}, but it once had the event "
            f"{self.position} with the hash {self.hash[:12]}, according to its side file. "
            "Restore the database from a backup that has it, or start with --accept-lost-tail "
            "to go on without the lost events"
        )


class SideFile:
    """A small file with a former head of the log; a log without that event lost its tail.

    It is written after the commit of that event, at most once a second.
    """

    def __init__(self, path: Path) -> None:
        """Read and write the file at `path`."""
        self._path = path

    def read(self) -> RecordedHead | None:
        """Return the recorded head, or None if there is no file.

        Raises `DamagedSideFile` if the file was changed or can't be decoded.
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

    def check(
        self,
        head: Head,
        hash_at: Callable[[Position], bytes | None],
        is_archived: Callable[[Position], bool] = lambda _position: False,
    ) -> None:
        """Raise `LostTail` unless the log has the recorded event, or has archived it.

        That happens to the file of a node that was stopped for long: other nodes went on.
        A damaged file is ignored with a warning, and rewritten after the next commit.
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
        if side is None:
            return
        found = hash_at(side.position)
        if found is None and side.position < head.position and is_archived(side.position):
            found = bytes.fromhex(side.hash)
        side.check(head, found)

    def is_of_other_epoch(self, head: Head) -> bool:
        """Return whether an undamaged file records another epoch than that of `head`."""
        try:
            side = self.read()
        except DamagedSideFile:
            return False
        return side is not None and side.epoch != head.epoch

    def write(self, head: Head) -> None:
        """Replace the file by one that records `head`, synced to the disk."""
        draft = self._path.with_suffix(".draft")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(RecordedHead.of(head)))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
