"""Messages of protocol v1 that the classic contract lacks or has in another form.

A message that says `position` in its table follows from one event of the log; it is sent to
every v1 socket of its users, and again, in order, to a client that resumes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from service.domain.ids import MatchId, RoomId, SocketId, UserId, WireUserId
from service.protocol.base import (
    DEFAULT_GAME,
    FromClientMessage,
    ToClientMessage,
    WireGame,
    WireRoomId,
)
from service.protocol.classic import Key, User
from service.protocol.features import FEATURE_NAMES, Feature

NewRoomId: TypeAlias = Annotated[
    str, msgspec.Meta(pattern=r"^(?![.]{1,2}$)[A-Za-z0-9_.~-]{1,64}$(?!\n)")
]
"""Stands in URLs, where `.` and `..` have a meaning. Python's `$` also precedes a newline."""
Password: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Visibility: TypeAlias = Literal["public", "private", "password"]
Role: TypeAlias = Literal["player", "spectator"]
OwnStatus: TypeAlias = Literal["online", "away", "busy"]
Status: TypeAlias = Literal["online", "away", "busy", "lobby", "playing"]
ResyncReason: TypeAlias = Literal["too_old", "wrong_epoch", "from_the_future"]
PageLimit: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=100)]
Whole: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]


# From a client


class V1Command(FromClientMessage, frozen=True, forbid_unknown_fields=True):
    """A message of protocol v1 alone; a field that it does not know is refused."""


class Ping(V1Command, frozen=True, tag="ping"):
    """Asks for a `pong`, to measure the round trip."""


class Resume(V1Command, frozen=True, tag="resume"):
    """Asks for what was missed after `position`; `?since=` in the URL does so at once, in order."""

    position: Whole
    epoch: str


class UserSync(V1Command, frozen=True, tag="user:sync"):
    """Asks for `user:list`, since a `user:diff` was missed."""


class UserStatus(V1Command, frozen=True, tag="user:status"):
    """Sets how others see you; a hidden user is seen by nobody."""

    status: OwnStatus | None = None
    hidden: bool | None = None


class RoomSettings(V1Command, frozen=True, kw_only=True):
    """How a room is made."""

    game: WireGame = DEFAULT_GAME
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    visibility: Visibility | None = None
    password: Password | None = None
    max_spectators: Whole | None = None


class RoomCreate(RoomSettings, frozen=True, tag="room:create"):
    """Makes a room and takes its first seat; its maker is the host."""

    room_id: NewRoomId | None = None


class RoomJoin(RoomSettings, frozen=True, tag="room:join"):
    """Joins a room to play or to watch; with `orCreate` it is made when it is not there."""

    room_id: NewRoomId
    role: Role = "player"
    or_create: bool = False


class RoomLeave(V1Command, frozen=True, tag="room:leave"):
    """Leaves a room; in a match, that is a loss."""

    room_id: WireRoomId


class RoomReady(V1Command, frozen=True, tag="room:ready"):
    """Says that you are ready; a match starts when all players are, and so does a rematch."""

    room_id: WireRoomId
    ready: bool = True


class RoomKick(V1Command, frozen=True, tag="room:kick"):
    """The host sends somebody out, who can't come back."""

    room_id: WireRoomId
    user_id: WireUserId


class RoomLock(V1Command, frozen=True, tag="room:lock"):
    """The host lets nobody in any more, or again."""

    room_id: WireRoomId
    locked: bool = True


class RoomList(V1Command, frozen=True, tag="room:list"):
    """Asks for a page of the rooms that are not private; `cursor` is that of the page before."""

    game: WireGame | None = None
    cursor: RoomId | None = None
    limit: PageLimit = 50


class RoomSubscribe(V1Command, frozen=True, tag="room:subscribe"):
    """Asks to be told of rooms that are added, updated or removed."""

    game: WireGame | None = None


class RoomUnsubscribe(V1Command, frozen=True, tag="room:unsubscribe"):
    """Asks to be told of rooms no longer."""


class GameMove(V1Command, frozen=True, tag="game:move"):
    """A move: `direction` and `action` in Pong, else `move`, as the game wants it."""

    room_id: WireRoomId
    move: dict[str, Any] | None = None
    direction: Key | None = None
    action: Key | None = None


class GameHistory(V1Command, frozen=True, tag="game:history"):
    """Asks for the moves of the match in a room after `after`, the `next` of a `game:moves`."""

    room_id: WireRoomId
    after: Whole = 0


class SendSignal(V1Command, frozen=True, tag="signal"):
    """Passes `data` on to a user, one of their sockets, or all others in a room; it is not kept."""

    data: msgspec.Raw
    to: WireUserId | None = None
    session_id: SocketId | None = None
    room_id: WireRoomId | None = None


class ChatSend(V1Command, frozen=True, tag="chat:send"):
    """Says something to a room or to a user."""

    text: Annotated[str, msgspec.Meta(min_length=1)]
    room_id: WireRoomId | None = None
    to: WireUserId | None = None


class ChatMute(V1Command, frozen=True, tag="chat:mute"):
    """Hears no more chat and signals of a user, or hears them again."""

    user_id: WireUserId
    muted: bool = True


