"""Commands of presence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.domain.commands.boundaries import UserCommand
from service.domain.commands.matchmaking import pair_returning, streams_of_return
from service.domain.commands.rooms import lose_player_tab, stop_spectating_in_tab
from service.domain.errors import TooManySockets
from service.domain.events.base import Event, Position, node_stream, room_stream, user_stream
from service.domain.events.presence import (
    NodeStarted,
    OwnStatus,
    SocketClosed,
    SocketOpened,
    UserCameOnline,
    UserStatusSet,
    UserWentOffline,
)
from service.domain.ids import SocketId, UserId, opening_order

if TYPE_CHECKING:
    from service.domain.commands.base import Context
    from service.domain.projections.world import World


CLEAN_CLOSES = frozenset({1000, 1005, 4503})
"""The close codes that count as going at once.

1005 is a close without a code, the usual logout; with 4503 the user was sent away, and does not
come back by itself. A reload closes with 1001.
"""


class StartNode(msgspec.Struct, frozen=True):
    """A node begins a new life, before it accepts its first socket."""

    node: str

    def streams(self, _world: World) -> set[str]:
        """The node."""
        return {node_stream(self.node)}

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Count one life more."""
        incarnation = world.presence.incarnations.get(self.node, 0) + 1
        return [NodeStarted(node=self.node, incarnation=incarnation)]


class OpenSocket(msgspec.Struct, frozen=True):
    """An authenticated connection is accepted."""

    user: UserId
    socket: SocketId

    def streams(self, world: World) -> set[str]:
        """The user; and the queues where they wait, with whoever would be paired with them."""
        return {user_stream(self.user)} | streams_of_return(self.user, world)

    def decide(self, world: World, context: Context) -> list[Event]:
        """Open it, unless the user has too many; who comes back to a queue may be paired."""
        sockets = world.presence.sockets.get(self.user)
        if sockets is None:
            return [UserCameOnline(user=self.user), self._opened(world)]
        if len(sockets) >= context.rules.sockets_per_user_max:
            raise TooManySockets
        return [self._opened(world), *pair_returning(self.user, world, context)]

    def _opened(self, world: World) -> SocketOpened:
        kicked = self.user in world.rooms.kicked
        return SocketOpened(user=self.user, socket=self.socket, kicked=kicked)


class ReplaceSocket(OpenSocket, frozen=True):
    """A connection of a user who has too many is accepted in place of another one."""

    silent: frozenset[SocketId]
    """Those of the user's sockets that do not answer."""
    code: int
    """How the end of the other one is noted."""

    def streams(self, world: World) -> set[str]:
        """The user, and the rooms where the other socket may be missed."""
        sockets = world.presence.sockets.get(self.user, set())
        rooms = world.rooms.rooms_of(self.user, sockets)
        return super().streams(world) | {room_stream(room.id) for room in rooms}

    def decide(self, world: World, context: Context) -> list[Event]:
        """Open it, and close the oldest of the silent sockets, or else the oldest of all."""
        sockets = world.presence.sockets.get(self.user, set())
        if len(sockets) < context.rules.sockets_per_user_max:
            return super().decide(world, context)
        oldest = min(sockets & self.silent or sockets, key=opening_order)
        return [self._opened(world), *_close_socket(self.user, oldest, self.code, world, context)]


class CloseSocket(msgspec.Struct, frozen=True):
    """A connection has ended, for whatever reason."""

    user: UserId
    socket: SocketId
    code: int

    def streams(self, world: World) -> set[str]:
        """The user, and the rooms where they may be missed."""
        rooms = world.rooms.rooms_of(self.user, [self.socket])
        return {user_stream(self.user), *(room_stream(room.id) for room in rooms)}

    def decide(self, world: World, context: Context) -> list[Event]:
        """Close it; a clean close of the last one is a farewell."""
        sockets = world.presence.sockets.get(self.user, set())
        if self.socket not in sockets:
            return []
        events = _close_socket(self.user, self.socket, self.code, world, context)
        if self.code in CLEAN_CLOSES and len(sockets) == 1:
            events.append(UserWentOffline(user=self.user))
        return events


def _close_socket(
    user: UserId, socket: SocketId, code: int, world: World, context: Context
) -> list[Event]:
    return [
        *stop_spectating_in_tab(user, socket, world),
        SocketClosed(user=user, socket=socket, code=code),
        *lose_player_tab(user, socket, world, context),
    ]


class SetStatus(UserCommand, frozen=True):
    """A user wants to be seen differently; None leaves a thing as it is."""

    status: OwnStatus | None
    hidden: bool | None

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Set the status, unless it is so already."""
        presence = world.presence
        before = (presence.statuses.get(self.user, "online"), self.user in presence.hidden)
        status = before[0] if self.status is None else self.status
        hidden = before[1] if self.hidden is None else self.hidden
        if (status, hidden) == before:
            return []
        return [UserStatusSet(user=self.user, status=status, hidden=hidden)]


class ExpirePresence(UserCommand, frozen=True):
    """The grace that began at `since` is over."""

    since: Position

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Count the user as gone, unless they came back."""
        if world.presence.in_grace.get(self.user) != self.since:
            return []
        return [UserWentOffline(user=self.user)]
