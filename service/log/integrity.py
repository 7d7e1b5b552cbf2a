"""The hash chain: check that the log is what was written, row by row."""

from __future__ import annotations

from service.errors import ServiceError
from service.log.records import GENESIS, Head, Row, chain


class BrokenChain(ServiceError):
    """A row of the log is not what was written."""


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
