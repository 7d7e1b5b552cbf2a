"""Events of matches."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec

from service.domain.events.base import Event, match_stream
from service.domain.ids import MatchId, RoomId, SocketId, UserId

EndReason = Literal["timeup", "finished", "turn_timeout", "left", "forfeit", "abandoned", "void"]
"""By the clock, a rule, or a turn that took too long; or since players left, were away, or all.

A match is `void` when its rules have failed, or are not here any more: it has no result.
"""


BY_THE_RULES: frozenset[EndReason] = frozenset({"timeup", "finished", "turn_timeout"})
"""The ends that the rules of the game bring about, so that a replay comes to the same."""


Pace = Literal["ticks", "turns", "free"]
"""What moves a match on: its clock; one move after the other; or moves as they come."""


def room_of(match: MatchId) -> RoomId:
    """Return the room of a match, whose id is that of the room, a dash, and a number."""
    return match.rpartition("-")[0]


class MatchEvent(Event, frozen=True):
    """Something in a match; `tick` says when by the clock of the match."""

    match: MatchId
    tick: int

    @property
    def reaches(self) -> int:
        """The tick that the match is at least at, when this event is in the log."""
        return self.tick

    @property
    def stream(self) -> str:
        """The match's own stream: all that its replay needs."""
        return match_stream(self.match)

    @property
    def room(self) -> RoomId:
        """The room that the match is played in."""
        return room_of(self.match)


class MatchStarted(MatchEvent, frozen=True):
    """A match began; with the inputs that follow, `seed` and `options` decide all that happens."""

    type: ClassVar[str] = "match.started"
    opens_stream: ClassVar[bool] = True
    game: str
    rules_version: int
    players: list[UserId]
    seed: int
    options: dict[str, Any]
    pace: Pace
    turn_s: float | None
    """How long a turn may take, or None when it may take any time."""


class MatchInput(MatchEvent, frozen=True):
    """A player's input, decided by the rules; it takes effect before `tick` is stepped."""

    type: ClassVar[str] = "match.input"
    schema_version: ClassVar[int] = 2
    seat: int
    socket: SocketId | None
    """Who sent it; None when the service let go of keys whose tab is gone."""
    input: msgspec.Raw
    held: dict[SocketId, list[str]] = msgspec.field(default_factory=dict)
    """The keys that each tab of the player holds from now on."""


class MatchOutcome(MatchEvent, frozen=True):
    """What the step of `tick` brought about and everybody must agree on: a serve, a point."""

    type: ClassVar[str] = "match.outcome"
    outcome: msgspec.Raw

    @property
    def reaches(self) -> int:
        """The tick after the one that brought it about, or it would come about twice."""
        return self.tick + 1


class MatchCheckpoint(MatchEvent, frozen=True):
    """The state before `tick` is stepped, to go on from and to verify against."""

    type: ClassVar[str] = "match.checkpoint"
    state: msgspec.Raw
    hash: str


class MatchPaused(MatchEvent, frozen=True):
    """The match stands still before `tick`, since a player is away."""

    type: ClassVar[str] = "match.paused"
    schema_version: ClassVar[int] = 2
    turn_left_ms: int | None = None
    """How long the present turn may still take; None where it has no clock."""
    spent_ms: list[int] = msgspec.field(default_factory=list)
    """How much pause each seat has used up so far, in this match."""


class MatchResumed(MatchEvent, frozen=True):
    """The match waits for nobody any more; `run` counts how often it has gone on again."""

    type: ClassVar[str] = "match.resumed"
    schema_version: ClassVar[int] = 2
    run: int
    spent_ms: list[int] = msgspec.field(default_factory=list)
    """How much pause each seat has used up so far, in this match."""


class MatchRewound(MatchEvent, frozen=True):
    """After a restart the match goes on from `tick`, the last one that the log can vouch for.

    What was shown after it, at most the time between two checkpoints, counts for nothing.
    """

    type: ClassVar[str] = "match.rewound"


class MatchSuspended(MatchEvent, frozen=True):
    """The service is stopped while the match stands before `tick`: nothing was shown after it."""

    type: ClassVar[str] = "match.suspended"


class MatchTurnNoted(MatchEvent, frozen=True):
    """The present turn may still take so long: from there it goes on after a crash."""

    type: ClassVar[str] = "match.turn_noted"
    turn_left_ms: int


class MatchEnded(MatchEvent, frozen=True):
    """The match is over; `winner` is a seat, or None for a draw, an abandoned or a void match."""

    type: ClassVar[str] = "match.ended"
    schema_version: ClassVar[int] = 2
    reason: EndReason
    winner: int | None
    scores: list[int]
    hash: str
    """The hash of the last state, as in a checkpoint; empty when the match is void."""
