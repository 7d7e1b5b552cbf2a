"""Rows of the log as people may see them who watch it: nothing that is hidden from spectators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.domain.events.matches import MatchEnded, MatchEvent, MatchStarted
from service.eventstore.codec import UnknownEvent, decode, encode
from service.games.sight import SPECTATOR
from service.replay.seen import SeenEvents, has_full_sight

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.eventstore.reader import Reader
    from service.eventstore.records import Row

MATCH_PREFIX = "match."

MATCHES_KEPT = 1000
"""Of so many matches it is remembered what is hidden."""


class _Match:
    """What is hidden of one match, up to the row that was seen last."""

    def __init__(self, started: MatchStarted, *, is_over: bool) -> None:
        self.started = started
        self.is_over = is_over
        self.events = SeenEvents(SPECTATOR, has_ticks=started.pace == "ticks")
        self.position = 0

    @property
    def is_shown(self) -> bool:
        return has_full_sight(self.started, SPECTATOR, is_over=self.is_over)


class SeenRows:
    """Hides of rows, in the order of the log, what spectators of their match are not shown."""

    def __init__(self, reader: Reader, hint: Callable[[], None]) -> None:
        """Read by `reader` what came before in a match.

        `hint` is called for each row of a match with secrets, whether it is hidden or not.
        """
        self._reader = reader
        self._hint = hint
        self._matches: dict[str, _Match] = {}

    async def data(self, row: Row) -> bytes | None:
        """Return the data of the next row as it may be seen, or None for a row that may not."""
        if not row.type.startswith(MATCH_PREFIX):
            return row.data
        match = self._matches.get(row.stream) or await self._read(row.stream)
        if match is None:
            return None
        if match.is_shown:
            return row.data
        self._hint()
        seen: MatchEvent | None = None
        if row.position > match.position + 1:
            await self._catch_up(match, row)
        event = _event(row)
        if event is not None:
            seen = match.events.shown(event)
            match.is_over = isinstance(event, MatchEnded)
        match.position = row.position
        return None if seen is None else encode(seen)

    async def _read(self, stream: str) -> _Match | None:
        """Return what is hidden of a match; None where its start can't be read."""
        first: Row | None = None
        is_over = False
        async for page in self._reader.rows(stream=stream):
            first = first or page[0]
            is_over = is_over or any(row.type == MatchEnded.type for row in page)
        started = None if first is None else _event(first)
        if not isinstance(started, MatchStarted):
            return None
        if len(self._matches) >= MATCHES_KEPT:
            self._matches.clear()
        match = self._matches[stream] = _Match(started, is_over=is_over)
        return match

    async def _catch_up(self, match: _Match, until: Row) -> None:
        """Take the events between the row of the match that was seen last and this one."""
        async for page in self._reader.rows(match.position, stream=until.stream):
            for row in page:
                if row.position >= until.position:
                    return
                event = _event(row)
                if event is not None:
                    match.events.shown(event)
                match.position = row.position


def _event(row: Row) -> MatchEvent | None:
    try:
        event = decode(row.type, row.schema_version, row.data)
    except (UnknownEvent, ValueError):
        return None
    return event if isinstance(event, MatchEvent) else None
