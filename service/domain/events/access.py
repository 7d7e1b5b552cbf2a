"""Events of access."""

from __future__ import annotations

from typing import ClassVar

from service.domain.events.base import Event, user_stream
from service.domain.ids import UserId


class SessionsRevoked(Event, frozen=True):
    """A user's sockets were closed, and their tokens refused that were issued until then."""

    type: ClassVar[str] = "sessions.revoked"
    user: UserId
    until_s: int
    """Seconds since 1970: a token that was issued then or before, or does not say when, is bad."""

    @property
    def stream(self) -> str:
        """The user's own stream."""
        return user_stream(self.user)
