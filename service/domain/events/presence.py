"""Events of presence."""

from __future__ import annotations

from typing import ClassVar, Literal

from service.domain.events.base import Event, node_stream, user_stream
from service.domain.ids import SocketId, UserId

OwnStatus = Literal["online", "away", "busy"]


class NodeStarted(Event, frozen=True):
    """A node came to life; whatever its earlier lives left open is closed by this event."""

    type: ClassVar[str] = "node.started"
    node: str
    incarnation: int

    @property
    def stream(self) -> str:
        """The node's own stream."""
        return node_stream(self.node)


class _UserEvent(Event, frozen=True):
    user: UserId

    @property
    def stream(self) -> str:
        """The user's own stream."""
        return user_stream(self.user)


class UserCameOnline(_UserEvent, frozen=True):
    """The first socket of a user is about to be counted."""

    type: ClassVar[str] = "user.came_online"


class SocketOpened(_UserEvent, frozen=True):
    """A socket of a user was accepted; `kicked` tells that they first learn of a lost seat."""

    type: ClassVar[str] = "socket.opened"
    socket: SocketId
    kicked: bool = False


class SocketClosed(_UserEvent, frozen=True):
    """A socket of a user is gone; `code` is the WebSocket close code, 1006 for a broken one."""

    type: ClassVar[str] = "socket.closed"
    socket: SocketId
    code: int


class UserWentOffline(_UserEvent, frozen=True):
    """A user closed their last socket, or it broke and they did not come back within the grace."""

    type: ClassVar[str] = "user.went_offline"


class UserStatusSet(_UserEvent, frozen=True):
    """A user says how others are to see them."""

    type: ClassVar[str] = "user.status_set"
    status: OwnStatus
    hidden: bool
