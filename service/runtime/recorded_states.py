"""The newest recorded states of the live matches that other nodes run, for their previews.

The nodes of a cluster fold each other's events, checkpoints included, so that nobody has to be
asked: a preview is as old as the newest checkpoint, or in a turn-based game shows the last input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.domain.events.matches import (
    MatchCheckpoint,
    MatchEnded,
    MatchEvent,
    MatchInput,
    MatchStarted,
    room_of,
)
from service.replay.run import rebuild

if TYPE_CHECKING:
    from service.domain.events.base import Event, Position
    from service.domain.ids import MatchId, Owner
    from service.domain.projections.matches import Match
    from service.domain.projections.world import World
    from service.games.catalogue import Catalogue
    from service.replay.run import Run

_FOLLOWED = frozenset((MatchStarted, MatchInput, MatchCheckpoint, MatchEnded))


class RecordedStates:
    """Keeps of each live match elsewhere its last checkpoint, and without ticks what followed."""

    def __init__(self, world: World, games: Catalogue, node: Owner) -> None:
        """Follow the matches of `world` that other nodes than `node` run."""
        self._world = world
        self._games = games
        self._node = node
        self._events: dict[MatchId, list[MatchCheckpoint | MatchInput]] = {}
        """By match; without an entry its state is not known, as right after a start."""

    def observe(self, event: Event, _position: Position) -> None:
        """Follow the matches of other nodes."""
        if type(event) not in _FOLLOWED or not isinstance(event, MatchEvent):
            return
        match = self._world.matches.live.get(event.match)
        if match is None or not self._is_shown(match):
            self._events.pop(event.match, None)
            return
        match event:
            case MatchStarted():
                self._events[match.id] = []
            case MatchCheckpoint():
                self._events[match.id] = [event]
            case MatchInput() if match.pace != "ticks" and match.id in self._events:
                self._events[match.id].append(event)
            case _:
                pass

    def run_of(self, match: Match) -> Run | None:
        """Return a match as it is recorded; None where that or its rules are not known here.

        Raises what the rules raise.
        """
        events = self._events.get(match.id)
        game = self._games.rules(match.game, match.rules_version, match.id)
        if events is None or game is None or not self._is_shown(match):
            return None
        # Inputs of a game with ticks are not kept: it stands at its checkpoint.
        tick = next((one.tick for one in events if isinstance(one, MatchCheckpoint)), 0)
        return rebuild(msgspec.structs.replace(match, tick=tick), events, game)[0]

    def _is_shown(self, match: Match) -> bool:
        """Return whether it runs elsewhere, and spectators may see all of it."""
        is_elsewhere = self._world.nodes.is_elsewhere(room_of(match.id), self._node)
        return is_elsewhere and not match.has_secrets
