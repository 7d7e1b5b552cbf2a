"""The user service as a consumer of the outbox: chooses the token that saves a match."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.domain.commands.outbox import AwaitingToken, Indeterminate
from service.domain.projections.outbox import reporting_seat
from service.integrations.user_service import TokenInvalid

if TYPE_CHECKING:
    from service.domain.commands.outbox import FinishedMatch, Outcome
    from service.integrations.user_service import UserService
    from service.outbox.tokens import UserTokens


class UserServiceDelivery:
    """Saves finished matches in the user service, with a token of the reporting player."""

    def __init__(self, users: UserService, tokens: UserTokens, service_token: str | None) -> None:
        """Save with the player's own token; without a valid one, with `service_token` if set."""
        self._users = users
        self._tokens = tokens
        self._service_token = service_token

    async def deliver(self, match: FinishedMatch) -> Outcome:
        """Save the match; without any token that is accepted, return `AwaitingToken`."""
        user = match.players[reporting_seat(match.players)]
        token = await self._tokens.for_match(match.id, user)
        if token is not None:
            outcome = await self._users.save(match, token)
            if not isinstance(outcome, TokenInvalid):
                return outcome
            await self._tokens.discard(match.id, user, token)
        if self._service_token is None:
            return AwaitingToken(f"waits for the next token of user {user}")
        outcome = await self._users.save(match, self._service_token)
        if isinstance(outcome, TokenInvalid):
            return Indeterminate("USER_SERVICE_TOKEN is refused", 401)
        return outcome

    async def close(self) -> None:
        """Do nothing: the client of the user service is closed by its owner."""
