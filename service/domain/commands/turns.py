"""Turn clock: what is left of a turn is logged, so that it survives pauses and restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.domain.commands.boundaries import MatchCommand
from service.domain.commands.clocks import with_times
from service.domain.commands.ending import end_failed_match, result_of
from service.domain.commands.moves import input_events
from service.domain.commands.rules import call_rules
from service.domain.commands.secrets import with_shown
from service.domain.events.base import Event, Position
from service.domain.events.matches import MatchTurnNoted
from service.domain.projections.matches import Match
from service.games.protocol import RulesFailed

if TYPE_CHECKING:
    from service.domain.commands.base import Context, MatchSnapshot
    from service.domain.projections.world import World
    from service.games.protocol import Game


NOTES_PER_TURN = 10


NOTE_EVERY_S_MIN = 0.5


NOTE_EVERY_S_MAX = 5.0
"""For clocks that run for minutes, and would gain as much by a crash."""


def note_every_s(match: Match) -> float:
    """Return the interval in seconds at which the time left is logged: a crash gains no more."""
    turn_s = match.turn_s or 0 if match.clock is None else match.clock.ends_in_ms / 1000
    return min(max(NOTE_EVERY_S_MIN, turn_s / NOTES_PER_TURN), NOTE_EVERY_S_MAX)


class NoteTurn(MatchCommand, frozen=True):
    """Log what is left of the current turn."""

    since: Position

    def decide(self, world: World, context: Context) -> list[Event]:
        """Log it, unless the turn is over or the match is paused."""
        match = world.matches.live.get(self.match)
        if match is None or match.paused or match.turn_noted != self.since:
            return []
        snapshot = context.match_snapshot(match.id)
        if not snapshot.turn_left_ms:
            return []
        left_ms = snapshot.turn_left_ms
        return [MatchTurnNoted(match=match.id, tick=snapshot.tick, turn_left_ms=left_ms)]


class TimeOutTurn(MatchCommand, frozen=True):
    """Time out a turn that started, or was resumed, at `since`."""

    since: Position

    def decide(self, world: World, context: Context) -> list[Event]:
        """Let the rules decide what follows, unless a move was made before."""
        match = world.matches.live.get(self.match)
        if match is None or match.paused or match.turn_since != self.since:
            return []
        snapshot = context.match_snapshot(match.id)
        try:
            if result_of(match, snapshot, context) is not None:
                # It is over already; `FinishMatch` will end it.
                return []
            return call_rules(match, context, lambda game: _timed_out(game, match, snapshot))
        except RulesFailed as error:
            return [end_failed_match(match, snapshot, context, error)]


def _timed_out(game: Game, match: Match, snapshot: MatchSnapshot) -> list[Event]:
    seat, event = game.timeout(snapshot.state)
    if seat not in range(len(match.players)):
        raise RulesFailed(f"The rules of {match.game} let the turn of seat {seat!r} time out.")
    inputs = input_events(match, snapshot.input_tick, seat, None, [event])
    shown = with_shown(inputs, game, match, snapshot.state)
    return with_times(shown, game, match, snapshot, is_timeout=True)
