"""A node joins its cluster, declares others lost, and learns of its own loss."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest
from structlog.testing import capture_logs

from service.bus.local import LocalBus
from service.cluster import membership
from service.cluster.membership import LEFT_BEHIND_S, Membership
from service.cluster.port import NodeReport
from service.domain.commands.nodes import LoseNode, StartNode
from service.domain.events.nodes import NodeLost, NodeStarted
from service.domain.ids import Owner
from service.domain.projections.world import World
from service.eventstore.records import Origin
from service.eventstore.replication import Replication
from service.eventstore.store import LeaseLost
from service.eventstore.writer import EventLog
from service.runtime.conditions import Conditions
from service.runtime.engine import Engine
from tests.integration.engine_parts import engine_on
from tests.integration.shared_log import NodeLog, SharedLog

PATIENCE_S = 10


class FakeLease:
    """A lease that the test controls."""

    def __init__(self) -> None:
        self.is_valid = True
        self.suspended_s = 0.0
        self.others_on_bus = False
        self.lost = asyncio.Event()
        self.report: Callable[[], NodeReport]
        self.on_gone: Callable[[Owner], None]
        self.is_left = False

    async def run(self, report: Callable[[], NodeReport], on_gone: Callable[[Owner], None]) -> None:
        """Wait for the loss."""
        self.report, self.on_gone = report, on_gone
        await self.lost.wait()
        raise LeaseLost

    async def leave(self) -> None:
        """Take note of the end."""
        self.is_left = True


class FakeReplication:
    """Is in step with the log."""

    def __init__(self) -> None:
        self.silence_s = 1000.0

    def when_folded(self, _position: int, done: Callable[[], None]) -> None:
        """Call at once."""
        done()


class Node:
    """A node over a log in memory, which takes appends at once."""

    def __init__(
        self,
        shared: SharedLog,
        buses: list[LocalBus],
        name: str,
        lost: frozenset[Owner] = frozenset(),
    ) -> None:
        self.log = NodeLog(shared)
        self.world = World()
        self.engine: Engine = engine_on(
            cast("EventLog", self.log),
            self.world,
            conditions=Conditions(lambda: 0.0, self.log.sync),
        )
        self.log.start(self.engine.followed)
        self.log.deliver()
        self.lease = FakeLease()
        self.owner = Owner(name, self.world.nodes.incarnations.get(name, 0) + 1)
        self.membership = Membership(self.owner, lost, self.lease, LocalBus(buses), "test")
        self.replication = FakeReplication()
        self.membership._replication = cast("Replication", self.replication)  # noqa: SLF001 - in place of `replicate`
        self.membership._engine = self.engine  # noqa: SLF001 - the same
        self.engine.subscribe(self.membership.observe)

    async def start(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Start the node; `meanwhile` is called before its event reaches the log."""
        starting = asyncio.create_task(
            self.membership.start(cast("EventLog", self.log), self.engine)
        )
        await asyncio.sleep(0.01)
        meanwhile()
        while not starting.done():
            await self.work()
        await starting

    async def work(self) -> None:
        """Let appends reach the log, and events this node."""
        while self.log.commit():
            self.log.deliver()
            await asyncio.sleep(0)
        self.log.deliver()
        await asyncio.sleep(0.005)


@pytest.fixture
async def new_node() -> AsyncIterator[Callable[..., Node]]:
    """Make nodes, and stop their leases at the end."""
    shared, buses = SharedLog(), list[LocalBus]()
    made: list[Node] = []

    def new(name: str, lost: frozenset[Owner] = frozenset()) -> Node:
        made.append(Node(shared, buses, name, lost))
        return made[-1]

    yield new
    for node in made:
        node.membership._renewing.cancel()  # noqa: SLF001 - in place of `stop`
        await node.membership._tasks.stop()  # noqa: SLF001 - the same


async def test_nodes_that_start_at_the_same_time_do_not_declare_each_other_lost(
    new_node: Callable[..., Node],
) -> None:
    one, other = new_node("n1"), new_node("n2")

    def start_other() -> None:
        other.engine.dispatch(StartNode("n2", 1), Origin(), lambda _: None)
        other.log.commit()

    await one.start(start_other)
    other.log.deliver()
    for node in (one, other):
        assert node.world.nodes.live.keys() == {"n1", "n2"}


async def test_nodes_of_the_log_that_had_no_lease_are_declared_lost_at_the_start(
    new_node: Callable[..., Node],
) -> None:
    one = new_node("n1")
    await one.start()
    other = new_node("n2", frozenset({one.owner}))
    await other.start()
    assert other.world.nodes.live.keys() == {"n2"}


