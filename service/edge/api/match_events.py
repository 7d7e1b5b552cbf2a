"""Pages of the events of a match, as a viewer may see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.domain.events.base import match_stream
from service.domain.events.matches import MatchEvent, MatchStarted
from service.replay.seen import SeenEvents, has_full_sight

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.domain.events.base import Position
    from service.eventstore.read_models.match_history import PlayedMatch
    from service.eventstore.reader import Reader
    from service.eventstore.records import RecordedEvent
    from service.games.sight import Viewer

EVENTS_PER_READ = 200


async def events_after(
    reader: Reader, match: PlayedMatch, viewer: Viewer, cursor: Position, limit: int
) -> list[tuple[RecordedEvent, MatchEvent]]:
    """Return the next events after a position that a viewer is shown, and what they are shown.

    There are `limit` of them, unless the match has no more. Where some are hidden the match is read
    from its start: what an event is shown as depends on how many were hidden before it.
    """
    stream = match_stream(match.id)
    first = await reader.page(0, stream=stream, limit=1)
    started = first[0].event if first else None
    if not isinstance(started, MatchStarted):
        return []
    if has_full_sight(started, viewer, is_over=match.ended_at is not None):
        found = await reader.page(cursor, stream=stream, limit=limit)
        return [(one, one.event) for one in found if isinstance(one.event, MatchEvent)]
    seen = SeenEvents(viewer, has_ticks=started.pace == "ticks")
    page: list[tuple[RecordedEvent, MatchEvent]] = []
    async for recorded in _all(reader, stream):
        if not isinstance(recorded.event, MatchEvent):
            continue
        event = seen.shown(recorded.event)
        if event is not None and recorded.position > cursor:
            page.append((recorded, event))
            if len(page) == limit:
                break
    return page


async def _all(reader: Reader, stream: str) -> AsyncIterator[RecordedEvent]:
    after = 0
    while page := await reader.page(after, stream=stream, limit=EVENTS_PER_READ):
        for recorded in page:
            yield recorded
        after = page[-1].position
