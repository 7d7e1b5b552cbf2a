"""Engines of several nodes over one log: what one decides, another one's decision respects."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from typing import Any, cast

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from service.domain.commands.base import Command
from service.domain.commands.invites import AcceptInvite, SendInvite
from service.domain.commands.lobby import JoinLobby, LeaveLobby
from service.domain.commands.matchmaking import JoinQueue, LeaveQueue
from service.domain.commands.presence import CloseSocket, OpenSocket
from service.domain.commands.seats import LeaveRoom
from service.domain.errors import UserOffline
from service.domain.personal_data import PersonalData
from service.domain.projections.world import World
from service.errors import ClientError, Unavailable
from service.eventstore.records import Origin
from service.eventstore.writer import EventLog
from service.runtime.conditions import CONFLICTS_MAX, Conditions
from service.runtime.engine import Engine
from service.runtime.idempotency import IdReused
from service.runtime.pending import Executed
from service.runtime.snapshots import dump
from tests.effort import effort
from tests.integration.engine_parts import JoinNext, engine_on
from tests.integration.shared_log import NodeLog, SharedLog

USERS = range(1, 5)

CLIENT = Origin("test", 1)

PATIENCE_S = 10


class Node:
    """A node: its engine, its world, and the results of its commands."""

    def __init__(self, shared: SharedLog) -> None:
        self.log = NodeLog(shared)
        self.world = World()
        self.engine: Engine = engine_on(
            cast("EventLog", self.log),
            self.world,
            conditions=Conditions(lambda: 0.0, self.log.sync),
        )
        self.log.start(self.engine.followed)
        self.results: list[Executed | Exception] = []
        self.dispatched = 0

    def dispatch(self, command: Command, origin: Origin = CLIENT, **options: Any) -> None:
        """Dispatch a command; its result is added to `results`."""
        self.dispatched += 1
        self.engine.dispatch(command, origin, self.results.append, **options)


def cluster(nodes: int = 2) -> list[Node]:
    """Return nodes over a new log."""
    shared = SharedLog()
    return [Node(shared) for _ in range(nodes)]


async def turn() -> None:
    """Let the loop run what is due."""
    for _ in range(3):
        await asyncio.sleep(0)


async def settle(*nodes: Node) -> None:
    """Let all appends reach the log, and all events all nodes, until all commands have results."""
    async with asyncio.timeout(PATIENCE_S):
        while any(node.log.waiting or len(node.results) < node.dispatched for node in nodes):
            for node in nodes:
                node.log.commit()
                node.log.deliver()
                await turn()
    for node in nodes:
        node.log.deliver()


def tabs(world: World, user: int) -> list[str]:
    """Return the tabs of a user in the lobby."""
    return sorted(world.lobby.members.get(user, ()))


async def test_of_two_decisions_on_one_stream_the_second_is_made_again() -> None:
    one, other = cluster()
    one.dispatch(JoinNext(1))
    other.dispatch(JoinNext(1))
    assert one.log.commit()
    assert other.log.commit()
    await turn()
    # It waits for the event that it has not seen.
    assert other.results == []
    await settle(one, other)
    assert [len(one.results), len(other.results)] == [1, 1]
    assert tabs(one.world, 1) == tabs(other.world, 1) == ["n1.1.1", "n1.1.2"]
    assert other.log.conflicts == 1


async def test_decisions_on_different_streams_do_not_conflict() -> None:
    one, other = cluster()
    one.dispatch(JoinNext(1))
    other.dispatch(JoinNext(2))
    await settle(one, other)
    assert other.log.conflicts == 0


async def test_the_locks_are_held_while_a_decision_is_made_again() -> None:
    one, other = cluster()
    one.dispatch(JoinNext(1))
    other.dispatch(JoinNext(1))
    other.dispatch(JoinNext(1))
    await settle(one, other)
    # The second of them was not decided before the first one was folded.
    assert other.log.conflicts == 1
    assert tabs(other.world, 1) == ["n1.1.1", "n1.1.2", "n1.1.3"]


async def conflict(node: Node, by: Node, times: int) -> None:
    """Let another node change what is decided on, again and again."""
    for _ in range(times):
        by.dispatch(JoinNext(1))
        while by.log.commit():
            await turn()
        assert node.log.commit()
        node.log.deliver()
        await turn()


async def test_a_command_of_a_client_that_keeps_conflicting_is_refused() -> None:
    one, other = cluster()
    one.dispatch(JoinNext(1))
    await conflict(one, other, CONFLICTS_MAX)
    assert one.results == []
    await conflict(one, other, 1)
    assert isinstance(one.results[0], Unavailable)
    assert not one.log.commit()
    # Its locks are free.
    one.dispatch(JoinNext(1))
    await settle(one, other)
    assert isinstance(one.results[1], Executed)


async def test_a_command_of_the_service_goes_on_until_it_succeeds() -> None:
    one, other = cluster()
    one.dispatch(JoinNext(1), Origin("deadline"))
    await conflict(one, other, 3 * CONFLICTS_MAX)
    await settle(one, other)
    assert isinstance(one.results[0], Executed)


async def test_a_command_is_withdrawn_while_it_waits_to_be_decided_again() -> None:
    one, other = cluster()
    executing = asyncio.create_task(one.engine.execute(JoinNext(1), CLIENT))
    await turn()
    other.dispatch(JoinNext(1))
    assert other.log.commit()
    assert one.log.commit()
    one.log.deliver()
    executing.cancel()
    await turn()
    assert executing.cancelled()
    await settle(one, other)
    assert tabs(one.world, 1) == ["n1.1.1"]
    one.dispatch(JoinNext(1))
    await settle(one, other)
    assert isinstance(one.results[0], Executed)


async def test_a_repeated_id_is_executed_once_whichever_node_it_comes_to() -> None:
    nodes = one, other, third = cluster(3)
    origin = Origin("test", 1, "id", b"digest")
    one.dispatch(JoinNext(1), origin)
    other.dispatch(JoinNext(1), origin)
    await settle(*nodes)
    third.dispatch(JoinNext(1), origin)
    results = [node.results[0] for node in nodes]
    assert {result.result.position for result in results if isinstance(result, Executed)} == {1}
    assert len(one.log.shared.rows) == 1


async def test_an_id_of_another_command_is_noticed_on_any_node() -> None:
    one, other = cluster()
    one.dispatch(JoinNext(1), Origin("test", 1, "id", b"keyid123"))
    other.dispatch(JoinNext(2), Origin("test", 1, "id", b"keyid456"[:4] + b"else"))
    await settle(one, other)
    assert isinstance(one.results[0], Executed)
    assert isinstance(other.results[0], IdReused)
    assert 2 not in other.world.lobby.members


async def test_a_refusal_is_confirmed_by_what_other_nodes_have_appended() -> None:
    one, other = cluster()
    one.dispatch(JoinNext(1))
    one.log.commit()
    # For the other node there is no tab yet.
    other.dispatch(LeaveLobby(1, "n1.1.1"))
    assert other.results == []
    await settle(one, other)
    assert isinstance(other.results[0], Executed)
    assert other.results[0].events
    assert tabs(one.world, 1) == []


async def test_a_refusal_on_all_that_is_in_the_log_stands() -> None:
    one, other = cluster()
    one.dispatch(JoinNext(2))
    one.log.commit()
    other.dispatch(JoinQueue(1, "pong"))
    await settle(one, other)
    assert isinstance(other.results[0], UserOffline)


async def test_names_are_known_on_every_node_when_their_events_are_folded() -> None:
    one, other = cluster()
    seen: list[str] = []
    other.engine.subscribe(lambda *_: seen.append(other.engine.profiles.name(1)))
    one.dispatch(JoinNext(1), personal_data=PersonalData({"1": "Ada"}))
    await settle(one, other)
    assert seen == ["Ada"]


async def open_tabs(*nodes: Node) -> None:
    """Give every user a tab in the lobby of every node, and each node ids for its rooms."""
    for number, node in enumerate(nodes):
        rooms = itertools.count()
        node.engine.context = msgspec.structs.replace(
            node.engine.context, new_room_id=lambda n=number, rooms=rooms: f"r{n}-{next(rooms)}"
        )
        for user in USERS:
            node.dispatch(OpenSocket(user, f"n{number}.1.{user}"))
            node.dispatch(JoinLobby(user, f"n{number}.1.{user}"))
        await settle(*nodes)


async def test_of_two_users_who_want_the_same_opponent_one_gets_them() -> None:
    one, other = cluster()
    await open_tabs(one, other)
    one.dispatch(JoinQueue(3, "pong"))
    await settle(one, other)
    one.dispatch(JoinQueue(1, "pong"))
    other.dispatch(JoinQueue(2, "pong"))
    await settle(one, other)
    seated = one.world.rooms.seated
    assert seated == other.world.rooms.seated
    assert set(seated) == {1, 3}
    assert one.world.matchmaking.waiting_since(2, "pong") is not None


Step = tuple[str, int, int, int]

steps = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *["commit", "deliver"] * 4,
                *["open", "queue", "queue", "search", "invite", "accept", "leave", "close"],
            ]
        ),
        st.integers(0, 1),
        st.sampled_from(USERS),
        st.sampled_from(USERS),
    ),
    min_size=5,
    max_size=60,
)


def command_of(kind: str, node: int, user: int, other: int, world: World) -> Command:
    """Return a command of a user who has a tab on each node."""
    socket = f"n{node}.1.{user}"
    room = world.rooms.seated.get(user, "none")
    commands: dict[str, Command] = {
        "open": OpenSocket(user, socket),
        "close": CloseSocket(user, socket, 1000),
        "queue": JoinQueue(user, "pong"),
        "search": LeaveQueue(user, "pong"),
        "invite": SendInvite(user, other, "pong"),
        "accept": AcceptInvite(other, user),
        "leave": LeaveRoom(user, room),
    }
    return commands[kind]


async def play(story: list[Step]) -> None:
    nodes = cluster()
    await open_tabs(*nodes)
    for kind, number, user, other in story:
        node = nodes[number]
        if kind == "commit":
            node.log.commit()
        elif kind == "deliver":
            node.log.deliver(node.world.position + other)
        else:
            node.dispatch(command_of(kind, number, user, other, node.world), Origin("test", user))
        await turn()
    await settle(*nodes)
    check_log(nodes[0].log.shared)
    assert dump(nodes[0].world) == dump(nodes[1].world)
    for node in nodes:
        assert len(node.results) == node.dispatched
        unexpected = [
            result
            for result in node.results
            if isinstance(result, Exception) and not isinstance(result, ClientError)
        ]
        assert not unexpected


def check_log(shared: SharedLog) -> None:
    """Fold the log anew; nobody may ever have two seats."""
    world = World()
    for row in shared.rows:
        world.fold(row.recorded.event, row.recorded.position)
        seats = Counter(
            seat.user
            for room in world.rooms.rooms.values()
            for seat in room.seats
            if seat.user is not None
        )
        assert not [user for user, count in seats.items() if count > 1], row


@effort(100)
@given(steps)
def test_nobody_is_paired_twice_in_any_interleaving_of_two_nodes(story: list[Step]) -> None:
    asyncio.run(play(story))
