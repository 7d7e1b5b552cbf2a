"""Decisions about nodes: incarnations, losses, drains, and the owners of rooms."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from service.domain.commands.hosting import CreateRoom, RoomPlan
from service.domain.commands.matchmaking import JoinQueue
from service.domain.commands.nodes import DrainNode, LoseNode, MoveRoom, StartNode
from service.domain.commands.presence import OpenSocket
from service.domain.errors import TooManySockets
from service.domain.events import LEVEL
from service.domain.events.base import Event
from service.domain.events.matches import MatchCheckpoint
from service.domain.events.nodes import NodeDraining, NodeLost, NodeStarted
from service.domain.events.presence import SocketOpened, UserCameOnline
from service.domain.events.rooms import RoomCreated, RoomMoved
from service.domain.ids import Owner
from service.domain.projections.world import World
from service.games.catalogue import GAMES
from tests.unit.domain.decisions.histories import ANA, BEN, hosted, made, online, playing
from tests.unit.domain.decisions.tag import TAG
from tests.unit.domain.scenario import Scenario, scenario
from tests.unit.domain.story import ROOM

N1, N2, N3 = Owner("n1", 1), Owner("n2", 1), Owner("n3", 1)


def start(node: str, incarnation: int = 1, **fields: Any) -> NodeStarted:
    """Start a node of this code, as one more beside others."""
    known: dict[str, Any] = {"level": LEVEL, "rules": GAMES.every_rules(), "alone": False}
    return NodeStarted(node=node, incarnation=incarnation, **(known | fields))


def lost(node: str, incarnation: int = 1) -> NodeLost:
    return NodeLost(node=node, incarnation=incarnation)


def on(node: str, *users: int) -> list[Event]:
    """Let users come online by a socket on this node."""
    return [
        event
        for user in users
        for event in [
            UserCameOnline(user=user),
            SocketOpened(user=user, socket=f"{node}.1.{user}"),
        ]
    ]


# StartNode


def test_the_first_incarnation_of_a_node_is_number_one() -> None:
    scenario().given(lost("n1")).when(StartNode("n2")).then(start("n2", alone=True))


def test_each_incarnation_of_a_node_has_the_next_number() -> None:
    scenario().when(StartNode("n1")).then(start("n1", 2, alone=True))
    scenario().given(StartNode("n2"), StartNode("n1"), StartNode("n1")).when(StartNode("n1")).then(
        start("n1", 4, alone=True)
    )


def test_a_lease_may_number_an_incarnation() -> None:
    scenario().when(StartNode("n1", 7)).then(start("n1", 7, alone=True))


def test_the_only_node_declares_all_others_lost() -> None:
    """As when its name was changed: no socket and no room of the earlier name may stay."""
    one = scenario().given(start("n2"))
    one.when(StartNode("n3")).then(lost("n1"), lost("n2"), start("n3", alone=True))


def test_a_node_joins_those_that_hold_a_lease() -> None:
    one = scenario().given(start("n2"), start("n3"))
    one.when(StartNode("n4", 1, frozenset({N1, N3}))).then(lost("n2"), start("n4"))


def test_the_earlier_incarnation_of_a_node_that_joins_is_lost_first() -> None:
    scenario().given(start("n2")).when(StartNode("n1", 2, frozenset({N2}))).then(
        lost("n1"), start("n1", 2)
    )


def test_a_lease_of_another_incarnation_keeps_none_alive() -> None:
    scenario().when(StartNode("n2", 1, frozenset({Owner("n1", 2)}))).then(
        lost("n1"), start("n2", alone=True)
    )


def test_a_start_locks_the_node_and_all_live_ones() -> None:
    assert StartNode("n1").streams(World()) == {"node:n1"}
    world = scenario().given(start("n2")).story.world
    assert StartNode("n3").streams(world) == {"node:n1", "node:n2", "node:n3"}


# LoseNode


def test_a_node_is_lost_once() -> None:
    one = scenario().given(start("n2"))
    one.when(LoseNode("n2", 1)).then(lost("n2"))
    one.when(LoseNode("n2", 1)).then_nothing()


def test_only_the_live_incarnation_can_be_lost() -> None:
    one = scenario().given(start("n2", 3))
    one.when(LoseNode("n2", 2)).then_nothing()
    one.when(LoseNode("n9", 1)).then_nothing()


def test_a_loss_locks_the_node() -> None:
    assert LoseNode("n2", 1).streams(World()) == {"node:n2"}
    assert DrainNode("n2", 1).streams(World()) == {"node:n2"}


# DrainNode


def test_a_node_drains_once() -> None:
    one = scenario().given(start("n2"))
    one.when(DrainNode("n2", 1)).then(NodeDraining(node="n2", incarnation=1))
    one.when(DrainNode("n2", 1)).then_nothing()
    one.when(DrainNode("n1", 9)).then_nothing()
    one.when(DrainNode("n9", 1)).then_nothing()


# The owner of a new room


def owner(events: list[Event]) -> Owner:
    (created,) = (event for event in events if isinstance(event, RoomCreated))
    return created.owner


def test_a_room_belongs_to_the_node_of_its_creator() -> None:
    one = scenario().given(start("n2"), *on("n2", ANA))
    assert owner(one.when(CreateRoom(ANA, "n2.1.1", None, RoomPlan(game="pong"))).events) == N2


def test_a_room_belongs_to_the_node_of_the_very_socket_that_creates_it() -> None:
    newer = SocketOpened(user=ANA, socket="n1.1.17")
    one = scenario().given(start("n2"), *on("n2", ANA), newer)
    assert owner(one.when(CreateRoom(ANA, "n2.1.1", None, RoomPlan(game="pong"))).events) == N2


def test_the_newest_socket_of_the_first_player_decides() -> None:
    """The one who has waited longest is the first player."""
    newer = SocketOpened(user=ANA, socket="n1.1.17")
    one = scenario().given(start("n2"), *on("n2", ANA, BEN), newer, JoinQueue(ANA, "pong"))
    assert owner(one.when(JoinQueue(BEN, "pong")).events) == N1


def test_a_draining_node_gets_no_new_room() -> None:
    one = scenario().given(start("n2"), *on("n2", ANA), DrainNode("n2", 1))
    assert owner(one.when(CreateRoom(ANA, "n2.1.1", None, RoomPlan(game="pong"))).events) == N1


def test_sockets_of_a_draining_node_do_not_count_for_they_are_being_replaced() -> None:
    one = scenario(sockets_per_user_max=1).given(start("n2"), *on("n2", ANA))
    one.when(OpenSocket(ANA, "n1.1.18")).then_refused(TooManySockets)
    one.given(DrainNode("n2", 1)).when(OpenSocket(ANA, "n1.1.18")).then(
        SocketOpened(user=ANA, socket="n1.1.18")
    )
    one.given(SocketOpened(user=ANA, socket="n1.1.18"))
    one.when(OpenSocket(ANA, "n1.1.19")).then_refused(TooManySockets)


# MoveRoom


def moving(*given: Event) -> Scenario:
    return scenario().given(start("n2"), *online(ANA, BEN), *given)


def test_a_room_moves_to_another_node() -> None:
    moving(*made(ANA, BEN)).when(MoveRoom(ROOM, N2)).then(
        RoomMoved(room=ROOM, to="n2", to_incarnation=1)
    )


def test_the_last_word_of_its_owner_goes_before_the_move() -> None:
    last = MatchCheckpoint(match="room-1", tick=5, state=msgspec.Raw(b"{}"), hash="h")
    able = start("n2", rules=[(TAG.name, TAG.rules_version)])
    one = scenario().given(able, *playing(ANA, BEN))
    one.when(MoveRoom(ROOM, N2, lambda: [last])).then(
        last, RoomMoved(room=ROOM, to="n2", to_incarnation=1)
    )


@pytest.mark.parametrize("to", [N1, N3, Owner("n2", 2)], ids=["itself", "not live", "not yet"])
def test_a_room_moves_to_no_other_incarnation_than_a_live_one(to: Owner) -> None:
    moving(*made(ANA, BEN)).when(MoveRoom(ROOM, to)).then_nothing()


def test_a_room_does_not_move_to_a_node_that_drains() -> None:
    drains = NodeDraining(node="n2", incarnation=1)
    moving(*hosted(ANA), drains).when(MoveRoom(ROOM, N2)).then_nothing()


def test_a_match_does_not_move_to_a_node_that_lacks_its_rules() -> None:
    one = scenario().given(start("n2", rules=[("tag", 99)]), *playing(ANA, BEN))
    one.when(MoveRoom(ROOM, N2)).then_nothing()


def test_only_its_owner_moves_a_room() -> None:
    one = moving(*made(ANA, BEN, owner=N2))
    one.when(MoveRoom(ROOM, N1)).then_nothing()
    one.when(MoveRoom("nowhere", N2)).then_nothing()


def test_a_move_locks_the_room_and_its_heir() -> None:
    assert MoveRoom(ROOM, N2).streams(World()) == {f"room:{ROOM}", "node:n2"}
