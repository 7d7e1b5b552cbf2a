"""Commands of presence: sockets, statuses, grace periods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.domain.commands.boundaries import UserCommand
from service.domain.commands.matchmaking import pair_returning, streams_of_return
from service.domain.commands.rooms import lose_player_tab, stop_spectating_by
from service.domain.errors import TooManySockets
from service.domain.events.base import Event, Position, room_stream, user_stream
from service.domain.events.presence import (
    OwnStatus,
    SocketClosed,
    SocketOpened,
    UserCameOnline,
    UserStatusSet,
    UserWentOffline,
)
from service.domain.ids import SocketId, UserId, opened_on, opening_order

if TYPE_CHECKING:
    from service.domain.commands.base import Context
    from service.domain.projections.world import World


CLEAN_CLOSES = frozenset({1000, 1005, 4503})
"""Close codes after which the user goes offline at once, without a grace period.

1005 is a close without a code, the usual logout. After 4503 (kicked or revoked) clients do not
reconnect. A page reload closes with 1001 and gets the grace period.
"""


class OpenSocket(msgspec.Struct, frozen=True):
    """Open a socket of an authenticated user."""

    user: UserId
    socket: SocketId

    def streams(self, world: World) -> set[str]:
        """The user, the queues that they are in, and the opponents of a possible pairing."""
        return {user_stream(self.user)} | streams_of_return(self.user, world)

    def decide(self, world: World, context: Context) -> list[Event]:
        """Open it, unless the user has too many; a user in a queue may be paired at once."""
        sockets = world.presence.sockets.get(self.user)
        if sockets is None:
            return [UserCameOnline(user=self.user), self._opened(world)]
        if _too_many(sockets, world, context):
            raise TooManySockets
        return [self._opened(world), *pair_returning(self.user, world, context)]

    def _opened(self, world: World) -> SocketOpened:
        kicked = self.user in world.rooms.kicked
        return SocketOpened(user=self.user, socket=self.socket, kicked=kicked)


class ReplaceSocket(OpenSocket, frozen=True):
    """Open a socket of a user who has too many, and close another one for it."""

    silent: frozenset[SocketId]
    """Those of the user's sockets that do not answer pings."""
    code: int
    """The close code of the socket that is closed."""

    def streams(self, world: World) -> set[str]:
        """The user, and the rooms that any of their sockets has joined."""
        sockets = world.presence.sockets.get(self.user, set())
        rooms = world.rooms.rooms_of(self.user, sockets)
        return super().streams(world) | {room_stream(room.id) for room in rooms}

    def decide(self, world: World, context: Context) -> list[Event]:
        """Open it, and close the oldest silent socket, or else the oldest of all."""
        sockets = _too_many(world.presence.sockets.get(self.user, set()), world, context)
        if not sockets:
            return super().decide(world, context)
        oldest = min(sockets & self.silent or sockets, key=opening_order)
        return [self._opened(world), *_close_socket(self.user, oldest, self.code, world, context)]


class CloseSocket(msgspec.Struct, frozen=True):
    """Close a socket whose connection has ended, for whatever reason."""

    user: UserId
    socket: SocketId
    code: int

    def streams(self, world: World) -> set[str]:
        """The user, and the rooms that the socket has joined."""
        rooms = world.rooms.rooms_of(self.user, [self.socket])
        return {user_stream(self.user), *(room_stream(room.id) for room in rooms)}

    def decide(self, world: World, context: Context) -> list[Event]:
        """Close it; a clean close of the last one takes the user offline."""
        sockets = world.presence.sockets.get(self.user, set())
        if self.socket not in sockets:
            return []
        events = _close_socket(self.user, self.socket, self.code, world, context)
        if self.code in CLEAN_CLOSES and len(sockets) == 1:
            events.append(UserWentOffline(user=self.user))
        return events


def _too_many(sockets: set[SocketId], world: World, context: Context) -> set[SocketId]:
    """Return the sockets of which one has to be closed before another is opened; or none.

    Those of draining nodes do not count, since they are being replaced, up to as many again.
    """
    sockets_max = context.rules.sockets_per_user_max
    draining = [name for name, node in world.nodes.live.items() if node.draining]
    lasting = {one for one in sockets if not any(opened_on(one, name) for name in draining)}
    if len(lasting) >= sockets_max:
        return lasting
    return sockets if len(sockets) >= 2 * sockets_max else set()


def _close_socket(
    user: UserId, socket: SocketId, code: int, world: World, context: Context
) -> list[Event]:
    return [
        *stop_spectating_by(user, socket, world),
        SocketClosed(user=user, socket=socket, code=code),
        *lose_player_tab(user, socket, world, context),
    ]


class SetStatus(UserCommand, frozen=True):
    """Set a user's status and visibility; None leaves either as it is."""

    status: OwnStatus | None
    hidden: bool | None

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Set them, unless nothing changes."""
        presence = world.presence
        before = (presence.statuses.get(self.user, "online"), self.user in presence.hidden)
        status = before[0] if self.status is None else self.status
        hidden = before[1] if self.hidden is None else self.hidden
        if (status, hidden) == before:
            return []
        return [UserStatusSet(user=self.user, status=status, hidden=hidden)]


class ExpirePresence(UserCommand, frozen=True):
    """Take a user offline: their grace period, which began at `since`, has expired."""

    since: Position

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Take them offline, unless they came back."""
        if world.presence.in_grace.get(self.user) != self.since:
            return []
        return [UserWentOffline(user=self.user)]
