"""End a match: a player left, the rules say so, or the rules failed (void)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

from service.domain.commands.boundaries import MatchCommand
from service.domain.commands.rules import as_logged, call_rules
from service.domain.events.matches import EndReason, MatchEnded, room_of
from service.domain.ids import is_bot
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
    """Return the event that ends `match` at its current tick.

    A result by the rules takes precedence over `reason` and `winner`. The match is void if the
    rules fail.
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
                bots=_bots(match),
            )
        )

    try:
        result = result_of(match, snapshot, context)
        return call_rules(match, context, lambda game: end(game, result))
    except RulesFailed as error:
        return end_failed_match(match, snapshot, context, error)


def result_of(match: Match, snapshot: MatchSnapshot, context: Context) -> Result | None:
    """Return the result by the rules, or None while the match continues; raise `RulesFailed`."""
    return call_rules(match, context, lambda game: _result(game, match, snapshot))


def _result(game: Game, match: Match, snapshot: MatchSnapshot) -> Result | None:
    result = game.result(snapshot.state)
    if result is not None and result.winner not in {None, *range(len(match.players))}:
        raise RulesFailed(f"The rules of {match.game} name the winner {result.winner!r}.")
    return result


def void_match(match: Match, tick: int) -> MatchEnded:
    """Return the event that ends `match` without a result, and without a call of its rules."""
    scores = [0] * len(match.players)
    return MatchEnded(
        match=match.id,
        tick=tick,
        reason="void",
        winner=None,
        scores=scores,
        hash="",
        bots=_bots(match),
    )


def _bots(match: Match) -> list[int] | UnsetType:
    return [seat for seat, user in enumerate(match.players) if is_bot(user)] or UNSET


def end_failed_match(
    match: Match, snapshot: MatchSnapshot, context: Context, error: RulesFailed
) -> MatchEnded:
    """Report failed rules, and return the event that ends their match as void."""
    context.rules_failed(match.id, error)
    return void_match(match, snapshot.tick)


class FinishMatch(MatchCommand, frozen=True):
    """Finish a match that is over by its rules."""

    def decide(self, world: World, context: Context) -> list[Event]:
        """End it, unless it has ended already, or the rules let it continue."""
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
    """Void a match whose rules failed before `tick`, or are not available."""

    tick: int

    def decide(self, world: World, context: Context) -> list[Event]:
        """End it without a result, unless another node runs it; the rules are not called."""
        match = world.matches.live.get(self.match)
        if match is None or world.nodes.is_elsewhere(room_of(match.id), context.node):
            return []
        return [void_match(match, self.tick)]
