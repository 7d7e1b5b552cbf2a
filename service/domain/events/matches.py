"""Events of matches."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType

from service.domain.events.base import Event, FormerVersion, match_stream
from service.domain.ids import MatchId, RoomId, SocketId, UserId

EndReason = Literal["timeup", "finished", "turn_timeout", "left", "forfeit", "abandoned", "void"]
"""By the clock, by a rule, by a turn timeout, since a player left, forfeited, or all of them did.

A match is `void` when its rules failed or this version of them is not available: it has no result.
"""


BY_THE_RULES: frozenset[EndReason] = frozenset({"timeup", "finished", "turn_timeout"})
"""The reasons that the rules of the game decide: a replay must reach the same end."""


Pace = Literal["ticks", "turns", "free"]
"""What advances a match: a fixed tick rate, moves in turns, or moves in any order."""


def room_of(match: MatchId) -> RoomId:
    """Return the room of a match, whose id is that of the room, a dash, and a number."""
    return match.rpartition("-")[0]


class MatchEvent(Event, frozen=True):
    """Base of the events of a match; `tick` is the time on the clock of the match."""

    match: MatchId
    tick: int

    @property
    def reaches(self) -> int:
        """The lowest tick that the match can be at once this event is in the log."""
        return self.tick

    @property
    def stream(self) -> str:
        """The match's own stream, which is all that a replay reads."""
        return match_stream(self.match)

    @property
    def room(self) -> RoomId:
        """The room that the match is played in."""
        return room_of(self.match)


class ClockState(msgspec.Struct, frozen=True, gc=False):
    """The clocks of a match as its rules set them, before any more time is spent."""

    ends_in_ms: int
    """How long they may run, in ms, until the service makes an input of the timeout."""
    clocks_ms: list[int] = []
    """What each seat has left on a clock of its own, in ms; empty without such clocks."""
    running: list[int] = []
    """The seats whose clocks run."""

    def after(self, spent_ms: int) -> list[int]:
        """Return what each seat has left after the clocks have run for `spent_ms`."""
        return [
            max(0, left - spent_ms) if seat in self.running else left
            for seat, left in enumerate(self.clocks_ms)
        ]


class MatchStarted(MatchEvent, frozen=True):
    """A match started. Seed, options and the inputs that follow determine everything in it."""

    type: ClassVar[str] = "match.started"
    schema_version: ClassVar[int] = 2
    needs_level: ClassVar[int] = 3
    former: ClassVar[FormerVersion] = FormerVersion(1, 1, ("clock", "secrets"))
    opens_stream: ClassVar[bool] = True
    game: str
    rules_version: int
    players: list[UserId]
    seed: int
    options: dict[str, Any]
    pace: Pace
    turn_s: float | None
    """The limit of the first turn in seconds, or None without a clock."""
    clock: ClockState | UnsetType = UNSET
    """The clocks of the first turn; not there without any, and in version 1."""
    secrets: Literal["until_end", "always"] | UnsetType = UNSET
    """How long viewers differ in what they may see of the match; not there without secrets."""

    @property
    def has_secrets(self) -> bool:
        """Whether viewers differ in what they may see."""
        return self.secrets is not UNSET


class MatchInput(MatchEvent, frozen=True):
    """A player's input, decided by the rules; it takes effect before `tick` is stepped."""

    type: ClassVar[str] = "match.input"
    schema_version: ClassVar[int] = 3
    needs_level: ClassVar[int] = 3
    former: ClassVar[FormerVersion] = FormerVersion(2, 1, ("spent_ms", "clock", "shown"))
    seat: int
    socket: SocketId | None
    """The socket that sent it; None for an input that the service made, as for a bot or a timeout,
    or when it released the keys of a closed socket."""
    input: msgspec.Raw
    held: dict[SocketId, list[str]] = msgspec.field(default_factory=dict)
    """The keys that each socket of the player holds from now on."""
    spent_ms: int | UnsetType = UNSET
    """How long the clocks of the match ran before it, since the input before it, in ms, as the
    service has measured. It is given to the rules: a player's clock is a sum over such times. Not
    there where no clock ran, and in earlier versions."""
    clock: ClockState | UnsetType = UNSET
    """The clocks after it; not there when none runs."""
    shown: dict[str, msgspec.Raw] | UnsetType = UNSET
    """What viewers are shown in place of `input`, by their keys (see `service.games.sight`).

    JSON null is nothing, and who is not named is shown all of it. Unset in a game without secrets.
    """

    @property
    def hidden_from(self) -> list[str]:
        """The keys of the viewers who are shown nothing of it."""
        return _hidden_from(self.shown)


