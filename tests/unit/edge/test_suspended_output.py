"""While the lease of a node is not valid nothing leaves it, and its sockets stay open."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Literal

import pytest

from service.edge.connection import Connection
from service.edge.dialect import V1
from service.edge.flush import SUSPENDED_CHECK_S, FlushScope
from service.edge.frames import frame
from service.edge.slow_consumer import conflation_key
from service.edge.wire.choice import choose
from service.protocol import v1
from service.telemetry import Metrics
from tests.unit.edge.test_slow_sockets import LIMITS, Line

ACK = frame(v1.Ack("a", 7))
STATE = frame(v1.Heartbeat(7))


class Node:
    """The output of a node with one socket, and whether its lease is valid."""

    def __init__(self, kind: Literal["native", "python"]) -> None:
        self.is_suspended = False
        self.scope = FlushScope(choose(kind), Metrics(), lambda: self.is_suspended)
        self.line = Line()
        self.connection = Connection(
            "n1.1.1",
            7,
            V1,
            transport=self.line,
            limits=LIMITS,
            new_queue=self.scope.wire.new_queue,
        )

    def queue(self, *frames: bytes, **options: float) -> None:
        """Queue frames for the socket."""
        for data in frames:
            self.scope.queue(data, (self.connection,), **options)  # type: ignore[arg-type]  # one of its options

    def types(self) -> list[object]:
        """Return the types of what the client has received."""
        return [message["type"] for message in self.line.take()]


@pytest.fixture(params=["python", "native"])
def node(request: pytest.FixtureRequest) -> Node:
    """A node with either wire; the one in Python where the extension is not built."""
    return Node(request.param)


async def pause() -> None:
    """Let the checks of two periods pass."""
    await asyncio.sleep(2.5 * SUSPENDED_CHECK_S)


async def test_what_is_queued_while_suspended_leaves_when_the_lease_is_valid_again(
    node: Node,
) -> None:
    node.is_suspended = True
    node.queue(ACK)
    node.queue(ACK, frame_ms=5)
    await pause()
    assert node.types() == []
    assert not node.line.is_aborted
    node.is_suspended = False
    await pause()
    assert node.types() == ["ack", "ack"]


async def test_what_was_due_before_a_stop_of_the_process_is_checked_before_it_leaves(
    node: Node,
) -> None:
    node.queue(ACK)
    node.queue(ACK, frame_ms=1)
    with node.scope:
        node.queue(ACK)
        # The process is stopped here, for longer than its lease, and continued.
        node.is_suspended = True
    await pause()
    assert node.types() == []


async def test_frames_that_may_be_missed_are_left_to_the_caller_while_suspended(
    node: Node,
) -> None:
    node.is_suspended = True
    assert node.scope.queue(STATE, (node.connection,), may_miss=True) == (node.connection,)
    node.queue(ACK)
    node.is_suspended = False
    await pause()
    assert node.types() == ["ack"]
    assert node.scope.queue(STATE, (node.connection,), may_miss=True) == []
    await pause()
    assert node.types() == ["heartbeat"]


async def test_the_newest_of_what_may_be_missed_leaves_when_the_lease_is_valid_again(
    node: Node,
) -> None:
    """A move's state, or a list, may not be followed by another one for long."""
    node.is_suspended = True
    for position in (7, 8, 9):
        heartbeat = v1.Heartbeat(position)
        data = frame(heartbeat)
        for slow in node.scope.queue(data, (node.connection,), may_miss=True):
            slow.retain(conflation_key(heartbeat), data)
    await pause()
    assert node.types() == []
    node.is_suspended = False
    await pause()
    assert node.line.take() == [{"type": "heartbeat", "position": 9}]
    node.queue(STATE, may_miss=True)
    await pause()
    assert node.types() == ["heartbeat"]


async def test_what_may_be_missed_is_dropped_when_the_node_is_lost(node: Node) -> None:
    node.is_suspended = True
    for slow in node.scope.queue(STATE, (node.connection,), may_miss=True):
        slow.retain(conflation_key(v1.Heartbeat(7)), STATE)
    node.scope.begin_farewell([node.connection])
    node.queue(frame(v1.ServerDraining(100)))
    node.scope.flush()
    await pause()
    assert node.types() == ["server:draining"]


async def test_after_the_loss_only_the_farewell_leaves(node: Node) -> None:
    node.is_suspended = True
    node.queue(ACK)
    await asyncio.sleep(0)
    connections: Iterable[Connection] = [node.connection]
    node.scope.begin_farewell(connections)
    node.queue(frame(v1.ServerDraining(100)))
    node.scope.flush()
    await pause()
    assert node.types() == ["server:draining"]


async def test_what_does_not_leave_by_the_scope_waits_until_it_is_released(node: Node) -> None:
    assert await node.scope.released()
    node.is_suspended = True
    waiting = asyncio.create_task(node.scope.released())
    await pause()
    assert not waiting.done()
    node.is_suspended = False
    assert await waiting


async def test_what_does_not_leave_by_the_scope_is_dropped_when_the_node_is_lost(
    node: Node,
) -> None:
    node.is_suspended = True
    waiting = asyncio.create_task(node.scope.released())
    await pause()
    node.scope.begin_farewell([node.connection])
    assert not await waiting
