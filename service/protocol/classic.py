"""Messages of the classic contract; their docstrings appear in the reference.

A field is written in camelCase on the wire. Clients of protocol v1 send and get most of these,
too; what only protocol v1 has is in `service.protocol.v1`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from service.domain.ids import RoomId, UserId, WireUserId
from service.protocol.base import (
    DEFAULT_GAME,
    FromClientMessage,
    ToClientMessage,
    WireGame,
    WireRoomId,
)

Key: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=16)]


class UserListRequest(FromClientMessage, frozen=True, tag="user:list:request"):
    """Asks for `user:list`, to this socket."""


class LobbyJoin(FromClientMessage, frozen=True, tag="lobby:join"):
    """Joins the lobby with this socket; answered with `lobby:list`."""


class LobbyLeave(FromClientMessage, frozen=True, tag="lobby:leave"):
    """Leaves the lobby with this socket."""


class LobbyRequest(FromClientMessage, frozen=True, tag="lobby:request"):
    """Asks for `lobby:list`, to this socket."""


class FriendsSubscribe(FromClientMessage, frozen=True, tag="friends:subscribe"):
    """Subscribes to the online status of these users, instead of those before."""

    friend_ids: list[WireUserId]


class FriendsStatusRequest(FromClientMessage, frozen=True, tag="friends:status:request"):
    """Asks for the status of your friends according to the user service."""


class Invite(FromClientMessage, frozen=True, tag="invite"):
    """Invites a user to a match; `to` and `toUserId` mean the same."""

    to: WireUserId | None = None
    to_user_id: WireUserId | None = None
    game: WireGame = DEFAULT_GAME


class InviteSend(Invite, frozen=True, tag="invite:send"):
    """The same as `invite`."""


class InviteAcceptedByClient(FromClientMessage, frozen=True, tag="invite:accepted"):
    """Accepts the invite of `from`."""

    inviter: WireUserId = msgspec.field(name="from")


class InviteDeclinedByClient(FromClientMessage, frozen=True, tag="invite:declined"):
    """Declines the invite of `from`."""

    inviter: WireUserId = msgspec.field(name="from")


class MatchmakingJoin(FromClientMessage, frozen=True, tag="matchmaking:join"):
    """Joins the matchmaking queue of a game."""

    game: WireGame = DEFAULT_GAME


class MatchmakingLeave(FromClientMessage, frozen=True, tag="matchmaking:leave"):
    """Leaves the matchmaking queue."""

    game: WireGame = DEFAULT_GAME


class GameJoin(FromClientMessage, frozen=True, tag="game:join"):
    """Joins a room with this socket: takes the user's seat, and gets the messages of the room."""

    room_id: WireRoomId


class GameBegin(FromClientMessage, frozen=True, tag="game:begin"):
    """Starts the match; after a result, asks for a rematch."""

    room_id: WireRoomId


class GameMove(FromClientMessage, frozen=True, tag="game:move"):
    """Presses or releases a key: `w`, `s`, `ArrowUp` or `ArrowDown`, `down` or `up`."""

    room_id: WireRoomId
    direction: Key
    action: Key


class GameLeave(FromClientMessage, frozen=True, tag="game:leave"):
    """Gives up the seat; in a live match the opponent wins at once."""

    room_id: WireRoomId


class User(msgspec.Struct, frozen=True):
    """The id and the display name of a user."""

    id: UserId
    name: str


class FriendStatus(msgspec.Struct, frozen=True, rename="camel"):
    """The online status of a friend."""

    user_id: UserId
    is_online: bool


class Scores(msgspec.Struct, frozen=True):
    """The scores of both players."""

    s1: int
    s2: int


class Error(ToClientMessage, frozen=True, tag="error"):
    """The last message could not be carried out, and nothing has changed.

    `retryAfterMs` says when a retry may succeed, and `field` which field or option is wrong, if
    that is known.
    """

    code: str
    message: str
    id: str | UnsetType = UNSET
    retry_after_ms: int | UnsetType = UNSET
    field: str | UnsetType = UNSET


