"""State of deliveries that is not logged: attempts, due times, errors and users' tokens.

It is written on the event store's own connection, between two commits.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Protocol

from service.domain.events.outbox import USER_SERVICE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Mapping
    from pathlib import Path

    from service.domain.events.outbox import Consumer
    from service.domain.ids import MatchId, UserId
    from service.eventstore.read_models.outbox import Entry

_NOTE_FAILURE = """
    UPDATE outbox SET attempts = attempts + 1, next_at = :next_at, last_error = :reason
    WHERE consumer = :consumer AND match = :match
"""
"""Without `next_at` it is tried again when there is a token."""

_NOTE_BLOCKED = """
    UPDATE outbox SET last_error = :reason,
        next_at = CASE WHEN EXISTS (SELECT 1 FROM bearers WHERE match = :match) THEN 0 END
    WHERE consumer = :consumer AND match = :match
"""
"""Due at once if a token was stored in the meantime, else when there is one."""

_NOTE_REASON = """
    UPDATE outbox SET last_error = :reason WHERE consumer = :consumer AND match = :match
"""

_RESET_BACKOFF = """
    UPDATE outbox SET next_at = 0
    WHERE consumer = :consumer AND state = 'waiting' AND next_at IS NOT NULL
"""
"""For a consumer that is available again."""

_MARK_DUE = """
    UPDATE outbox SET next_at = 0
    WHERE consumer = :consumer AND match = :match AND state = 'waiting' AND next_at IS NULL
"""

_RETRY = "UPDATE outbox SET next_at = 0 WHERE consumer = :consumer AND match = :match"
"""Run by an operator's command, also while the service runs: its worker polls the table."""

_PUT_SEALED = """
    INSERT INTO bearers (match, "user", sealed)
    SELECT :match, :user, :sealed
    WHERE EXISTS (SELECT 1 FROM matches WHERE match = :match AND ended_at IS NULL)
        OR EXISTS (SELECT 1 FROM outbox
            WHERE consumer = :consumer AND match = :match AND state = 'waiting')
    ON CONFLICT (match) DO UPDATE SET "user" = excluded."user", sealed = excluded.sealed
"""
"""No token is stored for a match that is settled already."""

_DROP_SEALED = "DELETE FROM bearers WHERE match = :match AND sealed = :sealed"
"""Deletes exactly this token; a newer one may have replaced it."""


class ExecuteStatement(Protocol):
    """Runs one statement on the writing connection; raises `Unavailable`."""

    def __call__(self, statement: str, parameters: Mapping[str, object], /) -> Awaitable[object]:
        """Run `statement` in a transaction of its own."""


class OutboxNotes:
    """Writes the state of deliveries; every method raises `Unavailable` when it can't."""

    def __init__(self, execute: ExecuteStatement) -> None:
        """Run the statements by `execute`."""
        self._execute = execute

    async def record_failure(
        self, consumer: Consumer, match: MatchId, reason: str, next_at: int
    ) -> None:
        """Count a failed attempt; the next is due at `next_at`, in microseconds since 1970."""
        parameters = {"reason": reason, "next_at": next_at}
        await self._execute(_NOTE_FAILURE, {**parameters, "consumer": consumer, "match": match})

    async def record_blocked(self, consumer: Consumer, match: MatchId, reason: str) -> None:
        """Let a delivery wait for a token, unless one was stored in the meantime."""
        await self._execute(_NOTE_BLOCKED, {"reason": reason, "consumer": consumer, "match": match})

    async def record_reason(self, consumer: Consumer, match: MatchId, reason: str) -> None:
        """Record why a delivery was rejected."""
        await self._execute(_NOTE_REASON, {"reason": reason, "consumer": consumer, "match": match})

    async def reset_backoff(self, consumer: Consumer) -> None:
        """Make all deliveries to `consumer` due that wait for their next attempt."""
        await self._execute(_RESET_BACKOFF, {"consumer": consumer})

    async def mark_due(self, consumer: Consumer, match: MatchId) -> None:
        """Make a delivery due if it waits for a token."""
        await self._execute(_MARK_DUE, {"consumer": consumer, "match": match})

    async def retry(self, consumer: Consumer, match: MatchId) -> None:
        """Make a delivery due, also a rejected one; the worker requeues that."""
        await self._execute(_RETRY, {"consumer": consumer, "match": match})

    async def keep_token(self, match: MatchId, user: UserId, sealed: bytes) -> None:
        """Store the encrypted token of `user` until `match` is delivered to the user service."""
        await self._execute(
            _PUT_SEALED,
            {"consumer": USER_SERVICE, "match": match, "user": str(user), "sealed": sealed},
        )

    async def forget_token(self, match: MatchId, sealed: bytes) -> None:
        """Delete this token; one that has replaced it stays."""
        await self._execute(_DROP_SEALED, {"match": match, "sealed": sealed})


def retry_now(path: Path, entries: Iterable[Entry]) -> set[MatchId]:
    """Make these deliveries due, from another process; return the matches with a stored token.

    `path` is that of the database. The worker of a running service finds them by its next poll.
    """
    with closing(sqlite3.connect(path)) as database, database:
        for entry in entries:
            database.execute(_RETRY, {"consumer": entry.consumer, "match": entry.match})
        return {row[0] for row in database.execute("SELECT match FROM bearers")}
