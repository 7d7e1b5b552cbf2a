"""Decisions about the lobby, and its projection: sockets are counted."""

import pytest

from service.domain.commands.lobby import JoinLobby, LeaveLobby
from service.domain.errors import NotConnected
from service.domain.events.base import Event
from service.domain.events.lobby import LobbyJoined, LobbyLeft
from service.domain.events.nodes import NodeStarted
from service.domain.events.presence import SocketClosed
from service.domain.projections.world import World
from tests.unit.domain.decisions.histories import (
    ANA,
    BEN,
    BROKEN,
    CLEO,
    lost,
    online,
    tab,
    world_after,
)
from tests.unit.domain.scenario import scenario

JOINED = LobbyJoined(user=ANA, socket=tab(ANA))

# JoinLobby


def test_a_socket_joins_the_lobby() -> None:
    scenario().given(*online(ANA)).when(JoinLobby(ANA, tab(ANA))).then(JOINED)


def test_a_socket_in_the_lobby_does_not_join_again() -> None:
    scenario().given(*online(ANA), JOINED).when(JoinLobby(ANA, tab(ANA))).then_nothing()


def test_a_second_socket_joins_besides_the_first() -> None:
    scenario().given(*online(ANA, tabs="ab"), JOINED).when(JoinLobby(ANA, tab(ANA, "b"))).then(
        LobbyJoined(user=ANA, socket=tab(ANA, "b"))
    )


def test_a_socket_joins_while_others_are_in_the_lobby() -> None:
    scenario().given(*online(ANA, BEN), JOINED).when(JoinLobby(BEN, tab(BEN))).then(
        LobbyJoined(user=BEN, socket=tab(BEN))
    )


@pytest.mark.parametrize(
    "given", [[], online(BEN), online(ANA, tabs="b"), [*online(ANA), *lost(ANA)]]
)
def test_a_closed_connection_does_not_join(given: list[Event]) -> None:
    scenario().given(*given).when(JoinLobby(ANA, tab(ANA))).then_refused(NotConnected)


# LeaveLobby


def test_a_socket_leaves_the_lobby() -> None:
    scenario().given(*online(ANA), JOINED).when(LeaveLobby(ANA, tab(ANA))).then(
        LobbyLeft(user=ANA, socket=tab(ANA))
    )


def test_a_socket_that_is_not_in_the_lobby_leaves_nothing() -> None:
    scenario().given(*online(ANA)).when(LeaveLobby(ANA, tab(ANA))).then_nothing()


def test_a_socket_does_not_leave_for_another_socket() -> None:
    scenario().given(*online(ANA, tabs="ab"), JOINED).when(
        LeaveLobby(ANA, tab(ANA, "b"))
    ).then_nothing()


@pytest.mark.parametrize("command", [JoinLobby(ANA, tab(ANA)), LeaveLobby(ANA, tab(ANA))])
def test_joining_and_leaving_lock_the_user(command: JoinLobby | LeaveLobby) -> None:
    assert command.streams(World()) == {"user:1"}


# The projection

BOTH = [
    *online(BEN, ANA, tabs="ab"),
    LobbyJoined(user=BEN, socket=tab(BEN)),
    JOINED,
    LobbyJoined(user=ANA, socket=tab(ANA, "b")),
]


def test_members_are_in_the_order_of_joining_each_with_their_sockets() -> None:
    assert list(world_after(*BOTH).lobby.members.items()) == [
        (BEN, {tab(BEN)}),
        (ANA, {tab(ANA), tab(ANA, "b")}),
    ]


@pytest.mark.parametrize(
    "gone",
    [
        LobbyLeft(user=ANA, socket=tab(ANA)),
        SocketClosed(user=ANA, socket=tab(ANA), code=BROKEN),
    ],
)
def test_a_member_stays_while_another_of_their_sockets_is_there(gone: Event) -> None:
    members = world_after(*BOTH, gone).lobby.members
    assert members == {BEN: {tab(BEN)}, ANA: {tab(ANA, "b")}}


@pytest.mark.parametrize(
    "gone",
    [
        LobbyLeft(user=BEN, socket=tab(BEN)),
        SocketClosed(user=BEN, socket=tab(BEN), code=BROKEN),
    ],
)
def test_a_member_is_gone_with_their_last_socket(gone: Event) -> None:
    assert list(world_after(*BOTH, gone).lobby.members) == [ANA]


def test_a_closed_socket_that_was_not_in_the_lobby_changes_nothing() -> None:
    closed = [SocketClosed(user=BEN, socket=tab(BEN, "b"), code=BROKEN)]
    assert list(world_after(*BOTH, *closed).lobby.members) == [BEN, ANA]
    assert world_after(*online(CLEO), *lost(CLEO)).lobby.members == {}


def test_a_start_of_a_node_takes_the_sockets_of_its_earlier_incarnations_only() -> None:
    elsewhere = [LobbyJoined(user=CLEO, socket="n2.1.1"), LobbyJoined(user=ANA, socket="n2.1.2")]
    members = world_after(*BOTH, *elsewhere, NodeStarted(node="n1", incarnation=2)).lobby.members
    assert members == {CLEO: {"n2.1.1"}, ANA: {"n2.1.2"}}
