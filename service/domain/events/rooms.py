"""Events of rooms."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec

from service.domain.events.base import Event, room_stream
from service.domain.ids import Owner, RoomId, SocketId, UserId

Visibility = Literal["public", "private", "password"]


LeaveReason = Literal["left", "kicked"]


CloseReason = Literal["untaken", "left", "forfeited", "empty", "operator"]
"""Of these, nodes below level 3 can't read `operator`."""


class RoomEvent(Event, frozen=True):
    """Base of the events of a room."""

    room: RoomId

    @property
    def stream(self) -> str:
        """The room's own stream."""
        return room_stream(self.room)


class RoomCreated(RoomEvent, frozen=True):
    """A room was created: for `players`, who are seated, or by a `host` who opens it to others."""

    type: ClassVar[str] = "room.created"
    schema_version: ClassVar[int] = 3
    game: str
    players: list[UserId]
    options: dict[str, Any]
    seats_min: int
    seats_max: int
    host: UserId | None = None
    visibility: Visibility = "public"
    password: str | None = None
    """The hashed password (see `passwords`)."""
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    spectators_max: int = 0
    named: bool = False
    """Whether a client chose the id, which another room may reuse after this one is closed."""
    owner: Owner = Owner("n1", 0)
    """The node that runs the matches of the room."""


class _MemberEvent(RoomEvent, frozen=True):
    user: UserId


class PlayerSeated(_MemberEvent, frozen=True):
    """A user got a seat in a hosted room."""

    type: ClassVar[str] = "player.seated"
    seat: int


class SeatTaken(_MemberEvent, frozen=True):
    """A socket of a player joined the room; one player may have several."""

    type: ClassVar[str] = "seat.taken"
    socket: SocketId


class SeatLeft(_MemberEvent, frozen=True):
    """A player left their seat, or was kicked by the host or an operator."""

    type: ClassVar[str] = "seat.left"
    reason: LeaveReason = "left"


class SeatForfeited(_MemberEvent, frozen=True):
    """A player lost their seat: they were away for longer than the room's grace period."""

    type: ClassVar[str] = "seat.forfeited"


class SpectatorJoined(_MemberEvent, frozen=True):
    """A socket of a user joined the room as a spectator."""

    type: ClassVar[str] = "spectator.joined"
    socket: SocketId


class SpectatorLeft(_MemberEvent, frozen=True):
    """A spectator left, was kicked, or closed their last socket in the room."""

    type: ClassVar[str] = "spectator.left"
    reason: Literal["left", "kicked", "offline"]


class RoomBecameReady(RoomEvent, frozen=True):
    """Enough players are in the room for a match to start."""

    type: ClassVar[str] = "room.became_ready"


class PlayerReadied(_MemberEvent, frozen=True):
    """A player set or withdrew their readiness for the next match."""

    type: ClassVar[str] = "player.readied"
    ready: bool


class HostChanged(_MemberEvent, frozen=True):
    """Another member became the host."""

    type: ClassVar[str] = "host.changed"


class RoomLocked(RoomEvent, frozen=True):
    """The host locked or unlocked the room."""

    type: ClassVar[str] = "room.locked"
    locked: bool


class RoomClosed(RoomEvent, frozen=True):
    """The room was closed."""

    type: ClassVar[str] = "room.closed"
    reason: CloseReason


class RoomMoved(RoomEvent, frozen=True):
    """The owner of a room handed it, with its live match, to another node."""

    type: ClassVar[str] = "room.moved"
    to: str
    to_incarnation: int

    @property
    def owner(self) -> Owner:
        """The new owner."""
        return Owner(self.to, self.to_incarnation)
