"""Projection of matches: its state, and how it folds events."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from service.domain.events.base import Position
from service.domain.events.matches import (
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
"""Delay of the clock of a match after `game:start`, and after a pause."""


class Match(msgspec.Struct):
    """A live match, as far as the log says."""

    id: MatchId
    game: str
    rules_version: int
    options: RoomOptions
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


def pause_left_ms(match: Match, seat: int, spent_ms: Sequence[int]) -> int | None:
    """Return how much pause `seat` has left, or None when there is no limit."""
    budget_s = match.options.pause_budget_s
    return None if budget_s is None else max(0, round(budget_s * 1000) - spent_ms[seat])


class Matches(msgspec.Struct):
    """The live matches."""

    live: dict[MatchId, Match] = {}

    def on_match_started(self, event: MatchStarted, position: Position) -> None:
        """Keep what a rebuild of the match needs."""
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
            turn_left_ms=_whole_turn_ms(event.turn_s),
            turn_noted=position,
            spent_ms=[0] * len(event.players),
            replay_from=position,
            checkpoint_at=position,
        )

    def on_match_input(self, event: MatchInput, position: Position) -> None:
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

    def on_match_outcome(self, event: MatchOutcome, _position: Position) -> None:
        """Note how far the match is."""
        self._advance(event)

    def on_match_checkpoint(self, event: MatchCheckpoint, position: Position) -> None:
        """Move the start of a rebuild on, to the checkpoint before this one.

        An input for a tick after this checkpoint may stand before it in the log. It never stands
        before the one before, if that was behind all ticks that the log then had.
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
            # Older forms say nothing of times: then it stays at what was known.
            if event.turn_left_ms is not None:
                match.turn_left_ms = event.turn_left_ms
            match.spent_ms = event.spent_ms or match.spent_ms

    def on_match_resumed(self, event: MatchResumed, position: Position) -> None:
        """Go on."""
        match = self._advance(event)
        if match is not None:
            match.paused = False
            match.turn_since = match.turn_noted = position
            match.run = event.run
            match.spent_ms = event.spent_ms or match.spent_ms

    def on_match_rewound(self, event: MatchRewound, _position: Position) -> None:
        """Note how far the match is."""
        self._advance(event)

    def on_match_suspended(self, event: MatchSuspended, _position: Position) -> None:
        """Know that nothing was shown that the log does not have."""
        match = self._advance(event)
        if match is not None:
            match.suspended = True

    def on_match_turn_noted(self, event: MatchTurnNoted, position: Position) -> None:
        """Keep how long the turn may still take."""
        match = self._advance(event)
        if match is not None:
            match.turn_left_ms = event.turn_left_ms
            match.turn_noted = position

    def on_match_ended(self, event: MatchEnded, _position: Position) -> None:
        """Forget the match; its history stands in the log."""
        self.live.pop(event.match, None)

    def _advance(self, event: MatchEvent) -> Match | None:
        match = self.live.get(event.match)
        if match is not None:
            match.tick = max(match.tick, event.reaches)
        return match


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
