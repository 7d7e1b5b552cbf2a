"""Projection of the lobby: its state, and how it folds events."""

from __future__ import annotations

import msgspec

from service.domain.events.base import Position
from service.domain.events.lobby import LobbyJoined, LobbyLeft
from service.domain.events.nodes import NodeLost, NodeStarted
from service.domain.events.presence import SocketClosed
from service.domain.ids import SocketId, UserId, opened_on, opened_until


class Lobby(msgspec.Struct):
    """The sockets in the lobby by user, in the order of joining."""

    members: dict[UserId, set[SocketId]] = {}

    def on_lobby_joined(self, event: LobbyJoined, _position: Position) -> None:
        """Add the socket."""
        self.members.setdefault(event.user, set()).add(event.socket)

    def on_tab_left(self, event: LobbyLeft | SocketClosed, _position: Position) -> None:
        """Remove the socket."""
        self._drop(event.user, {event.socket})

    def on_node_started(self, event: NodeStarted, _position: Position) -> None:
        """Remove the sockets of the node's earlier incarnations."""
        for user, sockets in list(self.members.items()):
            self._drop(user, {socket for socket in sockets if opened_on(socket, event.node)})

    def on_node_lost(self, event: NodeLost, _position: Position) -> None:
        """Remove the sockets of the node."""
        node, incarnation = event.node, event.incarnation
        for user, sockets in list(self.members.items()):
            self._drop(user, {one for one in sockets if opened_until(one, node, incarnation)})

    def _drop(self, user: UserId, gone: set[SocketId]) -> None:
        sockets = self.members.get(user)
        if sockets is not None:
            sockets -= gone
            if not sockets:
                del self.members[user]


FOLD = {
    LobbyJoined: Lobby.on_lobby_joined,
    LobbyLeft: Lobby.on_tab_left,
    SocketClosed: Lobby.on_tab_left,
    NodeStarted: Lobby.on_node_started,
    NodeLost: Lobby.on_node_lost,
}
