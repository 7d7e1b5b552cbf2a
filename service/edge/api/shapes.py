"""Request and response types of the HTTP API; docstrings appear in the OpenAPI document."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from service.domain.events.matches import EndReason, room_of
from service.domain.ids import (
    USER_ID_LENGTH_MAX,
    USER_ID_MAX,
    MatchId,
    RoomId,
    UserId,
    WireUserId,
    parse_user_id,
)
from service.games.catalogue import GAMES
from service.protocol import v1
from service.protocol.base import WireGame, WireRoomId
from service.protocol.classic import User

if TYPE_CHECKING:
    from service.eventstore.read_models.match_history import PlayedMatch

PAGE_LIMIT = 50
EVENTS_LIMIT = 100

POSITION_MAX = USER_ID_MAX
"""The highest integer that every JSON parser reads exactly."""

TICK_MAX = 2**31 - 1

HZ_MAX = 60

_CURSOR = "The `cursor` of the page before; none for the first page."

AnyUserId: TypeAlias = Annotated[
    str,
    Meta(min_length=1, max_length=USER_ID_LENGTH_MAX, description="The id of a user."),
]
GameName: TypeAlias = Annotated[WireGame, Meta(description="The name of a game, as `pong`.")]
AnyRoomId: TypeAlias = Annotated[WireRoomId, Meta(description="The id of a room.")]
AnyMatchId: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=96, description="The id of a match.")
]
TextCursor: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=USER_ID_LENGTH_MAX, description=_CURSOR)
]
NumberCursor: TypeAlias = Annotated[int, Meta(ge=0, le=POSITION_MAX, description=_CURSOR)]
PageLimit: TypeAlias = Annotated[
    int, Meta(ge=1, le=100, description="How many there are on a page at most.")
]
EventsLimit: TypeAlias = Annotated[
    int, Meta(ge=1, le=1000, description="How many there are on a page at most.")
]
FirstTick: TypeAlias = Annotated[
    int, Meta(ge=0, le=TICK_MAX, description="The first tick, by the match's own clock.")
]
LastTick: TypeAlias = Annotated[
    int, Meta(ge=0, le=TICK_MAX, description="The last tick, by the match's own clock.")
]


# What is asked: parameters in the path and the query, or the body


class Parameters(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """All that a request may say."""


class UsersWanted(Parameters, frozen=True):
    """Who is online."""

    cursor: TextCursor | None = None
    limit: PageLimit = PAGE_LIMIT


class RoomsWanted(Parameters, frozen=True):
    """Which rooms."""

    game: GameName | None = None
    cursor: TextCursor | None = None
    limit: PageLimit = PAGE_LIMIT


class RoomNamed(Parameters, frozen=True):
    """One room."""

    room_id: AnyRoomId


class MatchesWanted(Parameters, frozen=True):
    """Which matches."""

    user: AnyUserId | None = None
    game: GameName | None = None
    since: (
        Annotated[datetime, Meta(tz=True, description="Only those that began then or later.")]
        | None
    ) = None
    reason: (
        Annotated[
            EndReason | Literal["live"],
            Meta(description="Only those that ended so, or those that are live."),
        ]
        | None
    ) = None
    cursor: NumberCursor | None = None
    limit: PageLimit = PAGE_LIMIT


class MatchNamed(Parameters, frozen=True):
    """One match."""

    match_id: AnyMatchId


class EventsWanted(MatchNamed, frozen=True):
    """Which events of a match."""

    cursor: NumberCursor = 0
    limit: EventsLimit = EVENTS_LIMIT


class FramesWanted(MatchNamed, frozen=True, rename={"match_id": "matchId", "start": "from"}):
    """Which states of a match."""

    hz: (
        Annotated[
            float,
            Meta(
                ge=0.1,
                le=HZ_MAX,
                description="How many for each second of the match; without it, every tick. "
                "In a game without ticks it is always every move.",
            ),
        ]
        | None
    ) = None
    start: FirstTick = 0
    to: LastTick = TICK_MAX


class UserNamed(Parameters, frozen=True):
    """One user."""

    user: AnyUserId


class Recipient(Parameters, frozen=True):
    """A user, by all of their sockets, or the sockets that have joined a room: one of both."""

    user: WireUserId | UnsetType = UNSET
    room_id: WireRoomId | UnsetType = UNSET


class Announcement(Parameters, frozen=True):
    """What to tell to whom."""

    to: Recipient | Literal["all"]
    data: Any


BEYOND_TYPES: dict[str, dict[str, Any]] = {
    Recipient.__name__: {"minProperties": 1, "maxProperties": 1},
}
"""What their types do not say of some of these, in words of JSON Schema."""


# What is answered


class Answer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An answer."""


