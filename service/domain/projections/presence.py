"""Projection of presence: its state, and how it folds events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.domain.errors import NotConnected, UserOffline
from service.domain.events.base import Position
from service.domain.events.presence import (
    NodeStarted,
    OwnStatus,
    SocketClosed,
    SocketOpened,
    UserCameOnline,
    UserStatusSet,
    UserWentOffline,
)
from service.domain.ids import SocketId, UserId, opened_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


HIDDEN_MAX = 100_000
"""How many hidden users are remembered while they are offline; the oldest are forgotten."""


class Presence(msgspec.Struct):
    """Everyone online, in the order of coming."""

    sockets: dict[UserId, set[SocketId]] = {}
    """The open sockets of each user who is online; none during their grace period."""
    in_grace: dict[UserId, Position] = {}
    """Users in their grace period, and the event that began it."""
    incarnations: dict[str, int] = {}
    statuses: dict[UserId, OwnStatus] = {}
    """What users have set, while they are online, where it is not `online`."""
    hidden: dict[UserId, None] = {}
    """Who is to be seen by nobody, in the order of hiding."""

    def is_connected(self, user: UserId) -> bool:
        """Tell whether `user` has a socket open now; nobody is here in a grace."""
        return bool(self.sockets.get(user))

    def check_connected(self, users: Iterable[UserId]) -> None:
        """Raise `UserOffline` unless all `users` have a socket open now."""
        if not all(map(self.is_connected, users)):
            raise UserOffline

    def check_socket_open(self, user: UserId, socket: SocketId) -> None:
        """Raise `NotConnected` when `socket` of `user` is closed: it would be missed by nobody."""
        if socket not in self.sockets.get(user, ()):
            raise NotConnected

    def is_online(self, user: UserId) -> bool:
        """Tell whether others see `user` as online."""
        return user in self.sockets and user not in self.hidden

    def online(self) -> Iterator[UserId]:
        """Everyone whom others see as online, once each."""
        return (user for user in self.sockets if user not in self.hidden)

    def on_node_started(self, event: NodeStarted, position: Position) -> None:
        """Put the users of the node's earlier lives in grace."""
        self.incarnations[event.node] = event.incarnation
        for user, sockets in self.sockets.items():
            if not sockets:
                continue
            sockets -= {socket for socket in sockets if opened_on(socket, event.node)}
            if not sockets:
                self.in_grace[user] = position

    def on_user_came_online(self, event: UserCameOnline, _position: Position) -> None:
        """Count the user."""
        self.sockets[event.user] = set()

    def on_socket_opened(self, event: SocketOpened, _position: Position) -> None:
        """Count the socket; it ends a grace."""
        self.sockets[event.user].add(event.socket)
        self.in_grace.pop(event.user, None)

    def on_socket_closed(self, event: SocketClosed, position: Position) -> None:
        """Stop counting the socket; the last one begins the grace."""
        sockets = self.sockets[event.user]
        sockets.discard(event.socket)
        if not sockets:
            self.in_grace[event.user] = position

    def on_user_went_offline(self, event: UserWentOffline, _position: Position) -> None:
        """Stop counting the user."""
        del self.sockets[event.user]
        self.in_grace.pop(event.user, None)
        self.statuses.pop(event.user, None)

    def on_user_status_set(self, event: UserStatusSet, _position: Position) -> None:
        """Show the user so, or to nobody."""
        self.statuses.pop(event.user, None)
        if event.status != "online":
            self.statuses[event.user] = event.status
        self.hidden.pop(event.user, None)
        if event.hidden:
            self.hidden[event.user] = None
            if len(self.hidden) > HIDDEN_MAX:
                del self.hidden[next(iter(self.hidden))]


FOLD = {
    NodeStarted: Presence.on_node_started,
    UserCameOnline: Presence.on_user_came_online,
    SocketOpened: Presence.on_socket_opened,
    SocketClosed: Presence.on_socket_closed,
    UserWentOffline: Presence.on_user_went_offline,
    UserStatusSet: Presence.on_user_status_set,
}
