"""Read model of the match history: rows written with their events, and queries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec
from sqlalchemy import Float, and_, case, cast, exists, or_, select

from service.domain.events.base import match_stream, room_stream
from service.domain.events.matches import EndReason, MatchEnded, MatchStarted, room_of
from service.domain.events.rooms import RoomCreated
from service.domain.ids import MatchId
from service.domain.names import placeholder_name
from service.errors import ServiceError
from service.eventstore.tables import match_players, matches, profiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from sqlalchemy import ColumnElement

    from service.domain.events.base import Event, Position
    from service.eventstore.reader import Reader
    from service.eventstore.records import RecordedEvent


_STARTED = """
    INSERT INTO matches (match, game, rules_version, started_position, started_at)
    VALUES (:match, :game, :rules_version, :position, :recorded_at)
"""
_SEATED = 'INSERT INTO match_players (match, seat, "user") VALUES (:match, :seat, :user)'
_ENDED = """
    UPDATE matches SET ended_at = :recorded_at, ticks = :ticks, reason = :reason,
        winner = :winner, scores = :scores
    WHERE match = :match
"""

PROJECTED_EVENTS = frozenset({MatchStarted, MatchEnded})
"""The events that change the match history."""


MatchResult: TypeAlias = Literal["won", "lost", "drawn"]
MatchOrder: TypeAlias = Literal["newest", "oldest", "longest", "shortest"]

WITHOUT_RESULT: frozenset[EndReason] = frozenset({"abandoned", "void"})
"""The reasons of an end at which a match without a winner is not a draw."""


class NoSuchMatch(ServiceError):
    """There is no such match."""


class PlayedMatch(msgspec.Struct, frozen=True, kw_only=True):
    """A match of the history; times are in microseconds since 1970."""

    id: MatchId
    game: str
    rules_version: int
    players: list[str]
    """Display names, by seat; `User#<id>` where none is known."""
    users: list[str]
    position: int
    """The position of the event that started it."""
    started_at: int
    ended_at: int | None
    ticks: int | None
    reason: EndReason | None
    """How it ended; None while the match is live."""
    winner: int | None
    scores: list[int] | None


class MatchQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Filters of a query; None matches everything."""

    match: MatchId | None = None
    user: str | None = None
    """A user's id or display name."""
    user_id: str | None = None
    opponent: str | None = None
    """The id or display name of another player of the match than `user` or `user_id`."""
    game: str | None = None
    since: int = 0
    """Only matches that started at this time or later, in microseconds since 1970."""
    until: int | None = None
    """Only matches that started before this time, in microseconds since 1970."""
    reason: str | None = None
    """The reason of the end, or `live`."""
    result: MatchResult | None = None
    """How it ended for `user` or `user_id`; without one, whether somebody won (or lost)."""
    seconds_min: float | None = None
    """Only matches that took as long or longer, in seconds, by the clock of their game."""
    seconds_max: float | None = None
    tick_hz: Mapping[tuple[str, int], int] = {}
    """The ticks per second of each version of the rules that has them, by game and version.

    Matches by others took from start to end.
    """
    before: Position | None = None
    """Only matches that started before this position."""
    sort: MatchOrder = "newest"
    offset: int = 0
    limit: int = 20


