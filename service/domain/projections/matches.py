"""Projection of matches: its state, and how it folds events."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from service.domain.events.base import Position
from service.domain.events.matches import (
    ClockState,
    MatchCheckpoint,
    MatchEnded,
    MatchEvent,
    MatchInput,
    MatchOutcome,
    MatchPaused,
    MatchResumed,
    MatchRewound,
    MatchStarted,
    MatchSuspended,
    MatchTurnNoted,
    Pace,
)
from service.domain.ids import MatchId, SocketId, UserId
from service.domain.projections.room_options import RoomOptions

START_DELAY_S = 1
"""Seconds between `game:start`, or the end of a pause, and the first tick."""


class Match(msgspec.Struct):
    """A live match as far as it is logged; the ticker has its current state."""

    id: MatchId
    game: str
    rules_version: int
    options: RoomOptions
    players: list[UserId]
    seed: int
    pace: Pace
    turn_s: float | None = None
    turn_since: Position = 0
    """The event that started or continued the current turn."""
    turn_left_ms: int | None = None
    """What was left of the turn, in ms, at `turn_noted`; None while no clock runs."""
    turn_noted: Position = 0
    """The event that logged `turn_left_ms`."""
    clock: ClockState | None = None
    """The clocks at the last input, or at the start; None without any."""
    spent_ms: list[int] = []
    """The pause that each seat has used up, in ms."""
    paused_at: Position = 0
    """The latest pause event; there is one more for each further player who is lost."""
    run: int = 0
    paused: bool = False
    tick: int = 0
    """The last logged tick: the match continues from it after a crash."""
    replay_from: Position = 0
    """A rebuild reads the log from here: a checkpoint, and every input that follows it."""
    checkpoint_at: Position = 0
    covered_tick: int = 0
    """Upper bound of the ticks of all events before `checkpoint_at`."""
    suspended: bool = False
    """Whether the service was shut down gracefully: the match continues without a rewind."""
    pressing: dict[int, dict[SocketId, list[str]]] = {}
    """The keys that each seat holds, by socket."""
    rewound: bool = False
    """Whether frames of its run were discarded: the next run has begun, though it is paused."""
    has_secrets: bool = False
    """Whether viewers differ in what they may see."""
    hidden: dict[str, int] = {}
    """How many inputs each viewer was shown nothing of, in a game without ticks with secrets."""

    @property
    def shown_run(self) -> int:
        """The run that clients are shown: within a run, the tick never falls."""
        return self.run + self.rewound

    def clocks_ms(self, turn_left_ms: int | None) -> list[int]:
        """Return what each seat has left on its clock when so much of the turn is left.

        Empty in a match without clocks per seat.
        """
        clock = self.clock
        if clock is None or not clock.clocks_ms:
            return []
        spent_ms = 0 if turn_left_ms is None else clock.ends_in_ms - turn_left_ms
        # After a crash more may be left than at the last input, which nothing was noted of.
        return clock.after(max(0, spent_ms))

    def tick_shown(self, viewer: str, tick: int) -> int:
        """Return what a viewer is told that the latest tick is; `viewer` is their key.

        Where each input takes a tick, an input that is hidden from them takes none.
        """
        return tick - self.hidden.get(viewer, 0)


def pause_left_ms(match: Match, seat: int, spent_ms: Sequence[int]) -> int | None:
    """Return the pause budget that `seat` has left, in ms, or None without a limit."""
    budget_s = match.options.pause_budget_s
    return None if budget_s is None else max(0, round(budget_s * 1000) - spent_ms[seat])


class Matches(msgspec.Struct):
    """The live matches by id."""

    live: dict[MatchId, Match] = {}

    def on_match_started(self, event: MatchStarted, position: Position) -> None:
        """Add the match, with what a rebuild needs."""
        self.live[event.match] = Match(
            id=event.match,
            game=event.game,
            rules_version=event.rules_version,
            options=RoomOptions.read(event.options),
            players=event.players,
            seed=event.seed,
            pace=event.pace,
            turn_s=event.turn_s,
            turn_since=position,
            turn_left_ms=(event.clock.ends_in_ms if event.clock else _whole_turn_ms(event.turn_s)),
            turn_noted=position,
            clock=event.clock or None,
            spent_ms=[0] * len(event.players),
            replay_from=position,
            checkpoint_at=position,
            has_secrets=event.has_secrets,
        )

    def on_match_input(self, event: MatchInput, position: Position) -> None:
        """Record the keys that the seat holds, and start the next turn."""
        match = self._advance(event)
        if match is None:
            return
        if not (match.has_secrets and event.hidden_from and _goes_on(match.clock, event)):
            match.turn_since = match.turn_noted = position
            match.turn_left_ms = _left_ms(match, event)
        if event.spent_ms is not UNSET:
            match.clock = event.clock or None
        if event.held:
            match.pressing[event.seat] = event.held
        elif match.pressing:
            match.pressing.pop(event.seat, None)
        if match.has_secrets and match.pace != "ticks":
            for viewer in event.hidden_from:
                match.hidden[viewer] = match.hidden.get(viewer, 0) + 1

    def on_match_outcome(self, event: MatchOutcome, _position: Position) -> None:
        """Record the tick."""
        self._advance(event)

    def on_match_checkpoint(self, event: MatchCheckpoint, position: Position) -> None:
        """Let a rebuild start from the previous checkpoint.

        It cannot start from this one: an input for a later tick may precede it in the log. Such an
        input never precedes the previous checkpoint, if that covered all ticks logged before it.
        """
        match = self.live.get(event.match)
        if match is not None and event.tick > match.covered_tick:
            match.replay_from, match.checkpoint_at = match.checkpoint_at, position
            match.covered_tick = match.tick
        self._advance(event)

    def on_match_paused(self, event: MatchPaused, position: Position) -> None:
        """Pause the match."""
        match = self._advance(event)
        if match is not None:
            match.paused = True
            match.suspended = False
            match.paused_at = position
            match.pressing = {}
            # Events of schema version 1 have no times: the known ones stay.
            if event.turn_left_ms is not None:
                match.turn_left_ms = event.turn_left_ms
            match.spent_ms = event.spent_ms or match.spent_ms

    def on_match_resumed(self, event: MatchResumed, position: Position) -> None:
        """Resume the match."""
        match = self._advance(event)
        if match is not None:
            match.paused = match.suspended = match.rewound = False
            match.turn_since = match.turn_noted = position
            match.run = event.run
            match.spent_ms = event.spent_ms or match.spent_ms

    def on_match_rewound(self, event: MatchRewound, _position: Position) -> None:
        """Record the tick, and that frames after it were discarded."""
        match = self._advance(event)
        if match is not None:
            match.rewound = True

    def on_match_suspended(self, event: MatchSuspended, _position: Position) -> None:
        """Record that every frame shown is covered by the log."""
        match = self._advance(event)
        if match is not None:
            match.suspended = True

    def on_match_turn_noted(self, event: MatchTurnNoted, position: Position) -> None:
        """Record what is left of the turn."""
        match = self._advance(event)
        if match is not None:
            match.turn_left_ms = event.turn_left_ms
            match.turn_noted = position

    def on_match_ended(self, event: MatchEnded, _position: Position) -> None:
        """Remove the match; the match history keeps it."""
        self.live.pop(event.match, None)

    def _advance(self, event: MatchEvent) -> Match | None:
        match = self.live.get(event.match)
        if match is not None:
            reached = event.reaches
            # Not `max`, which takes a third more time for most events of a log.
            if reached > match.tick:  # noqa: PLR1730 - as above
                match.tick = reached
        return match


def _goes_on(clock: ClockState | None, event: MatchInput) -> bool:
    """Return whether a turn goes on after an input, as a phase in which others have yet to move.

    Of a hidden one nothing is noted then: after a crash, what is left would tell when it was made.
    """
    if clock is None or not event.clock or event.spent_ms is UNSET:
        return False
    return event.clock.ends_in_ms == clock.ends_in_ms - event.spent_ms


def _left_ms(match: Match, event: MatchInput) -> int | None:
    """Return what is left of the turn that begins with an input."""
    if event.spent_ms is UNSET:
        return _whole_turn_ms(match.turn_s)
    return event.clock.ends_in_ms if event.clock else None


def _whole_turn_ms(turn_s: float | None) -> int | None:
    return None if turn_s is None else round(turn_s * 1000)


FOLD = {
    MatchStarted: Matches.on_match_started,
    MatchInput: Matches.on_match_input,
    MatchOutcome: Matches.on_match_outcome,
    MatchCheckpoint: Matches.on_match_checkpoint,
    MatchPaused: Matches.on_match_paused,
    MatchResumed: Matches.on_match_resumed,
    MatchRewound: Matches.on_match_rewound,
    MatchSuspended: Matches.on_match_suspended,
    MatchTurnNoted: Matches.on_match_turn_noted,
    MatchEnded: Matches.on_match_ended,
}
