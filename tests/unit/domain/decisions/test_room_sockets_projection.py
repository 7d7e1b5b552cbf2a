"""The projection of rooms: sockets in rooms, and queries."""

from __future__ import annotations

from typing import Any

import pytest

from service.domain.errors import AlreadyInRoom, NotInRoom, RoomNotFound
from service.domain.events.base import Event
from service.domain.events.nodes import NodeStarted
from service.domain.events.presence import SocketClosed, SocketOpened
from service.domain.events.rooms import (
    PlayerSeated,
    SeatLeft,
    SeatTaken,
    SpectatorJoined,
    SpectatorLeft,
)
from service.domain.projections.room import BANNED_MAX, Room, Seat
from service.domain.projections.rooms import REMEMBERED_MAX, Rooms
from tests.unit.domain.decisions.histories import (
    ANA,
    BEN,
    BROKEN,
    CLEO,
    DAN,
    READY,
    hosted,
    lost,
    online,
    opened,
    over,
    playing,
    started,
    taken,
    watching,
)
from tests.unit.domain.decisions.tag import scenario
from tests.unit.domain.story import ROOM

OVER = over("timeup", None, 2)
LEFT = SeatLeft(room=ROOM, user=ANA)
RESTART = NodeStarted(node="n1", incarnation=2)

TWO = [*online(ANA, BEN), *hosted(ANA, BEN)]
WATCHED = [*online(ANA, BEN), *hosted(BEN), *watching(ANA)]


def rooms_after(*happened: Event) -> Rooms:
    return scenario().given(*happened).story.world.rooms


def room_after(*happened: Event) -> Room:
    return rooms_after(*happened).rooms[ROOM]


def last(*happened: Event) -> int:
    """Return the position of the last of the events that are given."""
    return 1 + len(happened)


def seat(user: int, *letters: str, **fields: Any) -> Seat:
    """Return a seat of a user that these tabs of them show."""
    return Seat(user=user, sockets={f"n1.1.{user}{letter}" for letter in letters}, **fields)


# socket.closed


def test_a_player_is_away_since_their_last_socket_was_lost() -> None:
    given = [*TWO, *opened(ANA, "b"), *taken(ANA, letter="b"), *lost(ANA)]
    assert room_after(*given).seats[0] == seat(ANA, "b")
    assert room_after(*given).changed_at == last(*given) - 1
    given += lost(ANA, letter="b")
    room = room_after(*given)
    assert room.seats[:2] == [seat(ANA, away_since=last(*given)), seat(BEN, "a")]
    assert (room.changed_at, room.empty_since) == (last(*given), None)


def test_a_lost_socket_that_did_not_show_the_room_changes_nothing() -> None:
    given = [*TWO, *opened(ANA, "b")]
    assert room_after(*given, *lost(ANA, letter="b")) == room_after(*given)


def test_a_socket_that_is_lost_while_the_player_is_away_does_not_start_another_grace_period() -> (
    None
):
    given = [*TWO, *lost(ANA)]
    away = room_after(*given).seats[0].away_since
    assert room_after(*given, *opened(ANA, "b"), *lost(ANA, letter="b")).seats[0].away_since == away


def test_a_lost_socket_is_gone_from_each_room_that_it_watched() -> None:
    given = [*WATCHED, *hosted(CLEO, room="other"), *watching(ANA, room="other"), *lost(ANA)]
    rooms = rooms_after(*given)
    assert rooms.watching == {}
    assert all(room.spectators == {} for room in rooms.rooms.values())
    assert rooms.rooms[ROOM].changed_at == rooms.rooms["other"].changed_at == last(*given)


def test_a_spectator_stays_while_another_socket_of_theirs_watches() -> None:
    given = [*WATCHED, *opened(ANA, "b"), *watching(ANA, letter="b")]
    rooms = rooms_after(*given, *lost(ANA))
    assert rooms.rooms[ROOM].spectators == {ANA: {"n1.1.1b"}}
    assert rooms.rooms[ROOM].changed_at == last(*given)
    assert rooms.watching == {"n1.1.1b": {ROOM}}


def test_a_socket_that_a_spectator_has_lost_after_they_left_changes_nothing() -> None:
    given = [*WATCHED, SpectatorLeft(room=ROOM, user=ANA, reason="left")]
    assert rooms_after(*given, *lost(ANA)) == rooms_after(*given)


# node.started