def history_statements(recorded: RecordedEvent) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the statements, with parameters, that project `recorded` to the match history."""
    event = recorded.event
    if isinstance(event, MatchStarted):
        yield (
            _STARTED,
            {
                "match": event.match,
                "game": event.game,
                "rules_version": event.rules_version,
                "position": recorded.position,
                "recorded_at": recorded.recorded_at,
            },
        )
        for seat, user in enumerate(event.players):
            yield _SEATED, {"match": event.match, "seat": seat, "user": str(user)}
    elif isinstance(event, MatchEnded):
        yield (
            _ENDED,
            {
                "match": event.match,
                "recorded_at": recorded.recorded_at,
                "ticks": event.tick,
                "reason": event.reason,
                "winner": event.winner,
                "scores": msgspec.json.encode(event.scores).decode(),
            },
        )


async def find_matches(reader: Reader, query: MatchQuery) -> list[PlayedMatch]:
    """Return the matches that `query` selects, in its order."""
    statement = select(matches).where(*_conditions(query)).order_by(*_order(query))
    statement = statement.offset(query.offset or None).limit(query.limit)
    async with reader.engine.connect() as connection:
        rows = (await connection.execute(statement)).mappings().all()
        seats = (
            await connection.execute(
                select(match_players.c.match, match_players.c.user, profiles.c.name)
                .outerjoin(profiles, profiles.c.user == match_players.c.user)
                .where(match_players.c.match.in_([row["match"] for row in rows]))
                .order_by(match_players.c.match, match_players.c.seat)
            )
        ).all()
    users: dict[str, list[str]] = {row["match"]: [] for row in rows}
    players: dict[str, list[str]] = {row["match"]: [] for row in rows}
    for match, user, name in seats:
        users[match].append(user)
        players[match].append(name or placeholder_name(user))
    return [
        PlayedMatch(
            id=row["match"],
            game=row["game"],
            rules_version=row["rules_version"],
            players=players[row["match"]],
            users=users[row["match"]],
            position=row["started_position"],
            started_at=row["started_at"],
            ended_at=row["ended_at"],
            ticks=row["ticks"],
            reason=row["reason"],
            winner=row["winner"],
            scores=None if row["scores"] is None else msgspec.json.decode(row["scores"]),
        )
        for row in rows
    ]


async def find_match(reader: Reader, start: str) -> MatchId:
    """Return the only match whose id begins with `start`; raise `NoSuchMatch` otherwise."""
    statement = select(matches.c.match).where(matches.c.match.startswith(start, autoescape=True))
    async with reader.engine.connect() as connection:
        # Sorted, so that a match whose whole id is `start` comes first.
        first = statement.order_by(matches.c.match).limit(3)
        found: list[str] = list((await connection.execute(first)).scalars())
    if start in found:
        return start
    if len(found) == 1:
        return found[0]
    if found:
        raise NoSuchMatch(f"several matches begin with {start!r}: {', '.join(found)}, ...")
    raise NoSuchMatch(f"no match begins with {start!r}: `ws-service matches` lists them")


async def match_events(reader: Reader, match: MatchId) -> list[Event]:
    """Return all events of a match, in order."""
    pages = reader.read(stream=match_stream(match))
    return [recorded.event async for page in pages for recorded in page]


async def private_matches(reader: Reader, found: Sequence[PlayedMatch]) -> set[MatchId]:
    """Return which of these matches were played in rooms that are not public."""
    rooms = {room_stream(room_of(match.id)) for match in found}
    created: list[tuple[Position, str, str]] = [
        (position, room_stream(one.room), one.visibility)
        for position, one in await reader.of_type(rooms, RoomCreated.type)
        if isinstance(one, RoomCreated)
    ]
    created = sorted([*created, *await reader.archived.visibilities(rooms)])
    hidden: set[MatchId] = set()
    for match in found:
        # A room id may be reused: the match was played in the last room created before it.
        stream = room_stream(room_of(match.id))
        seen = [
            visibility
            for position, created_stream, visibility in created
            if created_stream == stream and position < match.position
        ]
        if seen and seen[-1] != "public":
            hidden.add(match.id)
    return hidden


def _conditions(wanted: MatchQuery) -> Iterator[ColumnElement[bool]]:
    yield matches.c.started_at >= wanted.since
    if wanted.match is not None:
        yield matches.c.match == wanted.match
    if wanted.game is not None:
        yield matches.c.game == wanted.game
    player = _player(wanted, match_players.c.user)
    if player is not None:
        yield matches.c.match.in_(select(match_players.c.match).where(player))
    if wanted.reason is not None:
        live = wanted.reason == "live"
        yield matches.c.reason.is_(None) if live else matches.c.reason == wanted.reason
    if wanted.before is not None:
        yield matches.c.started_position < wanted.before
    yield from _conditions_on_results(wanted)


def _conditions_on_results(wanted: MatchQuery) -> Iterator[ColumnElement[bool]]:
    if wanted.until is not None:
        yield matches.c.started_at < wanted.until
    if wanted.opponent is not None:
        yield _has_opponent(wanted)
    if wanted.result is not None:
        yield _has_result(wanted)
    if wanted.seconds_min is not None:
        yield _seconds(wanted.tick_hz) >= wanted.seconds_min
    if wanted.seconds_max is not None:
        yield _seconds(wanted.tick_hz) <= wanted.seconds_max


def _order(wanted: MatchQuery) -> Iterator[ColumnElement[Any]]:
    newest = matches.c.started_position.desc()
    if wanted.sort == "oldest":
        yield matches.c.started_position
        return
    if wanted.sort != "newest":
        seconds = _seconds(wanted.tick_hz)
        # Live matches are last in either order.
        yield seconds.is_(None)
        yield seconds.desc() if wanted.sort == "longest" else seconds
    yield newest


def _seconds(tick_hz: Mapping[tuple[str, int], int]) -> ColumnElement[Any]:
    """Return how long a match took; null while it is live."""
    by_clock = cast(matches.c.ended_at - matches.c.started_at, Float) / 1_000_000
    ticked = [
        (
            and_(matches.c.game == game, matches.c.rules_version == version),
            cast(matches.c.ticks, Float) / hz,
        )
        for (game, version), hz in tick_hz.items()
        if hz
    ]
    return case(*ticked, else_=by_clock) if ticked else by_clock


def _is(column: ColumnElement[str], user: str) -> ColumnElement[bool]:
    """Return whether a column has the id of a user, who is given by id or display name."""
    return or_(column == user, column.in_(select(profiles.c.user).where(profiles.c.name == user)))


def _player(wanted: MatchQuery, column: ColumnElement[str]) -> ColumnElement[bool] | None:
    """Return whether a column has the id of the user of the query; None without one."""
    if wanted.user_id is not None:
        return column == wanted.user_id
    return None if wanted.user is None else _is(column, wanted.user)


def _has_opponent(wanted: MatchQuery) -> ColumnElement[bool]:
    seats = match_players.alias()
    is_opponent = and_(seats.c.match == matches.c.match, _is(seats.c.user, wanted.opponent or ""))
    own = _player(wanted, seats.c.user)
    return exists().where(is_opponent if own is None else and_(is_opponent, ~own))


def _has_result(wanted: MatchQuery) -> ColumnElement[bool]:
    winner = matches.c.winner
    if wanted.result == "drawn":
        has_result = matches.c.reason.not_in(WITHOUT_RESULT)
        return and_(winner.is_(None), matches.c.reason.is_not(None), has_result)
    seats = match_players.alias()
    own = _player(wanted, seats.c.user)
    if own is None:
        return winner.is_not(None)
    is_own = exists().where(seats.c.match == matches.c.match, seats.c.seat == winner, own)
    return is_own if wanted.result == "won" else and_(winner.is_not(None), ~is_own)
