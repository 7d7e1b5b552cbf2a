"""The messages of the classic contract: one closed union for each direction.

A field is written in camelCase on the wire. The docstring of a message is its line of help in
the reference.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from service.domain.ids import RoomId, UserId, WireUserId

WireRoomId: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]

Key: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=16)]


class _FromClient(msgspec.Struct, frozen=True, tag_field="type", rename="camel"):
    """A message of a client."""


class UserListRequest(_FromClient, frozen=True, tag="user:list:request"):
    """Asks for `user:list`, to this socket."""


class LobbyJoin(_FromClient, frozen=True, tag="lobby:join"):
    """This tab shows the lobby; answered with `lobby:list`."""


class LobbyLeave(_FromClient, frozen=True, tag="lobby:leave"):
    """This tab shows the lobby no longer."""


class LobbyRequest(_FromClient, frozen=True, tag="lobby:request"):
    """Asks for `lobby:list`, to this socket."""


class FriendsSubscribe(_FromClient, frozen=True, tag="friends:subscribe"):
    """Watches whether these users are online, in place of those watched before."""

    friend_ids: list[WireUserId]


class FriendsStatusRequest(_FromClient, frozen=True, tag="friends:status:request"):
    """Asks for the status of the user's friends, as the user service knows them."""


class Invite(_FromClient, frozen=True, tag="invite"):
    """Asks a user to a match; `to` and `toUserId` mean the same."""

    to: WireUserId | None = None
    to_user_id: WireUserId | None = None


class InviteSend(Invite, frozen=True, tag="invite:send"):
    """The same as `invite`."""


class InviteAcceptedByClient(_FromClient, frozen=True, tag="invite:accepted"):
    """Says yes to the invite of `from`."""

    inviter: WireUserId = msgspec.field(name="from")


class InviteDeclinedByClient(_FromClient, frozen=True, tag="invite:declined"):
    """Says no to the invite of `from`."""

    inviter: WireUserId = msgspec.field(name="from")


class MatchmakingJoin(_FromClient, frozen=True, tag="matchmaking:join"):
    """Looks for an opponent."""


class MatchmakingLeave(_FromClient, frozen=True, tag="matchmaking:leave"):
    """Stops looking for an opponent."""


class GameJoin(_FromClient, frozen=True, tag="game:join"):
    """This tab shows the game: it takes the user's seat and gets the messages of the room."""

    room_id: WireRoomId


class GameBegin(_FromClient, frozen=True, tag="game:begin"):
    """Starts the match; after a result, asks for a rematch."""

    room_id: WireRoomId


class GameMove(_FromClient, frozen=True, tag="game:move"):
    """Presses or releases a key: `w`, `s`, `ArrowUp` or `ArrowDown`, `down` or `up`."""

    room_id: WireRoomId
    direction: Key
    action: Key


class GameLeave(_FromClient, frozen=True, tag="game:leave"):
    """Gives the seat up; in a match the other one wins at once."""

    room_id: WireRoomId


FromClient: TypeAlias = (
    UserListRequest
    | LobbyJoin
    | LobbyLeave
    | LobbyRequest
    | FriendsSubscribe
    | FriendsStatusRequest
    | Invite
    | InviteSend
    | InviteAcceptedByClient
    | InviteDeclinedByClient
    | MatchmakingJoin
    | MatchmakingLeave
    | GameJoin
    | GameBegin
    | GameMove
    | GameLeave
)


class User(msgspec.Struct, frozen=True):
    """A user, as others see him."""

    id: UserId
    name: str


class FriendStatus(msgspec.Struct, frozen=True, rename="camel"):
    """Whether one friend is online."""

    user_id: UserId
    is_online: bool


class Scores(msgspec.Struct, frozen=True):
    """The points of both players."""

    s1: int
    s2: int


class _ToClient(msgspec.Struct, frozen=True, tag_field="type", rename="camel"):
    """A message to a client."""


class Error(_ToClient, frozen=True, tag="error"):
    """The last message could not be carried out; nothing has happened."""

    code: str
    message: str


class Welcome(_ToClient, frozen=True, tag="welcome"):
    """The first message: who you are."""

    user: User


class SessionState(_ToClient, frozen=True, tag="session:state"):
    """The second message: where you are now."""

    in_room: bool
    room_id: RoomId | None


