"""A live match of Pong for tests of what runs it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from service.domain.projections.matches import Match
from service.domain.projections.room_options import RoomOptions
from service.games.catalogue import GAMES
from service.games.options import set_up
from service.replay.run import Run
from service.runtime.live_match import LiveMatch


def live_pong(match_id: str) -> LiveMatch:
    """Return a match of the users 7 and 8 that stands before its first tick."""
    game = GAMES["pong"]
    match = Match(
        id=match_id,
        game="pong",
        rules_version=game.rules_version,
        options=RoomOptions(),
        players=[7, 8],
        seed=1,
        pace="ticks",
        spent_ms=[0, 0],
    )
    room: Any = SimpleNamespace(id="r", created_at=0)
    return LiveMatch(match, room, Run(game, set_up(game, 1, {}, 2)), 60)
