"""Read the earlier moves of a live match in pages, as one viewer may see them.

In a match with secrets the cursor counts the moves that the viewer is shown, and each page but the
last one has the same number of them: neither tells how many are hidden.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.domain.events.base import match_stream
from service.domain.events.matches import MatchInput
from service.games.sight import part_for
from service.protocol import v1

if TYPE_CHECKING:
    from service.domain.events.base import Event, Position
    from service.domain.projections.matches import Match
    from service.eventstore.reader import Reader
    from service.games.sight import Viewer

PAGE_MOVES = 64
"""Events per page, of the reads and of the messages."""


class PastMoves:
    """The moves of one match up to a position, after a cursor."""

    def __init__(
        self, reader: Reader, match: Match, viewer: Viewer, until: Position, after: int
    ) -> None:
        """Read after the cursor `after`, up to the position `until`."""
        self._reader = reader
        self._match = match
        self._viewer = viewer
        self._until = until
        self._version = 0 if match.has_secrets else after
        """The version in the stream of the match up to which it was read."""
        self._skipped = after if match.has_secrets else 0
        """How many of the moves that are shown come before the cursor."""
        self._shown = 0
        self._hidden = 0
        """How many moves of a match with secrets were shown so far, and how many were not."""
        self._left: list[v1.PastMove] = []
        """Read, but not on a page yet."""
        self._is_read = False

    @property
    def after(self) -> int:
        """The cursor after the latest page."""
        return self._shown if self._match.has_secrets else self._version

    @property
    def is_over(self) -> bool:
        """Whether there are no more pages."""
        return self._is_read and not self._left

    async def page(self) -> list[v1.PastMove]:
        """Return the moves of the next page."""
        if not self._match.has_secrets:
            return await self._read()
        while len(self._left) <= PAGE_MOVES and not self._is_read:
            self._left += await self._read()
        page, self._left = self._left[:PAGE_MOVES], self._left[PAGE_MOVES:]
        self._shown += len(page)
        return page

    async def _read(self) -> list[v1.PastMove]:
        rows = await self._reader.of_match(match_stream(self._match.id), self._version, PAGE_MOVES)
        moves: list[v1.PastMove] = []
        self._is_read = len(rows) < PAGE_MOVES
        for version, position, event in rows:
            if position > self._until:
                self._is_read = True
                break
            self._version = version
            moves += self._moves_of(event)
        return moves

    def _moves_of(self, event: Event) -> list[v1.PastMove]:
        if not isinstance(event, MatchInput):
            return []
        if not self._match.has_secrets:
            return [v1.PastMove(event.seat, event.tick, event.input)]
        part = part_for(self._viewer, event.input, event.shown)
        if part is None:
            self._hidden += 1
            return []
        if self._skipped:
            self._skipped -= 1
            self._shown += 1
            return []
        return [v1.PastMove(event.seat, event.tick - self._hidden, part)]
