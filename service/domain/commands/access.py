"""Commands of access."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.domain.commands.boundaries import UserCommand
from service.domain.events.access import SessionsRevoked
from service.domain.events.base import Event

if TYPE_CHECKING:
    from service.domain.commands.base import Context
    from service.domain.projections.world import World


class RevokeSessions(UserCommand, frozen=True):
    """Revoke the tokens that a user has until now."""

    now_s: int

    def decide(self, _world: World, _context: Context) -> list[Event]:
        """Revoke the tokens issued until `now_s`."""
        return [SessionsRevoked(user=self.user, until_s=self.now_s)]
