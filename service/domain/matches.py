"""Matches: one play in a room. Here stands what is live; the rules are in `service.games`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import msgspec

from service.domain.event import Event, Position, match_stream
from service.domain.ids import MatchId, RoomId, SocketId, UserId
from service.errors import ClientError

if TYPE_CHECKING:
    from service.games.protocol import Game

INPUT_LEAD_TICKS_MAX = 6
"""How far ahead of its match an input may take effect, when ticks are late."""

EndReason = Literal["timeup", "finished", "turn_timeout", "left", "forfeit", "abandoned", "void"]
"""By the clock, a rule, or a turn that took too long; or since players left, were away, or all.

A match is `void` when its rules have failed, or are not here any more: it has no result.
"""

BY_THE_RULES: frozenset[EndReason] = frozenset({"timeup", "finished", "turn_timeout"})
"""The ends that the rules of the game bring about, so that a replay comes to the same."""

Pace = Literal["ticks", "turns", "free"]
"""What moves a match on: its clock; one move after the other; or moves as they come."""


class MatchNotRunning(ClientError):
    """No match is running in this room; it has not begun, or it is over."""

    code = "MATCH_NOT_RUNNING"


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


class Match(msgspec.Struct):
    """A live match, as far as the log says."""

    id: MatchId
    game: str
    rules_version: int
    options: dict[str, Any]
    players: list[UserId]
    seed: int
    pace: Pace
    turn_s: float | None = None
    turn_since: Position = 0
    """The event that began the present turn, or let it go on."""
    turn_left_ms: int | None = None
    """How long the turn could still take when that was logged last; None without a clock."""
    turn_noted: Position = 0
    """The event that logged it last."""
    spent_ms: list[int] = []
    """How much pause each seat has used up."""
    paused_at: Position = 0
    """The last event that paused the match, for one player or for one more."""
    run: int = 0
    paused: bool = False
    tick: int = 0
    """The last logged tick: where the match goes on after a crash."""
    replay_from: Position = 0
    """From here on the log has a checkpoint and every input that matters after it."""
    checkpoint_at: Position = 0
    covered_tick: int = 0
    """No event before `checkpoint_at` is for a later tick."""
    suspended: bool = False
    """The service was stopped in order: after the next start it goes on from where it was."""
    pressing: dict[int, dict[SocketId, list[str]]] = {}
    """The keys that each seat holds, by the tab that holds them."""


class Matches(msgspec.Struct):
    """The live matches."""

    live: dict[MatchId, Match] = {}

    def started(self, event: MatchStarted, position: Position) -> None:
        """Keep what a rebuild of the match needs."""
        self.live[event.match] = Match(
            id=event.match,
            game=event.game,
            rules_version=event.rules_version,
            options=event.options,
            players=event.players,
            seed=event.seed,
            pace=event.pace,
            turn_s=event.turn_s,
            turn_since=position,
            turn_left_ms=_whole_turn_ms(event.turn_s),
            turn_noted=position,
            spent_ms=[0] * len(event.players),
            replay_from=position,
            checkpoint_at=position,
        )

    def input(self, event: MatchInput, position: Position) -> None:
        """Note who holds the keys, and that the next turn begins."""
        match = self._advance(event)
        if match is None:
            return
        match.turn_since = match.turn_noted = position
        match.turn_left_ms = _whole_turn_ms(match.turn_s)
        if event.held:
            match.pressing[event.seat] = event.held
        else:
            match.pressing.pop(event.seat, None)

    def outcome(self, event: MatchOutcome, _position: Position) -> None:
        """Note how far the match is."""
        self._advance(event)

    def checkpoint(self, event: MatchCheckpoint, position: Position) -> None:
        """Move the start of a rebuild on, to the checkpoint before this one.

        An input for a tick after this checkpoint may stand before it in the log. It never stands
        before the one before, if that was behind all ticks that the log then had.
        """
        match = self.live.get(event.match)
        if match is not None and event.tick > match.covered_tick:
            match.replay_from, match.checkpoint_at = match.checkpoint_at, position
            match.covered_tick = match.tick
        self._advance(event)

    def paused(self, event: MatchPaused, position: Position) -> None:
        """Stand still."""
        match = self._advance(event)
        if match is not None:
            match.paused = True
            match.suspended = False
            match.paused_at = position
            match.pressing = {}
            # Older forms say nothing of times: then it stays at what was known.
            if event.turn_left_ms is not None:
                match.turn_left_ms = event.turn_left_ms
            match.spent_ms = event.spent_ms or match.spent_ms

    def resumed(self, event: MatchResumed, position: Position) -> None:
        """Go on."""
        match = self._advance(event)
        if match is not None:
            match.paused = False
            match.turn_since = match.turn_noted = position
            match.run = event.run
            match.spent_ms = event.spent_ms or match.spent_ms

    def rewound(self, event: MatchRewound, _position: Position) -> None:
        """Note how far the match is."""
        self._advance(event)

    def was_suspended(self, event: MatchSuspended, _position: Position) -> None:
        """Know that nothing was shown that the log does not have."""
        match = self._advance(event)
        if match is not None:
            match.suspended = True

    def turn_noted(self, event: MatchTurnNoted, position: Position) -> None:
        """Keep how long the turn may still take."""
        match = self._advance(event)
        if match is not None:
            match.turn_left_ms = event.turn_left_ms
            match.turn_noted = position

    def ended(self, event: MatchEnded, _position: Position) -> None:
        """Forget the match; its history stands in the log."""
        self.live.pop(event.match, None)

    def _advance(self, event: MatchEvent) -> Match | None:
        match = self.live.get(event.match)
        if match is not None:
            match.tick = max(match.tick, event.reaches)
        return match


def _whole_turn_ms(turn_s: float | None) -> int | None:
    return None if turn_s is None else round(turn_s * 1000)


def pace_of(game: Game) -> Pace:
    """Say what moves the matches of a game on."""
    if game.tick_hz:
        return "ticks"
    return "turns" if game.ordered else "free"


FOLD = {
    MatchStarted: Matches.started,
    MatchInput: Matches.input,
    MatchOutcome: Matches.outcome,
    MatchCheckpoint: Matches.checkpoint,
    MatchPaused: Matches.paused,
    MatchResumed: Matches.resumed,
    MatchRewound: Matches.rewound,
    MatchSuspended: Matches.was_suspended,
    MatchTurnNoted: Matches.turn_noted,
    MatchEnded: Matches.ended,
}
