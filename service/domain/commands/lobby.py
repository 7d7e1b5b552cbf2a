"""Commands of the lobby."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.domain.commands.boundaries import UserCommand
from service.domain.events.base import Event
from service.domain.events.lobby import LobbyJoined, LobbyLeft
from service.domain.ids import SocketId

if TYPE_CHECKING:
    from service.domain.commands.base import Context
    from service.domain.projections.world import World


class JoinLobby(UserCommand, frozen=True):
    """Join the lobby with a socket."""

    socket: SocketId

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Join it, once."""
        if self.socket in world.lobby.members.get(self.user, ()):
            return []
        world.presence.check_socket_open(self.user, self.socket)
        return [LobbyJoined(user=self.user, socket=self.socket)]


class LeaveLobby(UserCommand, frozen=True):
    """Leave the lobby with a socket."""

    socket: SocketId

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Leave it, if the socket has joined it."""
        if self.socket not in world.lobby.members.get(self.user, ()):
            return []
        return [LobbyLeft(user=self.user, socket=self.socket)]
