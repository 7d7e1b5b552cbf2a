"""Presence of users: connected, or within their grace."""

from __future__ import annotations

import pytest

from service.domain.commands.hosting import CreateRoom, JoinRoom, KickFromRoom, RoomPlan
from service.domain.commands.invites import AcceptInvite, SendInvite
from service.domain.commands.lobby import JoinLobby
from service.domain.commands.matchmaking import JoinQueue
from service.domain.commands.presence import OpenSocket, ReplaceSocket
from service.domain.commands.seats import BeginMatch, ForfeitSeat, LeaveRoom, SetReady, TakeSeat
from service.domain.errors import NotConnected, RoomNotReady, TooManySockets, UserOffline
from service.domain.events.matches import MatchStarted
from service.domain.events.presence import SocketClosed
from service.domain.events.rooms import RoomCreated
from service.games.relay import Relay
from service.settings.sections.play import Rules
from tests.unit.domain.story import ROOM, Story

ANA, BEN, CLEO = 1, 2, 3
BROKEN = 1006


@pytest.fixture
def story() -> Story:
    return Story(Rules(sockets_per_user_max=2))


def types(events: object) -> list[str]:
    assert isinstance(events, list)
    return [event.type for event in events]


@pytest.mark.parametrize(
    ("code", "is_gone"),
    [(1000, True), (1005, True), (4503, True), (1001, False), (1006, False), (4000, False)],
)
def test_only_a_clean_close_of_the_last_socket_goes_offline_at_once(
    story: Story, *, code: int, is_gone: bool
) -> None:
    first, second = story.open(ANA, "a"), story.open(ANA, "b")
    assert types(story.close(ANA, first, code)) == ["socket.closed"]
    assert ("user.went_offline" in types(story.close(ANA, second, code))) == is_gone


# Matchmaking


def test_a_user_in_their_grace_is_not_paired(story: Story) -> None:
    socket = story.open(ANA)
    story.do(JoinQueue(ANA, "pong"))
    story.close(ANA, socket)
    story.open(BEN)
    assert types(story.do(JoinQueue(BEN, "pong"))) == ["search.started"]


def test_the_connected_user_who_waited_longest_is_paired(story: Story) -> None:
    socket = story.open(ANA)
    story.do(JoinQueue(ANA, "pong"))
    story.close(ANA, socket)
    for user in (BEN, CLEO):
        story.open(user)
        events = story.do(JoinQueue(user, "pong"))
    assert isinstance(events[-1], RoomCreated)
    assert events[-1].players == [BEN, CLEO]
    assert story.world.matchmaking.waiting_since(ANA, "pong") is not None


def test_a_user_returning_to_a_queue_is_paired_at_once(story: Story) -> None:
    socket = story.open(ANA)
    story.do(JoinQueue(ANA, "connect_four"))
    story.do(JoinQueue(ANA, "pong"))
    story.close(ANA, socket)
    story.open(BEN)
    story.do(JoinQueue(BEN, "pong"))
    back = OpenSocket(ANA, "n1.1.1z")
    assert {"queue:pong", "queue:connect_four", "user:1", "user:2"} <= back.streams(story.world)
    opened, created = story.do(back)
    assert opened.type == "socket.opened"
    assert isinstance(created, RoomCreated)
    assert (created.players, created.game) == ([BEN, ANA], "pong")
    assert story.world.matchmaking.queues == {}


def test_an_additional_tab_neither_changes_nor_locks_a_queue(story: Story) -> None:
    story.open(ANA)
    story.do(JoinQueue(ANA, "pong"))
    more = OpenSocket(ANA, "n1.1.1z")
    assert more.streams(story.world) == {"user:1"}
    assert types(story.do(more)) == ["socket.opened"]


def test_a_user_without_a_socket_cannot_join_a_queue(story: Story) -> None:
    with pytest.raises(UserOffline):
        story.do(JoinQueue(ANA, "pong"))


def test_a_rematch_removes_its_players_from_the_queue(story: Story) -> None:
    story.match("connect_four", ANA, BEN)
    story.do(LeaveRoom(BEN, ROOM))
    story.do(JoinRoom(BEN, "n1.1.2a", ROOM, "player", None, None))
    story.do(JoinQueue(ANA, "pong"))
    for user in (ANA, BEN):
        story.do(SetReady(user, ROOM, ready=True))
    assert story.world.rooms.is_playing(ANA)
    story.open(CLEO)
    assert types(story.do(JoinQueue(CLEO, "pong"))) == ["search.started"]


# Invites


def test_an_invite_from_a_disconnected_user_cannot_be_accepted_and_stays(story: Story) -> None:
    socket = story.open(ANA)
    story.open(BEN)
    story.do(SendInvite(ANA, BEN, "pong"))
    story.close(ANA, socket)
    with pytest.raises(UserOffline):
        story.do(AcceptInvite(ANA, BEN))
    assert story.world.invites.find(ANA, BEN) is not None
    story.open(ANA, "b")
    assert types(story.do(AcceptInvite(ANA, BEN))) == ["invite.accepted", "room.created"]


# Rooms


