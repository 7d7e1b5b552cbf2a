"""The match history: the rows that a match's beginning and end write beside the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.domain.events.matches import MatchEnded, MatchStarted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from service.eventstore.records import RecordedEvent

_STARTED = """
    INSERT INTO matches (match, game, rules_version, started_position, started_at)
    VALUES (:match, :game, :rules_version, :started_position, :started_at)
"""
_SEATED = "INSERT INTO match_players (match, seat, user) VALUES (:match, :seat, :user)"
_ENDED = """
    UPDATE matches SET ended_at = :ended_at, ticks = :ticks, reason = :reason,
        winner = :winner, scores = :scores
    WHERE match = :match
"""


PROJECTED_EVENTS = frozenset({MatchStarted, MatchEnded})
"""The events that change the match history."""


def history_of(recorded: RecordedEvent) -> Iterator[tuple[str, dict[str, Any]]]:
    """Say what `recorded` changes in the match history: statements and their parameters."""
    event = recorded.event
    if isinstance(event, MatchStarted):
        yield (
            _STARTED,
            {
                "match": event.match,
                "game": event.game,
                "rules_version": event.rules_version,
                "started_position": recorded.position,
                "started_at": recorded.recorded_at,
            },
        )
        for seat, user in enumerate(event.players):
            yield _SEATED, {"match": event.match, "seat": seat, "user": str(user)}
    elif isinstance(event, MatchEnded):
        yield (
            _ENDED,
            {
                "match": event.match,
                "ended_at": recorded.recorded_at,
                "ticks": event.tick,
                "reason": event.reason,
                "winner": event.winner,
                "scores": msgspec.json.encode(event.scores).decode(),
            },
        )
