"""Who stands in the lobby: a user is there while at least one of his tabs shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec

from service.domain.event import Event, Position, user_stream
from service.domain.ids import SocketId, UserId, opened_on
from service.domain.presence import NodeStarted, SocketClosed

if TYPE_CHECKING:
    from service.domain.command import Context
    from service.domain.world import World


class _LobbyEvent(Event, frozen=True):
    user: UserId
    socket: SocketId

    @property
    def stream(self) -> str:
        """The user's own stream."""
        return user_stream(self.user)


class LobbyJoined(_LobbyEvent, frozen=True):
    """A tab of a user shows the lobby."""

    type: ClassVar[str] = "lobby.joined"


class LobbyLeft(_LobbyEvent, frozen=True):
    """A tab of a user shows the lobby no longer."""

    type: ClassVar[str] = "lobby.left"


class Lobby(msgspec.Struct):
    """The tabs in the lobby, by user, in the order of coming."""

    members: dict[UserId, set[SocketId]] = {}

    def joined(self, event: LobbyJoined, _position: Position) -> None:
        """Count the tab."""
        self.members.setdefault(event.user, set()).add(event.socket)

    def left(self, event: LobbyLeft | SocketClosed, _position: Position) -> None:
        """Stop counting the tab."""
        self._drop(event.user, {event.socket})

    def node_started(self, event: NodeStarted, _position: Position) -> None:
        """Stop counting the tabs of the node's earlier lives."""
        for user, sockets in list(self.members.items()):
            self._drop(user, {socket for socket in sockets if opened_on(socket, event.node)})

    def _drop(self, user: UserId, gone: set[SocketId]) -> None:
        sockets = self.members.get(user)
        if sockets is not None:
            sockets -= gone
            if not sockets:
                del self.members[user]


class JoinLobby(msgspec.Struct, frozen=True):
    """A tab shows the lobby."""

    user: UserId
    socket: SocketId

    def streams(self, _world: World) -> set[str]:
        """The user."""
        return {user_stream(self.user)}

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Join, once."""
        if self.socket in world.lobby.members.get(self.user, ()):
            return []
        world.presence.check_open(self.user, self.socket)
        return [LobbyJoined(user=self.user, socket=self.socket)]


class LeaveLobby(msgspec.Struct, frozen=True):
    """A tab shows something else."""

    user: UserId
    socket: SocketId

    def streams(self, _world: World) -> set[str]:
        """The user."""
        return {user_stream(self.user)}

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Leave, if it was there."""
        if self.socket not in world.lobby.members.get(self.user, ()):
            return []
        return [LobbyLeft(user=self.user, socket=self.socket)]


FOLD = {
    LobbyJoined: Lobby.joined,
    LobbyLeft: Lobby.left,
    SocketClosed: Lobby.left,
    NodeStarted: Lobby.node_started,
}
