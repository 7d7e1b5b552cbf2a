"""Read model of the outbox: rows written with their events, and queries for due ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
from sqlalchemy import select

from service.domain.commands.outbox import FinishedMatch
from service.domain.events.matches import MatchEnded
from service.domain.events.outbox import (
    USER_SERVICE,
    WITHOUT_RESULT,
    Consumer,
    ConsumerSubscribed,
    ConsumerUnsubscribed,
    ResultDelivered,
    ResultRejected,
    ResultRequeued,
)
from service.domain.ids import MatchId, UserId, parse_user_id
from service.domain.projections.outbox import is_delivered_to
from service.eventstore.tables import kept_tokens, match_players, matches, outbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from service.domain.events.base import Position
    from service.eventstore.reader import Reader
    from service.eventstore.records import RecordedEvent

State = Literal["waiting", "rejected"]

_SUBSCRIBE = "INSERT INTO consumers (consumer) VALUES (:consumer)"
_UNSUBSCRIBE = "DELETE FROM consumers WHERE consumer = :consumer"
_ENQUEUE = """
    INSERT INTO outbox (consumer, match, state, position, attempts, next_at)
    SELECT consumer, :match, 'waiting', :position, 0, 0 FROM consumers
    WHERE consumer <> :user_service OR :user_service_gets
"""
_DELIVERED = "DELETE FROM outbox WHERE consumer = :consumer AND match = :match"
_REJECTED = """
    UPDATE outbox SET state = 'rejected', attempts = attempts + 1, next_at = NULL
    WHERE consumer = :consumer AND match = :match
"""
_REQUEUED = """
    UPDATE outbox SET state = 'waiting', next_at = 0
    WHERE consumer = :consumer AND match = :match
"""

_DROP_SEALED = "DELETE FROM bearers WHERE match = :match"

PROJECTED_EVENTS = frozenset(
    {ConsumerSubscribed, ConsumerUnsubscribed, MatchEnded, ResultDelivered, ResultRejected}
    | {ResultRequeued}
)
"""The events that change the outbox."""


def outbox_statements(recorded: RecordedEvent) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the statements, with parameters, that project `recorded` to the outbox."""
    event = recorded.event
    match event:
        case ConsumerSubscribed(consumer):
            yield _SUBSCRIBE, {"consumer": consumer}
        case ConsumerUnsubscribed(consumer):
            yield _UNSUBSCRIBE, {"consumer": consumer}
        case MatchEnded():
            yield from _ended(event, recorded.position)
        case ResultDelivered(consumer, match) | ResultRejected(consumer, match):
            statement = _DELIVERED if isinstance(event, ResultDelivered) else _REJECTED
            yield statement, {"consumer": consumer, "match": match}
            if consumer == USER_SERVICE:
                yield _DROP_SEALED, {"match": match}
        case ResultRequeued(consumer, match):
            yield _REQUEUED, {"consumer": consumer, "match": match}
        case _:
            pass


