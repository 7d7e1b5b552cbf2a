"""Commands of access."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.domain.events.access import SessionsRevoked
from service.domain.events.base import Event, user_stream
from service.domain.ids import UserId

if TYPE_CHECKING:
    from service.domain.commands.base import Context
    from service.domain.projections.world import World


class RevokeSessions(msgspec.Struct, frozen=True):
    """Send a user away until they have a new token."""

    user: UserId
    now_s: int

    def streams(self, _world: World) -> set[str]:
        """The user."""
        return {user_stream(self.user)}

    def decide(self, _world: World, _context: Context) -> list[Event]:
        """Revoke the user's tokens issued until now."""
        return [SessionsRevoked(user=self.user, until_s=self.now_s)]
