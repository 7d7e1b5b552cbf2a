"""A client that resumes right after a start misses nothing and gets nothing twice."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from service.domain.events.presence import SocketOpened
from service.domain.projections.world import World
from service.edge.backlog import Backlog
from service.edge.connection import Connection
from service.edge.dialect import V1
from service.edge.frames import frame, texts_of
from service.edge.refill_progress import RefillProgress
from service.edge.session.actions import ResumeFrom
from service.edge.socketio.polling import Polling
from service.fanout.audience import Delivery, Users
from service.protocol import classic, v1
from service.settings.sections.connections import SlowLimits
from service.settings.sections.storage import BacklogLimits
from tests.unit.edge.test_hub_dialects import Node, make_node

USER, START = 7, 10
"""The user who resumes, and the last event before the start."""


def message(position: int) -> v1.InviteSent:
    return v1.InviteSent(classic.User(position, "name"), "pong")


def part(after: int, until: int) -> Backlog:
    """Return the messages of older events, as a refill makes them."""
    older = Backlog(BacklogLimits(), after)
    for position in range(after + 1, until + 1):
        older.add(position, [USER], frame(message(position), position))
        older.close(position, time.monotonic())
    return older


class Restarted:
    """A node that has just started after the event `START`, and is refilled by the test."""

    def __init__(self) -> None:
        self._world = World()
        self.node = make_node(self._world)
        self.backlog, self.refill = self.node.backlog, self.node.refill
        self.backlog.start = START
        self.refill.begin()
        self._position = START

    def happen(self) -> None:
        """Let an event with a message for the user be committed."""
        self._position += 1
        hub, position = self.node.hub, self._position
        hub.publish(Delivery(Users((USER,)), None, message(position), durable=True), position)
        hub.published(position)

    def come(self, after: int) -> Connection:
        """Open a socket that resumes after a position."""
        self._position += 1
        opened = SocketOpened(user=USER, socket="n1.2.1")
        connection = Connection(
            opened.socket,
            USER,
            V1,
            transport=Polling(lambda: None),
            limits=SlowLimits(),
            resume=ResumeFrom(after, "e"),
        )
        self._world.position = self._position
        self.node.hub.expect(connection)
        self.node.hub.observe(opened, self._position)
        self.node.greeter.observe(opened, self._position)
        self.node.hub.published(self._position)
        return connection

    def bring(self, older: Backlog) -> None:
        """Prepend a part, as the refill does."""
        while len(older):
            assert self.backlog.prepend(older)
        self.backlog.end_with(older)
        self.refill.advance()


def got(connection: Connection, node: Node) -> list[str]:
    """Return what the socket was sent: positions of messages, and types of others."""
    node.hub.flush()
    transport = connection.transport
    assert isinstance(transport, Polling)
    messages = [json.loads(text) for text in texts_of(transport.drain())]
    return [
        str(one["position"]) if one["type"] == "invite:sent" else one["type"] for one in messages
    ]


async def test_a_resume_waits_for_its_part_and_later_messages_follow_it() -> None:
    restarted = Restarted()
    restarted.refill.aim(2)
    restarted.happen()
    connection = restarted.come(after=6)
    greeted = asyncio.create_task(restarted.node.greeter.complete(connection))
    restarted.happen()
    await asyncio.sleep(0)
    assert got(connection, restarted.node) == ["welcome", "session:state", "user:list"]
    restarted.bring(part(8, START))
    await asyncio.sleep(0)
    assert got(connection, restarted.node) == []
    restarted.bring(part(5, 8))
    await greeted
    restarted.happen()
    assert got(connection, restarted.node) == ["7", "8", "9", "10", "11", "resumed", "13", "14"]
    assert connection.resume_bytes


@pytest.mark.parametrize("after", [1, 11])
async def test_a_resume_that_needs_nothing_of_the_refill_is_answered_at_once(after: int) -> None:
    restarted = Restarted()
    restarted.refill.aim(2)
    restarted.happen()
    connection = restarted.come(after)
    await restarted.node.greeter.complete(connection)
    answer = got(connection, restarted.node)[3]
    assert answer == ("resync" if after == 1 else "resumed")


async def test_a_resume_whose_part_does_not_come_gets_the_state_as_it_is_then() -> None:
    restarted = Restarted()
    restarted.refill.aim(2)
    connection = restarted.come(after=6)
    greeted = asyncio.create_task(restarted.node.greeter.complete(connection))
    await asyncio.sleep(0)
    restarted.happen()
    restarted.refill.end(is_complete=False)
    await greeted
    restarted.happen()
    # What was held back is part of the state, and is not sent again after it.
    assert got(connection, restarted.node) == [
        *("welcome", "session:state", "user:list"),
        *("resync", "user:list", "greeted", "13"),
    ]


def test_snapshots_that_an_interrupted_refill_needs_are_kept() -> None:
    backlog = Backlog(BacklogLimits(), START)
    refill = RefillProgress(backlog)
    assert refill.needed_from() == START
    refill.begin()
    assert refill.needed_from() == 0
    refill.aim(4)
    assert refill.needed_from() == 4
    refill.end(is_complete=False)
    assert refill.needed_from() == 4
    refill.end(is_complete=True)
    assert refill.needed_from() == START
