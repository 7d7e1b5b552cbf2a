"""Request and response types of the history in the HTTP API; docstrings appear in OpenAPI."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from service.domain.events.matches import EndReason
from service.domain.ids import USER_ID_LENGTH_MAX
from service.edge.api.shapes import (
    PAGE_LIMIT,
    TICK_MAX,
    AnyUserId,
    GameName,
    NumberCursor,
    PageLimit,
    Parameters,
    Response,
)
from service.eventstore.read_models.match_history import MatchOrder, MatchResult
from service.protocol.classic import User
from service.protocol.v1 import Status


class MatchesParams(Parameters, frozen=True):
    """A page of matches, and filters."""

    user: AnyUserId | None = None
    opponent: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=USER_ID_LENGTH_MAX,
                description="Only those with this other player: an id or a display name.",
            ),
        ]
        | None
    ) = None
    game: GameName | None = None
    since: (
        Annotated[
            datetime, Meta(tz=True, description="Only those that started at this time or later.")
        ]
        | None
    ) = None
    until: (
        Annotated[datetime, Meta(tz=True, description="Only those that started before this time.")]
        | None
    ) = None
    result: (
        Annotated[MatchResult, Meta(description="Only those that ended so for `user`.")] | None
    ) = None
    seconds_min: (
        Annotated[
            float, Meta(ge=0, le=TICK_MAX, description="Only those that took as long or longer.")
        ]
        | None
    ) = None
    seconds_max: (
        Annotated[float, Meta(ge=0, le=TICK_MAX, description="Only those that took no longer.")]
        | None
    ) = None
    sort: Annotated[MatchOrder, Meta(description="The order of the matches.")] = "newest"
    reason: (
        Annotated[
            EndReason | Literal["live"],
            Meta(description="Only those that ended for this reason, or live ones."),
        ]
        | None
    ) = None
    cursor: NumberCursor | None = None
    limit: PageLimit = PAGE_LIMIT


class PlayerParams(Parameters, frozen=True):
    """One player."""

    user_id: AnyUserId


class Record(Response, frozen=True):
    """How many matches were won, lost and drawn; void and abandoned ones do not count."""

    won: int
    lost: int
    drawn: int


class GameRecord(Response, frozen=True):
    """The matches of one game."""

    game: str
    record: Record


class OpponentRecord(Response, frozen=True):
    """The matches against one opponent."""

    user: User
    record: Record


class PlayerHistory(Response, frozen=True):
    """How somebody has played, by the matches that you may see.

    `isAll` is false where only the newest ones are counted. `streak` counts the last matches that
    were won in a row; lost ones are negative. `last` has the newest result first, `opponents` the
    most frequent one. `status` is null for who is not online.
    """

    user: User
    status: Status | None
    record: Record
    is_all: bool
    streak: int
    last: list[MatchResult]
    games: list[GameRecord]
    opponents: list[OpponentRecord]
    opponents_count: int
    last_match_at: datetime | None
