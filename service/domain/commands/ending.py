"""End a match: a player left, the rules say so, or the rules failed (void)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.domain.commands.boundaries import MatchCommand
from service.domain.commands.rules import as_logged, call_rules
from service.domain.events.matches import EndReason, MatchEnded
from service.domain.projections.matches import Match
from service.games.protocol import RulesFailed

if TYPE_CHECKING:
    from service.domain.commands.base import Context, MatchSnapshot
    from service.domain.events.base import Event
    from service.domain.projections.world import World
    from service.games.protocol import Game, Result


def end_match(
    match: Match,
    snapshot: MatchSnapshot,
    context: Context,
    *,
    reason: EndReason,
    winner: int | None,
) -> MatchEnded:
    """Make the event that ends `match` where it stands.

    When the rules say that it is over already, it ends with their result, whatever has come in
    between. When they fail, it ends as void.
    """
    by_rules: EndReason = "timeup" if match.pace == "ticks" else "finished"

    def end(game: Game, result: Result | None) -> MatchEnded:
        return as_logged(
            MatchEnded(
                match=match.id,
                tick=snapshot.tick,
                reason=reason if result is None else result.reason or by_rules,
                winner=winner if result is None else result.winner,
                scores=game.scores(snapshot.state),
                hash=snapshot.state_hash(),
            )
        )

    try:
        result = result_of(match, snapshot, context)
        return call_rules(match, context, lambda game: end(game, result))
    except RulesFailed as error:
        return end_failed_match(match, snapshot, context, error)


def result_of(match: Match, snapshot: MatchSnapshot, context: Context) -> Result | None:
    """Return the result by the rules, or None while the match goes on; raise `RulesFailed`."""
    return call_rules(match, context, lambda game: _result(game, match, snapshot))


def _result(game: Game, match: Match, snapshot: MatchSnapshot) -> Result | None:
    result = game.result(snapshot.state)
    if result is not None and result.winner not in {None, *range(len(match.players))}:
        raise RulesFailed(f"The rules of {match.game} name the winner {result.winner!r}.")
    return result


def void_match(match: Match, tick: int) -> MatchEnded:
    """Make the event that ends `match` without a result, since its rules can't be asked."""
    scores = [0] * len(match.players)
    return MatchEnded(match=match.id, tick=tick, reason="void", winner=None, scores=scores, hash="")


def end_failed_match(
    match: Match, snapshot: MatchSnapshot, context: Context, error: RulesFailed
) -> MatchEnded:
    """Make the event that ends a match as void over which its rules have just failed."""
    context.rules_failed(match.id, error)
    return void_match(match, snapshot.tick)


class FinishMatch(MatchCommand, frozen=True):
    """By its rules, the match is over."""

    def decide(self, world: World, context: Context) -> list[Event]:
        """End it, unless somebody has just left it."""
        match = world.matches.live.get(self.match)
        if match is None:
            return []
        snapshot = context.match_snapshot(match.id)
        try:
            if result_of(match, snapshot, context) is None:
                return []
        except RulesFailed as error:
            return [end_failed_match(match, snapshot, context, error)]
        return [end_match(match, snapshot, context, reason="finished", winner=None)]


class VoidMatch(MatchCommand, frozen=True):
    """The match can't go on: its rules have failed before `tick`, or are not here any more."""

    tick: int

    def decide(self, world: World, _context: Context) -> list[Event]:
        """End it without a result; the rules are not asked."""
        match = world.matches.live.get(self.match)
        return [] if match is None else [void_match(match, self.tick)]
