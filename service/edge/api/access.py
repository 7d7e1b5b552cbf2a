"""Which matches a caller of the API may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.domain.events.matches import room_of
from service.edge.api.problems import MatchIsLive, MatchNotFound
from service.eventstore.read_models.match_history import MatchQuery, find_matches, private_matches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.ids import MatchId
    from service.edge.api.calls import Dependencies
    from service.edge.auth import Caller
    from service.eventstore.read_models.match_history import PlayedMatch


async def find(match: MatchId, caller: Caller, deps: Dependencies) -> PlayedMatch:
    """Return a match that the caller may see; raise `MatchNotFound`."""
    found = await find_matches(deps.reader, MatchQuery(match=match))
    seen = await seen_by(caller, found, deps)
    if not seen:
        raise MatchNotFound
    return seen[0]


async def find_over(match: MatchId, caller: Caller, deps: Dependencies) -> PlayedMatch:
    """Return a finished match; raise `MatchIsLive`, since spectators may have a delay."""
    found = await find(match, caller, deps)
    if found.ended_at is None:
        raise MatchIsLive
    return found


async def seen_by(
    caller: Caller, found: Sequence[PlayedMatch], deps: Dependencies
) -> Sequence[PlayedMatch]:
    """Leave out matches that were not public, unless the caller played in them or is a service."""
    if caller.scopes:
        return found
    hidden = await private_matches(deps.reader, found)
    user = None if caller.identity is None else str(caller.identity.user)
    return [match for match in found if match.id not in hidden or user in match.users]


async def find_watchable(
    match: MatchId, caller: Caller, deps: Dependencies
) -> tuple[PlayedMatch, int | None]:
    """Return a match that the caller may watch, and up to when while it is live.

    That is the time of the last event that spectators have been shown, in microseconds since 1970.
    A live match may be watched by who is in its room, and by services; raises `MatchIsLive`.
    """
    room = deps.world.rooms.rooms.get(room_of(match))
    if room is None or room.match != match:
        return await find_over(match, caller, deps), None
    found = await find_matches(deps.reader, MatchQuery(match=match))
    if not found:
        raise MatchNotFound
    if found[0].ended_at is not None:
        return await find_over(match, caller, deps), None
    user = None if caller.identity is None else caller.identity.user
    is_inside = user is not None and (user in room.spectators or room.seat_of(user) is not None)
    if not caller.scopes and not is_inside:
        await find(match, caller, deps)
        raise MatchIsLive
    return found[0], int((deps.now() - room.options.spectator_delay_s) * 1_000_000)
