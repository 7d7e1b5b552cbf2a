"""Schedule the domain's deadlines and execute their commands."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from service.domain.commands.deadlines import (
    Deadline,
    after_node_change,
    pending,
    responsible_for,
    started_by,
    with_restart_grace,
)
from service.domain.commands.seats import ForfeitSeat
from service.domain.commands.turns import TimeOutTurn
from service.domain.events.nodes import NodeDraining, NodeLost, NodeStarted
from service.domain.events.presence import SocketOpened
from service.domain.events.rooms import RoomMoved
from service.errors import ClientError, InternalError, Unavailable
from service.eventstore.records import Origin
from service.tasks import Tasks
from service.telemetry import get_logger

if TYPE_CHECKING:
    from service.domain.commands.base import Command
    from service.domain.events.base import Event, Position
    from service.domain.projections.room import Room
    from service.runtime.engine import Engine
    from service.settings.sections.play import Times

RETRY_S = 1.0
"""The pause before a deadline is tried again while the log can't be written."""

FAULT_RETRY_S = 30.0
"""The pause before a deadline is tried again after a fault of the service."""

_MOVE_DEADLINES = frozenset((NodeLost, NodeStarted, NodeDraining, RoomMoved))
"""Types of events by which deadlines may fall to another node."""

logger = get_logger(__name__)


class DeadlineScheduler:
    """Executes the command of each deadline of this node when its time is over.

    Other nodes do so for theirs. When the nodes or the owners of rooms change, deadlines that have
    become those of this node count anew.
    """

    def __init__(self, engine: Engine, times: Times) -> None:
        """Execute commands by `engine`; `times` are the durations of the settings."""
        self._engine = engine
        self._times = times
        self._timers: dict[Deadline, asyncio.TimerHandle] = {}
        self._running = Tasks()
        self._forfeits: dict[ForfeitSeat, float] = {}
        """When each seat is forfeited, by the clock of the loop, in seconds."""
        self._is_open = False
        """Whether a socket was opened since the start; no deadline runs before."""

    def observe(self, event: Event, position: Position) -> None:
        """Start the deadlines that `event` begins, or that fall to this node by it.

        The first socket after the start also starts those that were pending in the log, so that
        nobody loses a seat while the service is not reachable. A node that joins others starts them
        at once.
        """
        world, times = self._engine.world, self._times
        if not self._is_open:
            joins = isinstance(event, NodeStarted) and not event.alone
            if joins or isinstance(event, SocketOpened):
                self._is_open = True
                for deadline in pending(world, times):
                    self._arm(with_restart_grace(deadline, times))
            return
        for deadline in started_by(event, position, world, times):
            self._arm(deadline)
        if type(event) in _MOVE_DEADLINES:
            for deadline in after_node_change(world, times):
                self._arm(deadline)

    def grace_left_s(self, room: Room) -> float | None:
        """Return how much longer the absent players of a room may be away, in seconds.

        None when no deadline runs for them.
        """
        now = asyncio.get_running_loop().time()
        forfeits = [
            ForfeitSeat(seat.user, room.id, seat.away_since)
            for seat in room.seats
            if seat.user is not None and seat.away_since is not None
        ]
        return max(
            (max(0.0, self._forfeits[one] - now) for one in forfeits if one in self._forfeits),
            default=None,
        )

    async def stop(self) -> None:
        """Cancel all deadlines."""
        for timer in self._timers.values():
            timer.cancel()
        await self._running.stop()

    def _arm(self, deadline: Deadline) -> None:
        """Start a deadline of this node, unless it runs."""
        if deadline not in self._timers and self._is_ours(deadline):
            self._start(deadline, deadline.after_s)

    def _is_ours(self, deadline: Deadline) -> bool:
        engine = self._engine
        return responsible_for(deadline.command, engine.world) == engine.context.node

    def _start(self, deadline: Deadline, after_s: float) -> None:
        command = deadline.command

        def fire() -> None:
            self._timers.pop(deadline, None)
            if isinstance(command, ForfeitSeat):
                self._forfeits.pop(command, None)
            left_s = self._left_s(command)
            if left_s:
                self._start(deadline, left_s)
            elif self._is_ours(deadline):
                self._running.spawn(self._carry_out(deadline))

        loop = asyncio.get_running_loop()
        self._timers[deadline] = loop.call_later(after_s, fire)
        if isinstance(command, ForfeitSeat):
            # Not `timer.when()`: uvloop makes no timer of what is due at once.
            self._forfeits[command] = loop.time() + after_s

    def _left_s(self, command: Command) -> float:
        """Return how much too early a timer has fired, in seconds.

        What is left of a turn is what players are shown: the clock of the match. A timer counts
        from the start of the turn of the loop in which it was made, which may have taken longer.
        """
        if not isinstance(command, TimeOutTurn):
            return 0
        try:
            left_ms = self._engine.context.match_snapshot(command.match).turn_left_ms
        except Unavailable:
            return 0
        return (left_ms or 0) / 1000

    async def _carry_out(self, deadline: Deadline) -> None:
        try:
            await self._engine.execute(deadline.command, Origin("deadline"))
        except Unavailable:
            self._start(deadline, RETRY_S)
        except InternalError:
            # The fault is logged; the users concerned still wait for the outcome.
            self._start(deadline, FAULT_RETRY_S)
        except ClientError:
            logger.exception("deadline failed", error_type="internal_error")
