"""Access: whose older tokens are good no longer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec

from service.domain.event import Event, Position, user_stream
from service.domain.ids import UserId

if TYPE_CHECKING:
    from service.domain.command import Context
    from service.domain.world import World


class SessionsRevoked(Event, frozen=True):
    """A user's sockets were closed, and his tokens refused that were issued until then."""

    type: ClassVar[str] = "sessions.revoked"
    user: UserId
    until_s: int
    """Seconds since 1970: a token that was issued then or before, or does not say when, is bad."""

    @property
    def stream(self) -> str:
        """The user's own stream."""
        return user_stream(self.user)


class Access(msgspec.Struct):
    """Until when each user's tokens are refused. It is never forgotten, since a token may be."""

    revoked: dict[UserId, int] = {}

    def allows(self, user: UserId, issued_at_s: float | None) -> bool:
        """Tell whether a token of `user` that was issued then is still good."""
        until_s = self.revoked.get(user)
        return until_s is None or (issued_at_s is not None and issued_at_s > until_s)

    def sessions_revoked(self, event: SessionsRevoked, _position: Position) -> None:
        """Refuse what was issued before."""
        self.revoked[event.user] = event.until_s


class RevokeSessions(msgspec.Struct, frozen=True):
    """Send a user away until he has a new token."""

    user: UserId
    now_s: int

    def streams(self, _world: World) -> set[str]:
        """The user."""
        return {user_stream(self.user)}

    def decide(self, _world: World, _context: Context) -> list[Event]:
        """Revoke."""
        return [SessionsRevoked(user=self.user, until_s=self.now_s)]


FOLD = {SessionsRevoked: Access.sessions_revoked}