class AuthRefresh(V1Command, frozen=True, tag="auth:refresh"):
    """Brings a newer token of the same user."""

    token: str


# To a client: the connection


class Ack(ToClientMessage, frozen=True, tag="ack", omit_defaults=True):
    """The command `id` was carried out; its events are in the log up to `position`."""

    id: str
    position: int
    room_id: RoomId | UnsetType = UNSET


class Pong(ToClientMessage, frozen=True, tag="pong", omit_defaults=True):
    """Answers `ping`."""

    id: str | UnsetType = UNSET


class Limits(msgspec.Struct, frozen=True, rename="camel"):
    """What a client may send."""

    message_bytes_max: int
    messages_per_s: float
    messages_burst: float
    chat_length_max: int
    move_bytes_max: int
    signal_bytes_max: int
    room_bytes_max: int


class Welcome(ToClientMessage, frozen=True, tag="welcome"):
    """The first message: who you are, where the log is, and what you may do.

    `features` names what the service knows beyond 0.1.0; a client ignores names it does not know.
    """

    user: User
    session_id: SocketId
    protocol: str
    epoch: str
    position: int
    heartbeat_ms: int
    limits: Limits
    features: tuple[Feature, ...] = FEATURE_NAMES


class Heartbeat(ToClientMessage, frozen=True, tag="heartbeat"):
    """Nothing has happened for you up to `position`; go on from there when you resume."""

    position: int


class Resumed(ToClientMessage, frozen=True, tag="resumed", rename={"after": "from"}):
    """Everything for you after `from` and up to `to` has been sent again."""

    after: int
    to: int


class Resync(ToClientMessage, frozen=True, tag="resync"):
    """You can't resume; forget what you know, snapshots of all follow."""

    reason: ResyncReason
    epoch: str
    position: int


class Greeted(ToClientMessage, frozen=True, tag="greeted"):
    """All that stands at the position `to` has been sent, after `welcome` or `resync`.

    Before it a client must not resume: what is still missing would never be sent again.
    """

    to: int


class TokenExpiring(ToClientMessage, frozen=True, tag="token:expiring"):
    """Your token ends; send `auth:refresh` with a newer one."""

    expires_in_ms: int


class ServerDraining(ToClientMessage, frozen=True, tag="server:draining"):
    """The service is about to stop; connect again after a random part of `retryMs`."""

    retry_ms: int


class ServerMessage(ToClientMessage, frozen=True, tag="server:message"):
    """Something that another service of the platform says to you, your room or everybody."""

    data: msgspec.Raw


# To a client: users


class UserEntry(msgspec.Struct, frozen=True):
    """A user in the list."""

    id: UserId
    name: str
    status: Status


class UserList(ToClientMessage, frozen=True, tag="user:list"):
    """Everyone online, as of `v`."""

    users: list[UserEntry]
    v: int


class UserDiff(ToClientMessage, frozen=True, tag="user:diff"):
    """Who has come, gone or changed since `v` - 1; after a gap ask for `user:sync`."""

    v: int
    joins: list[UserEntry]
    leaves: list[UserId]
    updates: list[UserEntry]


class InviteReceived(
    ToClientMessage, frozen=True, tag="invite:received", rename={"inviter": "from"}
):
    """Somebody asks you to a match; has a `position`."""

    inviter: User
    game: str


class InviteSent(ToClientMessage, frozen=True, tag="invite:sent"):
    """An invite of yours has no answer yet; told with what stands, as after a reload."""

    to: User
    game: str


class InviteExpired(ToClientMessage, frozen=True, tag="invite:expired", rename={"inviter": "from"}):
    """Nobody answered an invite in time; to both; has a `position`."""

    inviter: UserId
    to: UserId


# To a client: rooms


class SeatView(msgspec.Struct, frozen=True, rename="camel"):
    """A seat; `user` is null while it is free.

    `pauseLeftMs` is how long the player may still make the match wait, null without a limit.
    """

    user: User | None
    ready: bool = False
    away: bool = False
    pause_left_ms: int | None = None


class RoomState(ToClientMessage, frozen=True, tag="room:state"):
    """A room as it is now; sent to its members, soon after it has changed, once for many changes.

    `watching` are the first spectators, `spectators` is how many there are.
    """

    room_id: RoomId
    v: int
    game: str
    phase: Literal["gathering", "ready", "playing", "finished"]
    visibility: Visibility
    locked: bool
    host: UserId | None
    options: dict[str, Any]
    metadata: dict[str, Any]
    seats: list[SeatView]
    spectators: int
    watching: list[User]
    match_id: MatchId | None


class RoomJoined(ToClientMessage, frozen=True, tag="room:joined"):
    """Somebody came to your room, maybe you; `seat` is theirs if they play; has a `position`."""

    room_id: RoomId
    user: User
    role: Role
    seat: int | None


class RoomLeft(ToClientMessage, frozen=True, tag="room:left"):
    """Somebody has gone from your room, maybe you; has a `position`."""

    room_id: RoomId
    user_id: UserId
    reason: Literal["left", "kicked", "forfeited", "offline"]


