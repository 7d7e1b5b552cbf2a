"""All live matches of this process, and what commands need to know of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from service.domain.commands.base import MatchSnapshot
from service.domain.commands.ending import VoidMatch
from service.domain.events.base import room_stream
from service.domain.events.matches import MatchCheckpoint, MatchInput
from service.domain.ids import is_bot
from service.errors import Unavailable
from service.replay.run import state_hash
from service.runtime.alarm import Alarm
from service.telemetry import Metrics, note_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from service.domain.events.base import Event
    from service.domain.events.matches import MatchEvent
    from service.domain.ids import MatchId, RoomId
    from service.runtime.live_match import LiveMatch, MatchHold

MOVE_FAULTS_MAX = 3
"""A match is void after so many moves in a row of one seat over which its rules failed."""

GROUP_S = 0.05
"""How long inputs and checkpoints may wait, to be committed with other events."""


class LiveMatches:
    """The registry of live matches: the gate of the engine, and the source of match snapshots.

    It executes nothing, so that the engine can be built on it. Matches whose rules have failed are
    only marked here; the ticker ends them.
    """

    def __init__(self, clock: Callable[[], float], metrics: Metrics) -> None:
        """Start empty; `clock` is monotonic, in seconds."""
        self._clock = clock
        self._metrics = metrics
        self._matches: dict[MatchId, LiveMatch] = {}
        self._by_stream: dict[str, LiveMatch] = {}
        """The matches by the stream of their room."""
        self._failed: list[VoidMatch] = []
        self._with_bots: dict[MatchId, LiveMatch] = {}
        self.bots_play = asyncio.Event()
        """Set while bots play in any of them."""
        self.alarm = Alarm(clock)
        """Rings when a match has failed or is resumed, for the ticker."""
        self._expected: dict[str, asyncio.Event] = {}
        """The streams of rooms whose matches are being taken over."""

    def __len__(self) -> int:
        """Return their number."""
        return len(self._matches)

    def __iter__(self) -> Iterator[LiveMatch]:
        """Iterate over them; none may be added or removed meanwhile."""
        return iter(self._matches.values())

    def get(self, match: MatchId | None) -> LiveMatch | None:
        """Return a match, or None when it is not live."""
        return None if match is None else self._matches.get(match)

    def add(self, live: LiveMatch) -> None:
        """Add a match that has begun or was rebuilt."""
        self._matches[live.id] = live
        self._by_stream[room_stream(live.room.id)] = live
        if any(map(is_bot, live.match.players)):
            self._with_bots[live.id] = live
            self.bots_play.set()
        if self._expected:
            self.expect_no_longer(live.room.id)

    def expect(self, room: RoomId) -> None:
        """Let commands on a room wait until its live match has been added."""
        self._expected.setdefault(room_stream(room), asyncio.Event())

    def is_expected(self, room: RoomId) -> bool:
        """Return whether the live match of a room is about to be added."""
        return room_stream(room) in self._expected

    def expect_no_longer(self, room: RoomId) -> None:
        """Let commands on a room go on, as after the end of its match."""
        expected = self._expected.pop(room_stream(room), None)
        if expected is not None:
            expected.set()

    def remove(self, match: MatchId) -> None:
        """Remove a match that has ended, if it is there."""
        live = self._matches.pop(match, None)
        if live is not None:
            del self._by_stream[room_stream(live.room.id)]
            if self._with_bots.pop(match, None) and not self._with_bots:
                self.bots_play.clear()

    def with_bots(self) -> list[LiveMatch]:
        """Return those in which bots play."""
        return list(self._with_bots.values())

    def snapshot(self, match: MatchId) -> MatchSnapshot:
        """Return the current state of a live match, for decisions.

        Raises `Unavailable` while the match waits for a log that can't be written, and when its
        rules fail, which ends it.
        """
        live = self._matches.get(match)
        if live is None or live.log_fails or live.failed:
            raise Unavailable
        try:
            ahead = live.ahead()
        except Exception as error:
            self.fail(live, error)
            raise Unavailable from error
        now = self._clock()
        return MatchSnapshot(
            tick=live.run.tick,
            input_tick=live.input_tick(now),
            state=ahead,
            pausing=live.is_pausing,
            state_hash=lambda: state_hash(live.run.state),
            turn_left_ms=live.clock.turn_left_ms(now),
            spent_ms=live.clock.spent_ms(now),
            held=live.held(),
        )

    def rules_failed(self, match: MatchId, error: Exception) -> None:
        """Log that the rules of a match failed; the decision that called them ends the match."""
        note_fault(self._metrics, "rules", error, match=match)

    def is_settled(self, streams: set[str], /) -> bool:
        """Return whether no match of these rooms is recording an outcome, or is taken over."""
        matches = self._by_stream
        if self._expected and not self._expected.keys().isdisjoint(streams):
            return False
        return not any(stream in matches and matches[stream].recording for stream in streams)

    async def settled(self, streams: set[str]) -> None:
        """Wait until `is_settled`; raise `Unavailable` while the log can't be written."""
        for expected in [self._expected[stream] for stream in streams & self._expected.keys()]:
            await expected.wait()
        for stream in streams & self._by_stream.keys():
            await self._by_stream[stream].recorded()

    def may_wait_s(self, events: Sequence[Event]) -> float:
        """Return in how many seconds the commit of events is needed; 0 for at once.

        That of an input of a match with ticks is when it is stepped next; nobody waits for that of
        a checkpoint.
        """
        wait_s = GROUP_S
        for event in events:
            if isinstance(event, MatchInput):
                live = self._matches.get(event.match)
                if live is None or live.is_stepped_by_inputs:
                    return 0.0
                wait_s = min(wait_s, live.wake_at - self._clock())
            elif not isinstance(event, MatchCheckpoint):
                return 0.0
        return wait_s

    def hold(self, event: MatchEvent) -> MatchHold | None:
        """Stop the match of `event` before its tick; a checkpoint holds nothing."""
        live = self._matches.get(event.match)
        if live is None or isinstance(event, MatchCheckpoint):
            return None
        return live.hold(event)

    def move_failed(self, match: MatchId, seat: int) -> None:
        """Count a move over which the rules failed; too many in a row end the match."""
        live = self._matches.get(match)
        if live is None:
            return
        live.move_faults[seat] = live.move_faults.get(seat, 0) + 1
        if live.move_faults[seat] >= MOVE_FAULTS_MAX:
            self.void(live, live.run.tick)

    def fail(self, live: LiveMatch, error: Exception) -> None:
        """Log that the rules of a match failed, and mark it to be ended as void."""
        self.rules_failed(live.id, error)
        self.void(live, live.run.tick)

    def void(self, live: LiveMatch, tick: int) -> None:
        """Stop stepping a match, and mark it to be ended as void at `tick`."""
        if not live.failed:
            live.failed = True
            self._failed.append(VoidMatch(live.id, tick))
            self.alarm.ring()

    def take_failed(self) -> list[VoidMatch]:
        """Return the commands that end the matches marked since the last call."""
        failed, self._failed = self._failed, []
        return failed
