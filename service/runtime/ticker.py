"""Step all live matches in one loop.

A match never runs past what is committed: an input is in the log before its tick is stepped,
and an outcome before its frame is published. A slow disk therefore only delays ticks.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from service.domain.commands.ending import VoidMatch
from service.domain.events.matches import (
    MatchCheckpoint,
    MatchEnded,
    MatchInput,
    MatchOutcome,
    MatchPaused,
    MatchResumed,
    MatchStarted,
    MatchSuspended,
    MatchTurnNoted,
    room_of,
)
from service.domain.events.presence import SocketClosed
from service.domain.events.rooms import SeatTaken, SpectatorJoined
from service.domain.projections.matches import START_DELAY_S
from service.games.protocol import RulesFailed
from service.replay.run import rebuild
from service.runtime.live_match import LiveMatch, checkpoint_phase
from service.runtime.match_recorder import MatchRecorder
from service.runtime.tick_slots import TickSlots
from service.telemetry import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from service.domain.events.base import Event, Position
    from service.domain.ids import MatchId
    from service.domain.projections.matches import Match
    from service.domain.projections.room import Room
    from service.games.catalogue import Catalogue
    from service.games.protocol import Game
    from service.replay.run import Run
    from service.runtime.engine import Engine
    from service.runtime.live_matches import LiveMatches
    from service.runtime.match_publisher import MatchPublisher

CHECKPOINT_INPUTS = 200
"""Inputs between two checkpoints, in a game without ticks."""


class Ticker:
    """Runs live matches: steps those with ticks, and applies committed events."""

    def __init__(  # noqa: PLR0913 - the parts are given by the composition root
        self,
        engine: Engine,
        matches: LiveMatches,
        games: Catalogue,
        publisher: MatchPublisher,
        *,
        checkpoint_s: float,
        clock: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        """Run matches of `games`; `clock` is monotonic, in seconds.

        A match with ticks gets a checkpoint every `checkpoint_s`.
        """
        self._metrics = metrics
        self._engine = engine
        self._games = games
        self._publisher = publisher
        self._checkpoint_s = checkpoint_s
        self._clock = clock
        self.lateness_s = 0.0
        """How late the last due matches were stepped, in seconds; 0 while none is to be stepped."""
        self._matches = matches
        self._recorder = MatchRecorder(engine, matches, self._recorded, metrics)
        self._slots = TickSlots(clock())

    def rebuild(
        self, match: Match, events: Sequence[Event], *, is_lost: bool = False
    ) -> tuple[Run, list[MatchOutcome]]:
        """Rebuild a match at its last logged tick; raise what its rules raise, or `RulesFailed`.

        In a match with ticks and secrets that may be one of a hidden input or outcome, and would
        tell of it. Where its node `is_lost` it goes on from the tick of the next checkpoint.
        """
        game = self._games.rules(match.game, match.rules_version, match.id)
        if game is None:
            raise RulesFailed(
                f"Match {match.id} began with version {match.rules_version} of the rules of "
                f"{match.game}, which is not here."
            )
        later = 0
        if is_lost and match.has_secrets and not (match.paused or match.suspended):
            later = self._next_checkpoint(match, events, game)
        return rebuild(match, events, game, later)

    def _next_checkpoint(self, match: Match, events: Sequence[Event], game: Game) -> int:
        """Return the tick of the first checkpoint that is not in the log, though all else is."""
        ticks = self._checkpoint_ticks(game)
        phase = checkpoint_phase(self._engine.world.rooms.rooms[room_of(match.id)], ticks)
        logged = (one.tick for one in events if isinstance(one, MatchCheckpoint))
        least = max(match.tick, 1 + max(logged, default=0))
        return least + (phase - least) % ticks

    def _checkpoint_ticks(self, game: Game) -> int:
        """Return how many ticks lie between two checkpoints; without ticks, how many inputs."""
        ticks = max(1, round(self._checkpoint_s * game.tick_hz))
        return ticks if game.tick_hz else CHECKPOINT_INPUTS

    async def run(self) -> None:
        """Step the matches that are due, until cancelled."""
        while True:
            self._void_failed()
            for phase in self._slots.phases_due(self._clock()):
                due_at = self._slots.visit_at(phase)
                self.advance(phase, self._clock())
                self.lateness_s = max(0.0, self._clock() - due_at)
                self._metrics.ticked(self.lateness_s)
            next_visit = self._slots.next_visit
            if next_visit == math.inf:
                self.lateness_s = 0.0
            await self._matches.alarm.wait_until(next_visit)

    def _void_failed(self) -> None:
        for command in self._matches.take_failed():
            self._recorder.void(command)

    def advance(self, phase: int, now: float) -> None:
        """Step the matches of one phase that are due at `now`."""
        needs_commit = False
        for live in self._slots.due(phase, now):
            self._advance(live, now)
            needs_commit |= live.is_overdue or live.recording
        self._recorder.write_checkpoints()
        if needs_commit:
            # Before the frames of this visit are written, so that the commit begins meanwhile.
            self._engine.hurry()

    def _advance(self, live: LiveMatch, now: float) -> None:
        """Step a match; if its rules fail it is ended as void."""
        try:
            self._advance_match(live, now)
        except Exception as error:  # noqa: BLE001 - the fault of one game harms no other
            self._matches.fail(live, error)
        live.is_overdue = live.wake_at <= now

    def _recorded(self, live: LiveMatch, outcomes: Sequence[MatchOutcome]) -> None:
        """Publish the frame of outcomes that are committed, and step what has become due."""
        if live.views is None or live.finishing:
            self._publisher.publish_frame(live)
        else:
            self._publisher.publish_outcomes(live, live.views, outcomes)
            if live.run.tick % live.checkpoint_ticks == live.checkpoint_phase:
                # One that is missing would tell of an outcome that is hidden.
                self._record_checkpoint(live)
        self._advance_late(live)

    def _record_checkpoint(self, live: LiveMatch) -> None:
        try:
            self._recorder.add_checkpoint(live)
        except Exception as error:  # noqa: BLE001 - it harms this match alone
            self._matches.fail(live, error)
        self._recorder.write_checkpoints()

    def _advance_late(self, live: LiveMatch) -> None:
        """Step a match that waited for a commit at its visit.

        One that is due but not visited yet is left to its visit: its frame would come before its
        time, and the next one would seem late.
        """
        if live.is_overdue:
            self._advance(live, self._clock())
            self._recorder.write_checkpoints()
            self._slots.plan(live)

    async def stop(self) -> None:
        """Append a checkpoint of each running match, and what is left of each turn."""
        suspended: list[MatchSuspended] = []
        for live in self._matches:
            if not live.paused and not live.recording and not live.failed:
                try:
                    self._recorder.add_checkpoint(live)
                except Exception as error:  # noqa: BLE001 - the others are written
                    self._matches.rules_failed(live.id, error)
                else:
                    suspended.append(MatchSuspended(match=live.id, tick=live.run.tick))
        await self._recorder.stop([*suspended, *self._running_turns()])

    def _running_turns(self) -> Iterator[MatchTurnNoted]:
        """Return how much time is left of each turn whose clock runs."""
        now = self._clock()
        for live in self._matches:
            left_ms = live.clock.turn_left_ms(now)
            if left_ms is not None and not live.paused:
                yield MatchTurnNoted(match=live.id, tick=live.run.tick, turn_left_ms=left_ms)

    def observe(self, event: Event, _position: Position) -> None:
        """Apply a committed event to its match."""
        match event:
            case MatchStarted():
                self._start(event)
            case MatchInput() | MatchPaused() | MatchResumed():
                live = self._matches.get(event.match)
                # None: the match has ended in the same commit, and the event has no effect.
                if live is not None:
                    self._apply(live, event)
            case MatchEnded():
                self.remove(event.match)
            case SocketClosed():
                self._player_left(event)
            case SeatTaken() | SpectatorJoined():
                self._show_to_joining(event)
            case _:
                pass

    def _apply(self, live: LiveMatch, event: MatchInput | MatchPaused | MatchResumed) -> None:
        """Apply a committed event to a live match."""
        match event:
            case MatchInput():
                try:
                    self._apply_input(live, event)
                except Exception as error:  # noqa: BLE001 - it harms this match alone
                    self._matches.fail(live, error)
            case MatchPaused():
                live.pause()
                live.clock.pause(self._clock())
                self._publisher.publish_newest(live)
            case MatchResumed():
                self._resume(live)

    def _apply_input(self, live: LiveMatch, event: MatchInput) -> None:
        if event.socket is not None:
            live.move_faults.pop(event.seat, None)
        live.add_input(event)
        if live.match.pace == "turns":
            live.clock.take_input(event.spent_ms, self._clock())
        if not live.is_stepped_by_inputs:
            self._advance_late(live)
        elif not live.failed:
            self._step_by_input(live, event)

    def _start(self, event: MatchStarted) -> None:
        world = self._engine.world
        nodes, node = world.nodes, self._engine.context.node
        if nodes.is_elsewhere(event.room, node):
            return
        if self._games.rules(
            event.game, event.rules_version, event.match
        ) is None and nodes.abler_than(node, event.room):
            # The room is handed over.
            return
        match = world.matches.live[event.match]
        try:
            run, _ = self.rebuild(match, [event])
            live = self.add(match, world.rooms.rooms[event.room], run)
        except Exception as error:  # noqa: BLE001 - it harms this match alone
            self._matches.rules_failed(event.match, error)
            self._recorder.void(VoidMatch(event.match, 0))
            return
        self._resume(live)
        self._publisher.publish_frame(live)

    def _show_to_joining(self, event: SeatTaken | SpectatorJoined) -> None:
        """Show the live match of a room to a socket that joins the room."""
        room = self._engine.world.rooms.rooms[event.room]
        seat = room.seat_of(event.user)
        live = self._matches.get(room.match)
        if live is not None and seat is not None:
            live.clock.player_returned(seat, self._clock())
        self._publisher.show(room, seat, event.socket)

    def _player_left(self, event: SocketClosed) -> None:
        """Start to measure how long a player has no socket in the room."""
        rooms = self._engine.world.rooms
        room = rooms.rooms.get(rooms.seated.get(event.user, ""))
        live = self._matches.get(room.match) if room else None
        seat = room.seat_of(event.user) if room else None
        if room and live and seat is not None and not room.seats[seat].sockets:
            live.clock.player_left(seat, self._clock())

    def add(self, match: Match, room: Room, run: Run) -> LiveMatch:
        """Add a match, which stands still until `go_on`, or until it is resumed by an event."""
        live = LiveMatch(match, room, run, self._checkpoint_ticks(run.game))
        self._matches.add(live)
        if run.game.tick_hz:
            live.wanted = self._publisher.frame_rates(room)
            self._slots.add(live)
        return live

    def remove(self, match: MatchId) -> None:
        """Remove a match that has ended, or that another node runs from now on, if it is here."""
        self._matches.remove(match)
        self._slots.remove(match)

    def go_on(self, live: LiveMatch) -> None:
        """Step a match from now on, without a start delay and without an event."""
        if not live.match.paused:
            self._step_after(live, 0)

    def show(self, live: LiveMatch) -> None:
        """Publish the state of a match that is about to go on, before its first step."""
        if not live.match.paused and live.match.pace != "free":
            self._publisher.publish_frame(live)

    def _resume(self, live: LiveMatch) -> None:
        """Step a match after the start delay."""
        live.clock.resume(self._clock())
        self._step_after(live, START_DELAY_S)

    def _step_after(self, live: LiveMatch, delay_s: float) -> None:
        """Step a match from when its phase comes round after a delay."""
        if live.is_stepped_by_inputs:
            live.paused = False
            return
        now = self._clock()
        self._slots.resume(live, now + delay_s)
        self._slots.visit_soon(live, now)
        self._matches.alarm.ring()

    def _advance_match(self, live: LiveMatch, now: float) -> None:
        """Step the ticks of a match that are due, and publish one frame of them.

        A step with outcomes is the last one for now: its frame is published after their commit,
        at all frame rates, as is that of the last step of a match.
        """
        stepped = False
        run = live.run
        while live.is_due(now):
            outcomes = live.step(now)
            stepped = True
            if run.game.result(run.state) is not None:
                live.finishing = True
            if outcomes:
                self._recorder.record(live, outcomes)
                stepped = False
                break
            if live.finishing:
                self._recorder.finish(live)
            if run.tick % live.checkpoint_ticks == live.checkpoint_phase:
                self._recorder.add_checkpoint(live)
        if stepped and live.finishing:
            self._publisher.publish_frame(live)
        elif stepped:
            self._publisher.publish_tick(live)
        live.plan_wake()

    def _step_by_input(self, live: LiveMatch, event: MatchInput) -> None:
        """Step a game without ticks, where each input advances the match by one."""
        before = live.all_views()
        live.run.step()
        if live.run.game.result(live.run.state) is not None and not live.finishing:
            live.finishing = True
            self._recorder.finish(live)
        if live.run.tick % live.checkpoint_ticks == live.checkpoint_phase:
            self._recorder.add_checkpoint(live)
            self._recorder.write_checkpoints()
        if live.match.pace != "turns":
            return
        if live.views is None or live.finishing:
            self._publisher.publish_frame(live)
        else:
            self._publisher.publish_input(live, event, before)
