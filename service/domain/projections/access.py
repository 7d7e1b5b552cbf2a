"""Projection of access: its state, and how it folds events."""

from __future__ import annotations

import msgspec

from service.domain.events.access import SessionsRevoked
from service.domain.events.base import Position
from service.domain.ids import UserId


class Access(msgspec.Struct):
    """Revocation times by user. Never evicted: a token may have no expiry."""

    revoked: dict[UserId, int] = {}

    def allows(self, user: UserId, issued_at_s: float | None) -> bool:
        """Return whether a token of `user` that was issued then is not revoked."""
        until_s = self.revoked.get(user)
        return until_s is None or (issued_at_s is not None and issued_at_s > until_s)

    def on_sessions_revoked(self, event: SessionsRevoked, _position: Position) -> None:
        """Record the revocation time."""
        self.revoked[event.user] = event.until_s


FOLD = {SessionsRevoked: Access.on_sessions_revoked}
