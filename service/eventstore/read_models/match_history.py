"""Read model of the match history: rows written with their events, and queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import select

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

    from sqlalchemy import ColumnElement, Select

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


class NoSuchMatch(ServiceError):
    """There is no such match."""


class PlayedMatch(msgspec.Struct, frozen=True, kw_only=True):
    """A match of the history; times are in microseconds since 1970."""

    id: MatchId
    game: str
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
    game: str | None = None
    since: int = 0
    """Only matches that started at this time or later, in microseconds since 1970."""
    reason: str | None = None
    """The reason of the end, or `live`."""
    before: Position | None = None
    """Only matches that started before this position."""
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
    """Return the matches that `query` selects, the newest first."""
    statement = select(matches).where(*_conditions(query))
    statement = statement.order_by(matches.c.started_position.desc()).limit(query.limit)
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
    if wanted.user is not None:
        yield matches.c.match.in_(_played_by(wanted.user))
    if wanted.user_id is not None:
        played = select(match_players.c.match).where(match_players.c.user == wanted.user_id)
        yield matches.c.match.in_(played)
    if wanted.reason is not None:
        live = wanted.reason == "live"
        yield matches.c.reason.is_(None) if live else matches.c.reason == wanted.reason
    if wanted.before is not None:
        yield matches.c.started_position < wanted.before


def _played_by(user: str) -> Select[tuple[str]]:
    named = select(profiles.c.user).where(profiles.c.name == user)
    return select(match_players.c.match).where(
        (match_players.c.user == user) | match_players.c.user.in_(named)
    )
