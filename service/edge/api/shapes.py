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
    bot_level,
    parse_user_id,
)
from service.edge.http.game_pages import page_url
from service.games.options import options_schema
from service.protocol import v1
from service.protocol.base import WireGame, WireRoomId
from service.protocol.classic import User

if TYPE_CHECKING:
    from service.eventstore.read_models.match_history import PlayedMatch
    from service.games.catalogue import Catalogue
    from service.games.protocol import Game

PAGE_LIMIT = 50
EVENTS_LIMIT = 100

POSITION_MAX = USER_ID_MAX
"""The highest integer that every JSON parser reads exactly."""

TICK_MAX = 2**31 - 1

HZ_MAX = 60

_CURSOR = "The `cursor` of the previous page; omit it for the first page."

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
PageLimit: TypeAlias = Annotated[int, Meta(ge=1, le=100, description="The most entries on a page.")]
EventsLimit: TypeAlias = Annotated[
    int, Meta(ge=1, le=1000, description="The most entries on a page.")
]
FirstTick: TypeAlias = Annotated[
    int, Meta(ge=0, le=TICK_MAX, description="The first tick, by the match's own clock.")
]
LastTick: TypeAlias = Annotated[
    int, Meta(ge=0, le=TICK_MAX, description="The last tick, by the match's own clock.")
]
AlsoLive: TypeAlias = Annotated[
    Literal["true", "false"],
    Meta(
        description="`true` also takes a live match whose room you are in, as far as it is shown."
    ),
]


# Requests: parameters in the path and the query, or the body


