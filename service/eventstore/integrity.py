"""Verify the hash chain of the log, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.domain.events.base import match_stream
from service.errors import ServiceError
from service.eventstore.records import GENESIS, Head, Row, chain

if TYPE_CHECKING:
    from service.domain.events.base import Position
    from service.domain.ids import MatchId
    from service.eventstore.reader import Reader


class BrokenChain(ServiceError):
    """A row of the log was changed or is missing."""


def archived_wrongly(error: BrokenChain, file: str) -> BrokenChain:
    """Return an error that names the archive whose row is wrong."""
    return BrokenChain(f"{error.message}; it is in the archive {file}: restore that from a backup")


class ChainCheck:
    """Checks the hash chain row by row; raises `BrokenChain` at the first wrong row."""

    def __init__(self) -> None:
        """Start before the first event."""
        self.position: Position = 0
        self.hash = GENESIS

    def check(self, row: Row) -> None:
        """Check the next row."""
        if row.position != self.position + 1:
            raise BrokenChain(f"position {self.position + 1} is missing")
        _check_row(row, self.hash)
        self.position, self.hash = row.position, row.hash

    def pass_over(self, last: Position, hash_: bytes) -> None:
        """Take the rows up to `last`, which an archive has, as they are; `hash_` is that of `last`.

        That the next row follows from this hash proves it.
        """
        self.position, self.hash = last, hash_

    def finish(self, head: Head) -> None:
        """Check that the last row is the one that `head` names."""
        if (self.position, self.hash) != (head.position, head.hash):
            raise BrokenChain(f"the log ends at {self.position}, its head says {head.position}")


async def broken_link(
    reader: Reader, stream: str, *, rows_at_once: int = 1000
) -> BrokenChain | None:
    """Check the events of `stream`; return the error of the first wrong one, or None.

    The hash of each row and that of the row after it are recomputed, so that a changed row is
    found even if its own hash was adapted. The whole chain is checked only by
    `ws-service log verify`.
    """
    head, version = await reader.head(), 0
    async for page in reader.rows(stream=stream, limit=rows_at_once):
        positions = [row.position for row in page]
        hashes = await reader.hashes([position - 1 for position in positions])
        hashes[0] = GENESIS
        following = await reader.rows_at([position + 1 for position in positions])
        try:
            for row in page:
                if row.position > head.position:
                    return None
                _check_row(row, hashes.get(row.position - 1))
                version += 1
                _check_version(row, version)
                _check_next(row, following.get(row.position + 1), head)
        except BrokenChain as error:
            return error
    return None


async def broken_match(
    reader: Reader, match: MatchId, *, rows_at_once: int = 1000
) -> BrokenChain | None:
    """Check the events of a match, and that its end is not missing; return the error or None."""
    stream = match_stream(match)
    broken = await broken_link(reader, stream, rows_at_once=rows_at_once)
    if broken is None and await reader.lacks_end(match, stream):
        return BrokenChain(f"the end of match {match} is missing")
    return broken


def _check_row(row: Row, previous: bytes | None) -> None:
    """Raise `BrokenChain` unless the hash of `row` follows from that of the row before it."""
    if previous is None:
        raise BrokenChain(f"position {row.position - 1} is missing")
    if chain(previous, tuple(row[:-1])) != row.hash:
        raise BrokenChain(f"position {row.position} was changed: its hash does not match")


def _check_version(row: Row, version: int) -> None:
    """Raise `BrokenChain` unless `row` has the next version of its stream."""
    if row.version != version:
        raise BrokenChain(f"event {version} of {row.stream} is missing")


def _check_next(row: Row, following: Row | None, head: Head) -> None:
    """Raise `BrokenChain` unless the next row, or the head, follows from `row`."""
    if following is not None:
        if chain(row.hash, tuple(following[:-1])) != following.hash:
            raise BrokenChain(
                f"position {row.position} was changed, or the one after it: "
                "the hash of the latter does not match"
            )
    elif row.position < head.position:
        raise BrokenChain(f"position {row.position + 1} is missing")
    elif row.hash != head.hash:
        raise BrokenChain(f"position {row.position} was changed: it is not the head of the log")
