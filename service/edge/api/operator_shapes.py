"""Request and response types of the operators' part of the HTTP API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from service.domain.ids import MatchId, RoomId, SocketId, UserId, WireUserId
from service.edge.api import shapes
from service.figures import Sample
from service.protocol import v1
from service.protocol.classic import User

REASON_LENGTH_MAX = 200
MESSAGE_LENGTH_MAX = 500

Reason: TypeAlias = Annotated[
    str,
    Meta(
        max_length=REASON_LENGTH_MAX,
        description="Why, for the log; do not name what must be erasable.",
    ),
]
Search: TypeAlias = Annotated[
    str,
    Meta(min_length=1, max_length=128, description="Only those whose id or name contains this."),
]

Before: TypeAlias = Annotated[
    int,
    Meta(
        ge=1,
        le=shapes.POSITION_MAX,
        description="Only events before this position, as the `cursor` of the page before.",
    ),
]
Stream: TypeAlias = Annotated[
    str, Meta(max_length=160, description="Only events of this stream, as `room:ID`.")
]
EventType: TypeAlias = Annotated[
    str, Meta(max_length=64, description="Only this type; `match.` means all that begin so.")
]
Phase: TypeAlias = Annotated[
    Literal["gathering", "ready", "playing", "finished"],
    Meta(description="Only rooms in this phase."),
]


# Requests


class NoParams(shapes.Parameters, frozen=True):
    """Nothing to choose."""


class UserSearchParams(shapes.Parameters, frozen=True):
    """A page of online users, hidden ones included."""

    q: Search | None = None
    cursor: shapes.TextCursor | None = None
    limit: shapes.PageLimit = shapes.PAGE_LIMIT


class RoomSearchParams(shapes.Parameters, frozen=True):
    """A page of rooms, private ones included."""

    q: Search | None = None
    game: shapes.GameName | None = None
    phase: Phase | None = None
    cursor: shapes.TextCursor | None = None
    limit: shapes.PageLimit = shapes.PAGE_LIMIT


class LogParams(shapes.Parameters, frozen=True):
    """A page of the log, the newest events first."""

    before: Before | None = None
    stream: Stream | None = None
    type: EventType | None = None
    user: shapes.AnyUserId | None = None
    limit: shapes.EventsLimit = shapes.EVENTS_LIMIT


class StateParams(shapes.MatchParams, frozen=True):
    """A match at a tick; without one at the latest that is in the log."""

    tick: shapes.LastTick | None = None


class Kick(shapes.Parameters, frozen=True):
    """Whom to remove from which room."""

    room_id: shapes.AnyRoomId
    user: WireUserId
    reason: Reason = ""


class RoomAction(shapes.Parameters, frozen=True):
    """Which room to close."""

    room_id: shapes.AnyRoomId
    reason: Reason = ""


class MatchAction(shapes.Parameters, frozen=True):
    """Which match it is about."""

    match_id: shapes.AnyMatchId
    reason: Reason = ""


class ForkAction(shapes.Parameters, frozen=True):
    """From which tick of which match to go on, and by whom: else by the same players."""

    match_id: shapes.AnyMatchId
    tick: shapes.FirstTick
    players: Annotated[list[WireUserId], Meta(max_length=16)] | None = None
    reason: Reason = ""


class UserAction(shapes.Parameters, frozen=True):
    """Whose sessions to revoke."""

    user: WireUserId
    reason: Reason = ""


class OperatorMessage(shapes.Parameters, frozen=True):
    """A text for a user, for a room, or with neither for all who are connected."""

    text: Annotated[str, Meta(min_length=1, max_length=MESSAGE_LENGTH_MAX)]
    user: WireUserId | UnsetType = UNSET
    room_id: shapes.AnyRoomId | UnsetType = UNSET
    reason: Reason = ""


# Responses


class Forked(shapes.Response, frozen=True):
    """The room of a fork, which waits for its players; `position` is that of the action."""

    position: int
    room_id: str
    match_id: str


class FigureSeries(shapes.Response, frozen=True):
    """The samples of the last quarter of an hour, the oldest first, and the present one last."""

    node: str
    """The node that was asked."""
    version: str
    every_s: float
    position: int
    """The last event in the log."""
    samples: list[Sample]
    can_act: bool
    """Whether the token may do more than look."""


class NodeView(shapes.Response, frozen=True):
    """A node; the lease and what follows are those of its last renewal. `ago` is in seconds."""

    node: str
    incarnation: int
    lease: Literal["valid", "expired", "lost", "single"]
    renewed_ago_s: float
    level: int
    lag: int
    sockets: int
    rooms: int
    is_on_bus: bool
    is_draining: bool
    answers: bool
    """Whether it is the node that was asked."""


class NodeList(shapes.Response, frozen=True):
    """All nodes that have ever joined; one where there is no cluster."""

    nodes: list[NodeView]


class OnlineUser(shapes.Response, frozen=True):
    """A user who is online, with their open sockets; a socket's id begins with its node."""

    user: User
    status: v1.Status
    is_hidden: bool
    in_grace: bool
    sockets: list[SocketId]
    room_id: RoomId | None
    watching: list[RoomId]