class MatchOutcome(MatchEvent, frozen=True):
    """An outcome of the step of `tick` that must not be lost, such as a serve or a point."""

    type: ClassVar[str] = "match.outcome"
    schema_version: ClassVar[int] = 2
    needs_level: ClassVar[int] = 3
    former: ClassVar[FormerVersion] = FormerVersion(1, 1, ("shown",))
    outcome: msgspec.Raw
    shown: dict[str, msgspec.Raw] | UnsetType = UNSET
    """What viewers are shown in place of `outcome`, as in `MatchInput`."""

    @property
    def hidden_from(self) -> list[str]:
        """The keys of the viewers who are shown nothing of it."""
        return _hidden_from(self.shown)

    @property
    def reaches(self) -> int:
        """The tick after the one that made it: stepping that one again would repeat the outcome."""
        return self.tick + 1


def _hidden_from(shown: dict[str, msgspec.Raw] | UnsetType) -> list[str]:
    if shown is UNSET:
        return []
    return [viewer for viewer, part in shown.items() if bytes(part) == b"null"]


class MatchCheckpoint(MatchEvent, frozen=True):
    """The state before `tick` is stepped: recovery starts from it, replays verify against it."""

    type: ClassVar[str] = "match.checkpoint"
    state: msgspec.Raw
    hash: str


class MatchPaused(MatchEvent, frozen=True):
    """The match was paused before `tick`, since a player is away."""

    type: ClassVar[str] = "match.paused"
    schema_version: ClassVar[int] = 2
    turn_left_ms: int | None = None
    """What is left of the current turn, in ms; None without a turn clock."""
    spent_ms: list[int] = msgspec.field(default_factory=list)
    """How much pause each seat has used up so far, in this match."""


class MatchResumed(MatchEvent, frozen=True):
    """The match was resumed; `run` counts the resumptions."""

    type: ClassVar[str] = "match.resumed"
    schema_version: ClassVar[int] = 2
    run: int
    spent_ms: list[int] = msgspec.field(default_factory=list)
    """How much pause each seat has used up so far, in this match."""


class MatchRewound(MatchEvent, frozen=True):
    """After a restart the match continues from `tick`, the last one in the log.

    Frames that were shown after it, at most one checkpoint interval, are discarded.
    """

    type: ClassVar[str] = "match.rewound"


class MatchSuspended(MatchEvent, frozen=True):
    """The service was shut down gracefully before `tick`: no frame after it was shown."""

    type: ClassVar[str] = "match.suspended"


class MatchTurnNoted(MatchEvent, frozen=True):
    """The time left of the current turn was logged: after a crash it continues from there."""

    type: ClassVar[str] = "match.turn_noted"
    turn_left_ms: int


class MatchEnded(MatchEvent, frozen=True):
    """The match ended; `winner` is a seat, or None for a draw, an abandoned or a void match."""

    type: ClassVar[str] = "match.ended"
    schema_version: ClassVar[int] = 3
    needs_level: ClassVar[int] = 3
    former: ClassVar[FormerVersion] = FormerVersion(2, 1, ("bots",))
    reason: EndReason
    winner: int | None
    scores: list[int]
    hash: str
    """The hash of the last state, as in a checkpoint; empty for a void match."""
    bots: list[int] | UnsetType = UNSET
    """The seats of bots; not there without any, and in earlier versions."""
