"""The gaps that archives leave in a log, for walks through a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.eventstore.integrity import BrokenChain, archived_wrongly

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from typing import TypeAlias

    from service.domain.events.base import Position
    from service.eventstore.archive_file import ArchiveFiles
    from service.eventstore.integrity import ChainCheck
    from service.eventstore.records import Row

    Gap: TypeAlias = tuple[Position, bytes, str]
    FindGap: TypeAlias = Callable[[Position], Gap | None]

_EXISTS = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'archive_gaps'"
GAP = """
    SELECT g.last, g.hash, a.file FROM archive_gaps AS g
    JOIN archives AS a ON a.position = g.archive WHERE g.first = :first
"""
"""The last position, the hash and the file of a gap that begins at `:first`."""

_COVERS = "SELECT last FROM archive_gaps WHERE first <= ? ORDER BY first DESC LIMIT 1"


class Gaps:
    """The gaps of one log."""

    def __init__(self, at: FindGap, files: ArchiveFiles) -> None:
        """Look them up by `at`, and read their rows from `files`."""
        self._at = at
        self._files = files

    def pass_over(self, chain: ChainCheck, until: Position) -> None:
        """Let `chain` go over the gaps before the row at `until`, as far as there are any."""
        while chain.position + 1 < until and (gap := self._at(chain.position + 1)) is not None:
            chain.pass_over(gap[0], gap[1])

    def fill(self, chain: ChainCheck, until: Position, take: Callable[[Row], None]) -> None:
        """Call `take`, which moves `chain` on, with the archived rows before the row at `until`.

        Raises `Archived`, or a `BrokenChain` that names the file.
        """
        while chain.position + 1 < until and (gap := self._at(chain.position + 1)) is not None:
            try:
                for row in self._files.rows_between(gap[2], chain.position + 1, gap[0]):
                    take(row)
            except BrokenChain as error:
                raise archived_wrongly(error, gap[2]) from error
            if chain.position < gap[0]:
                return


def sqlite_gaps(connection: sqlite3.Connection) -> FindGap:
    """Return how to look up gaps in a database of SQLite; one of an older schema has none."""
    exist = connection.execute(_EXISTS).fetchone() is not None

    def at(first: Position) -> Gap | None:
        return connection.execute(GAP, {"first": first}).fetchone() if exist else None

    return at


def is_archived(connection: sqlite3.Connection, position: Position) -> bool:
    """Return whether an archive has the row at a position."""
    if connection.execute(_EXISTS).fetchone() is None:
        return False
    row = connection.execute(_COVERS, (position,)).fetchone()
    return row is not None and row[0] >= position
