"""The moves that a player may make in a live match, for pages that know nothing of its game."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.edge.api import shapes
from service.edge.api.access import find, viewer_of

if TYPE_CHECKING:
    from service.edge.api.calls import Call, Dependencies


async def show_legal_moves(deps: Dependencies, call: Call[shapes.MatchParams]) -> shapes.LegalMoves:
    """Lists the moves that you may make now; none if it is not your turn, or its game lists none.

    A match that is over, or in which you have no seat, or have left it, has none for you. The state
    is that of all committed moves, on whichever node the match is.
    """
    match = await find(call.params.match_id, call.caller, deps)
    viewer = viewer_of(match, call.caller, deps)
    seat = viewer.seat
    if seat is None or match.ended_at is not None:
        return shapes.LegalMoves(seat=None, moves=[])
    with deps.replays.turn():
        replay = await deps.replays.load(match.id, viewer=viewer)
        # Without its tick, which would tell that others have made hidden moves.
        moves = await deps.replays.ask(replay, lambda one: one.legal_moves(one.at(one.ticks), seat))
    return shapes.LegalMoves(seat=seat, moves=moves)
