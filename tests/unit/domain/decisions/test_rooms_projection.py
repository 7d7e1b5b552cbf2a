"""The projection of rooms: the state after each event."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from service.domain.events.base import Event
from service.domain.events.nodes import NodeStarted
from service.domain.events.presence import SocketOpened
from service.domain.events.rooms import (
    HostChanged,
    PlayerReadied,
    PlayerSeated,
    RoomClosed,
    RoomLocked,
    SeatForfeited,
    SeatLeft,
    SpectatorLeft,
)
from service.domain.projections.room import Room, Seat
from service.domain.projections.room_options import RoomOptions
from service.domain.projections.rooms import Rooms
from tests.unit.domain.decisions.histories import (
    ANA,
    BEN,
    CLEO,
    DAN,
    READY,
    hosted,
    made,
    online,
    opened,
    over,
    playing,
    playing_hosted,
    seated,
    started,
    taken,
    watching,
    wishes,
)
from tests.unit.domain.decisions.tag import scenario
from tests.unit.domain.story import ROOM

OVER = over("timeup", None, 2)
LEFT = SeatLeft(room=ROOM, user=ANA)
KICKED = SeatLeft(room=ROOM, user=ANA, reason="kicked")
FORFEITED = SeatForfeited(room=ROOM, user=ANA)
CLOSED = RoomClosed(room=ROOM, reason="left")
RESTART = NodeStarted(node="n1", incarnation=2)

TWO = [*online(ANA, BEN), *hosted(ANA, BEN)]
WATCHED = [*online(ANA, BEN), *hosted(BEN), *watching(ANA)]
MADE = [*online(ANA, BEN), *made(ANA, BEN), *taken(ANA, BEN)]


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


# room.created


def test_a_room_that_is_created_for_players_has_their_seats() -> None:
    assert room_after(*made(ANA, BEN, seats_min=1, seats_max=3, options={"teams": 3})) == Room(
        id=ROOM,
        game="tag",
        options=RoomOptions({"teams": 3}),
        seats=[seat(ANA), seat(BEN), Seat()],
        seats_min=1,
        created_at=2,
        spectators_max=9,
        changed_at=2,
    )


def test_a_room_that_a_host_opens_is_as_they_want_it() -> None:
    given = made(
        host=BEN,
        seats_min=2,
        seats_max=2,
        visibility="password",
        password="sealed",
        metadata={"name": "Ben's"},
        named=True,
    )
    assert room_after(*given) == Room(
        id=ROOM,
        game="tag",
        options=RoomOptions(),
        seats=[Seat(), Seat()],
        seats_min=2,
        created_at=2,
        hosted=True,
        host=BEN,
        visibility="password",
        password="sealed",
        metadata={"name": "Ben's"},
        spectators_max=9,
        last_match=2,
        changed_at=2,
    )


def test_a_room_is_open_and_waits_when_nothing_else_is_said_of_it() -> None:
    room = Room(
        id=ROOM, game="tag", options=RoomOptions(), seats=[Seat()], seats_min=1, created_at=2
    )
    assert msgspec.structs.asdict(room.seats[0]) == {
        "user": None,
        "sockets": set(),
        "away_since": None,
        "excused": False,
        "gone": False,
    }
    assert msgspec.structs.asdict(room) == {
        "id": ROOM,
        "game": "tag",
        "options": RoomOptions(),
        "seats": [Seat()],
        "seats_min": 1,
        "created_at": 2,
        "hosted": False,
        "host": None,
        "visibility": "public",
        "password": None,
        "metadata": {},
        "locked": False,
        "banned": {},
        "spectators": {},
        "spectators_max": 0,
        "phase": "gathering",
        "match": None,
        "last_match": 0,
        "ready": set(),
        "changed_at": 0,
        "empty_since": None,
    }


def test_the_players_for_whom_a_room_is_made_have_seats_there_and_its_host_not_yet() -> None:
    assert rooms_after(*made(ANA, BEN)).seated == {ANA: ROOM, BEN: ROOM}
    assert rooms_after(*made(host=ANA, seats_max=2)).seated == {}


# player.seated, seat.taken


def test_a_player_who_takes_a_seat_has_the_seat_and_no_socket_yet() -> None:
    given = [*hosted(ANA), PlayerSeated(room=ROOM, user=BEN, seat=2)]
    room = room_after(*given)
    assert room.seats == [seat(ANA, "a"), Seat(), seat(BEN), Seat()]
    assert room.changed_at == last(*given)
    assert rooms_after(*given).seated == {ANA: ROOM, BEN: ROOM}


def test_a_player_who_takes_a_seat_stops_watching() -> None:
    given = [*online(ANA, BEN, CLEO), *hosted(BEN), *watching(ANA, CLEO)]
    rooms = rooms_after(*given, PlayerSeated(room=ROOM, user=ANA, seat=1))
    assert rooms.rooms[ROOM].spectators == {CLEO: {"n1.1.3a"}}
    assert rooms.watching == {"n1.1.3a": {ROOM}}


def test_a_player_who_takes_a_seat_keeps_watching_other_rooms() -> None:
    given = [*WATCHED, *hosted(CLEO, room="other"), *watching(ANA, room="other")]
    rooms = rooms_after(*given, PlayerSeated(room=ROOM, user=ANA, seat=1))
    assert rooms.watching == {"n1.1.1a": {"other"}}


def test_a_socket_that_shows_the_seat_is_counted() -> None:
    given = [*online(ANA, tabs="ab"), *online(BEN), *made(BEN, ANA), *taken(ANA)]
    assert room_after(*given).seats == [seat(BEN), seat(ANA, "a")]
    assert room_after(*given).changed_at == last(*given)
    assert room_after(*given, *taken(ANA, letter="b")).seats[1] == seat(ANA, "a", "b")


def test_a_player_who_is_back_is_neither_away_nor_excused_and_their_room_not_empty() -> None:
    given = [*online(ANA), *hosted(ANA), RESTART]
    away = room_after(*given)
    assert (away.seats[0], away.empty_since) == (
        seat(ANA, away_since=last(*given), excused=True),
        last(*given),
    )
    back = room_after(*given, *opened(ANA, "b"), *taken(ANA, letter="b"))
    assert (back.seats[0], back.empty_since) == (seat(ANA, "b"), None)


# seat.left, seat.forfeited


@pytest.mark.parametrize("gone", [LEFT, KICKED, FORFEITED])
def test_a_seat_is_free_when_its_player_is_gone(gone: Event) -> None:
    given = [*TWO, *wishes(ANA, BEN), gone]
    rooms = rooms_after(*given)
    room = rooms.rooms[ROOM]
    assert room.seats == [Seat(), seat(BEN, "a"), Seat(), Seat()]
    assert (room.ready, room.changed_at) == ({BEN}, last(*given))
    assert rooms.seated == {BEN: ROOM}


@pytest.mark.parametrize("gone", [LEFT, FORFEITED])
def test_a_seat_stays_empty_until_the_end_of_the_match(gone: Event) -> None:
    given = [*playing(ANA, BEN), gone]
    rooms = rooms_after(*given)
    assert rooms.rooms[ROOM].seats == [seat(ANA, gone=True), seat(BEN, "a")]
    assert rooms.rooms[ROOM].phase == "playing"
    assert rooms.seated == {BEN: ROOM}
    assert room_after(*given, OVER).seats == [Seat(), seat(BEN, "a")]


@pytest.mark.parametrize("gone", [LEFT, KICKED])
def test_the_room_that_was_left_last_is_remembered(gone: Event) -> None:
    assert rooms_after(*TWO, gone).left == {ANA: ROOM}


def test_a_forfeited_seat_is_not_one_that_was_left() -> None:
    assert rooms_after(*TWO, FORFEITED).left == {}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([*TWO, READY, FORFEITED], False),
        ([*playing_hosted(ANA, BEN), FORFEITED], True),
        ([*playing_hosted(ANA, BEN), OVER, FORFEITED], False),
        ([*MADE, FORFEITED], True),
        ([*playing(ANA, BEN), FORFEITED], True),
        ([*MADE, LEFT], False),
        ([*TWO, KICKED], False),
    ],
)
def test_a_user_who_forfeits_is_told_but_not_for_a_seat_of_a_hosts_room_where_nothing_is_played(
    given: list[Event], *, told: bool
) -> None:
    assert rooms_after(*given).kicked == ({ANA: ROOM} if told else {})


@pytest.mark.parametrize(("kicked", "told"), [(True, False), (False, True)])
def test_a_user_who_has_been_told_of_a_lost_seat_is_not_told_again(
    *, kicked: bool, told: bool
) -> None:
    given = [*playing(ANA, BEN), FORFEITED]
    opens = SocketOpened(user=ANA, socket="n1.1.1b", kicked=kicked)
    assert rooms_after(*given, opens).kicked == ({ANA: ROOM} if told else {})


def test_a_user_who_has_lost_no_seat_is_told_of_none() -> None:
    opens = SocketOpened(user=ANA, socket="n1.1.1b", kicked=True)
    assert rooms_after(*online(ANA), opens).kicked == {}


@pytest.mark.parametrize(("seats_min", "phase"), [(1, "ready"), (2, "gathering")])
def test_a_room_is_ready_no_longer_with_fewer_than_a_match_needs(
    seats_min: int, phase: str
) -> None:
    given = [*online(ANA, BEN), *hosted(ANA, BEN, seats_min=seats_min), READY]
    assert room_after(*given, LEFT).phase == phase


def test_a_finished_room_stays_finished_when_a_player_leaves() -> None:
    assert room_after(*playing(ANA, BEN), OVER, LEFT).phase == "finished"


@pytest.mark.parametrize(
    ("kicked", "banned"),
    [
        ([*TWO, KICKED], {ANA: None}),
        ([*TWO, LEFT], {}),
        ([*TWO, FORFEITED], {}),
        ([*WATCHED, SpectatorLeft(room=ROOM, user=ANA, reason="kicked")], {ANA: None}),
        ([*WATCHED, SpectatorLeft(room=ROOM, user=ANA, reason="left")], {}),
        ([*WATCHED, SpectatorLeft(room=ROOM, user=ANA, reason="offline")], {}),
    ],
)
def test_only_who_is_kicked_is_banned(kicked: list[Event], banned: dict[int, None]) -> None:
    assert room_after(*kicked).banned == banned


# spectator.joined, spectator.left


def test_each_socket_of_a_spectator_is_counted() -> None:
    given = [*online(ANA, tabs="ab"), *hosted(BEN), *watching(ANA), *watching(ANA, letter="b")]
    rooms = rooms_after(*given, *watching(CLEO), *hosted(BEN, room="o"), *watching(ANA, room="o"))
    assert list(rooms.rooms[ROOM].spectators.items()) == [
        (ANA, {"n1.1.1a", "n1.1.1b"}),
        (CLEO, {"n1.1.3a"}),
    ]
    assert rooms.watching == {"n1.1.1a": {ROOM, "o"}, "n1.1.1b": {ROOM}, "n1.1.3a": {ROOM}}
    assert room_after(*given).changed_at == last(*given)


def test_a_spectator_who_leaves_is_gone_with_all_their_sockets() -> None:
    given = [*WATCHED, *watching(ANA, letter="b"), *watching(CLEO)]
    given += [SpectatorLeft(room=ROOM, user=ANA, reason="left")]
    rooms = rooms_after(*given)
    assert rooms.rooms[ROOM].spectators == {CLEO: {"n1.1.3a"}}
    assert rooms.rooms[ROOM].changed_at == last(*given)
    assert rooms.watching == {"n1.1.3a": {ROOM}}


# room.became_ready, player.readied, host.changed, room.locked


def test_a_room_that_became_ready_is_ready() -> None:
    assert room_after(*TWO).phase == "gathering"
    assert room_after(*TWO, READY).phase == "ready"
    assert room_after(*TWO, READY).changed_at == last(*TWO, READY)


def test_a_player_is_ready_until_they_say_otherwise() -> None:
    given = [*TWO, *wishes(ANA, BEN)]
    assert room_after(*given).ready == {ANA, BEN}
    assert room_after(*given).changed_at == last(*given)
    relents = [*given, PlayerReadied(room=ROOM, user=ANA, ready=False)]
    assert room_after(*relents).ready == {BEN}
    assert room_after(*relents).changed_at == last(*relents)


def test_another_member_is_the_host() -> None:
    given = [*TWO, HostChanged(room=ROOM, user=BEN)]
    assert room_after(*given).host == BEN
    assert room_after(*given).changed_at == last(*given)


def test_a_room_is_locked_until_it_is_unlocked() -> None:
    given = [*TWO, RoomLocked(room=ROOM, locked=True)]
    assert room_after(*given).locked is True
    assert room_after(*given).changed_at == last(*given)
    assert room_after(*given, RoomLocked(room=ROOM, locked=False)).locked is False


# match.started, match.ended


def test_a_match_is_played_with_the_players_on_the_first_seats() -> None:
    given = [*online(BEN, ANA), *hosted(BEN), *seated(ANA, first=3), READY, *wishes(ANA, BEN)]
    given += [started(BEN, ANA)]
    room = room_after(*given)
    assert room.seats == [seat(BEN, "a"), seat(ANA, "a"), Seat(), Seat()]
    assert (room.phase, room.match, room.last_match) == ("playing", "room-1", 1)
    assert (room.ready, room.changed_at) == (set(), last(*given))


def test_a_room_is_kept_for_a_rematch() -> None:
    given = [*playing(ANA, BEN), OVER]
    room = room_after(*given)
    assert (room.phase, room.match, room.last_match) == ("finished", None, 1)
    assert (room.seats, room.changed_at) == ([seat(ANA, "a"), seat(BEN, "a")], last(*given))
    assert room_after(*given, started(ANA, BEN, number=2)).last_match == 2


# room.closed


def test_a_room_that_is_closed_is_forgotten_and_its_players_free() -> None:
    rooms = rooms_after(*TWO, *watching(CLEO), *hosted(DAN, room="other"), CLOSED)
    assert list(rooms.rooms) == ["other"]
    assert rooms.seated == {DAN: "other"}
    assert rooms.left == {ANA: ROOM, BEN: ROOM}
    assert rooms.watching == {}


def test_a_user_who_has_left_a_match_for_another_room_keeps_that_one_when_the_first_is_closed() -> (
    None
):
    given = [*playing(ANA, BEN), LEFT, *hosted(ANA, room="other")]
    rooms = rooms_after(*given, SeatLeft(room=ROOM, user=BEN), CLOSED)
    assert rooms.seated == {ANA: "other"}


def test_a_user_who_forfeited_in_a_match_has_not_left_the_room_that_is_closed() -> None:
    assert rooms_after(*playing(ANA, BEN), FORFEITED, CLOSED).left == {BEN: ROOM}