class Welcome(ToClientMessage, frozen=True, tag="welcome"):
    """The first message: your user."""

    user: User


class SessionState(ToClientMessage, frozen=True, tag="session:state"):
    """The second message: the room that you are in."""

    in_room: bool
    room_id: RoomId | None


class SessionKickIntro(ToClientMessage, frozen=True, tag="session:kickIntro"):
    """Instead of `session:state`, once: you lost your seat while you were disconnected."""


class UserList(ToClientMessage, frozen=True, tag="user:list"):
    """All online users."""

    users: list[User]


class UserOnline(ToClientMessage, frozen=True, tag="user:online"):
    """A user went online: their first socket was opened."""

    user_id: UserId


class UserOffline(ToClientMessage, frozen=True, tag="user:offline"):
    """A user went offline: their last socket is closed."""

    user_id: UserId


class LobbyList(ToClientMessage, frozen=True, tag="lobby:list"):
    """All users in the lobby."""

    users: list[User]


class FriendsStatus(ToClientMessage, frozen=True, tag="friends:status"):
    """Answers `friends:subscribe` with the status of each user."""

    statuses: dict[UserId, bool]


class FriendsStatusUpdate(ToClientMessage, frozen=True, tag="friends:status:update"):
    """A user that you subscribed to went online or offline."""

    user_id: UserId
    is_online: bool


class FriendsStatusResponse(ToClientMessage, frozen=True, tag="friends:status:response"):
    """Answers `friends:status:request`."""

    friends: list[FriendStatus]


class InviteReceived(ToClientMessage, frozen=True, tag="invite:received"):
    """A user invites you to a match."""

    inviter: User = msgspec.field(name="from")


class InviteDeclined(ToClientMessage, frozen=True, tag="invite:declined"):
    """A user declined your invite."""

    invitee: UserId = msgspec.field(name="from")


class MatchmakingSearching(ToClientMessage, frozen=True, tag="matchmaking:searching"):
    """You are in the matchmaking queue."""


class MatchmakingCancelled(ToClientMessage, frozen=True, tag="matchmaking:cancelled"):
    """You are no longer in the matchmaking queue."""


class RoomStart(ToClientMessage, frozen=True, tag="room:start"):
    """A room was created for you; open the game page and send `game:join`."""

    room_id: RoomId
    players: list[User]


class GameReady(ToClientMessage, frozen=True, tag="game:ready"):
    """All seats are taken."""

    room_id: RoomId


class RoomPlayers(ToClientMessage, frozen=True, tag="room:players"):
    """The players; sent again when one leaves after the result."""

    room_id: RoomId
    you_index: int
    players: list[User]


class GameStart(ToClientMessage, frozen=True, tag="game:start"):
    """The match begins; its clock starts one second later. `duration` is in seconds."""

    room_id: RoomId
    duration: int
    player_index: int
    players: list[User]


class GameUpdate(ToClientMessage, frozen=True, tag="game:update"):
    """The authoritative state of the match."""

    room_id: RoomId
    state: Any


class GameTimer(ToClientMessage, frozen=True, tag="game:timer"):
    """The seconds left on the match clock."""

    room_id: RoomId
    remaining: int


class GamePaused(ToClientMessage, frozen=True, tag="game:paused"):
    """A player disconnected, and forfeits unless they are back within `graceMs`."""

    room_id: RoomId
    away: list[UserId]
    grace_ms: int


class GameResumed(ToClientMessage, frozen=True, tag="game:resumed"):
    """All players are back; the clock continues in `startsInMs`."""

    room_id: RoomId
    starts_in_ms: int


class GameTimeup(ToClientMessage, frozen=True, tag="game:timeup"):
    """The match clock ran out."""

    room_id: RoomId
    winner: Literal["p1", "p2", "draw"]
    scores: Scores


class GameEnd(ToClientMessage, frozen=True, tag="game:end"):
    """The opponent left, or was not back in time."""

    room_id: RoomId
    winner: Literal["you", "opponent", "p1", "p2"]
    scores: Scores
