"""What each message costs, in units of the buckets of messages: one table for both dialects.

A unit is about what a `ping` takes: parse, look up, answer with some bytes. What answers with a
list, tells many others or has to be computed costs more. A message is charged to its socket and to
its user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.protocol import classic, v1

if TYPE_CHECKING:
    from service.protocol import FromClient

BYTES_PER_UNIT = 4096
"""What a client sends, and what it is sent again by a resume, costs a unit for so many bytes."""

RECEIVERS_PER_UNIT = 200
"""What goes to everybody in a room costs a unit more for so many of them."""

HANDSHAKE_UNITS = 10
"""What a socket costs that is opened: it is greeted with lists."""

LOGGED_OVERHEAD_BYTES = 300
"""What a row of the log and its indexes take beside the content of a message."""

SOCKET_LOGGED_BYTES = 4 * LOGGED_OVERHEAD_BYTES
"""What the opening and the end of a socket add to the log."""


class Cost(msgspec.Struct, frozen=True):
    """What a message of one type costs."""

    units: int = 1
    is_logged: bool = False
    """Whether it is a command, whose bytes may stay in the log for ever."""
    rooms: int = 0
    """How many rooms it may make."""
    invites: int = 0


PLAIN = Cost()
"""Costs nothing beyond what every message does."""
LIST = Cost(10)
"""Answered with a list, which may be long."""
COMMAND = Cost(1, is_logged=True)
SHOWS_ROOM = Cost(3, is_logged=True)
"""Answered with the state of a room and its chat."""
TELLS_ALL = Cost(5, is_logged=True)
"""Everybody who is online is told."""

COSTS: dict[type[FromClient], Cost] = {
    # The connection
    v1.Ping: PLAIN,
    v1.Resume: Cost(10),
    v1.AuthRefresh: Cost(10),
    # Users
    classic.UserListRequest: LIST,
    v1.UserSync: LIST,
    v1.UserStatus: TELLS_ALL,
    classic.LobbyJoin: TELLS_ALL,
    classic.LobbyLeave: TELLS_ALL,
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
    # Rooms
    v1.RoomCreate: Cost(5, is_logged=True, rooms=1),
    v1.RoomJoin: SHOWS_ROOM,
    v1.RoomLeave: COMMAND,
    v1.RoomReady: COMMAND,
    v1.RoomKick: COMMAND,
    v1.RoomLock: COMMAND,
    v1.RoomList: LIST,
    v1.RoomSubscribe: PLAIN,
    v1.RoomUnsubscribe: PLAIN,
    # Matches
    classic.GameJoin: SHOWS_ROOM,
    classic.GameBegin: COMMAND,
    classic.GameLeave: COMMAND,
    classic.GameMove: COMMAND,
    v1.GameMove: COMMAND,
    v1.GameHistory: LIST,
    # Talk
    v1.SendSignal: PLAIN,
    v1.ChatSend: Cost(2, is_logged=True),
    v1.ChatMute: COMMAND,
}

JOIN_OR_CREATE = Cost(5, is_logged=True, rooms=1)
"""`room:join` with `orCreate`, which may make the room."""

JOIN_WITH_PASSWORD = Cost(10, is_logged=True)
"""`room:join` with `password`, which has to be hashed."""


def cost_of(message: FromClient) -> Cost:
    """Return what `message` costs."""
    cost = COSTS[message.__class__]
    if cost is SHOWS_ROOM and isinstance(message, v1.RoomJoin):
        if message.or_create:
            return JOIN_OR_CREATE
        if message.password is not None:
            return JOIN_WITH_PASSWORD
    return cost