def _ended(event: MatchEnded, position: Position) -> Iterator[tuple[str, dict[str, Any]]]:
    for_user_service = is_delivered_to(USER_SERVICE, event)
    if not for_user_service:
        yield _DROP_SEALED, {"match": event.match}
    if event.reason in WITHOUT_RESULT:
        return
    yield (
        _ENQUEUE,
        {
            "match": event.match,
            "position": position,
            "user_service": USER_SERVICE,
            "user_service_gets": for_user_service,
        },
    )


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the outbox; times are in microseconds since 1970."""

    consumer: Consumer
    match: MatchId
    state: State
    attempts: int
    next_at: int | None
    last_error: str | None
    ended_at: int


class Due(msgspec.Struct, frozen=True):
    """A delivery that is due, or a rejected one that an operator retries."""

    match: FinishedMatch
    state: State
    attempts: int


async def due(reader: Reader, consumer: Consumer, now: int, limit: int) -> list[Due]:
    """Return at most `limit` deliveries to `consumer` that are due at `now`, oldest first."""
    statement = (
        select(outbox.c.state, outbox.c.attempts, matches)
        .join(matches, matches.c.match == outbox.c.match)
        .where(outbox.c.consumer == consumer, outbox.c.next_at <= now)
        .order_by(outbox.c.next_at, outbox.c.position)
        .limit(limit)
    )
    async with reader.engine.connect() as connection:
        rows = (await connection.execute(statement)).mappings().all()
        seated = select(match_players.c.match, match_players.c.user)
        seated = seated.where(match_players.c.match.in_([row["match"] for row in rows]))
        seats = (await connection.execute(seated.order_by(match_players.c.seat))).all()
    return [
        Due(
            FinishedMatch(
                id=row["match"],
                game=row["game"],
                players=[parse_user_id(user) for match, user in seats if match == row["match"]],
                scores=msgspec.json.decode(row["scores"], type=list[int]),
                reason=row["reason"],
                winner=row["winner"],
                started_at=row["started_at"],
                ended_at=row["ended_at"],
            ),
            row["state"],
            row["attempts"],
        )
        for row in rows
    ]


async def next_due(reader: Reader, consumer: Consumer) -> int | None:
    """Return when the next delivery to `consumer` is due, or None without one."""
    statement = (
        select(outbox.c.next_at)
        .where(outbox.c.consumer == consumer, outbox.c.next_at.is_not(None))
        .order_by(outbox.c.next_at)
        .limit(1)
    )
    async with reader.engine.connect() as connection:
        return (await connection.execute(statement)).scalar_one_or_none()


async def oldest(reader: Reader, consumer: Consumer) -> int | None:
    """Return when the oldest match pending for `consumer` ended, or None without one."""
    statement = (
        select(matches.c.ended_at)
        .join(outbox, outbox.c.match == matches.c.match)
        .where(outbox.c.consumer == consumer, outbox.c.state == "waiting")
        .order_by(outbox.c.position)
        .limit(1)
    )
    async with reader.engine.connect() as connection:
        return (await connection.execute(statement)).scalar_one_or_none()


async def entries(reader: Reader, *, start: str = "", limit: int | None = None) -> list[Entry]:
    """Return pending and rejected deliveries, oldest first, of matches whose id has this start."""
    statement = (
        select(
            outbox.c.consumer,
            outbox.c.match,
            outbox.c.state,
            outbox.c.attempts,
            outbox.c.next_at,
            outbox.c.last_error,
            matches.c.ended_at,
        )
        .join(matches, matches.c.match == outbox.c.match)
        .where(outbox.c.match.startswith(start, autoescape=True))
        .order_by(outbox.c.position, outbox.c.consumer)
        .limit(limit)
    )
    async with reader.engine.connect() as connection:
        rows = (await connection.execute(statement)).mappings().all()
    return [Entry(**row) for row in rows]


async def waiting_for_user(reader: Reader, user: UserId) -> list[tuple[MatchId, list[UserId]]]:
    """Return the matches of `user` that are pending for the user service, with their players."""
    played = select(match_players.c.match).where(match_players.c.user == str(user))
    statement = (
        select(match_players.c.match, match_players.c.user)
        .join(outbox, outbox.c.match == match_players.c.match)
        .where(
            outbox.c.consumer == USER_SERVICE,
            outbox.c.state == "waiting",
            outbox.c.match.in_(played),
        )
        .order_by(match_players.c.match, match_players.c.seat)
    )
    found: dict[MatchId, list[UserId]] = {}
    async with reader.engine.connect() as connection:
        for match, player in await connection.execute(statement):
            found.setdefault(match, []).append(parse_user_id(player))
    return list(found.items())


async def sealed_token(reader: Reader, match: MatchId, user: UserId) -> bytes | None:
    """Return the encrypted token of `user` that is stored for `match`, or None."""
    statement = select(kept_tokens.c.sealed).where(
        kept_tokens.c.match == match, kept_tokens.c.user == str(user)
    )
    async with reader.engine.connect() as connection:
        sealed: bytes | None = (await connection.execute(statement)).scalar_one_or_none()
    return sealed