class RoomClosed(ToClientMessage, frozen=True, tag="room:closed"):
    """Your room is no more; has a `position`."""

    room_id: RoomId
    reason: Literal["untaken", "left", "forfeited", "empty"]


class RoomSummary(msgspec.Struct, frozen=True, rename="camel"):
    """A room in the list."""

    room_id: RoomId
    game: str
    phase: Literal["gathering", "ready", "playing", "finished"]
    visibility: Visibility
    locked: bool
    host: UserId | None
    metadata: dict[str, Any]
    players: list[User]
    seats: int
    spectators: int
    spectators_max: int


class RoomPage(ToClientMessage, frozen=True, tag="room:list"):
    """A page of the rooms that are not private; `cursor` asks for the next one, null is the end."""

    rooms: list[RoomSummary]
    cursor: RoomId | None


class RoomAdded(ToClientMessage, frozen=True, tag="room:added"):
    """A room that is not private was made; to those who have subscribed."""

    room: RoomSummary


class RoomUpdated(ToClientMessage, frozen=True, tag="room:updated"):
    """A room that is not private has changed; to those who have subscribed."""

    room: RoomSummary


class RoomRemoved(ToClientMessage, frozen=True, tag="room:removed"):
    """A room is no more, or private now; to those who have subscribed."""

    room_id: RoomId


# To a client: matches


class GameStart(ToClientMessage, frozen=True, tag="game:start"):
    """A match begins, or you come into one that runs; has a `position` when it begins.

    `duration` is the seconds left, null without a clock; `playerIndex` is your seat, null for a
    spectator.
    """

    room_id: RoomId
    match_id: MatchId
    game: str
    duration: int | None
    player_index: int | None
    players: list[User]


class GameUpdate(ToClientMessage, frozen=True, tag="game:update"):
    """The authoritative state before `tick`; `run` counts how often the match has gone on.

    `turnEndsInMs` is there where turns have a time; while the match is paused, it stands still.
    """

    room_id: RoomId
    run: int
    tick: int
    state: Any
    turn_ends_in_ms: int | UnsetType = UNSET


class GamePaused(ToClientMessage, frozen=True, tag="game:paused"):
    """A player dropped; who is not back after `graceMs` forfeits; has a `position` when it begins.

    `pauseLeftMs` is how long each player may still make the match wait, in all its pauses together:
    when those who are away have none left, the match goes on without them. `turnLeftMs` is what
    the player to move will have left then.
    """

    room_id: RoomId
    away: list[UserId]
    grace_ms: int
    pause_left_ms: dict[UserId, int] | UnsetType = UNSET
    turn_left_ms: int | UnsetType = UNSET


class GameResumed(ToClientMessage, frozen=True, tag="game:resumed"):
    """The match goes on, its clock in `startsInMs`; has a `position`."""

    room_id: RoomId
    starts_in_ms: int
    turn_ends_in_ms: int | UnsetType = UNSET


class GameMoved(ToClientMessage, frozen=True, tag="game:moved"):
    """A move in a game without ticks; `input` is what the rules made of it; has a `position`."""

    room_id: RoomId
    seat: int
    tick: int
    input: msgspec.Raw


class PastMove(msgspec.Struct, frozen=True):
    """A move, as in `game:moved`."""

    seat: int
    tick: int
    input: msgspec.Raw


class GameMoves(ToClientMessage, frozen=True, tag="game:moves"):
    """A page of the moves so far, before any that follows, to who comes into a match of free moves.

    While there is `more`, the next page follows by itself; else, `game:history` asks for what is
    after `next`, unless that is null.
    """

    room_id: RoomId
    match_id: MatchId
    moves: list[PastMove]
    more: bool
    next: int | None


class GameOver(ToClientMessage, frozen=True, tag="game:over"):
    """A match is over; `winner` is a seat, null for a draw; has a `position`.

    A match is `void` when its rules have failed, or are not here any more: it has no result.
    """

    room_id: RoomId
    match_id: MatchId
    reason: Literal["timeup", "finished", "turn_timeout", "left", "forfeit", "abandoned", "void"]
    winner: int | None
    scores: list[int]


# To a client: talk


class Signal(
    ToClientMessage,
    frozen=True,
    tag="signal",
    omit_defaults=True,
    rename={"sender": "from", "session_id": "sessionId", "room_id": "roomId"},
):
    """What another client has sent by `signal`; `sessionId` is the socket that it came from."""

    sender: UserId
    session_id: SocketId
    data: msgspec.Raw
    room_id: RoomId | UnsetType = UNSET


class ChatMessage(
    ToClientMessage,
    frozen=True,
    tag="chat:message",
    omit_defaults=True,
    rename={"author": "from", "chat_id": "chatId", "room_id": "roomId"},
):
    """Somebody says something in your room, or to you; has a `position`, but not in a history."""

    chat_id: str
    author: User
    text: str
    room_id: RoomId | UnsetType = UNSET
    to: UserId | UnsetType = UNSET


class ChatHistory(ToClientMessage, frozen=True, tag="chat:history"):
    """The last that was said in a room which you have joined."""

    room_id: RoomId
    messages: list[ChatMessage]
