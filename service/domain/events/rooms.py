"""Events of rooms."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec

from service.domain.events.base import Event, room_stream
from service.domain.ids import RoomId, SocketId, UserId

Visibility = Literal["public", "private", "password"]


LeaveReason = Literal["left", "kicked"]


CloseReason = Literal["untaken", "left", "forfeited", "empty"]


class RoomEvent(Event, frozen=True):
    """Something in a room."""

    room: RoomId

    @property
    def stream(self) -> str:
        """The room's own stream."""
        return room_stream(self.room)


class RoomCreated(RoomEvent, frozen=True):
    """A room was made; `players` have their seats already, `host` opened it to others."""

    type: ClassVar[str] = "room.created"
    schema_version: ClassVar[int] = 2
    game: str
    players: list[UserId]
    options: dict[str, Any]
    seats_min: int
    seats_max: int
    host: UserId | None = None
    visibility: Visibility = "public"
    password: str | None = None
    """The password, sealed (see `passwords`)."""
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    spectators_max: int = 0
    named: bool = False
    """Whether a client chose the id: another room may have it, when this one is closed."""


class _MemberEvent(RoomEvent, frozen=True):
    user: UserId


class PlayerSeated(_MemberEvent, frozen=True):
    """A user sat down in a host's room."""

    type: ClassVar[str] = "player.seated"
    seat: int


class SeatTaken(_MemberEvent, frozen=True):
    """A tab of a player shows the game."""

    type: ClassVar[str] = "seat.taken"
    socket: SocketId


class SeatLeft(_MemberEvent, frozen=True):
    """A player gave their seat up, or was sent out by the host."""

    type: ClassVar[str] = "seat.left"
    reason: LeaveReason = "left"


class SeatForfeited(_MemberEvent, frozen=True):
    """A player was away for longer than the grace of the room."""

    type: ClassVar[str] = "seat.forfeited"


class SpectatorJoined(_MemberEvent, frozen=True):
    """A tab of a user watches."""

    type: ClassVar[str] = "spectator.joined"
    socket: SocketId


class SpectatorLeft(_MemberEvent, frozen=True):
    """A user watches no longer: they left, were sent out, or closed their last watching tab."""

    type: ClassVar[str] = "spectator.left"
    reason: Literal["left", "kicked", "offline"]


class RoomBecameReady(RoomEvent, frozen=True):
    """Enough seats are taken for a match."""

    type: ClassVar[str] = "room.became_ready"


class PlayerReadied(_MemberEvent, frozen=True):
    """A player wants the match, or the next one, to start; or wants it no longer."""

    type: ClassVar[str] = "player.readied"
    ready: bool


class HostChanged(_MemberEvent, frozen=True):
    """Another member is the host now."""

    type: ClassVar[str] = "host.changed"


class RoomLocked(RoomEvent, frozen=True):
    """The host lets nobody in any more, or again."""

    type: ClassVar[str] = "room.locked"
    locked: bool


class RoomClosed(RoomEvent, frozen=True):
    """The room is no more."""

    type: ClassVar[str] = "room.closed"
    reason: CloseReason
