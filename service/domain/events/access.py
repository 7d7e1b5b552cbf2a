"""Events of access."""

from __future__ import annotations

from typing import ClassVar

from service.domain.events.base import Event, user_stream
from service.domain.ids import UserId


class SessionsRevoked(Event, frozen=True):
    """A user's sockets were closed, and their tokens issued until then were revoked."""

    type: ClassVar[str] = "sessions.revoked"
    user: UserId
    until_s: int
    """Seconds since 1970. Tokens issued at or before it, or without `iat`, are refused."""

    @property
    def stream(self) -> str:
        """The user's own stream."""
        return user_stream(self.user)
