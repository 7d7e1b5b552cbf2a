"""Run the live matches of the rooms that this node owns: recover, take over, hand over.

Ownership follows from the log (`world.nodes`). A node that folds the loss of another one, or a move
of a room, takes over the matches that are its own from then on, and drops those that are not.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from service.domain.commands.ending import FinishMatch, VoidMatch
from service.domain.commands.nodes import MoveRoom
from service.domain.commands.pauses import TakeOver
from service.domain.commands.rooms import LosePlayer, ReleaseKeys
from service.domain.events.base import room_stream
from service.domain.events.matches import MatchStarted, MatchTurnNoted, room_of
from service.domain.events.nodes import NodeLost, NodeStarted
from service.domain.events.operators import OperatorActed
from service.domain.events.presence import SocketClosed
from service.domain.events.rooms import RoomMoved, SpectatorJoined
from service.errors import ClientError, Unavailable
from service.replay.run import checkpoint_of
from service.runtime.match_recorder import LOG_RETRY_S, ORIGIN
from service.runtime.record import Record
from service.tasks import Tasks
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from service.domain.events.base import Event, Position
    from service.domain.ids import MatchId, Owner, RoomId
    from service.domain.projections.matches import Match
    from service.runtime.engine import Engine
    from service.runtime.live_match import LiveMatch
    from service.runtime.live_matches import LiveMatches
    from service.runtime.ticker import Ticker

READS_MAX = 8
"""How many matches are read from the log at once."""

HANDOVERS_MAX = 8
"""How many rooms are handed over at once: their matches stand still meanwhile."""

READ_TIMEOUT_S = 2.0
"""How long reading a match may take; the connection may be half-open."""

_FOLLOWED = frozenset(
    (
        NodeLost,
        NodeStarted,
        RoomMoved,
        MatchStarted,
        OperatorActed,
        SocketClosed,
        SpectatorJoined,
    )
)

logger = get_logger(__name__)


class MatchOwnership:
    """Gives the ticker the live matches that this node owns, and takes away all others."""

    def __init__(
        self,
        engine: Engine,
        matches: LiveMatches,
        ticker: Ticker,
        read: Callable[[Match], Coroutine[None, None, Sequence[Event]]],
        clock: Callable[[], float],
    ) -> None:
        """Rebuild matches by `read`, which returns the events since their last checkpoint.

        `clock` is monotonic, in seconds.
        """
        self._engine = engine
        self._world = engine.world
        self._matches = matches
        self._ticker = ticker
        self._read = read
        self._clock = clock
        self._tasks = Tasks()
        self._reads = asyncio.Semaphore(READS_MAX)
        self._is_started = False

    async def recover(self) -> None:
        """After the start of this node, rebuild its live matches, and pause them.

        A match that can't be rebuilt is ended as void. Raises `Unavailable` when the log can't be
        written, and what reading it raises.
        """
        self._is_started = True
        for match in self._missing():
            self._matches.expect(room_of(match))
            await self._take_over(match, moved=False)

    async def stop(self) -> None:
        """Take over no more."""
        await self._tasks.stop()

    def observe(self, event: Event, position: Position) -> None:
        """Follow the owners of rooms, and the players of live matches on other nodes."""
        if type(event) not in _FOLLOWED:
            # Nearly all events.
            return
        match event:
            case NodeLost() | NodeStarted():
                self._follow_nodes(position)
            case RoomMoved():
                self._follow_move(event)
            case MatchStarted():
                self._follow_start(event)
            case OperatorActed(action="fork", match=str(match)) if self._owns(room_of(match)):
                # It does not begin at its start.
                self._ticker.remove(match)
                self._begin(match, moved=False)
            case SocketClosed() | SpectatorJoined() if len(self._world.nodes.live) > 1:
                self._follow_socket(event, position)
            case _:
                pass

    async def hand_over(self, room: RoomId, to: Owner) -> bool:
        """Move a room, with its live match, to another node; return whether it was moved.

        The match stands still until the other node goes on. Raises `Unavailable` when the log can't
        be written.
        """
        is_moved = False
        try:
            done = await self._engine.execute(MoveRoom(room, to, partial(self._stop, room)), ORIGIN)
            is_moved = bool(done.events)
        finally:
            live = self._live_in(room)
            if live is not None and not is_moved:
                self._ticker.go_on(live)
        return is_moved

    async def hand_over_all(self) -> int:
        """Hand all rooms of this node over to their heirs; return how many no other node takes.

        The node has to drain: else it gets new rooms meanwhile.
        """
        nodes, node = self._world.nodes, self._engine.context.node
        while True:
            owned = [room for room, owner in nodes.owners.items() if owner == node]
            moved = 0
            for start in range(0, len(owned), HANDOVERS_MAX):
                part = owned[start : start + HANDOVERS_MAX]
                moved += sum(await asyncio.gather(*map(self._hand_over_to_heir, part)))
            if not moved:
                return len(owned)

    async def _hand_over_to_heir(self, room: RoomId) -> bool:
        node = self._engine.context.node
        heir = self._world.nodes.heir_of(room, excluding=node.node)
        try:
            return heir is not None and await self.hand_over(room, heir)
        except Unavailable:
            return False

    def _stop(self, room: RoomId) -> Sequence[Event]:
        """Stop the live match of a room, if any, and return where it stands."""
        live = self._live_in(room)
        if live is None or live.failed:
            return ()
        live.pause()
        return list(self._last_words(live))

    def _live_in(self, room: RoomId) -> LiveMatch | None:
        known = self._world.rooms.rooms.get(room)
        return None if known is None else self._matches.get(known.match)

    def _last_words(self, live: LiveMatch) -> Iterator[Event]:
        """Return where a match stands: no frame after this was shown."""
        yield checkpoint_of(live.id, live.run)
        left_ms = live.clock.turn_left_ms(self._clock())
        if left_ms is not None and not live.match.paused:
            yield MatchTurnNoted(match=live.id, tick=live.run.tick, turn_left_ms=left_ms)

    def _owns(self, room: RoomId) -> bool:
        nodes = self._world.nodes
        return nodes.responsible_for({room_stream(room)}) == self._engine.context.node

    def _missing(self) -> list[MatchId]:
        """Return the matches of this node that it does not run yet."""
        return [
            match
            for match in self._world.matches.live
            if self._owns(room_of(match))
            and self._matches.get(match) is None
            and not self._matches.is_expected(room_of(match))
        ]

    def _follow_nodes(self, position: Position) -> None:
        if not self._is_started:
            return
        for live in list(self._matches):
            if self._owns(live.room.id):
                self._follow_losses(live, position)
            else:
                self._ticker.remove(live.id)
        for match in self._missing():
            self._begin(match, moved=False)

    def _follow_move(self, event: RoomMoved) -> None:
        match = self._world.rooms.rooms[event.room].match
        if match is None or not self._is_started:
            return
        if not self._owns(event.room):
            self._ticker.remove(match)
        elif self._matches.get(match) is None and not self._matches.is_expected(event.room):
            self._begin(match, moved=True)

    def _follow_start(self, event: MatchStarted) -> None:
        """Hand a match over that another node has begun, by rules that this one does not run."""
        if self._matches.get(event.match) is None and self._owns(event.room):
            to = self._world.nodes.abler_than(self._engine.context.node, event.room)
            if to is not None:
                self._tasks.spawn(self._hand_over_at_last(event.room, to))

    async def _hand_over_at_last(self, room: RoomId, to: Owner) -> None:
        """Hand a room over, however long the log can't be written; another one may take it."""
        while self._owns(room):
            try:
                await self.hand_over(room, to)
            except Unavailable:
                await asyncio.sleep(LOG_RETRY_S)
            else:
                return

    def _follow_losses(self, live: LiveMatch, position: Position) -> None:
        """Pause a match for the players, and release the keys, of the sockets of a lost node."""
        room = live.room
        for index in room.staying:
            seat = room.seats[index]
            if seat.user is not None and seat.away_since == position:
                self._spawn(LosePlayer(live.id, seat.user, position))
        for index, held in live.held().items():
            user = room.seats[index].user
            for tab in held:
                if user is not None and tab not in room.seats[index].sockets:
                    self._spawn(ReleaseKeys(live.id, user, tab))

    def _follow_socket(self, event: SocketClosed | SpectatorJoined, position: Position) -> None:
        """Decide for a match what another node could not, since it does not own the room."""
        room = self._world.rooms.rooms.get(self._world.rooms.seated.get(event.user, ""))
        live = self._matches.get(room.match) if room is not None else None
        index = room.seat_of(event.user) if room is not None else None
        if room is None or live is None or index is None:
            return
        if isinstance(event, SocketClosed) and room.seats[index].away_since == position:
            self._spawn(LosePlayer(live.id, event.user, position))
        elif event.socket in live.held().get(index, {}):
            self._spawn(ReleaseKeys(live.id, event.user, event.socket))

    def _begin(self, match: MatchId, *, moved: bool) -> None:
        """Take a match over in the background."""
        self._matches.expect(room_of(match))
        self._tasks.spawn(self._keep_taking_over(match, moved=moved))

    async def _keep_taking_over(self, match: MatchId, *, moved: bool) -> None:
        """Take a match over, however long the database can't be used."""
        is_told = False
        while True:
            try:
                await self._take_over(match, moved=moved, timeout_s=READ_TIMEOUT_S)
            except Exception as error:  # noqa: BLE001 - the players wait for it
                if not is_told:
                    what = {"match": match, "reason": repr(error)}
                    logger.warning("match not taken over yet", metadata=what)
                is_told = True
                self._ticker.remove(match)
                self._matches.expect(room_of(match))
                await asyncio.sleep(LOG_RETRY_S)
            else:
                return

    async def _take_over(
        self, match_id: MatchId, *, moved: bool, timeout_s: float | None = None
    ) -> None:
        """Read a match of this node from the log, in this time, and continue it.

        One that can't be rebuilt is ended as void. Raises what reading raises, or `Unavailable`.
        """
        match = self._world.matches.live.get(match_id)
        events: Sequence[Event] = ()
        if match is not None:
            async with self._reads, asyncio.timeout(timeout_s):
                events = await self._read(match)
        if match is None or match_id not in self._world.matches.live or not self._owns_match(match):
            self._matches.expect_no_longer(room_of(match_id))
            return
        try:
            await self._continue(match, events, moved=moved)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - it harms this match alone
            self._matches.expect_no_longer(room_of(match_id))
            self._matches.rules_failed(match.id, error)
            await self._engine.execute(VoidMatch(match.id, match.tick), ORIGIN)

    def _owns_match(self, match: Match) -> bool:
        return self._owns(room_of(match.id))

    async def _continue(self, match: Match, events: Sequence[Event], *, moved: bool) -> None:
        run, unlogged = self._ticker.rebuild(match, events, is_lost=not moved)
        live = self._ticker.add(match, self._world.rooms.rooms[room_of(match.id)], run)
        live.paused = match.pace != "free"
        self._measure_absences(live)
        # Inputs of later ticks may be queued, over which the rules may fail: better now.
        live.ahead()
        is_over = run.game.result(run.state) is not None
        if unlogged:
            await self._engine.execute(Record(unlogged), ORIGIN)
        if moved and not match.paused:
            live.clock.begin_turn(self._clock())
            self._ticker.go_on(live)
            self._follow_absences(live)
        else:
            await self._engine.execute(TakeOver(match.id), ORIGIN)
            if self._matches.get(match.id) is live:
                self._ticker.show(live)
        if is_over:
            await self._engine.execute(FinishMatch(match.id), ORIGIN)
        logger.info(
            "match recovered", metadata={"match": match.id, "tick": run.tick, "run": match.run}
        )

    def _measure_absences(self, live: LiveMatch) -> None:
        """Go on to measure how long players are away; time without a service is not measured."""
        for index in live.room.staying:
            seat = live.room.seats[index]
            if seat.away_since is not None and not seat.excused:
                live.clock.player_left(index, self._clock())

    def _follow_absences(self, live: LiveMatch) -> None:
        """Pause a match that was moved for the players whom its earlier owner did not miss yet."""
        for index in live.room.staying:
            seat = live.room.seats[index]
            if seat.user is not None and seat.away_since is not None:
                self._spawn(LosePlayer(live.id, seat.user, seat.away_since))

    def _spawn(self, command: LosePlayer | ReleaseKeys) -> None:
        """Carry a command out, but not within the fold of the events that it follows from."""
        self._tasks.spawn(self._carry_out(command))

    async def _carry_out(self, command: LosePlayer | ReleaseKeys) -> None:
        """Carry a command out, for as long as its match is live here."""
        while self._matches.get(command.match) is not None:
            try:
                await self._engine.execute(command, ORIGIN)
            except Unavailable:
                await asyncio.sleep(LOG_RETRY_S)
            except ClientError:
                # A fault, which the engine has logged.
                return
            else:
                return