class SessionKickIntro(_ToClient, frozen=True, tag="session:kickIntro"):
    """In place of `session:state`, once: you lost your seat while you were away."""


class UserList(_ToClient, frozen=True, tag="user:list"):
    """Everyone online."""

    users: list[User]


class UserOnline(_ToClient, frozen=True, tag="user:online"):
    """The first socket of a user was opened."""

    user_id: UserId


class UserOffline(_ToClient, frozen=True, tag="user:offline"):
    """The last socket of a user is gone."""

    user_id: UserId


class LobbyList(_ToClient, frozen=True, tag="lobby:list"):
    """Everyone in the lobby."""

    users: list[User]


class FriendsStatus(_ToClient, frozen=True, tag="friends:status"):
    """Answers `friends:subscribe`: who of them is online."""

    statuses: dict[UserId, bool]


class FriendsStatusUpdate(_ToClient, frozen=True, tag="friends:status:update"):
    """A watched user came or went."""

    user_id: UserId
    is_online: bool


class FriendsStatusResponse(_ToClient, frozen=True, tag="friends:status:response"):
    """Answers `friends:status:request`."""

    friends: list[FriendStatus]


class InviteReceived(_ToClient, frozen=True, tag="invite:received"):
    """Somebody asks you to a match."""

    inviter: User = msgspec.field(name="from")


class InviteDeclined(_ToClient, frozen=True, tag="invite:declined"):
    """Somebody whom you asked said no."""

    invitee: UserId = msgspec.field(name="from")


class MatchmakingSearching(_ToClient, frozen=True, tag="matchmaking:searching"):
    """You are in the queue."""


class MatchmakingCancelled(_ToClient, frozen=True, tag="matchmaking:cancelled"):
    """You are in the queue no longer."""


class RoomStart(_ToClient, frozen=True, tag="room:start"):
    """A room was made for you; go to the game page and send `game:join`."""

    room_id: RoomId
    players: list[User]


class GameReady(_ToClient, frozen=True, tag="game:ready"):
    """All seats are taken."""

    room_id: RoomId


class RoomPlayers(_ToClient, frozen=True, tag="room:players"):
    """Who plays; sent again when one leaves after the result."""

    room_id: RoomId
    you_index: int
    players: list[User]


class GameStart(_ToClient, frozen=True, tag="game:start"):
    """The match begins; its clock starts one second later. `duration` is in seconds."""

    room_id: RoomId
    duration: int
    player_index: int
    players: list[User]


class GameUpdate(_ToClient, frozen=True, tag="game:update"):
    """The authoritative state."""

    room_id: RoomId
    state: Any


class GameTimer(_ToClient, frozen=True, tag="game:timer"):
    """Seconds left on the clock of the match."""

    room_id: RoomId
    remaining: int


class GamePaused(_ToClient, frozen=True, tag="game:paused"):
    """A player dropped; who is not back after `graceMs` forfeits."""

    room_id: RoomId
    away: list[UserId]
    grace_ms: int


class GameResumed(_ToClient, frozen=True, tag="game:resumed"):
    """Everybody is back; the clock goes on in `startsInMs`."""

    room_id: RoomId
    starts_in_ms: int


class GameTimeup(_ToClient, frozen=True, tag="game:timeup"):
    """The clock ran out."""

    room_id: RoomId
    winner: Literal["p1", "p2", "draw"]
    scores: Scores


class GameEnd(_ToClient, frozen=True, tag="game:end"):
    """The opponent left, or did not come back in time."""

    room_id: RoomId
    winner: Literal["you", "opponent", "p1", "p2"]
    scores: Scores


ToClient: TypeAlias = (
    Error
    | Welcome
    | SessionState
    | SessionKickIntro
    | UserList
    | UserOnline
    | UserOffline
    | LobbyList
    | FriendsStatus
    | FriendsStatusUpdate
    | FriendsStatusResponse
    | InviteReceived
    | InviteDeclined
    | MatchmakingSearching
    | MatchmakingCancelled
    | RoomStart
    | GameReady
    | RoomPlayers
    | GameStart
    | GameUpdate
    | GameTimer
    | GamePaused
    | GameResumed
    | GameTimeup
    | GameEnd
)
