"""Messages about rooms: commands of members and hosts, room states, the list of rooms."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from service.domain.ids import MatchId, RoomId, UserId, WireUserId
from service.protocol.base import DEFAULT_GAME, ToClientMessage, WireGame, WireRoomId
from service.protocol.classic import User
from service.protocol.v1.base import V1Command, Whole
from service.protocol.v1.invites import BotLevel

NewRoomId: TypeAlias = Annotated[
    str, msgspec.Meta(pattern=r"^(?![.]{1,2}$)[A-Za-z0-9_.~-]{1,64}$(?!\n)")
]
"""Used in URLs, so not `.` or `..`. In Python `$` also matches before a final newline."""
Password: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Visibility: TypeAlias = Literal["public", "private", "password"]
Role: TypeAlias = Literal["player", "spectator"]
PageLimit: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=100)]


class RoomSettings(V1Command, frozen=True, kw_only=True):
    """The settings of a new room."""

    game: WireGame = DEFAULT_GAME
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    visibility: Visibility | None = None
    password: Password | None = None
    max_spectators: Whole | None = None


class RoomCreate(RoomSettings, frozen=True, tag="room:create"):
    """Creates a room and takes its first seat; the creator is the host."""

    room_id: NewRoomId | None = None


class RoomJoin(RoomSettings, frozen=True, tag="room:join"):
    """Joins a room to play or to watch; with `orCreate` it is created if it does not exist."""

    room_id: NewRoomId
    role: Role = "player"
    or_create: bool = False


class RoomLeave(V1Command, frozen=True, tag="room:leave"):
    """Leaves a room; leaving a live match loses it."""

    room_id: WireRoomId


class RoomReady(V1Command, frozen=True, tag="room:ready"):
    """Sets whether you are ready; a match or rematch starts when all players are."""

    room_id: WireRoomId
    ready: bool = True


class RoomKick(V1Command, frozen=True, tag="room:kick"):
    """The host removes a user, who can't join again."""

    room_id: WireRoomId
    user_id: WireUserId


class RoomAddBot(V1Command, frozen=True, tag="room:addBot"):
    """The host gives a free seat to a bot of the service; `room:kick` removes it.

    The levels of a game's bots go from 1 to its `bots` in the list of games.
    """

    room_id: WireRoomId
    level: BotLevel = 1


class RoomLock(V1Command, frozen=True, tag="room:lock"):
    """The host locks the room against joining, or unlocks it."""

    room_id: WireRoomId
    locked: bool = True


class RoomList(V1Command, frozen=True, tag="room:list"):
    """Asks for a page of the rooms that are not private; `cursor` is that of the previous page."""

    game: WireGame | None = None
    cursor: RoomId | None = None
    limit: PageLimit = 50


class RoomSubscribe(V1Command, frozen=True, tag="room:subscribe"):
    """Subscribes to rooms that are added, updated or removed."""

    game: WireGame | None = None


class RoomUnsubscribe(V1Command, frozen=True, tag="room:unsubscribe"):
    """Cancels the subscription to rooms."""


class SeatView(msgspec.Struct, frozen=True, rename="camel"):
    """A seat; `user` is null while it is free.

    `pauseLeftMs` is how long the player may still make the match wait, null without a limit. `bot`
    is the level of a bot of the service, and not there for anybody else.
    """

    user: User | None
    ready: bool = False
    away: bool = False
    pause_left_ms: int | None = None
    bot: int | UnsetType = UNSET


class RoomState(ToClientMessage, frozen=True, tag="room:state"):
    """The present state of a room; sent to its members after changes, coalesced.

    `watching` are the first spectators, `spectators` is how many there are. In a match with clocks,
    `turnEndsInMs` and `clocksMs` (by seat) are those of its last move, pause or resume; the
    `game:update` has the running ones.
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
    turn_ends_in_ms: int | UnsetType = UNSET
    clocks_ms: list[int] | UnsetType = UNSET


class RoomJoined(ToClientMessage, frozen=True, tag="room:joined"):
    """A user, maybe you, joined your room; `seat` is null for a spectator; has a `position`."""

    room_id: RoomId
    user: User
    role: Role
    seat: int | None


class RoomLeft(ToClientMessage, frozen=True, tag="room:left"):
    """A user, maybe you, left your room; has a `position`."""

    room_id: RoomId
    user_id: UserId
    reason: Literal["left", "kicked", "forfeited", "offline"]


class RoomClosed(ToClientMessage, frozen=True, tag="room:closed"):
    """Your room was closed; has a `position`."""

    room_id: RoomId
    reason: Literal["untaken", "left", "forfeited", "empty", "operator"]


class RoomSummary(msgspec.Struct, frozen=True, rename="camel"):
    """A room in the list of rooms."""

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
    options: dict[str, Any] = {}


class RoomPage(ToClientMessage, frozen=True, tag="room:list"):
    """A page of the rooms that are not private; `cursor` is null on the last page."""

    rooms: list[RoomSummary]
    cursor: RoomId | None


class RoomAdded(ToClientMessage, frozen=True, tag="room:added"):
    """A room that is not private was created; sent to subscribers."""

    room: RoomSummary


class RoomUpdated(ToClientMessage, frozen=True, tag="room:updated"):
    """A room that is not private has changed; sent to subscribers."""

    room: RoomSummary


class RoomRemoved(ToClientMessage, frozen=True, tag="room:removed"):
    """A room was closed, or is private now; sent to subscribers."""

    room_id: RoomId
