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
    """The rules failed over a move; the move is dropped, and the match continues."""

    def __init__(self, match: MatchId, seat: int) -> None:
        """Name the match and the seat."""
        super().__init__(f"The rules have failed over a move of seat {seat} in match {match}.")
        self.match = match
        self.seat = seat


def call_rules(match: Match, context: Context, call: Callable[[Game], Returned]) -> Returned:
    """Call the rules in the version that `match` started with.

    Raises `RulesFailed` if they are not available, or raise anything.
    """
    game = context.games.rules(match.game, match.rules_version, match.id)
    if game is None:
        raise RulesFailed(
            f"Version {match.rules_version} of the rules of {match.game} is not available."
        )
    try:
        return call(game)
    except Exception as error:
        raise RulesFailed(f"The rules of {match.game} have failed: {error!r}.") from error


def call_rules_for_move(
    match: Match, context: Context, seat: int, call: Callable[[Game], Returned]
) -> Returned:
    """Call the rules to decide a move; raise their own `ClientError`, or else `MoveFailed`."""
    try:
        return call_rules(match, context, call)
    except RulesFailed as error:
        if isinstance(error.__cause__, ClientError):
            raise error.__cause__ from None
        raise MoveFailed(match.id, seat) from (error.__cause__ or error)


def as_logged(event: AnyEvent) -> AnyEvent:
    """Return an event with values of the rules as it will be read back from the log.

    Raises what msgspec raises if it cannot be read back. Rules may return anything, and an event
    that nobody can read must be found before it is written, not by the next start.
    """
    return msgspec.json.decode(msgspec.json.encode(event), type=type(event))
