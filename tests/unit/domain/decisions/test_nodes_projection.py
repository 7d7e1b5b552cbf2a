"""Projection of nodes: who is live, and who owns which room."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from service.domain.events.base import Event
from service.domain.events.lobby import LobbyJoined
from service.domain.events.nodes import NodeDraining, NodeLost, NodeStarted
from service.domain.events.presence import SocketClosed, SocketOpened
from service.domain.events.rooms import RoomClosed, RoomCreated, RoomMoved, SeatTaken
from service.domain.ids import Owner
from service.domain.projections.nodes import Nodes, rendezvous
from service.domain.projections.world import World
from service.runtime.snapshots import dump, restore
from tests.unit.domain.decisions.histories import (
    ANA,
    BEN,
    CLEO,
    hosted,
    made,
    online,
    over,
    playing,
    started,
    tab,
    taken,
    watching,
)
from tests.unit.domain.decisions.test_nodes import N1, N2, N3, lost, start
from tests.unit.domain.scenario import scenario
from tests.unit.domain.story import ROOM

TAG_RULES = [("tag", 3)]


def world_after(*happened: Event) -> World:
    return scenario().given(*happened).story.world


def nodes_after(*happened: Event) -> Nodes:
    return world_after(*happened).nodes


def room(name: str, **fields: Any) -> RoomCreated:
    return RoomCreated(
        room=name, game="pong", players=[], options={}, seats_min=2, seats_max=2, host=ANA, **fields
    )


def moved(to: Owner) -> RoomMoved:
    return RoomMoved(room=ROOM, to=to.node, to_incarnation=to.incarnation)


# Rendezvous


def test_a_key_falls_to_a_node_whatever_the_order_of_the_nodes() -> None:
    names = ["a", "b", "c"]
    for number in range(50):
        key = f"room:{number}"
        assert rendezvous(key, names) == rendezvous(key, names[::-1])


def test_only_the_keys_of_a_node_that_goes_fall_to_others() -> None:
    keys = [f"room:{number}" for number in range(300)]
    before = {key: rendezvous(key, ["a", "b", "c"]) for key in keys}
    after = {key: rendezvous(key, ["a", "b"]) for key in keys}
    assert all(after[key] == before[key] for key in keys if before[key] != "c")
    spread = Counter(after[key] for key in keys if before[key] == "c")
    assert min(spread["a"], spread["b"]) > sum(spread.values()) / 4


def test_a_key_needs_a_node() -> None:
    with pytest.raises(ValueError, match="empty"):
        rendezvous("key", [])


# Live nodes


def test_the_level_is_the_lowest_of_all_live_nodes() -> None:
    assert World().nodes.level == 0
    assert nodes_after(start("n1", 2, level=3), start("n2", level=2)).level == 2
    assert nodes_after(start("n1", 2, level=3), start("n2", level=2), lost("n2")).level == 3


def test_a_loss_of_another_incarnation_changes_nothing() -> None:
    nodes = nodes_after(start("n2", 2), lost("n2", 1), lost("n3", 1))
    assert nodes.is_live(Owner("n2", 2))
    assert not nodes.is_live(Owner("n2", 1))
    assert set(nodes.live) == {"n1", "n2"}


def test_a_start_ends_the_earlier_incarnation() -> None:
    nodes = nodes_after(start("n2", 1), start("n2", 2))
    assert nodes.is_live(Owner("n2", 2))
    assert not nodes.is_live(Owner("n2", 1))


# Homes


def test_everything_is_done_by_one_node_that_lasts() -> None:
    nodes = nodes_after(start("n2"), start("n3"), NodeDraining(node="n3", incarnation=1))
    homes = Counter(nodes.home(f"user:{user}") for user in range(60))
    assert set(homes) == {N1, N2}


def test_when_all_nodes_drain_they_still_do_everything() -> None:
    nodes = nodes_after(NodeDraining(node="n1", incarnation=1))
    assert nodes.home("snapshot") == N1
    assert nodes.is_home(N1, "snapshot")
    assert not nodes.is_home(N2, "snapshot")


def test_nothing_has_a_home_without_a_node() -> None:
    nodes = nodes_after(lost("n1"))
    assert nodes.home("snapshot") is None
    assert not nodes.writes_snapshots(N1)
    assert nodes.heir_of(ROOM) is None
    assert nodes.owner_of_new_room(ROOM, "pong", N1) is None


def test_one_of_the_nodes_with_the_same_code_writes_snapshots() -> None:
    nodes = nodes_after(start("n2", code="new"), start("n3", code="new"))
    assert nodes.writes_snapshots(N1)
    assert nodes.writes_snapshots(N2) != nodes.writes_snapshots(N3)
    assert not nodes.writes_snapshots(Owner("n1", 2))
    assert nodes.codes() == {"", "new"}


def test_the_last_node_of_a_code_writes_snapshots_while_it_drains() -> None:
    nodes = nodes_after(start("n2", code="new"), NodeDraining(node="n1", incarnation=1))
    assert nodes.writes_snapshots(N1)
    assert nodes.writes_snapshots(N2)


def test_the_owner_of_a_room_is_responsible_for_it() -> None:
    nodes = nodes_after(start("n2"), *hosted(owner=N2))
    assert nodes.responsible_for({"queue:pong", f"room:{ROOM}", "user:1"}) == N2
    assert nodes.responsible_for({"room:nowhere"}) == nodes.home("room:nowhere")
    assert nodes.responsible_for({"user:room", "user:x"}) == nodes.home("user:room")


# Owners


def test_a_room_of_an_old_log_belongs_to_its_only_node() -> None:
    assert nodes_after(*hosted()).owner_of(ROOM) == N1


def test_a_restart_of_the_only_node_keeps_its_rooms() -> None:
    nodes = nodes_after(*hosted(owner=N1), NodeStarted(node="n1", incarnation=2))
    assert nodes.owner_of(ROOM) == Owner("n1", 2)


def test_the_rooms_of_a_lost_node_are_spread_over_the_others() -> None:
    rooms = [room(f"r{number}", owner=N3) for number in range(60)]
    nodes = nodes_after(start("n2"), start("n3"), *rooms, lost("n3"))
    assert set(nodes.owners.values()) == {N1, N2}
    assert all(nodes.owner_of(one.room) == nodes.heir_of(one.room) for one in rooms)


def test_other_rooms_stay_where_they_are() -> None:
    rooms = [room(f"r{number}", owner=N2) for number in range(20)]
    nodes = nodes_after(start("n2"), start("n3"), *rooms, lost("n3"), start("n3", 2))
    assert set(nodes.owners.values()) == {N2}


def test_a_node_that_comes_back_inherits_nothing_from_itself_while_others_live() -> None:
    rooms = [room(f"r{number}", owner=N2) for number in range(20)]
    nodes = nodes_after(start("n2"), *rooms, start("n2", 2))
    assert set(nodes.owners.values()) == {N1}


def test_without_any_live_node_the_next_one_gets_all_rooms() -> None:
    orphaned = [*hosted(owner=N1), lost("n1")]
    assert nodes_after(*orphaned).owner_of(ROOM) == N1
    assert nodes_after(*orphaned, start("n3", alone=True)).owner_of(ROOM) == N3


def test_a_draining_node_inherits_nothing() -> None:
    drains = NodeDraining(node="n2", incarnation=1)
    rooms = [room(f"r{number}", owner=N3) for number in range(20)]
    nodes = nodes_after(start("n2"), start("n3"), *rooms, drains, lost("n3"))
    assert set(nodes.owners.values()) == {N1}


def test_a_match_falls_to_a_node_that_runs_its_rules() -> None:
    able, unable = start("n2", rules=[("tag", 1)]), start("n3", rules=[("tag", 2)])
    play = [*playing(ANA, BEN, rules_version=1)]
    assert nodes_after(able, unable, *play, lost("n1")).owner_of(ROOM) == N2
    other = [*playing(ANA, BEN, rules_version=2)]
    assert nodes_after(able, unable, *other, lost("n1")).owner_of(ROOM) == N3


def test_a_match_whose_rules_nobody_runs_falls_to_somebody_who_voids_it() -> None:
    nodes = nodes_after(start("n2", rules=[]), *playing(ANA, BEN), lost("n1"))
    assert nodes.owner_of(ROOM) == N2


def test_another_node_is_abler_if_it_alone_runs_the_rules_of_a_match() -> None:
    able, unable = start("n2", rules=[("tag", 1)]), start("n3", rules=[("tag", 2)])
    nodes = nodes_after(able, unable, *playing(ANA, BEN, rules_version=1))
    assert nodes.abler_than(N3, ROOM) == N2
    assert nodes.abler_than(N2, ROOM) is None
    assert nodes.abler_than(N3, "nowhere") is None
    assert nodes.abler_than(Owner("n3", 2), ROOM) is None
    other = nodes_after(able, unable, *playing(ANA, BEN, rules_version=9))
    assert other.abler_than(N3, ROOM) is None
    assert nodes_after(*playing(ANA, BEN)).abler_than(N1, ROOM) is None


def test_after_a_match_its_rules_do_not_matter() -> None:
    able, unable = start("n2", rules=[("tag", 1)]), start("n3", rules=[("tag", 2)])
    play = [*playing(ANA, BEN, rules_version=1), over("left", 0, 2)]
    heirs = {
        nodes_after(able, unable, *play, moved(to), NodeLost(to.node, 1)).owner_of(ROOM)
        for to in (N1, N2, N3)
    }
    assert len(heirs) > 1


def test_a_room_that_was_moved_belongs_to_its_new_owner() -> None:
    assert nodes_after(start("n2"), *hosted(owner=N1), moved(N2)).owner_of(ROOM) == N2
    assert nodes_after(start("n2"), moved(N2)).owner_of(ROOM) is None


def test_a_closed_room_has_no_owner() -> None:
    closed = RoomClosed(room=ROOM, reason="empty")
    nodes = nodes_after(*hosted(), started(room=ROOM), closed)
    assert nodes.owner_of(ROOM) is None
    assert (nodes.owners, nodes.playing, nodes.games) == ({}, {}, {})


def test_a_room_without_a_match_moves_to_the_heir_without_a_node() -> None:
    nodes = nodes_after(start("n2"), *hosted(owner=N1))
    assert nodes.heir_of(ROOM, excluding="n1") == N2


# Games that only some nodes have


def without_pong(node: str) -> NodeStarted:
    return start(node, rules=[("connect_four", 1)])


def test_a_waiting_room_falls_to_a_node_that_has_its_game() -> None:
    rooms = [room(f"r{number}", owner=N3) for number in range(40)]
    nodes = nodes_after(without_pong("n2"), start("n3"), *rooms, lost("n3"))
    assert set(nodes.owners.values()) == {N1}
    assert {nodes.heir_of(one.room, excluding="n1") for one in rooms} == {N2}


def test_a_waiting_room_falls_to_a_node_with_another_version_of_its_rules() -> None:
    rooms = [room(f"r{number}", owner=N1) for number in range(20)]
    nodes = nodes_after(without_pong("n2"), start("n3", rules=[("pong", 9)]), *rooms, lost("n1"))
    assert set(nodes.owners.values()) == {N3}


def test_a_new_room_is_near_its_player_only_on_a_node_that_has_the_game() -> None:
    nodes = nodes_after(without_pong("n2"), start("n3"))
    rooms = [f"r{number}" for number in range(40)]
    assert {nodes.owner_of_new_room(one, "pong", N3) for one in rooms} == {N3}
    assert {nodes.owner_of_new_room(one, "connect_four", N2) for one in rooms} == {N2}
    assert {nodes.owner_of_new_room(one, "pong", N2) for one in rooms} == {N1, N3}
    assert {nodes.owner_of_new_room(one, "chess", N2) for one in rooms} == {N2}


def test_a_draining_node_gets_no_new_rooms() -> None:
    draining = NodeDraining(node="n1", incarnation=1)
    nodes = nodes_after(without_pong("n2"), draining)
    rooms = [f"r{number}" for number in range(20)]
    assert {nodes.owner_of_new_room(one, "connect_four", N1) for one in rooms} == {N2}


# What the loss of a node does to its sockets


def at(node: str, user: int) -> list[Event]:
    socket = f"{node}.1.{user}b"
    return [SocketOpened(user=user, socket=socket), SeatTaken(room=ROOM, user=user, socket=socket)]


def test_the_loss_of_a_node_closes_its_sockets() -> None:
    world = world_after(
        start("n2"),
        *playing(ANA, BEN),
        *online(CLEO),
        *watching(CLEO),
        LobbyJoined(user=CLEO, socket=tab(CLEO)),
        *at("n2", BEN),
        lost("n1"),
    )
    position = len(world.nodes.live) and world.position
    assert world.presence.sockets == {ANA: set(), BEN: {"n2.1.2b"}, CLEO: set()}
    assert world.presence.in_grace == {ANA: position, CLEO: position}
    assert world.lobby.members == {}
    seats = world.rooms.rooms[ROOM].seats
    assert [seat.sockets for seat in seats] == [set(), {"n2.1.2b"}]
    assert [(seat.away_since, seat.excused) for seat in seats] == [(position, True), (None, False)]
    assert world.rooms.rooms[ROOM].spectators == world.rooms.watching == {}


def test_a_loss_closes_no_socket_of_a_later_incarnation() -> None:
    later = SocketOpened(user=ANA, socket="n2.2.1")
    world = world_after(start("n2", 2), *online(ANA), later, lost("n2", 1))
    assert world.presence.sockets == {ANA: {tab(ANA), "n2.2.1"}}


def test_the_grace_of_those_who_were_away_before_goes_on() -> None:
    """Only who was on the lost node is excused: the others could have come back."""
    away = SocketClosed(user=ANA, socket=tab(ANA), code=1006)
    world = world_after(start("n2"), *playing(ANA, BEN), away, lost("n1"))
    seats = world.rooms.rooms[ROOM].seats
    assert [seat.excused for seat in seats] == [False, True]
    assert seats[0].away_since == world.position - 1


def test_a_node_that_joins_excuses_nobody() -> None:
    away = SocketClosed(user=ANA, socket=tab(ANA), code=1006)
    world = world_after(*playing(ANA, BEN), away, start("n2"))
    assert [seat.excused for seat in world.rooms.rooms[ROOM].seats] == [False, False]


def test_the_start_of_the_service_excuses_everybody_who_is_away() -> None:
    away = SocketClosed(user=ANA, socket=tab(ANA), code=1006)
    world = world_after(*playing(ANA, BEN), away, start("n1", 2, alone=True))
    assert [seat.excused for seat in world.rooms.rooms[ROOM].seats] == [True, True]


# Snapshots


def test_a_snapshot_carries_the_nodes() -> None:
    world = world_after(
        start("n2"), NodeDraining(node="n2", incarnation=1), *made(ANA), *taken(ANA), lost("n1")
    )
    assert restore(dump(world)) == world