def test_all_sockets_of_a_node_that_starts_again_are_gone() -> None:
    given = [*online(ANA, BEN, CLEO), *hosted(ANA, BEN), *watching(CLEO), READY, RESTART]
    rooms = rooms_after(*given)
    room, restart = rooms.rooms[ROOM], last(*given)
    assert room.seats[:3] == [
        seat(ANA, away_since=restart, excused=True),
        seat(BEN, away_since=restart, excused=True),
        Seat(),
    ]
    assert (room.spectators, room.changed_at, room.empty_since) == ({}, restart, restart)
    assert rooms.watching == {}


def test_the_sockets_of_other_nodes_stay_when_a_node_starts_again() -> None:
    elsewhere = [
        SocketOpened(user=ANA, socket="n2.1.1"),
        SocketOpened(user=CLEO, socket="n2.1.2"),
        SeatTaken(room=ROOM, user=ANA, socket="n2.1.1"),
        SpectatorJoined(room=ROOM, user=CLEO, socket="n2.1.2"),
    ]
    given = [*online(ANA, BEN, CLEO), *hosted(ANA, BEN), *watching(CLEO), *elsewhere]
    rooms = rooms_after(*given, RESTART)
    assert rooms.rooms[ROOM].seats[0] == Seat(user=ANA, sockets={"n2.1.1"})
    assert rooms.rooms[ROOM].spectators == {CLEO: {"n2.1.2"}}
    assert rooms.watching == {"n2.1.2": {ROOM}}


def test_a_user_who_was_away_before_a_start_is_away_since_then_and_excused() -> None:
    given = [*TWO, *lost(ANA)]
    room = room_after(*given, RESTART)
    assert room.seats[0] == seat(ANA, away_since=last(*given), excused=True)


# Rooms without sockets


@pytest.mark.parametrize(
    "leaves",
    [
        [*WATCHED, *lost(BEN), *lost(ANA)],
        [*WATCHED, *lost(ANA), *lost(BEN)],
        [*WATCHED, *lost(BEN), SpectatorLeft(room=ROOM, user=ANA, reason="left")],
        [*WATCHED, *lost(ANA), SeatLeft(room=ROOM, user=BEN)],
        [*playing(ANA, BEN), *lost(ANA, BEN), OVER],
    ],
)
def test_a_room_is_empty_since_the_last_socket_left(leaves: list[Event]) -> None:
    assert room_after(*leaves[:-1]).empty_since is None
    assert room_after(*leaves).empty_since == last(*leaves)


def test_a_room_that_is_empty_does_not_become_so_again() -> None:
    given = [*TWO, *lost(ANA, BEN)]
    assert room_after(*given, LEFT).empty_since == last(*given)


@pytest.mark.parametrize("watcher", [[], watching(CLEO)])
def test_a_room_where_somebody_plays_or_watches_is_not_empty(watcher: list[Event]) -> None:
    gone = lost(ANA) if not watcher else lost(ANA, BEN)
    assert room_after(*TWO, *online(CLEO), *watcher, *gone).empty_since is None


def test_a_room_is_not_empty_once_a_socket_watches_it() -> None:
    given = [*TWO, *lost(ANA, BEN), *online(CLEO)]
    assert room_after(*given, *watching(CLEO)).empty_since is None


# What is remembered is bounded


def test_as_many_users_are_banned_from_a_room_as_the_bound_says_and_the_oldest_evicted() -> None:
    users = range(100, 100 + BANNED_MAX)
    given = [*hosted(), *(event for user in users for event in sent_out(user))]
    banned = room_after(*given).banned
    assert list(banned) == list(users)
    assert list(room_after(*given, *sent_out(1)).banned) == [*users[1:], 1]
    assert BANNED_MAX == 1000


def sent_out(user: int) -> list[Event]:
    return [*watching(user), SpectatorLeft(room=ROOM, user=user, reason="kicked")]


def test_as_many_left_rooms_are_remembered_as_the_bound_says_and_the_oldest_evicted() -> None:
    users = range(100, 100 + REMEMBERED_MAX)
    story = scenario().given(*hosted(), *(one for user in users for one in came_and_left(user)))
    left = story.story.world.rooms.left
    assert list(left) == list(users)
    story.given(*came_and_left(100))
    assert list(left) == [*users[1:], 100]
    story.given(*came_and_left(1))
    assert list(left) == [*users[2:], 100, 1]
    assert REMEMBERED_MAX == 10_000


def came_and_left(user: int) -> list[Event]:
    return [PlayerSeated(room=ROOM, user=user, seat=0), SeatLeft(room=ROOM, user=user)]


# Questions about a room

CROWD = [
    *online(ANA, BEN, CLEO, DAN),
    *hosted(ANA, BEN, CLEO),
    *watching(DAN),
    READY,
    started(ANA, BEN, CLEO),
    LEFT,
    *lost(BEN),
]
"""A match in which Ana has left, Ben is away, Cleo plays and Dan watches."""