class UserPage(Answer, frozen=True):
    """Users who are online, in the order of their ids; without a `cursor` it is the last page."""

    users: list[v1.UserEntry]
    cursor: str | None


class RoomPage(Answer, frozen=True):
    """Rooms that are not private; without a `cursor` it is the last page."""

    rooms: list[v1.RoomSummary]
    cursor: RoomId | None


class Room(v1.RoomSummary, frozen=True, rename="camel", kw_only=True):
    """A room; `matchId` is its present or last match."""

    options: dict[str, Any]
    match_id: MatchId | None


class Match(Answer, frozen=True):
    """A match; what comes with its end is null while it is live. `winner` is a seat.

    `players` are in the order of their seats. `tickHz` is 0 for a game without ticks, and null for
    one that is not played here any more.
    """

    match_id: MatchId
    room_id: RoomId
    game: str
    players: list[User]
    started_at: datetime
    ended_at: datetime | None
    ticks: int | None
    tick_hz: int | None
    reason: EndReason | None
    winner: int | None
    scores: list[int] | None


def match_of(match: PlayedMatch) -> Match:
    """Show a match of the history, here and in `ws-service matches --json`."""
    game = GAMES.get(match.game)
    return Match(
        match_id=match.id,
        room_id=room_of(match.id),
        game=match.game,
        players=[
            User(parse_user_id(user), name)
            for user, name in zip(match.users, match.players, strict=True)
        ],
        started_at=time_of(match.started_at),
        ended_at=None if match.ended_at is None else time_of(match.ended_at),
        ticks=match.ticks,
        tick_hz=None if game is None else game.tick_hz,
        reason=match.reason,
        winner=match.winner,
        scores=match.scores,
    )


def time_of(recorded_at: int) -> datetime:
    """Convert a time of the log, in microseconds since 1970."""
    return datetime.fromtimestamp(recorded_at / 1_000_000, UTC)


class MatchPage(Answer, frozen=True):
    """Matches, the newest first; without a `cursor` it is the last page.

    A page may have less than `limit`, since not every match is for everybody to see.
    """

    matches: list[Match]
    cursor: int | None


class Event(Answer, frozen=True):
    """An event of a match; `data` is what a spectator may see of it."""

    position: int
    recorded_at: datetime
    type: str
    tick: int
    data: dict[str, Any]


class EventPage(Answer, frozen=True):
    """Events in the order of the log; without a `cursor` it is the last page."""

    events: list[Event]
    cursor: int | None


class Frame(Answer, frozen=True, omit_defaults=True):
    """The state before `tick`; in a game without ticks also the `input` that led to it."""

    tick: int
    state: dict[str, Any]
    input: dict[str, Any] | UnsetType = UNSET


class Verification(Answer, frozen=True):
    """Whether the recording is what the rules say; else where they first part, and how."""

    holds: bool
    tick: int | None
    difference: str | None


class Told(Answer, frozen=True):
    """How many sockets were told; one that speaks the classic contract hears nothing."""

    sockets: int


UserKey: TypeAlias = tuple[bool, int, str]


def user_key(user: UserId) -> UserKey:
    """Give users an order: those with a number first."""
    return (False, user, "") if isinstance(user, int) else (True, 0, user)
