"""Request and response types of the HTTP API about players; docstrings appear in OpenAPI."""

from __future__ import annotations

from datetime import datetime

from service.edge.api.shapes import AnyUserId, Parameters, Response
from service.eventstore.read_models.match_history import MatchResult
from service.protocol.classic import User
from service.protocol.v1 import Status


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


class Player(Response, frozen=True):
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
