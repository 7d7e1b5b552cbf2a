"""Who is online: users counted by their sockets, with a grace for those whose last one broke."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import msgspec

from service.domain.event import Event, Position, node_stream, room_stream, user_stream
from service.domain.ids import SocketId, UserId, opened_on, opening_order
from service.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from service.domain.command import Context
    from service.domain.world import World

CLEAN_CLOSES = frozenset({1000, 1005, 4503})
"""The close codes that count as going at once.

1005 is a close without a code, the usual logout; with 4503 the user was sent away, and does not
come back by itself. A reload closes with 1001.
"""


OwnStatus = Literal["online", "away", "busy"]

HIDDEN_MAX = 100_000
"""How many hidden users are remembered while they are offline; the oldest are forgotten."""


class TooManySockets(ClientError):
    """This user has as many connections open as one user may have: one of them has to go."""

    code = "TOO_MANY_SOCKETS"


class UserOffline(ClientError):
    """That user is not online just now."""

    code = "USER_OFFLINE"


class NotConnected(ClientError):
    """The connection that this command came by has ended."""

    code = "NOT_CONNECTED"


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
    """A socket of a user was accepted; `kicked` tells that he first learns of a lost seat."""

    type: ClassVar[str] = "socket.opened"
    socket: SocketId
    kicked: bool = False


class SocketClosed(_UserEvent, frozen=True):
    """A socket of a user is gone; `code` is the WebSocket close code, 1006 for a broken one."""

    type: ClassVar[str] = "socket.closed"
    socket: SocketId
    code: int


class UserWentOffline(_UserEvent, frozen=True):
    """A user closed his last socket, or it broke and he did not come back within the grace."""

    type: ClassVar[str] = "user.went_offline"


class UserStatusSet(_UserEvent, frozen=True):
    """A user says how others are to see him."""

    type: ClassVar[str] = "user.status_set"
    status: OwnStatus
    hidden: bool


class Presence(msgspec.Struct):
    """Everyone online, in the order of coming."""

    sockets: dict[UserId, set[SocketId]] = {}
    """The open sockets of each user who is online; none while he is in his grace."""
    absent: dict[UserId, Position] = {}
    """Who is in his grace, and the event that began it."""
    incarnations: dict[str, int] = {}
    statuses: dict[UserId, OwnStatus] = {}
    """What users have set, while they are online, where it is not `online`."""
    hidden: dict[UserId, None] = {}
    """Who is to be seen by nobody, in the order of hiding."""

    def is_here(self, user: UserId) -> bool:
        """Tell whether `user` has a socket open now; nobody is here in a grace."""
        return bool(self.sockets.get(user))

    def check_here(self, users: Iterable[UserId]) -> None:
        """Raise `UserOffline` unless all `users` have a socket open now."""
        if not all(map(self.is_here, users)):
            raise UserOffline

    def check_open(self, user: UserId, socket: SocketId) -> None:
        """Raise `NotConnected` when `socket` of `user` is closed: it would be missed by nobody."""
        if socket not in self.sockets.get(user, ()):
            raise NotConnected

    def is_online(self, user: UserId) -> bool:
        """Tell whether others see `user` as online."""
        return user in self.sockets and user not in self.hidden

    def online(self) -> Iterator[UserId]:
        """Everyone whom others see as online, once each."""
        return (user for user in self.sockets if user not in self.hidden)

    def node_started(self, event: NodeStarted, position: Position) -> None:
        """Put the users of the node's earlier lives in grace."""
        self.incarnations[event.node] = event.incarnation
        for user, sockets in self.sockets.items():
            if not sockets:
                continue
            sockets -= {socket for socket in sockets if opened_on(socket, event.node)}
            if not sockets:
                self.absent[user] = position

    def user_came_online(self, event: UserCameOnline, _position: Position) -> None:
        """Count the user."""
        self.sockets[event.user] = set()

    def socket_opened(self, event: SocketOpened, _position: Position) -> None:
        """Count the socket; it ends a grace."""
        self.sockets[event.user].add(event.socket)
        self.absent.pop(event.user, None)

    def socket_closed(self, event: SocketClosed, position: Position) -> None:
        """Stop counting the socket; the last one begins the grace."""
        sockets = self.sockets[event.user]
        sockets.discard(event.socket)
        if not sockets:
            self.absent[event.user] = position

    def user_went_offline(self, event: UserWentOffline, _position: Position) -> None:
        """Stop counting the user."""
        del self.sockets[event.user]
        self.absent.pop(event.user, None)
        self.statuses.pop(event.user, None)

    def status_set(self, event: UserStatusSet, _position: Position) -> None:
        """Show the user so, or to nobody."""
        self.statuses.pop(event.user, None)
        if event.status != "online":
            self.statuses[event.user] = event.status
        self.hidden.pop(event.user, None)
        if event.hidden:
            self.hidden[event.user] = None
            if len(self.hidden) > HIDDEN_MAX:
                del self.hidden[next(iter(self.hidden))]


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
        """The user; and the queues where he waits, with whoever would be paired with him."""
        return {user_stream(self.user)} | world.matchmaking.streams_of_return(self.user, world)

    def decide(self, world: World, context: Context) -> list[Event]:
        """Open it, unless the user has too many; who comes back to a queue may be paired."""
        sockets = world.presence.sockets.get(self.user)
        if sockets is None:
            return [UserCameOnline(user=self.user), self._opened(world)]
        if len(sockets) >= context.rules.sockets_per_user_max:
            raise TooManySockets
        return [self._opened(world), *world.matchmaking.returns(self.user, world, context)]

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
        return [self._opened(world), *_closed(self.user, oldest, self.code, world, context)]


