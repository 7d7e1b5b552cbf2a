"""Step all live matches in one loop, and publish their states; knows no sockets.

A match never runs past what is committed: an input is in the log before its tick is stepped,
and an outcome before its frame is shown. A slow disk makes ticks late, never wrong.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

from service.domain.commands.ending import FinishMatch, VoidMatch
from service.domain.commands.pauses import PauseAfterRestart
from service.domain.events.matches import (
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
from service.errors import Unavailable
from service.fanout.audience import Audience, Delivery, Sockets, with_spectator_delay
from service.fanout.joining import repeat_join
from service.fanout.match_views import (
    match_paused,
    match_running,
    match_state,
    match_timer,
)
from service.games.protocol import RulesFailed
from service.replay.run import rebuild
from service.runtime.live_match import LiveMatch
from service.runtime.match_recorder import ORIGIN, MatchRecorder
from service.runtime.record import Record
from service.telemetry import Metrics, get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from service.domain.events.base import Event, Position
    from service.domain.ids import MatchId, RoomId, SocketId, UserId
    from service.domain.projections.matches import Match
    from service.domain.projections.room import Room
    from service.games.catalogue import Catalogue
    from service.replay.run import Run
    from service.runtime.engine import Engine
    from service.runtime.live_matches import LiveMatches
    from service.runtime.projector import Publisher

PHASES = 4
"""Matches are spread over so many parts of a tick, so that not all are due at once."""

GRID_HZ = 60
"""How often a phase comes round."""

SLOT_S = 1 / GRID_HZ / PHASES

logger = get_logger(__name__)


CHECKPOINT_INPUTS = 200
"""How many inputs bring a checkpoint, in a game that only inputs bring on."""


class Ticker:
    """All live matches."""

    def __init__(  # noqa: PLR0913 - the parts are given by the composition root
        self,
        engine: Engine,
        matches: LiveMatches,
        games: Catalogue,
        publisher: Publisher,
        *,
        checkpoint_s: float,
        clock: Callable[[], float],
        grace_left_s: Callable[[Room], float | None],
        metrics: Metrics,
    ) -> None:
        """Run matches of `games`; `clock` is monotonic, in seconds.

        `grace_left_s` says how long the players of a room who are away may still be.
        """
        self._grace_left_s = grace_left_s
        self._metrics = metrics
        self._engine = engine
        self._games = games
        self._publisher = publisher
        self._checkpoint_s = checkpoint_s
        self._clock = clock
        self._grid_at = clock()
        self._matches = matches
        self._recorder = MatchRecorder(engine, matches, self._publish_frame, metrics)
        self._phases: list[dict[MatchId, LiveMatch]] = [{} for _ in range(PHASES)]
        self._awake = asyncio.Event()

    async def recover(
        self, read: Callable[[Match], Coroutine[None, None, Sequence[Event]]]
    ) -> None:
        """After a restart, rebuild every live match from its events, and pause it."""
        for match in list(self._engine.world.matches.live.values()):
            events = await read(match)
            try:
                await self._recover_match(match, events)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - it harms this match alone
                self._matches.rules_failed(match.id, error)
                await self._engine.execute(VoidMatch(match.id, match.tick), ORIGIN)

    async def _recover_match(self, match: Match, events: Sequence[Event]) -> None:
        run, unlogged = self._rebuild(match, events)
        live = self._add(match, self._engine.world.rooms.rooms[room_of(match.id)], run)
        live.paused = match.pace != "free"
        # Inputs may be still to come, over which the rules fail; it is not tried later.
        live.ahead()
        is_over = run.game.result(run.state) is not None
        if unlogged:
            await self._engine.execute(Record(unlogged), ORIGIN)
        await self._engine.execute(PauseAfterRestart(match.id), ORIGIN)
        if is_over:
            await self._engine.execute(FinishMatch(match.id), ORIGIN)
        logger.info(
            "match recovered", metadata={"match": match.id, "tick": run.tick, "run": match.run}
        )

    def _rebuild(self, match: Match, events: Sequence[Event]) -> tuple[Run, list[MatchOutcome]]:
        """Bring a match to its last logged tick; raise what its rules raise, or `RulesFailed`."""
        game = self._games.rules(match.game, match.rules_version)
        if game is None:
            raise RulesFailed(
                f"Match {match.id} began with version {match.rules_version} of the rules of "
                f"{match.game}, which is not here."
            )
        return rebuild(match, events, game)

    async def run(self) -> None:
        """Step the matches that are due, until cancelled."""
        slot = 0
        while True:
            if not self._matches:
                self._awake.clear()
                await self._awake.wait()
                # Nothing was due meanwhile, so nothing is late.
                slot = int((self._clock() - self._grid_at) / SLOT_S)
            now = self._clock()
            for command in self._matches.take_failed():
                self._recorder.void(command)
            newest = int((now - self._grid_at) / SLOT_S)
            for due in range(max(slot, newest - PHASES + 1), newest + 1):
                self.advance(due % PHASES, now)
            self._metrics.ticked(max(0.0, self._clock() - self._grid_at - slot * SLOT_S))
            slot = newest + 1
            await asyncio.sleep(max(0.0, self._grid_at + slot * SLOT_S - self._clock()))

    def advance(self, phase: int, now: float) -> None:
        """Step the matches of one phase that are due at `now`."""
        for live in list(self._phases[phase].values()):
            try:
                self._advance_match(live, now)
            except Exception as error:  # noqa: BLE001 - the fault of one game harms no other
                self._matches.fail(live, error)
        self._recorder.write_checkpoints()

    async def stop(self) -> None:
        """Append where each match stands, and stop what is tried again."""
        suspended: list[MatchSuspended] = []
        for live in self._matches:
            if not live.paused and not live.recording and not live.failed:
                try:
                    self._recorder.add_checkpoint(live)
                except Exception as error:  # noqa: BLE001 - the others are written
                    self._matches.rules_failed(live.id, error)
                else:
                    suspended.append(MatchSuspended(match=live.id, tick=live.run.tick))
        await self._recorder.stop([*suspended, *self._turns()])

    def _turns(self) -> Iterator[MatchTurnNoted]:
        """Say of each turn that runs how long it may still take."""
        now = self._clock()
        for live in self._matches:
            left_ms = live.clock.turn_left_ms(now)
            if left_ms is not None and not live.paused:
                yield MatchTurnNoted(match=live.id, tick=live.run.tick, turn_left_ms=left_ms)

    # What has happened

    def observe(self, event: Event, _position: Position) -> None:
        """Apply a committed event to its match."""
        match event:
            case MatchStarted():
                self._start(event)
            case MatchInput() | MatchPaused() | MatchResumed():
                live = self._matches.get(event.match)
                # None: the end was on its way already, and the event takes no effect.
                if live is not None:
                    self._go_on(live, event)
            case MatchEnded():
                self._remove(event.match)
            case SocketClosed():
                self._note_absence(event)
            case SeatTaken() | SpectatorJoined():
                self._welcome(event)
            case _:
                pass

    def _go_on(self, live: LiveMatch, event: MatchInput | MatchPaused | MatchResumed) -> None:
        """Let a committed event take effect in its match."""
        match event:
            case MatchInput():
                try:
                    self._take(live, event)
                except Exception as error:  # noqa: BLE001 - it harms this match alone
                    self._matches.fail(live, error)
            case MatchPaused():
                live.paused = True
                live.clock.pause(self._clock())
            case MatchResumed():
                self._begin(live)

    def _take(self, live: LiveMatch, event: MatchInput) -> None:
        if event.socket is not None:
            live.move_faults.pop(event.seat, None)
        live.add_input(event)
        if live.match.turn_s is not None:
            live.clock.begin_turn(self._clock())
        if live.is_without_ticks and not live.failed:
            self._take_input(live)

    def _start(self, event: MatchStarted) -> None:
        world = self._engine.world
        match = world.matches.live[event.match]
        try:
            run, _ = self._rebuild(match, [event])
            live = self._add(match, world.rooms.rooms[event.room], run)
        except Exception as error:  # noqa: BLE001 - it harms this match alone
            self._matches.rules_failed(event.match, error)
            self._recorder.void(VoidMatch(event.match, 0))
            return
        self._begin(live)
        self._publish_frame(live)

    def _welcome(self, event: SeatTaken | SpectatorJoined) -> None:
        """Show the match to a tab that comes in while it runs."""
        room = self._engine.world.rooms.rooms[event.room]
        seat = room.seat_of(event.user)
        live = self._matches.get(room.match)
        if live is not None and seat is not None:
            live.clock.came_back(seat, self._clock())
        self._show(room, seat, event.socket)

    def _note_absence(self, event: SocketClosed) -> None:
        """Begin to count how long a player has no tab."""
        rooms = self._engine.world.rooms
        room = rooms.rooms.get(rooms.seated.get(event.user, ""))
        live = self._matches.get(room.match) if room else None
        seat = room.seat_of(event.user) if room else None
        if room and live and seat is not None and not room.seats[seat].sockets:
            live.clock.went_away(seat, self._clock())

    def show_again(self, room_id: RoomId, user: UserId, socket: SocketId) -> None:
        """Tell a tab that has come in before all that it was told then."""
        world, profiles = self._engine.world, self._engine.profiles
        room = world.rooms.rooms.get(room_id)
        if room is None or not room.has_joined(user, socket):
            return
        for delivery in list(repeat_join(room, user, socket, world, profiles)):
            self._publisher.publish(delivery)
        self._show(room, room.seat_of(user), socket)

    def _show(self, room: Room, seat: int | None, socket: SocketId) -> None:
        """Send one tab the state of the match in its room at once, if one runs."""
        live = self._matches.get(room.match)
        if live is None or live.failed:
            return
        try:
            self._show_match(live, room, seat, socket)
        except Exception as error:  # noqa: BLE001 - it harms this match alone
            self._matches.fail(live, error)

    def _show_match(self, live: LiveMatch, room: Room, seat: int | None, socket: SocketId) -> None:
        here, remaining_s, profiles = Sockets((socket,)), live.remaining_s, self._engine.profiles
        self._publisher.publish(match_running(here, room, seat, remaining_s, profiles))
        if seat is None and room.options.spectator_delay_s:
            return
        if remaining_s is not None:
            self._publisher.publish(match_timer(here, room, remaining_s))
        self._publisher.publish(self._state(live, here))
        if room.away and live.match.pace != "free":
            now = self._clock()
            paused = match_paused(
                here,
                room,
                live.match,
                turn_left_ms=live.clock.turn_left_ms(now),
                spent_ms=live.clock.spent_ms(now),
                grace_left_s=self._grace_left_s(room),
            )
            self._publisher.publish(paused)

    def _add(self, match: Match, room: Room, run: Run) -> LiveMatch:
        ticks = max(1, round(self._checkpoint_s * run.game.tick_hz))
        live = LiveMatch(match, room, run, ticks if run.game.tick_hz else CHECKPOINT_INPUTS)
        self._matches.add(live)
        if run.game.tick_hz:
            min(self._phases, key=len)[live.id] = live
        self._awake.set()
        return live

    def _remove(self, match: MatchId) -> None:
        self._matches.remove(match)
        for phase in self._phases:
            phase.pop(match, None)

    def _begin(self, live: LiveMatch) -> None:
        """Let a match run after the start delay, at a time when its phase comes round."""
        live.clock.go_on(self._clock())
        if live.is_without_ticks:
            live.paused = False
            return
        phase = next(index for index, phase in enumerate(self._phases) if live.id in phase)
        wanted = self._clock() + START_DELAY_S
        rounds = math.ceil((wanted - self._grid_at) * GRID_HZ)
        # A little early, so that rounding never makes it wait for the next round.
        live.resume(self._grid_at + rounds / GRID_HZ + (phase - 0.5) * SLOT_S)

    # Running

    def _advance_match(self, live: LiveMatch, now: float) -> None:
        stepped = False
        run = live.run
        while live.is_due(now):
            outcomes = live.step(now)
            stepped = True
            if run.game.result(run.state) is not None:
                live.finishing = True
            if outcomes:
                self._recorder.record(live, outcomes)
                return
            if live.finishing:
                self._recorder.finish(live)
            if run.tick % live.checkpoint_ticks == live.checkpoint_phase:
                self._recorder.add_checkpoint(live)
        if stepped:
            self._publish_frame(live)

    def _take_input(self, live: LiveMatch) -> None:
        """Let an input take effect at once, in a game that only inputs bring on."""
        live.run.step()
        if live.run.game.result(live.run.state) is not None and not live.finishing:
            live.finishing = True
            self._recorder.finish(live)
        if live.run.tick % live.checkpoint_ticks == live.checkpoint_phase:
            self._recorder.add_checkpoint(live)
            self._recorder.write_checkpoints()
        if live.match.pace == "turns":
            self._publish_frame(live)

    def _publish_frame(self, live: LiveMatch) -> None:
        """Show where a match stands; it is void when its rules can't say."""
        try:
            self._publish_state(live)
        except Exception as error:  # noqa: BLE001 - it harms this match alone
            self._matches.fail(live, error)

    def _publish_state(self, live: LiveMatch) -> None:
        room = live.room
        remaining_s = live.remaining_s
        if remaining_s is not None and remaining_s != live.last_remaining and not live.paused:
            live.last_remaining = remaining_s
            self._publish_to_room(room, match_timer(live.audience, room, remaining_s))
        self._publish_to_room(room, self._state(live, live.audience))

    def _publish_to_room(self, room: Room, delivery: Delivery) -> None:
        for part in with_spectator_delay(room, delivery):
            self._publisher.publish(part)

    def _state(self, live: LiveMatch, audience: Audience) -> Delivery:
        ends_in_ms = self._turn_ends_in_ms(live)
        return match_state(audience, live.room.id, live.match, live.run, ends_in_ms)

    def _turn_ends_in_ms(self, live: LiveMatch) -> int | UnsetType:
        if live.match.turn_s is None or live.run.game.result(live.run.state) is not None:
            return UNSET
        left_ms = live.clock.turn_left_ms(self._clock())
        return UNSET if left_ms is None else left_ms
