"""The number of players that a match needs to start and to continue."""

from __future__ import annotations

from typing import Any

import pytest

from service.domain.commands.hosting import CreateRoom, JoinRoom, RoomPlan
from service.domain.commands.invites import AcceptInvite, SendInvite
from service.domain.commands.matchmaking import JoinQueue
from service.domain.commands.seats import BeginMatch, LeaveRoom, SetReady, TakeSeat
from service.domain.errors import RoomNotReady
from service.domain.events.base import Event
from service.domain.events.matches import MatchEnded, MatchStarted
from service.games.protocol import InvalidOptions
from tests.unit.domain.story import ROOM, Story


def types(events: list[Event]) -> list[str]:
    return [event.type for event in events]


@pytest.fixture
def story() -> Story:
    return Story()


def opened(story: Story, or_create: bool = False, **options: Any) -> None:  # noqa: FBT001, FBT002 - parametrized
    plan = RoomPlan(game="relay", options=options)
    socket = story.open(1)
    if or_create:
        story.do(JoinRoom(1, socket, ROOM, "player", None, plan))
    else:
        story.do(CreateRoom(1, socket, ROOM, plan))


@pytest.mark.parametrize("or_create", [False, True])
def test_a_room_with_two_seats_needs_two_players(story: Story, *, or_create: bool) -> None:
    opened(story, or_create, seats=2)
    assert story.world.rooms.rooms[ROOM].phase == "gathering"
    assert types(story.do(SetReady(1, ROOM, ready=True))) == ["player.readied"]
    events = story.do(JoinRoom(2, story.open(2), ROOM, "player", None, None))
    assert types(events) == ["player.seated", "seat.taken", "room.became_ready"]
    assert types(story.do(SetReady(2, ROOM, ready=True))) == ["player.readied", "match.started"]


def test_seats_min_allows_a_match_with_fewer_players(story: Story) -> None:
    opened(story, seats=3, seats_min=1)
    assert types(story.do(SetReady(1, ROOM, ready=True))) == ["player.readied", "match.started"]


def test_the_minimum_of_seats_defaults_to_the_game(story: Story) -> None:
    opened(story)
    room = story.world.rooms.rooms[ROOM]
    assert (room.seats_min, len(room.seats)) == (1, 16)


@pytest.mark.parametrize(
    "options",
    [
        {"seats": 0},
        {"seats": 17},
        {"seats": True},
        {"seats": 2.0},
        {"seats": 2, "seats_min": 3},
        {"seats_min": 0},
        {"seats_min": "1"},
        {"seats_min": None},
    ],
)
def test_invalid_seat_counts_are_refused(story: Story, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptions):
        opened(story, **options)


@pytest.mark.parametrize("way", ["invite", "queue"])
def test_a_room_created_for_two_players_needs_both(story: Story, way: str) -> None:
    one, two = story.open(1), story.open(2)
    if way == "invite":
        story.do(SendInvite(1, 2, "relay"))
        story.do(AcceptInvite(1, 2))
    else:
        story.do(JoinQueue(1, "relay"))
        story.do(JoinQueue(2, "relay"))
    assert types(story.do(TakeSeat(1, one, ROOM))) == ["seat.taken"]
    with pytest.raises(RoomNotReady):
        story.do(BeginMatch(1, ROOM))
    assert types(story.do(TakeSeat(2, two, ROOM))) == ["seat.taken", "room.became_ready"]
    (started,) = story.do(BeginMatch(1, ROOM))
    assert isinstance(started, MatchStarted)
    assert len(started.players) == 2


def test_a_match_of_three_continues_without_one_player(story: Story) -> None:
    story.match("relay", 1, 2, 3, seats=3)
    assert "match.ended" not in types(story.do(LeaveRoom(3, ROOM)))
    assert "match.ended" not in types(story.do(LeaveRoom(1, ROOM)))
    ended = [event for event in story.do(LeaveRoom(2, ROOM)) if isinstance(event, MatchEnded)]
    assert [event.reason for event in ended] == ["abandoned"]
