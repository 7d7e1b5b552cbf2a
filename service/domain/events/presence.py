"""Events of presence."""

from __future__ import annotations

from typing import ClassVar, Literal

from service.domain.events.base import Event, user_stream
from service.domain.ids import SocketId, UserId

OwnStatus = Literal["online", "away", "busy"]


class _UserEvent(Event, frozen=True):
    user: UserId

    @property
    def stream(self) -> str:
        """The user's own stream."""
        return user_stream(self.user)


class UserCameOnline(_UserEvent, frozen=True):
    """A user came online: the event before their first open socket."""

    type: ClassVar[str] = "user.came_online"


class SocketOpened(_UserEvent, frozen=True):
    """A socket of a user was accepted; `kicked` if it is the first to learn of a lost seat."""

    type: ClassVar[str] = "socket.opened"
    socket: SocketId
    kicked: bool = False


class SocketClosed(_UserEvent, frozen=True):
    """A socket of a user was closed; `code` is the WebSocket close code, 1006 if it broke."""

    type: ClassVar[str] = "socket.closed"
    socket: SocketId
    code: int


class UserWentOffline(_UserEvent, frozen=True):
    """A user went offline: a clean close of the last socket, or the grace period expired."""

    type: ClassVar[str] = "user.went_offline"


class UserStatusSet(_UserEvent, frozen=True):
    """A user set their status or visibility."""

    type: ClassVar[str] = "user.status_set"
    status: OwnStatus
    hidden: bool