def test_a_closed_socket_is_refused_by_each_command_that_binds_one(story: Story) -> None:
    story.open(ANA, "b")
    story.do(CreateRoom(ANA, "n1.1.1b", ROOM, RoomPlan(game="relay", options={"seats": 2})))
    gone = story.open(ANA, "a")
    story.close(ANA, gone)
    plan = RoomPlan(game="relay")
    for command in (
        TakeSeat(ANA, gone, ROOM),
        JoinRoom(ANA, gone, ROOM, "player", None, None),
        JoinRoom(ANA, gone, ROOM, "spectator", None, None),
        JoinRoom(ANA, gone, "new", "player", None, plan),
        CreateRoom(ANA, gone, "new", plan),
        JoinLobby(ANA, gone),
    ):
        with pytest.raises(NotConnected):
            story.do(command)


def test_a_match_all_want_starts_when_the_last_player_returns(story: Story) -> None:
    for user in (ANA, BEN):
        socket = story.open(user)
        if user == ANA:
            plan = RoomPlan(game="relay", options={"seats": 2})
            story.do(CreateRoom(user, socket, ROOM, plan))
        else:
            story.do(JoinRoom(user, socket, ROOM, "player", None, None))
    story.do(SetReady(ANA, ROOM, ready=True))
    story.close(ANA, "n1.1.1a")
    with pytest.raises(RoomNotReady):
        story.do(BeginMatch(BEN, ROOM))
    assert types(story.do(SetReady(BEN, ROOM, ready=True))) == ["player.readied"]
    back = story.open(ANA, "b")
    assert types(story.do(TakeSeat(ANA, back, ROOM))) == ["seat.taken", "match.started"]


def test_failing_rules_do_not_prevent_a_reconnect(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = RoomPlan(game="relay", options={"seats": 2})
    story.do(CreateRoom(ANA, story.open(ANA), ROOM, plan))
    story.do(JoinRoom(BEN, story.open(BEN), ROOM, "player", None, None))
    story.do(SetReady(ANA, ROOM, ready=True))
    story.close(ANA, "n1.1.1a")
    story.do(SetReady(BEN, ROOM, ready=True))

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Relay, "setup", fail)
    assert types(story.do(TakeSeat(ANA, story.open(ANA, "b"), ROOM))) == ["seat.taken"]


GOES = [LeaveRoom(CLEO, ROOM), KickFromRoom(ANA, ROOM, CLEO), None]


@pytest.mark.parametrize("goes", GOES)
def test_a_match_all_others_want_starts_when_the_missing_player_leaves(
    story: Story, goes: LeaveRoom | KickFromRoom | None
) -> None:
    plan = RoomPlan(game="relay", options={"seats": 3, "seats_min": 2})
    story.do(CreateRoom(ANA, story.open(ANA), ROOM, plan))
    for user in (BEN, CLEO):
        story.do(JoinRoom(user, story.open(user), ROOM, "player", None, None))
    for user in (ANA, BEN):
        story.do(SetReady(user, ROOM, ready=True))
    story.close(CLEO, "n1.1.3a")
    (started,) = story.do(goes or ForfeitSeat(CLEO, ROOM, len(story.events)))[1:]
    assert isinstance(started, MatchStarted)
    assert started.players == [ANA, BEN]


def test_a_room_becomes_ready_when_the_missing_player_leaves(story: Story) -> None:
    plan = RoomPlan(game="relay", options={"seats": 3, "seats_min": 2})
    story.do(CreateRoom(ANA, story.open(ANA), ROOM, plan))
    story.close(ANA, "n1.1.1a")
    for user in (BEN, CLEO):
        events = story.do(JoinRoom(user, story.open(user), ROOM, "player", None, None))
    assert "room.became_ready" not in types(events)
    assert types(story.do(LeaveRoom(ANA, ROOM)))[-1] == "room.became_ready"


# Too many sockets


def replace(story: Story, *silent: str) -> list[str]:
    """Open one socket too many, and return what was closed for it."""
    with pytest.raises(TooManySockets):
        story.do(OpenSocket(ANA, "n1.1.30"))
    events = story.do(ReplaceSocket(ANA, "n1.1.30", frozenset(silent), 4504))
    assert events[0].type == "socket.opened"
    assert len(story.world.presence.sockets[ANA]) == 2
    return [event.socket for event in events if isinstance(event, SocketClosed)]


def test_the_oldest_socket_is_replaced_above_the_limit(story: Story) -> None:
    for number in ("9", "10"):
        story.do(OpenSocket(ANA, f"n1.1.{number}"))
    assert replace(story) == ["n1.1.9"]


def test_a_silent_socket_is_replaced_before_an_older_one(story: Story) -> None:
    for number in ("9", "10"):
        story.do(OpenSocket(ANA, f"n1.1.{number}"))
    assert replace(story, "n1.1.10", "n1.1.99") == ["n1.1.10"]


def test_a_match_shown_only_by_the_replaced_socket_is_paused(story: Story) -> None:
    story.match("pong", ANA, BEN)
    story.do(OpenSocket(ANA, "n1.1.2"))
    command = ReplaceSocket(ANA, "n1.1.30", frozenset({"n1.1.1a"}), 4504)
    assert f"room:{ROOM}" in command.streams(story.world)
    assert types(story.do(command))[:3] == ["socket.opened", "socket.closed", "match.paused"]


def test_no_socket_is_replaced_when_another_closed_meanwhile(story: Story) -> None:
    story.do(OpenSocket(ANA, "n1.1.9"))
    assert types(story.do(ReplaceSocket(ANA, "n1.1.30", frozenset(), 4504))) == ["socket.opened"]
