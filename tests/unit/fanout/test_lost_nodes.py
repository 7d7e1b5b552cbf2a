"""What is shown when a node is lost."""

from __future__ import annotations

from service.domain.events.lobby import LobbyJoined
from service.domain.events.nodes import NodeLost
from service.fanout.audience import ListChanged, RoomChanged, UserChanged
from service.fanout.profiles import Profiles
from service.fanout.rules import before_fold
from tests.unit.domain.decisions.histories import (
    ANA,
    BEN,
    CLEO,
    made,
    online,
    tab,
    taken,
    world_after,
)
from tests.unit.domain.decisions.test_nodes import on, start


def test_the_lobby_and_the_rooms_of_a_lost_node_are_shown_without_its_sockets() -> None:
    world = world_after(
        start("n2"),
        *online(ANA, BEN),
        *on("n2", CLEO),
        LobbyJoined(user=ANA, socket=tab(ANA)),
        LobbyJoined(user=CLEO, socket="n2.1.3"),
        *made(BEN),
        *taken(BEN),
        *made(CLEO, room="other"),
    )
    lost = NodeLost(node="n1", incarnation=1)
    assert list(before_fold(lost, world, Profiles())) == [
        ListChanged("lobby:list"),
        UserChanged(ANA),
        RoomChanged("room"),
    ]
    unknown = NodeLost(node="n3", incarnation=1)
    assert list(before_fold(unknown, world, Profiles())) == []
