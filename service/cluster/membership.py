"""This node as a member of its cluster: from its lease to the events that tell the others."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, final

from service.bus.port import RequestFailed
from service.cluster.port import NodeReport
from service.domain.commands.nodes import LoseNode, StartNode
from service.domain.events.nodes import NodeLost, NodeStarted
from service.errors import ClientError
from service.eventstore.log_sync import LogSync
from service.eventstore.records import Origin
from service.eventstore.replication import Replication
from service.eventstore.store import LeaseLost
from service.runtime.conditions import Conditions
from service.tasks import Tasks
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.bus.port import Bus
    from service.cluster.port import Lease
    from service.domain.events.base import Event, Position
    from service.domain.ids import Owner
    from service.eventstore.reader import Reader
    from service.eventstore.writer import EventLog
    from service.runtime.engine import Engine

HELLO_INTERVAL_S, HELLOS_MAX = 0.5, 10
"""How often the other nodes are looked for by the bus after a start."""

CHECK_S = 0.25
"""How often it is checked whether this node is lost without being told by its lease."""

LEFT_BEHIND_S = 3.0
"""A node whose lease is suspended for so long while others can append has to go."""

CUT_OFF_S = 3.0
"""A node that has been without the bus for so long, while others are connected to it, has to go."""

ORIGIN = Origin("cluster")

logger = get_logger(__name__)


@final
class Membership:
    """Starts this node in its cluster, declares others lost, and leaves at the end."""

    def __init__(
        self, node: Owner, lost: frozenset[Owner], lease: Lease, bus: Bus, realm: str
    ) -> None:
        """Be `node`, and renew its lease from now on.

        `lost` are nodes of the log that had none when it began.
        """
        self.node = node
        self.bus = bus
        self.conditions = Conditions(random.random, self.sync)
        self._lost = lost
        self._lease = lease
        self.realm = realm
        self._replication: Replication
        self._log_sync: LogSync
        self._engine: Engine | None = None
        self._sockets: Callable[[], int] = int
        self._losing: set[Owner] = set()
        """Nodes whose loss is being recorded."""
        self._is_lost = False
        """The log tells that this node was declared lost."""
        self._is_leaving = False
        self.is_draining = False
        """This node is about to stop: it must get no more clients."""
        self._must_leave = asyncio.Event()
        self._tasks = Tasks()
        bus.serve(self._hello_of(node), lambda _, reply: reply(b""))
        self._renewing = asyncio.create_task(lease.run(self._report, self._on_gone), name="lease")

    def is_suspended(self) -> bool:
        """Whether others may have declared this node lost, or have, as the log tells.

        They may before its lease is over, when its session with the database has ended. What is
        decided from then on is not for its clients: by the log their sockets are closed.
        """
        return self._is_lost or not self._lease.is_valid

    @property
    def lag_s(self) -> float:
        """How long this node has known of events that it has not folded, in seconds."""
        return self._replication.lag_s

    def replicate(
        self, log: EventLog, reader: Reader, engine: Engine, sockets: Callable[[], int]
    ) -> Replication:
        """Return what keeps the world of `engine` in step with `log`, which it has to be given.

        `sockets` counts the open sockets of this node.
        """
        self._engine, self._sockets = engine, sockets
        self._replication = Replication(
            self.bus,
            reader,
            realm=self.realm,
            epoch=log.head.epoch,
            position=engine.world.position,
            fold=engine.followed,
            profiles=engine.profiles,
        )
        self._log_sync = LogSync(reader.head, self._replication)
        return self._replication

    def when_folded(self, position: Position, done: Callable[[], None]) -> None:
        """Call `done` once `position` is folded, which is known to be in the log."""
        self._replication.note_head(position)
        self._replication.when_folded(position, done)

    def sync(self, done: Callable[[], None]) -> None:
        """Call `done` once all is folded that is in the log now, or if that can't be found out."""
        self._log_sync.request(done)

    async def start(self, log: EventLog, engine: Engine) -> None:
        """Connect to the bus, fold what others have appended, and announce this node."""
        await self.bus.start()
        folded = asyncio.Event()
        self._replication.when_folded(log.position, folded.set)
        await folded.wait()
        nodes = engine.world.nodes
        # Another node may start at the same time; this one must not declare it lost.
        while not nodes.is_live(self.node):
            alive = frozenset(nodes.live_owners()) - self._lost
            await engine.execute(StartNode(self.node.node, self.node.incarnation, alive), ORIGIN)
        for other in nodes.live_owners():
            if other != self.node:
                self._tasks.spawn(self._find(other))

    async def run(self) -> None:
        """Raise `LeaseLost` once this node is no member of its cluster any more.

        Its lease tells so, or the log by way of the bus; or the database can't be reached from
        here, while other nodes go on.
        """
        left_behind = cut_off = 0
        while not self._renewing.done():
            await asyncio.wait([self._renewing], timeout=CHECK_S)
            # Not by one look: after a stop of the process the lease may still be renewed.
            left_behind = left_behind + 1 if self._others_go_on() else 0
            if self._is_lost or left_behind * CHECK_S >= 1:
                raise LeaseLost
            cut_off = cut_off + 1 if self.is_cut_off else 0
            if cut_off * CHECK_S >= CUT_OFF_S:
                self._must_leave.set()
        await self._renewing

    @property
    def is_cut_off(self) -> bool:
        """Whether this node is without the bus, but others are not."""
        return not self.bus.is_connected and self._lease.others_on_bus

    async def must_leave(self) -> None:
        """Return when this node has been cut off from the bus for too long."""
        await self._must_leave.wait()
        logger.error(
            "cut off from the bus, which others are connected to: clients are sent there",
            error_type="internal_error",
            error_code="CUT_OFF_FROM_BUS",
        )

    def observe(self, event: Event, _position: Position) -> None:
        """Take note of the loss of this node, or of a later incarnation of it."""
        node = self.node
        if isinstance(event, NodeLost | NodeStarted) and event.node == node.node:
            is_earlier = event.incarnation < node.incarnation
            is_own_start = isinstance(event, NodeStarted) and event.incarnation == node.incarnation
            self._is_lost |= not (is_earlier or is_own_start or self._is_leaving)

    def _others_go_on(self) -> bool:
        """Return whether others have appended since the lease of this node was suspended."""
        suspended_s = self._lease.suspended_s
        return suspended_s >= LEFT_BEHIND_S and self._replication.silence_s < suspended_s

    async def leave(self, engine: Engine) -> None:
        """Record the end of this node, which closes its sockets and passes its rooms on."""
        self._is_leaving = True
        await self._lose(engine, self.node)

    async def stop(self) -> None:
        """Give the lease up, and leave the bus."""
        self._renewing.cancel()
        await asyncio.gather(self._renewing, return_exceptions=True)
        await self._log_sync.stop()
        await self._tasks.stop()
        await self._lease.leave()
        await self.bus.stop()

    def _hello_of(self, node: Owner) -> str:
        """Return the subject at which an incarnation of a node answers."""
        return f"ws.{self.realm}.hello.{node.node}.{node.incarnation}"

    async def _find(self, other: Owner) -> None:
        """Log a warning if a live node does not answer by the bus: it may be on another one."""
        for _ in range(HELLOS_MAX):
            await asyncio.sleep(HELLO_INTERVAL_S)
            try:
                await self.bus.request(self._hello_of(other), b"", HELLO_INTERVAL_S)
            except RequestFailed:
                continue
            return
        engine = self._engine
        if self.bus.is_connected and engine is not None and engine.world.nodes.is_live(other):
            logger.warning(
                "a node is not found by the bus: are WS_BUS_URL and WS_REALM the same there?",
                error_code="NODE_NOT_ON_BUS",
                metadata={"other_node": other.node},
            )

    def _report(self) -> NodeReport:
        """Return what this node tells of itself with each renewal of its lease."""
        if self._engine is None:
            return NodeReport()
        nodes, position = self._engine.world.nodes, self._engine.world.position
        live = nodes.live.get(self.node.node)
        return NodeReport(
            position=position,
            sockets=self._sockets(),
            rooms=sum(owner == self.node for owner in nodes.owners.values()),
            bus_ok=self.bus.is_connected,
            draining=live is not None and live.draining,
        )

    def _on_gone(self, other: Owner) -> None:
        """Declare a node lost that has let its lease run out."""
        engine = self._engine
        is_new = engine is not None and other not in self._losing
        if engine is not None and is_new and engine.world.nodes.is_live(other):
            self._losing.add(other)
            self._tasks.spawn(self._lose(engine, other))

    async def _lose(self, engine: Engine, node: Owner) -> None:
        try:
            await engine.execute(LoseNode(node.node, node.incarnation), ORIGIN)
        except ClientError as error:
            # Of another node it is tried again; that this one has left others find out.
            logger.warning(
                "loss of a node not recorded",
                metadata={"node": node.node, "reason": error.message},
            )
        finally:
            self._losing.discard(node)