async def test_a_node_whose_lease_is_over_is_declared_lost_once(
    new_node: Callable[..., Node],
) -> None:
    one, other = new_node("n1"), new_node("n2")
    await one.start()
    await other.start()
    await one.work()
    for _ in range(3):
        one.lease.on_gone(other.owner)
        await asyncio.sleep(0)
    await one.work()
    one.lease.on_gone(other.owner)
    await one.work()
    events = [row.recorded.event for row in one.log.shared.rows]
    assert [event for event in events if isinstance(event, NodeLost)] == [
        NodeLost(node="n2", incarnation=1)
    ]


async def test_a_node_that_is_not_found_by_the_bus_is_told_of(
    new_node: Callable[..., Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership, "HELLO_INTERVAL_S", 0.01)
    one, other = new_node("n1"), new_node("n2")
    await one.start()
    with capture_logs() as logs:
        await other.start()
        await asyncio.sleep(0.1)
        assert logs == []
        await one.membership.bus.stop()
        third = new_node("n3")
        await third.start()
        while not logs:  # noqa: ASYNC110 - a line of the log
            await asyncio.sleep(0.01)
    assert [(log["error_code"], log["metadata"]) for log in logs] == [
        ("NODE_NOT_ON_BUS", {"other_node": "n1"})
    ]


async def ends(node: Node) -> None:
    """Assert that a node ends."""
    with pytest.raises(LeaseLost):
        async with asyncio.timeout(PATIENCE_S):
            await node.membership.run()


async def test_a_node_ends_with_its_lease(new_node: Callable[..., Node]) -> None:
    one = new_node("n1")
    await one.start()
    one.lease.lost.set()
    await ends(one)


@pytest.mark.parametrize(
    "event",
    [NodeLost(node="n1", incarnation=1), NodeStarted(node="n1", incarnation=2)],
    ids=lambda event: event.type,
)
async def test_a_node_ends_when_the_log_tells_that_it_is_lost(
    new_node: Callable[..., Node], event: NodeLost | NodeStarted
) -> None:
    one = new_node("n1")
    await one.start()
    one.membership.observe(event, 9)
    await ends(one)


async def test_nothing_leaves_a_node_that_knows_of_its_loss_before_its_lease_is_over(
    new_node: Callable[..., Node],
) -> None:
    """It decides on a world in which its sockets are closed, which its clients must not be told."""
    node = new_node("n1")
    await node.start()
    assert not node.membership.is_suspended()
    node.membership.observe(NodeLost(node="n2", incarnation=1), 2)
    assert not node.membership.is_suspended()
    node.membership.observe(NodeLost(node="n1", incarnation=1), 3)
    assert node.lease.is_valid
    assert node.membership.is_suspended()


async def test_the_loss_of_other_nodes_or_earlier_incarnations_ends_no_node(
    new_node: Callable[..., Node],
) -> None:
    one = new_node("n1")
    await one.start()
    one.membership.observe(NodeLost(node="n2", incarnation=1), 9)
    one.membership.observe(NodeLost(node="n1", incarnation=0), 9)
    one.membership.observe(NodeStarted(node="n1", incarnation=1), 9)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await one.membership.run()


async def test_a_suspended_node_ends_when_others_go_on(new_node: Callable[..., Node]) -> None:
    one = new_node("n1")
    await one.start()
    one.lease.suspended_s = LEFT_BEHIND_S
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            # Nobody can append: the database is away from all.
            await one.membership.run()
    one.replication.silence_s = 0.1
    await ends(one)


async def test_a_node_that_leaves_records_its_end_and_is_not_lost_by_it(
    new_node: Callable[..., Node],
) -> None:
    one, other = new_node("n1"), new_node("n2")
    await one.start()
    await other.start()
    leaving = asyncio.create_task(one.membership.leave(one.engine))
    while not leaving.done():
        await one.work()
    assert one.world.nodes.live.keys() == {"n2"}
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await one.membership.run()


async def test_the_loss_of_a_node_that_has_ended_already_changes_nothing(
    new_node: Callable[..., Node],
) -> None:
    one = new_node("n1")
    await one.start()
    position = len(one.log.shared.rows)
    done = asyncio.create_task(one.engine.execute(LoseNode("n2", 1), Origin()))
    await one.work()
    assert not (await done).events
    assert len(one.log.shared.rows) == position