class CloseSocket(msgspec.Struct, frozen=True):
    """A connection has ended, for whatever reason."""

    user: UserId
    socket: SocketId
    code: int

    def streams(self, world: World) -> set[str]:
        """The user, and the rooms where he may be missed."""
        rooms = world.rooms.rooms_of(self.user, [self.socket])
        return {user_stream(self.user), *(room_stream(room.id) for room in rooms)}

    def decide(self, world: World, context: Context) -> list[Event]:
        """Close it; a clean close of the last one is a farewell."""
        sockets = world.presence.sockets.get(self.user, set())
        if self.socket not in sockets:
            return []
        events = _closed(self.user, self.socket, self.code, world, context)
        if self.code in CLEAN_CLOSES and len(sockets) == 1:
            events.append(UserWentOffline(user=self.user))
        return events


def _closed(
    user: UserId, socket: SocketId, code: int, world: World, context: Context
) -> list[Event]:
    return [
        *world.rooms.stops_watching(user, socket),
        SocketClosed(user=user, socket=socket, code=code),
        *world.rooms.missing(user, socket, world, context),
    ]


class SetStatus(msgspec.Struct, frozen=True):
    """A user wants to be seen differently; None leaves a thing as it is."""

    user: UserId
    status: OwnStatus | None
    hidden: bool | None

    def streams(self, _world: World) -> set[str]:
        """The user."""
        return {user_stream(self.user)}

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Set it, if it is not so already."""
        presence = world.presence
        before = (presence.statuses.get(self.user, "online"), self.user in presence.hidden)
        status = before[0] if self.status is None else self.status
        hidden = before[1] if self.hidden is None else self.hidden
        if (status, hidden) == before:
            return []
        return [UserStatusSet(user=self.user, status=status, hidden=hidden)]


class ExpirePresence(msgspec.Struct, frozen=True):
    """The grace that began at `since` is over."""

    user: UserId
    since: Position

    def streams(self, _world: World) -> set[str]:
        """The user."""
        return {user_stream(self.user)}

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Count the user as gone, unless he came back."""
        if world.presence.absent.get(self.user) != self.since:
            return []
        return [UserWentOffline(user=self.user)]


FOLD = {
    NodeStarted: Presence.node_started,
    UserCameOnline: Presence.user_came_online,
    SocketOpened: Presence.socket_opened,
    SocketClosed: Presence.socket_closed,
    UserWentOffline: Presence.user_went_offline,
    UserStatusSet: Presence.status_set,
}
