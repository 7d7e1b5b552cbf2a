"""Events of the lobby."""

from __future__ import annotations

from typing import ClassVar

from service.domain.events.base import Event, user_stream
from service.domain.ids import SocketId, UserId


class _LobbyEvent(Event, frozen=True):
    user: UserId
    socket: SocketId

    @property
    def stream(self) -> str:
        """The user's own stream."""
        return user_stream(self.user)


class LobbyJoined(_LobbyEvent, frozen=True):
    """A socket of a user joined the lobby."""

    type: ClassVar[str] = "lobby.joined"


class LobbyLeft(_LobbyEvent, frozen=True):
    """A socket of a user left the lobby."""

    type: ClassVar[str] = "lobby.left"
