"""The moves that a player may make in a live match, for pages that know nothing of its game."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.edge.api import shapes
from service.edge.api.access import find
from service.games.sight import seated

if TYPE_CHECKING:
    from service.edge.api.calls import Call, Dependencies


async def show_legal_moves(deps: Dependencies, call: Call[shapes.MatchParams]) -> shapes.LegalMoves:
    """Lists the moves that you may make now; none if it is not your turn, or its game lists none.

    A match that is over, or in which you have no seat, has none for you. The state is that of all
    committed moves, on whichever node the match is.
    """
    match = await find(call.params.match_id, call.caller, deps)
    user = None if call.caller.identity is None else str(call.caller.identity.user)
    if user not in match.users or match.ended_at is not None:
        return shapes.LegalMoves(seat=None, tick=0, moves=[])
    seat = match.users.index(user)
    with deps.replays.turn():
        replay = await deps.replays.load(match.id, viewer=seated(seat))
        tick = replay.ticks
        moves = await deps.replays.ask(
            replay, lambda one: [dict(move) for move in one.game.legal_moves(one.at(tick), seat)]
        )
    return shapes.LegalMoves(seat=seat, tick=tick, moves=moves)
