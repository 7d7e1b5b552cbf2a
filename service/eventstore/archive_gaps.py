"""The gaps that archives leave in a log, for walks through a database of SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from service.domain.events.base import Position
    from service.eventstore.archive_file import ArchiveFiles
    from service.eventstore.integrity import ChainCheck
    from service.eventstore.records import Row

_EXISTS = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'archive_gaps'"
_GAP = """
    SELECT g.last, g.hash, a.file FROM archive_gaps AS g
    JOIN archives AS a ON a.position = g.archive WHERE g.first = ?
"""
_COVERS = "SELECT last FROM archive_gaps WHERE first <= ? ORDER BY first DESC LIMIT 1"


class Gaps:
    """The gaps of one log; a log of an older schema has none."""

    def __init__(self, connection: sqlite3.Connection, files: ArchiveFiles) -> None:
        """Look them up by `connection`, and read their rows from `files`."""
        self._connection = connection
        self._files = files
        self._exist = connection.execute(_EXISTS).fetchone() is not None

    def pass_over(self, chain: ChainCheck, until: Position) -> None:
        """Let `chain` go over the gaps before the row at `until`, as far as there are any."""
        while chain.position + 1 < until and (gap := self._at(chain.position + 1)) is not None:
            chain.pass_over(gap[0], gap[1])

    def fill(self, chain: ChainCheck, until: Position, take: Callable[[Row], None]) -> None:
        """Call `take`, which moves `chain` on, with the archived rows before the row at `until`.

        Raises `Archived`.
        """
        while chain.position + 1 < until and (gap := self._at(chain.position + 1)) is not None:
            for row in self._files.rows_between(gap[2], chain.position + 1, gap[0]):
                take(row)
            if chain.position < gap[0]:
                return

    def _at(self, first: Position) -> tuple[Position, bytes, str] | None:
        if not self._exist:
            return None
        found: tuple[Position, bytes, str] | None
        found = self._connection.execute(_GAP, (first,)).fetchone()
        return found


def is_archived(connection: sqlite3.Connection, position: Position) -> bool:
    """Return whether an archive has the row at a position."""
    if connection.execute(_EXISTS).fetchone() is None:
        return False
    row = connection.execute(_COVERS, (position,)).fetchone()
    return row is not None and row[0] >= position
