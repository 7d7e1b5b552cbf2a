"""Ends of matches that nobody asks for: by the rules, or since these have failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.domain.event import room_stream
from service.domain.matches import ended, failed, result_of, room_of, voided
from service.games.protocol import RulesFailed

if TYPE_CHECKING:
    from service.domain.command import Context
    from service.domain.event import Event
    from service.domain.ids import MatchId
    from service.domain.world import World


class FinishMatch(msgspec.Struct, frozen=True):
    """By its rules, the match is over."""

    match: MatchId

    def streams(self, _world: World) -> set[str]:
        """Return the room of the match."""
        return {room_stream(room_of(self.match))}

    def decide(self, world: World, context: Context) -> list[Event]:
        """End it, unless somebody has just left it."""
        match = world.matches.live.get(self.match)
        if match is None:
            return []
        standing = context.standing(match.id)
        try:
            if result_of(match, standing, context) is None:
                return []
        except RulesFailed as error:
            return [failed(match, standing, context, error)]
        return [ended(match, standing, context, reason="finished", winner=None)]


class VoidMatch(msgspec.Struct, frozen=True):
    """The match can't go on: its rules have failed before `tick`, or are not here any more."""

    match: MatchId
    tick: int

    def streams(self, _world: World) -> set[str]:
        """Return the room of the match."""
        return {room_stream(room_of(self.match))}

    def decide(self, world: World, _context: Context) -> list[Event]:
        """End it without a result; the rules are not asked."""
        match = world.matches.live.get(self.match)
        return [] if match is None else [voided(match, self.tick)]
