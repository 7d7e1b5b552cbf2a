"""Messages about rooms: commands of members and hosts, room states, the list of rooms."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from service.domain.ids import MatchId, RoomId, UserId, WireUserId
from service.protocol.base import DEFAULT_GAME, ToClientMessage, WireGame, WireRoomId
from service.protocol.classic import User
from service.protocol.v1.base import V1Command, Whole

NewRoomId: TypeAlias = Annotated[
    str, msgspec.Meta(pattern=r"^(?![.]{1,2}$)[A-Za-z0-9_.~-]{1,64}$(?!\n)")
]
"""Stands in URLs, where `.` and `..` have a meaning. Python's `$` also precedes a newline."""
Password: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Visibility: TypeAlias = Literal["public", "private", "password"]
Role: TypeAlias = Literal["player", "spectator"]
PageLimit: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=100)]


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
