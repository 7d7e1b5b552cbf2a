"""Call the rules of a live match, isolating their failures to that match."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from service.domain.events.base import Event
from service.errors import ClientError
from service.games.protocol import RulesFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.domain.commands.base import Context
    from service.domain.ids import MatchId
    from service.domain.projections.matches import Match
    from service.games.protocol import Game


Returned = TypeVar("Returned")


AnyEvent = TypeVar("AnyEvent", bound=Event)


class MoveFailed(RulesFailed):
    """The rules have failed over this move; it was not made, and the match goes on."""

    def __init__(self, match: MatchId, seat: int) -> None:
        """Name the match, and the seat that made the move."""
        super().__init__(f"The rules have failed over a move of seat {seat} in match {match}.")
        self.match = match
        self.seat = seat


def call_rules(match: Match, context: Context, question: Callable[[Game], Returned]) -> Returned:
    """Ask the rules that `match` began with; raise `RulesFailed` when they are gone or raise."""
    game = context.games.rules(match.game, match.rules_version)
    if game is None:
        raise RulesFailed(
            f"Version {match.rules_version} of the rules of {match.game} is not here."
        )
    try:
        return question(game)
    except Exception as error:
        raise RulesFailed(f"The rules of {match.game} have failed: {error!r}.") from error


def call_rules_for_move(
    match: Match, context: Context, seat: int, question: Callable[[Game], Returned]
) -> Returned:
    """Ask what a move leads to; raise the `ClientError` of the rules, or `MoveFailed`."""
    try:
        return call_rules(match, context, question)
    except RulesFailed as error:
        if isinstance(error.__cause__, ClientError):
            raise error.__cause__ from None
        raise MoveFailed(match.id, seat) from (error.__cause__ or error)


def as_logged(event: AnyEvent) -> AnyEvent:
    """Return an event that was made of what rules say as it will be read from the log.

    Raises what msgspec raises when it could not be read: rules may answer anything, and what they
    say must never be found out only by the next start.
    """
    return msgspec.json.decode(msgspec.json.encode(event), type=type(event))
