"""Which matches a caller of the API may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.domain.events.matches import room_of
from service.edge.api.problems import MatchIsLive, MatchNotFound
from service.eventstore.read_models.match_history import MatchQuery, find_matches, private_matches
from service.games.sight import SPECTATOR, seated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.ids import MatchId
    from service.edge.api.calls import Dependencies
    from service.edge.auth import Caller
    from service.eventstore.read_models.match_history import PlayedMatch
    from service.games.sight import Viewer


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


def viewer_of(match: PlayedMatch, caller: Caller, deps: Dependencies) -> Viewer:
    """Return what a caller is in a match: its player in a seat, or else a spectator.

    Who has left a match that goes on is a spectator of it.
    """
    user = None if caller.identity is None else caller.identity.user
    room = deps.world.rooms.rooms.get(room_of(match.id))
    if match.ended_at is None and room is not None and room.match == match.id:
        seat = None if user is None else room.seat_of(user)
    else:
        seat = match.users.index(str(user)) if str(user) in match.users else None
    return SPECTATOR if seat is None else seated(seat)


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
