"""Projection of presence: its state, and how it folds events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.domain.errors import NotConnected, UserOffline
from service.domain.events.base import Position
from service.domain.events.nodes import NodeLost, NodeStarted
from service.domain.events.presence import (
    OwnStatus,
    SocketClosed,
    SocketOpened,
    UserCameOnline,
    UserStatusSet,
    UserWentOffline,
)
from service.domain.ids import SocketId, UserId, opened_on, opened_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


HIDDEN_MAX = 100_000
"""Maximum number of hidden users that are kept; the ones hidden first are evicted."""


class Presence(msgspec.Struct):
    """The users online and their sockets, in the order of coming online."""

    sockets: dict[UserId, set[SocketId]] = {}
    """The open sockets of each user who is online; an empty set during their grace period."""
    in_grace: dict[UserId, Position] = {}
    """Users in their grace period, and the position of the event that started it."""
    statuses: dict[UserId, OwnStatus] = {}
    """The statuses that users have set, other than `online`; dropped when they go offline."""
    hidden: dict[UserId, None] = {}
    """Users who are hidden from others, in the order of hiding; kept while they are offline."""

    def is_connected(self, user: UserId) -> bool:
        """Return whether `user` has an open socket; a user in their grace period has none."""
        return bool(self.sockets.get(user))

    def check_connected(self, users: Iterable[UserId]) -> None:
        """Raise `UserOffline` unless all `users` have an open socket."""
        if not all(map(self.is_connected, users)):
            raise UserOffline

    def check_socket_open(self, user: UserId, socket: SocketId) -> None:
        """Raise `NotConnected` if `socket` of `user` is closed.

        No later event would undo what such a command does for the socket.
        """
        if socket not in self.sockets.get(user, ()):
            raise NotConnected

    def is_online(self, user: UserId) -> bool:
        """Return whether others see `user` as online."""
        return user in self.sockets and user not in self.hidden

    def online(self) -> Iterator[UserId]:
        """Iterate over the users whom others see as online."""
        return (user for user in self.sockets if user not in self.hidden)

    def on_node_started(self, event: NodeStarted, position: Position) -> None:
        """Close the sockets of the node's earlier incarnations; their users get a grace period."""
        self._close(lambda socket: opened_on(socket, event.node), position)

    def on_node_lost(self, event: NodeLost, position: Position) -> None:
        """Close the sockets of the node; users without another one get a grace period."""
        node, incarnation = event.node, event.incarnation
        self._close(lambda socket: opened_until(socket, node, incarnation), position)

    def on_user_came_online(self, event: UserCameOnline, _position: Position) -> None:
        """Add the user."""
        self.sockets[event.user] = set()

    def on_socket_opened(self, event: SocketOpened, _position: Position) -> None:
        """Add the socket, and end the grace period."""
        self.sockets[event.user].add(event.socket)
        self.in_grace.pop(event.user, None)

    def on_socket_closed(self, event: SocketClosed, position: Position) -> None:
        """Remove the socket; the last one starts the grace period."""
        sockets = self.sockets[event.user]
        sockets.discard(event.socket)
        if not sockets:
            self.in_grace[event.user] = position

    def on_user_went_offline(self, event: UserWentOffline, _position: Position) -> None:
        """Remove the user."""
        del self.sockets[event.user]
        self.in_grace.pop(event.user, None)
        self.statuses.pop(event.user, None)

    def on_user_status_set(self, event: UserStatusSet, _position: Position) -> None:
        """Record status and visibility."""
        self.statuses.pop(event.user, None)
        if event.status != "online":
            self.statuses[event.user] = event.status
        self.hidden.pop(event.user, None)
        if event.hidden:
            self.hidden[event.user] = None
            if len(self.hidden) > HIDDEN_MAX:
                del self.hidden[next(iter(self.hidden))]

    def _close(self, is_lost: Callable[[SocketId], bool], position: Position) -> None:
        for user, sockets in self.sockets.items():
            if not sockets:
                continue
            sockets -= {socket for socket in sockets if is_lost(socket)}
            if not sockets:
                self.in_grace[user] = position


FOLD = {
    NodeStarted: Presence.on_node_started,
    NodeLost: Presence.on_node_lost,
    UserCameOnline: Presence.on_user_came_online,
    SocketOpened: Presence.on_socket_opened,
    SocketClosed: Presence.on_socket_closed,
    UserWentOffline: Presence.on_user_went_offline,
    UserStatusSet: Presence.on_user_status_set,
}