def test_a_room_knows_who_plays_who_stays_who_is_away_and_who_watches() -> None:
    room = room_after(*CROWD)
    assert room.players == [ANA, BEN, CLEO]
    assert room.staying == [1, 2]
    assert room.staying_players == [BEN, CLEO]
    assert room.away == [BEN]
    assert room.members == [BEN, CLEO, DAN]
    assert [room.has_member(user) for user in (ANA, BEN, CLEO, DAN, 5)] == [
        False,
        True,
        True,
        True,
        False,
    ]
    assert [room.seat_of(user) for user in (ANA, BEN, CLEO, DAN)] == [None, 1, 2, None]


def test_a_room_knows_the_sockets_that_show_it() -> None:
    room = room_after(*CROWD)
    assert room.player_sockets == ["n1.1.3a"]
    assert room.spectator_sockets == ["n1.1.4a"]
    assert room.sockets == ["n1.1.3a", "n1.1.4a"]
    shown = [(ANA, "n1.1.1a"), (CLEO, "n1.1.3a"), (DAN, "n1.1.4a"), (DAN, "n1.1.3a")]
    assert [room.has_joined(user, socket) for user, socket in shown] == [False, True, True, False]


def test_the_first_free_seat_is_the_one_to_take() -> None:
    assert room_after(*hosted(ANA, BEN)).free_seat == 2
    assert room_after(*hosted(ANA, BEN), LEFT).free_seat == 0
    assert room_after(*hosted(ANA, BEN, seats_max=2)).free_seat is None
    assert room_after(*CROWD).free_seat == 3


# Questions about all rooms


@pytest.mark.parametrize(
    ("given", "busy", "plays"),
    [
        ([], False, False),
        (TWO, True, False),
        ([*TWO, READY], True, False),
        (playing(ANA, BEN), True, True),
        ([*playing(ANA, BEN), OVER], False, False),
        ([*playing(ANA, BEN), LEFT], False, False),
        (WATCHED, False, False),
    ],
)
def test_a_user_is_busy_from_the_seat_to_the_end_and_plays_in_a_match(
    given: list[Event], *, busy: bool, plays: bool
) -> None:
    rooms = rooms_after(*given)
    assert (rooms.is_busy(ANA), rooms.is_playing(ANA)) == (busy, plays)
    if busy:
        with pytest.raises(AlreadyInRoom):
            rooms.check_free(ANA)
    else:
        rooms.check_free(ANA)


def test_rooms_are_found_by_their_ids_and_seats_by_their_users() -> None:
    rooms = rooms_after(*TWO)
    assert rooms.get(ROOM) is rooms.rooms[ROOM]
    assert rooms.seat_of(BEN, ROOM) == (rooms.rooms[ROOM], 1)
    with pytest.raises(RoomNotFound):
        rooms.get("other")
    with pytest.raises(RoomNotFound):
        rooms.seat_of(BEN, "other")
    with pytest.raises(NotInRoom):
        rooms.seat_of(CLEO, ROOM)


def test_the_rooms_of_a_user_are_those_where_they_have_seats_and_those_they_watch() -> None:
    given = [*TWO, *hosted(CLEO, room="z"), *hosted(DAN, room="b"), *watching(ANA, room="z")]
    rooms = rooms_after(*given, *watching(ANA, room="b"))
    assert [room.id for room in rooms.rooms_of(ANA, ["n1.1.1a", "n1.1.1b"])] == ["b", ROOM, "z"]
    assert [room.id for room in rooms.rooms_of(ANA, [])] == [ROOM]
    assert rooms.rooms_of(DAN + 1, []) == []
    assert rooms.watched_by(["n1.1.1a"]) == {"b", "z"}
    assert rooms.streams_of([ANA, CLEO, 5]) == {"room:room", "room:z"}


def test_users_share_a_room_where_one_plays_or_watches_and_the_other_is_a_member() -> None:
    given = [
        *TWO,
        *hosted(CLEO, room="other"),
        *watching(ANA, room="other"),
        *hosted(DAN, room="x"),
    ]
    rooms = rooms_after(*given)
    shared = [rooms.share_a_room(ANA, ["n1.1.1a"], other) for other in (BEN, CLEO, DAN)]
    assert shared == [True, True, False]


def test_a_closed_socket_of_a_user_without_a_room_is_nothing_to_the_rooms() -> None:
    given = [*online(ANA), SocketClosed(user=ANA, socket="n1.1.1a", code=BROKEN)]
    assert rooms_after(*given) == Rooms()