class OnlineUserPage(shapes.Response, frozen=True):
    """Users ordered by id; `cursor` is null on the last page."""

    users: list[OnlineUser]
    cursor: str | None


class SeatDetail(shapes.Response, frozen=True):
    """A seat; `away` if its player has no socket in the room."""

    user: User | None
    is_away: bool
    is_ready: bool
    sockets: list[SocketId]


class RoomDetail(shapes.Response, frozen=True):
    """A room as operators see it."""

    room_id: RoomId
    game: str
    phase: str
    visibility: str
    is_locked: bool
    is_paused: bool
    host: UserId | None
    seats: list[SeatDetail]
    spectators: list[User]
    banned: list[UserId]
    options: dict[str, Any]
    metadata: dict[str, Any]
    match_id: MatchId | None
    node: str


class RoomDetailPage(shapes.Response, frozen=True):
    """Rooms ordered by id; `cursor` is null on the last page."""

    rooms: list[RoomDetail]
    cursor: RoomId | None


class LoggedEvent(shapes.Response, frozen=True):
    """An event; secrets in its data are left out."""

    position: int
    recorded_at: datetime
    stream: str
    version: int
    type: str
    actor: str | None
    node: str
    correlation_id: str
    data: dict[str, Any]
    hash: str


class LogPage(shapes.Response, frozen=True):
    """Events, the newest first; `cursor` is null when the search has reached the first one.

    A page may be empty and have a cursor: it has looked through many events that did not match.
    """

    events: list[LoggedEvent]
    cursor: int | None
    head: int


class Sight(shapes.Response, frozen=True):
    """What a viewer sees of a match: a seat, or null for spectators."""

    seat: int | None
    view: dict[str, Any]


class MatchEventView(shapes.Response, frozen=True):
    """An event of a match, with all of its fields but whole states."""

    tick: int
    type: str
    data: dict[str, Any]


class MatchAtTick(shapes.Response, frozen=True):
    """A match at a tick: its whole state, and what each viewer sees of it."""

    match_id: MatchId
    game: str
    rules_version: int
    players: list[User]
    is_live: bool
    tick: int
    ticks: int
    tick_hz: int
    state: dict[str, Any]
    hash: str
    """The hash of this state, as in checkpoints."""
    sights: list[Sight]
    checkpoints: list[int]
    """The ticks near this one at which the log has a checkpoint."""
    rewinds: list[int]
    """The ticks to which the match was rewound."""
    events: list[MatchEventView]
    """The events of the match near this tick."""


class Delivery(shapes.Response, frozen=True):
    """A result that waits for a consumer, or that it has rejected."""

    match_id: MatchId
    consumer: str
    state: Literal["waiting", "rejected"]
    ended_at: datetime
    attempts: int
    next_at: datetime | None
    last_error: str | None


class DeliveryList(shapes.Response, frozen=True):
    """The oldest deliveries that are not settled."""

    deliveries: list[Delivery]


class Done(shapes.Response, frozen=True):
    """The action is in the log, up to this position."""

    position: int
