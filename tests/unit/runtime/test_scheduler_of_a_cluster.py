"""Deadlines of several nodes: each is carried out by one, and by another one when that is gone."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from typing import Any

import msgspec
import pytest

from service.domain.commands.base import Command, Context
from service.domain.commands.hosting import CloseEmptyRoom
from service.domain.commands.presence import ExpirePresence
from service.domain.commands.seats import ForfeitSeat
from service.domain.events.base import Event
from service.domain.events.nodes import NodeDraining
from service.domain.events.presence import SocketClosed, SocketOpened, UserCameOnline
from service.domain.events.rooms import RoomMoved, SpectatorJoined, SpectatorLeft
from service.domain.ids import Owner
from service.domain.projections.world import World
from service.errors import Unavailable
from service.runtime import scheduler
from service.runtime.scheduler import DeadlineScheduler
from service.settings.sections.play import Times
from tests.unit.domain.decisions.histories import ANA, BEN, CLEO, playing, tab
from tests.unit.domain.decisions.test_nodes import N1, N2, lost, on, start
from tests.unit.domain.story import ROOM, Story

AT_ONCE = Times(presence_grace_s=0, restart_grace_s=0, room_empty_s=0)


class Node:
    """A node that follows the story, and what its deadlines carry out."""

    def __init__(self, story: Story, owner: Owner, times: Times) -> None:
        self.world: World = story.world
        self.context: Context = msgspec.structs.replace(story.context, node=owner)
        self.done: Counter[type] = Counter()
        self.fails = 0
        engine: Any = self
        self.deadlines = DeadlineScheduler(engine, times)

    async def execute(self, command: Command, *_: object) -> None:
        if self.fails:
            self.fails -= 1
            raise Unavailable
        self.done[type(command)] += 1


class Cluster:
    """Two nodes, and a third one that runs no deadlines."""

    def __init__(self, times: Times = AT_ONCE) -> None:
        self.story = Story()
        self.nodes = [Node(self.story, owner, times) for owner in (N1, N2)]

    def happens(self, *events: Event) -> None:
        for event in events:
            self.story.fold(event)
            for node in self.nodes:
                node.deadlines.observe(event, len(self.story.events))

    async def done(self) -> list[Counter[type]]:
        """Return what each node has carried out of what is due at once."""
        for _ in range(5):
            await asyncio.sleep(0)
        return [node.done for node in self.nodes]


def closed(user: int, node: str = "n1") -> SocketClosed:
    return SocketClosed(user=user, socket=f"{node}.1.{user}", code=1006)


async def test_each_grace_period_is_ended_by_one_node() -> None:
    cluster = Cluster()
    cluster.happens(start("n2"), *(event for user in range(1, 31) for event in on("n2", user)))
    cluster.happens(*(closed(user, "n2") for user in range(1, 31)))
    one, two = await cluster.done()
    assert one[ExpirePresence] + two[ExpirePresence] == 30
    assert min(one[ExpirePresence], two[ExpirePresence]) > 0


async def test_a_seat_is_forfeited_by_the_owner_of_its_room() -> None:
    for owner, by in ((N1, 0), (N2, 1)):
        cluster = Cluster()
        moved = RoomMoved(room=ROOM, to=owner.node, to_incarnation=1)
        cluster.happens(start("n2", rules=[("tag", 1)]), *_playing(), moved)
        cluster.happens(SocketClosed(user=ANA, socket=tab(ANA), code=1006))
        done = await cluster.done()
        assert [each[ForfeitSeat] for each in done] == [int(by == 0), int(by == 1)]


def _playing() -> list[Event]:
    events = playing(ANA, BEN)
    return [
        msgspec.structs.replace(event, options={"reconnect_grace_s": 0})
        if hasattr(event, "options")
        else event
        for event in events
    ]


async def test_the_heirs_of_a_lost_node_carry_out_its_deadlines() -> None:
    cluster = Cluster(dataclasses.replace(AT_ONCE, presence_grace_s=3600))
    cluster.happens(start("n2"), *(event for user in range(1, 31) for event in on("n1", user)))
    cluster.happens(*(closed(user) for user in range(1, 31)))
    (one, two) = cluster.nodes
    before = len(two.deadlines._timers)  # noqa: SLF001 - an hour is not waited for
    assert 0 < before < 30
    cluster.happens(lost("n1"))
    assert len(two.deadlines._timers) == 30  # noqa: SLF001 - as above
    assert not one.done
    for node in cluster.nodes:
        await node.deadlines.stop()


async def test_who_is_no_longer_responsible_carries_nothing_out() -> None:
    cluster = Cluster()
    cluster.happens(start("n2"), *on("n1", ANA, BEN, CLEO))
    cluster.happens(closed(ANA), closed(BEN), closed(CLEO))
    # Before any of them is due, all that is at home at n2 falls to n1, but for what it owns.
    cluster.happens(NodeDraining(node="n2", incarnation=1))
    one, two = await cluster.done()
    assert (one[ExpirePresence], two[ExpirePresence]) == (3, 0)


async def test_after_a_loss_a_seat_waits_at_least_the_restart_grace() -> None:
    times = dataclasses.replace(AT_ONCE, restart_grace_s=3600)
    cluster = Cluster(times)
    two = cluster.nodes[1]
    cluster.happens(start("n2", rules=[("tag", 1)]), *_playing(), lost("n1"))
    room = two.world.rooms.rooms[ROOM]
    left_s = two.deadlines.grace_left_s(room)
    assert left_s is not None
    assert 3590 < left_s <= 3600
    _, done = await cluster.done()
    # Presence is no seat: who comes back is online again at once.
    assert (done[ForfeitSeat], done[ExpirePresence]) == (0, 2)
    await two.deadlines.stop()


async def test_a_node_that_joins_carries_out_what_falls_to_it() -> None:
    times = dataclasses.replace(AT_ONCE, presence_grace_s=3600)
    cluster = Cluster(times)
    joining = cluster.nodes.pop()
    cluster.happens(*(event for user in range(1, 31) for event in on("n1", user)))
    cluster.happens(*(closed(user) for user in range(1, 31)))
    cluster.nodes.append(joining)
    cluster.happens(start("n2"))
    assert 0 < len(joining.deadlines._timers) < 30  # noqa: SLF001 - an hour is not waited for
    for node in cluster.nodes:
        await node.deadlines.stop()


async def test_the_first_node_waits_for_the_first_socket() -> None:
    cluster = Cluster()
    cluster.story.fold(UserCameOnline(user=ANA))
    cluster.story.fold(SocketOpened(user=ANA, socket=tab(ANA)))
    cluster.happens(start("n1", 2, alone=True))
    node = Node(cluster.story, Owner("n1", 2), AT_ONCE)
    cluster.nodes = [node]
    assert not (await cluster.done())[0]
    cluster.happens(*on("n1", BEN))
    assert (await cluster.done())[0] == Counter({ExpirePresence: 1})


async def test_a_deadline_that_could_not_be_written_is_tried_again_while_it_is_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scheduler, "RETRY_S", 0)
    cluster = Cluster()
    one, two = cluster.nodes
    cluster.happens(start("n2"), *on("n1", ANA))
    for node in cluster.nodes:
        node.fails = 1
    cluster.happens(closed(ANA))
    for _ in range(5):
        await cluster.done()
    assert one.done[ExpirePresence] + two.done[ExpirePresence] == 1


async def test_an_empty_room_is_closed_by_its_owner() -> None:
    cluster = Cluster()
    cluster.happens(start("n2"), *on("n2", ANA))
    created = msgspec.structs.replace(_playing()[4], players=[], host=ANA, owner=N2)
    cluster.happens(*on("n1", BEN), created)
    cluster.happens(SpectatorJoined(room=ROOM, user=ANA, socket="n2.1.1"))
    cluster.happens(SpectatorLeft(room=ROOM, user=ANA, reason="left"))
    one, two = await cluster.done()
    assert (one[CloseEmptyRoom], two[CloseEmptyRoom]) == (0, 1)
