"""The cost of each message, in units of the rate limit of messages; one table for all dialects.

A unit is about the CPU time of a `ping`. A message that is answered with a list, is broadcast, or
needs a hash costs more. Each is charged to its socket and to its user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.protocol import classic, v1

if TYPE_CHECKING:
    from service.protocol import FromClient

BYTES_PER_UNIT = 4096
"""Bytes per unit, for what a client sends and for what it is sent by a list or a resume."""

RECEIVERS_PER_UNIT = 200
"""Recipients per unit, for what is sent to everybody in a room."""

HANDSHAKE_UNITS = 10
"""Cost of opening a socket, whose greeting contains lists."""

LOGGED_OVERHEAD_BYTES = 300
"""Approximate bytes of a row of the log and its indexes, without the content of the message."""

SOCKET_LOGGED_BYTES = 4 * LOGGED_OVERHEAD_BYTES
"""Bytes that the opening and the end of a socket add to the log."""


class Cost(msgspec.Struct, frozen=True):
    """The cost of a message of one type."""

    units: int = 1
    is_logged: bool = False
    """Whether it is a command, whose bytes are charged since the log keeps them."""
    rooms: int = 0
    """The number of rooms that it may create."""
    invites: int = 0


PLAIN = Cost()
"""No more than the unit that every message costs."""
LIST = Cost(10)
"""Answered with a list."""
COMMAND = Cost(1, is_logged=True)
SHOWS_ROOM = Cost(3, is_logged=True)
"""Answered with the state of a room and its chat."""
BROADCAST = Cost(5, is_logged=True)
"""Broadcast to all users who are online."""

COSTS: dict[type[FromClient], Cost] = {
    # The connection
    v1.Ping: PLAIN,
    v1.Resume: Cost(10),
    v1.FramesSet: Cost(2),
    v1.AuthRefresh: Cost(10),
    # Users
    classic.UserListRequest: LIST,
    v1.UserSync: LIST,
    v1.UserStatus: BROADCAST,
    classic.LobbyJoin: BROADCAST,
    classic.LobbyLeave: BROADCAST,
    classic.LobbyRequest: LIST,
    classic.FriendsSubscribe: LIST,
    classic.FriendsStatusRequest: LIST,
    # Invites and matchmaking
    classic.Invite: Cost(2, is_logged=True, invites=1),
    classic.InviteSend: Cost(2, is_logged=True, invites=1),
    classic.InviteAcceptedByClient: Cost(5, is_logged=True, rooms=1),
    classic.InviteDeclinedByClient: COMMAND,
    classic.MatchmakingJoin: Cost(5, is_logged=True, rooms=1),
    classic.MatchmakingLeave: COMMAND,
    v1.MatchmakingAcceptBot: Cost(5, is_logged=True, rooms=1),
    # Rooms
    v1.RoomCreate: Cost(5, is_logged=True, rooms=1),
    v1.RoomJoin: SHOWS_ROOM,
    v1.RoomLeave: COMMAND,
    v1.RoomReady: COMMAND,
    v1.RoomKick: COMMAND,
    v1.RoomAddBot: Cost(5, is_logged=True),
    v1.RoomLock: COMMAND,
    v1.RoomList: LIST,
    v1.RoomSubscribe: PLAIN,
    v1.RoomUnsubscribe: PLAIN,
    # The page of the lobby
    v1.LobbyWatch: LIST,
    v1.LobbyUnwatch: PLAIN,
    v1.LobbySay: BROADCAST,
    # Matches
    classic.GameJoin: SHOWS_ROOM,
    classic.GameBegin: COMMAND,
    classic.GameLeave: COMMAND,
    classic.GameMove: COMMAND,
    v1.GameMove: COMMAND,
    v1.GameHistory: LIST,
    # Chat and signals
    v1.SendSignal: PLAIN,
    v1.ChatSend: Cost(2, is_logged=True),
    v1.ChatMute: COMMAND,
}

JOIN_OR_CREATE = Cost(5, is_logged=True, rooms=1)
"""`room:join` with `orCreate`, which may create the room."""

JOIN_WITH_PASSWORD = Cost(10, is_logged=True)
"""`room:join` with `password`, whose hash takes CPU time."""


def cost_of(message: FromClient) -> Cost:
    """Return the cost of `message`."""
    cost = COSTS[message.__class__]
    if cost is SHOWS_ROOM and isinstance(message, v1.RoomJoin):
        if message.or_create:
            return JOIN_OR_CREATE
        if message.password is not None:
            return JOIN_WITH_PASSWORD
    return cost