class Parameters(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """The parameters of a request; unknown ones are refused."""


class UsersParams(Parameters, frozen=True):
    """A page of online users."""

    cursor: TextCursor | None = None
    limit: PageLimit = PAGE_LIMIT


class RoomsParams(Parameters, frozen=True):
    """A page of rooms."""

    game: GameName | None = None
    cursor: TextCursor | None = None
    limit: PageLimit = PAGE_LIMIT


class RoomParams(Parameters, frozen=True):
    """One room."""

    room_id: AnyRoomId


class MatchParams(Parameters, frozen=True):
    """One match."""

    match_id: AnyMatchId


class EventsParams(MatchParams, frozen=True):
    """A page of the events of a match."""

    cursor: NumberCursor = 0
    limit: EventsLimit = EVENTS_LIMIT


class FramesParams(MatchParams, frozen=True, rename={"match_id": "matchId", "start": "from"}):
    """A range of frames of a match, and their rate."""

    hz: (
        Annotated[
            float,
            Meta(
                ge=0.1,
                le=HZ_MAX,
                description="Frames per second of the match; every tick by default. "
                "A turn-based game has a frame for every move.",
            ),
        ]
        | None
    ) = None
    start: FirstTick = 0
    to: LastTick = TICK_MAX
    live: AlsoLive | None = None


class SummaryParams(MatchParams, frozen=True):
    """One match, which may be live."""

    live: AlsoLive | None = None


class UserParams(Parameters, frozen=True):
    """One user."""

    user: AnyUserId


class Recipient(Parameters, frozen=True):
    """Either all sockets of a user, or the sockets that have joined a room."""

    user: WireUserId | UnsetType = UNSET
    room_id: WireRoomId | UnsetType = UNSET


class Announcement(Parameters, frozen=True):
    """The data of a message, and its recipients."""

    to: Recipient | Literal["all"]
    data: Any


BEYOND_TYPES: dict[str, dict[str, Any]] = {
    Recipient.__name__: {"minProperties": 1, "maxProperties": 1},
    "OperatorMessage": {"not": {"required": ["roomId", "user"]}},
}
"""JSON Schema keywords that the types can't express, by the name of the type."""


# Responses


class Response(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of a response."""


class SeatRange(Response, frozen=True):
    """How many players a match may have."""

    min: int
    max: int


class GameInfo(Response, frozen=True):
    """A game; `options` is the JSON Schema of those that a room may be created with.

    New matches are played by `rulesVersion`; `versions` are all that can be played on and replayed.
    `page` is the URL of an ES module that draws the game, null for one that the client knows.
    """

    name: str
    title: str
    package: str
    rules_version: int
    versions: list[int]
    seats: SeatRange
    tick_hz: int
    has_clocks: bool
    has_secrets: bool
    bots: int
    """How many levels of bots it has; 0 if it has none."""
    options: dict[str, Any]
    page: str | None


class GameList(Response, frozen=True):
    """The games in the order in which they are offered."""

    games: list[GameInfo]


def game_of(game: Game, games: Catalogue) -> GameInfo:
    """Describe a game, for the API and `ws-service games --json`."""
    return GameInfo(
        name=game.name,
        title=game.title,
        package=games.package_of(game.name),
        rules_version=game.rules_version,
        versions=games.versions(game.name),
        seats=SeatRange(min=game.seats.start, max=game.seats.stop - 1),
        tick_hz=game.tick_hz,
        has_clocks=game.has_clocks,
        has_secrets=game.has_secrets,
        bots=game.bot_levels,
        options=options_schema(game.options_type),
        page=page_url(game),
    )


class UserPage(Response, frozen=True):
    """Online users, ordered by id; `cursor` is null on the last page."""

    users: list[v1.UserEntry]
    cursor: str | None


class RoomPage(Response, frozen=True):
    """Rooms that are not private; `cursor` is null on the last page."""

    rooms: list[v1.RoomSummary]
    cursor: RoomId | None


class Room(v1.RoomSummary, frozen=True, rename="camel", kw_only=True):
    """A room; `matchId` is its current or last match."""

    options: dict[str, Any]
    match_id: MatchId | None


class Participant(User, frozen=True):
    """A player of a match; `bot` is the level of a bot, and not there for anybody else."""

    bot: int | UnsetType = UNSET


class Match(Response, frozen=True):
    """A match; the fields of its end are null while it is live. `winner` is a seat.

    `players` are ordered by seat. `tickHz` is 0 for a turn-based game, and null where this build
    does not have the version of the rules that the match was played by.
    """

    match_id: MatchId
    room_id: RoomId
    game: str
    rules_version: int
    players: list[Participant]
    started_at: datetime
    ended_at: datetime | None
    ticks: int | None
    tick_hz: int | None
    reason: EndReason | None
    winner: int | None
    scores: list[int] | None


def hides_ticks(game: Game) -> bool:
    """Return whether the ticks of a finished match would tell how many moves were hidden."""
    return game.has_secrets and not game.shown_at_end and not game.tick_hz


def match_of(match: PlayedMatch, games: Catalogue) -> Match:
    """Convert a match of the history, for the API and `ws-service matches --json`."""
    game = games.rules(match.game, match.rules_version, match.id)
    return Match(
        match_id=match.id,
        room_id=room_of(match.id),
        game=match.game,
        rules_version=match.rules_version,
        players=[
            Participant(parse_user_id(user), name, bot_level(user) or UNSET)
            for user, name in zip(match.users, match.players, strict=True)
        ],
        started_at=datetime_of(match.started_at),
        ended_at=None if match.ended_at is None else datetime_of(match.ended_at),
        ticks=None if game is not None and hides_ticks(game) else match.ticks,
        tick_hz=None if game is None else game.tick_hz,
        reason=match.reason,
        winner=match.winner,
        scores=match.scores,
    )


def datetime_of(recorded_at: int) -> datetime:
    """Convert microseconds since 1970 to a time in UTC."""
    return datetime.fromtimestamp(recorded_at / 1_000_000, UTC)


class MatchPage(Response, frozen=True):
    """Matches, the newest first; `cursor` is null on the last page.

    A page may have fewer than `limit` entries, since matches that you may not see are left out.
    """

    matches: list[Match]
    cursor: int | None


class Event(Response, frozen=True):
    """An event of a match; `data` has the fields that a spectator may see."""

    position: int
    recorded_at: datetime
    type: str
    tick: int
    data: dict[str, Any]


class EventPage(Response, frozen=True):
    """Events in the order of the log; `cursor` is null on the last page."""

    events: list[Event]
    cursor: int | None


class Frame(Response, frozen=True, omit_defaults=True):
    """The state before `tick`; in a turn-based game also the `input` that led to it.

    `state` is what you saw as a player, or what spectators saw. In a game with secrets that are
    shown by now, `views` is what each seat saw.
    """

    tick: int
    state: dict[str, Any]
    views: list[dict[str, Any]] | UnsetType = UNSET
    input: dict[str, Any] | UnsetType = UNSET


class Verification(Response, frozen=True):
    """Whether the recording agrees with the rules; if not, the first tick that differs, and how."""

    holds: bool
    tick: int | None
    difference: str | None


class LegalMoves(Response, frozen=True):
    """Moves as a player may send them now; `seat` is null for who does not play."""

    seat: int | None
    moves: list[dict[str, Any]]


class Published(Response, frozen=True):
    """The number of sockets that the message was sent to; those of classic clients get none."""

    sockets: int


UserKey: TypeAlias = tuple[bool, int, str]


def user_sort_key(user: UserId) -> UserKey:
    """Return a sort key of user ids: numbers first."""
    return (False, user, "") if isinstance(user, int) else (True, 0, user)
