"""Decisions about joining a hosted room, as a player or as a spectator."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest

from service.domain.commands.hosting import JoinRoom, RoomPlan
from service.domain.errors import (
    AlreadyInRoom,
    Banned,
    NotConnected,
    RoomFull,
    RoomIsLocked,
    RoomNotFound,
    TooManyRooms,
    WrongPassword,
)
from service.domain.events.base import Event
from service.domain.events.rooms import (
    HostChanged,
    PlayerSeated,
    RoomClosed,
    RoomLocked,
    SeatLeft,
    SeatTaken,
    SpectatorJoined,
    SpectatorLeft,
)
from tests.unit.domain.decisions.histories import (
    ANA,
    BEN,
    CLEO,
    DAN,
    READY,
    holds,
    hosted,
    lost,
    made,
    online,
    opened,
    over,
    paused,
    playing,
    resumed,
    seated,
    started,
    taken,
    watching,
    wishes,
)
from tests.unit.domain.decisions.tag import scenario
from tests.unit.domain.story import ROOM

PLAYS = JoinRoom(ANA, "n1.1.1a", ROOM, "player", None, None)
WATCHES = JoinRoom(ANA, "n1.1.1a", ROOM, "spectator", None, None)

SITS = PlayerSeated(room=ROOM, user=ANA, seat=1)
TAKEN = SeatTaken(room=ROOM, user=ANA, socket="n1.1.1a")
WATCHED = SpectatorJoined(room=ROOM, user=ANA, socket="n1.1.1a")

BENS = [*online(ANA, BEN), *hosted(BEN)]
"""A room of Ben's for two to four."""

LOCKED = RoomLocked(room=ROOM, locked=True)


@pytest.mark.parametrize("command", [PLAYS, WATCHES])
def test_a_room_that_is_not_there_is_not_found(command: JoinRoom) -> None:
    scenario().given(*online(ANA)).when(command).then_refused(RoomNotFound)


@pytest.mark.parametrize("command", [PLAYS, WATCHES])
def test_a_closed_connection_joins_no_room(command: JoinRoom) -> None:
    scenario().given(*BENS, *lost(ANA)).when(command).then_refused(NotConnected)


@pytest.mark.parametrize(
    ("command", "events"), [(PLAYS, [SITS, TAKEN, READY]), (WATCHES, [WATCHED])]
)
def test_a_plan_for_a_room_that_is_there_is_not_needed(
    command: JoinRoom, events: list[Event]
) -> None:
    planned = msgspec.structs.replace(command, plan=RoomPlan(game="no such game"))
    scenario().given(*BENS).when(planned).then(*events)


# To play


def test_the_next_player_makes_the_room_ready() -> None:
    scenario().given(*BENS).when(PLAYS).then(SITS, TAKEN, READY)


def test_a_player_takes_a_seat_on_the_first_seat_that_is_free() -> None:
    given = [*online(CLEO), *BENS, *seated(CLEO, first=2)]
    scenario().given(*given).when(PLAYS).then(SITS, TAKEN, READY)


def test_a_room_that_is_ready_does_not_become_so_again() -> None:
    given = [*online(CLEO), *BENS, *seated(CLEO, first=2), READY]
    scenario().given(*given).when(PLAYS).then(SITS, TAKEN)


@pytest.mark.parametrize(("seats_min", "events"), [(2, [READY]), (3, [])])
def test_a_room_becomes_ready_with_as_many_as_a_match_needs(
    seats_min: int, events: list[Event]
) -> None:
    given = [*online(ANA, BEN), *hosted(BEN, seats_min=seats_min)]
    scenario().given(*given).when(PLAYS).then(SITS, TAKEN, *events)


def test_a_room_does_not_become_ready_while_one_of_its_players_is_missing() -> None:
    given = [*online(CLEO), *BENS, *seated(CLEO, first=2), *lost(BEN)]
    scenario().given(*given).when(PLAYS).then(SITS, TAKEN)


def test_a_user_who_takes_a_seat_starts_no_match_before_they_are_ready() -> None:
    given = [*online(ANA, BEN), *hosted(BEN, seats_min=2), *wishes(BEN)]
    scenario().given(*given).when(PLAYS).then(SITS, TAKEN, READY)


@pytest.mark.parametrize("given", [[], [READY]])
def test_a_room_without_a_free_seat_is_full(given: list[Event]) -> None:
    room = [*online(ANA, BEN, CLEO), *hosted(BEN, CLEO, seats_max=2), *given]
    scenario().given(*room).when(PLAYS).then_refused(RoomFull)


def test_nobody_takes_a_seat_during_a_match() -> None:
    given = [*online(CLEO), *BENS, *seated(CLEO, first=1), READY, started(BEN, CLEO)]
    scenario().given(*given).when(PLAYS).then_refused(RoomFull)


def test_a_seat_is_free_again_after_the_match() -> None:
    room = [*online(CLEO), *BENS, *seated(CLEO, first=1), READY, started(BEN, CLEO)]
    ended = [SeatLeft(room=ROOM, user=CLEO), over("left", 0, 2)]
    scenario().given(*room, *ended).when(PLAYS).then(SITS, TAKEN)


def test_a_user_who_is_busy_in_another_room_does_not_take_a_seat() -> None:
    given = [*BENS, *hosted(ANA, room="other")]
    scenario().given(*given).when(PLAYS).then_refused(AlreadyInRoom)


def test_a_user_who_takes_a_seat_leaves_the_room_where_all_is_over() -> None:
    old = [*made(ANA, CLEO, room="old"), started(ANA, CLEO, room="old")]
    given = [*online(CLEO), *BENS, *old, over("timeup", None, 2, room="old")]
    scenario().given(*given).when(PLAYS).then(SeatLeft(room="old", user=ANA), SITS, TAKEN, READY)


@pytest.mark.parametrize("command", [PLAYS, WATCHES])
def test_a_player_shows_the_room_in_one_socket_more_whatever_they_ask_for(
    command: JoinRoom,
) -> None:
    given = [*online(ANA, tabs="ab"), *online(BEN), *hosted(BEN), *seated(ANA, first=1)]
    second = msgspec.structs.replace(command, socket="n1.1.1b")
    scenario().given(*given).when(command).then_nothing()
    scenario().given(*given, LOCKED).when(second).then(
        SeatTaken(room=ROOM, user=ANA, socket="n1.1.1b"), READY
    )


def test_a_player_who_joins_again_resumes_the_match() -> None:
    given = [*playing(ANA, BEN), *lost(ANA), paused(2), *opened(ANA, "b")]
    second = msgspec.structs.replace(PLAYS, socket="n1.1.1b")
    scenario().given(*given).when(second).then(
        SeatTaken(room=ROOM, user=ANA, socket="n1.1.1b"), resumed(2)
    )


def test_a_user_who_takes_a_seat_keeps_showing_the_room_in_the_sockets_that_watched() -> None:
    given = [*online(ANA, tabs="abcd"), *online(BEN), *hosted(BEN), READY]
    watched = [event for letter in "dba" for event in watching(ANA, letter=letter)]
    scenario().given(*given, *watched).when(PLAYS).then(
        SITS, *(SeatTaken(room=ROOM, user=ANA, socket=f"n1.1.1{letter}") for letter in "abd")
    )


# To watch


def test_anybody_watches_a_room() -> None:
    scenario().given(*BENS).when(WATCHES).then(WATCHED)


def test_anybody_watches_a_match() -> None:
    given = [*online(CLEO), *playing(BEN, DAN), *online(ANA)]
    scenario().given(*given).when(WATCHES).then(WATCHED)


def test_a_socket_that_watches_does_not_start_to_watch_again() -> None:
    scenario().given(*BENS, *watching(ANA)).when(WATCHES).then_nothing()


def test_a_socket_that_watches_takes_a_seat() -> None:
    scenario().given(*BENS, *watching(ANA)).when(PLAYS).then(SITS, TAKEN, READY)


@pytest.mark.parametrize(("spectators_max", "full"), [(0, True), (1, True), (2, False)])
def test_a_room_takes_so_many_spectators(spectators_max: int, *, full: bool) -> None:
    room = hosted(BEN, spectators_max=spectators_max)
    given = [*online(ANA, BEN, CLEO), *room, *watching(*([CLEO] if spectators_max else []))]
    outcome = scenario().given(*given).when(WATCHES)
    if full:
        outcome.then_refused(RoomFull)
    else:
        outcome.then(WATCHED)


def test_a_second_socket_of_a_spectator_counts_for_no_second_one() -> None:
    given = [*online(ANA, tabs="ab"), *online(BEN), *hosted(BEN, spectators_max=1)]
    scenario().given(*given, *watching(ANA, letter="b")).when(WATCHES).then(WATCHED)


@pytest.mark.parametrize(("rooms_per_user_max", "too_many"), [(1, True), (2, True), (3, False)])
def test_a_user_watches_so_many_rooms_in_all_their_sockets(
    rooms_per_user_max: int, *, too_many: bool
) -> None:
    given = [*online(ANA, tabs="ab"), *online(BEN, CLEO, DAN), *hosted(BEN)]
    others = [*hosted(CLEO, room="r1"), *hosted(DAN, room="r2")]
    watched = [*watching(ANA, room="r1"), *watching(ANA, room="r2", letter="b")]
    rules = scenario(rooms_per_user_max=rooms_per_user_max)
    outcome = rules.given(*given, *others, *watched).when(WATCHES)
    if too_many:
        outcome.then_refused(TooManyRooms)
    else:
        outcome.then(WATCHED)


def test_a_second_socket_watches_the_same_room_besides_the_first() -> None:
    given = [*online(ANA, tabs="ab"), *online(BEN), *hosted(BEN), *watching(ANA, letter="b")]
    scenario(rooms_per_user_max=1).given(*given).when(WATCHES).then(WATCHED)


def test_a_socket_that_begins_to_watch_releases_the_keys_that_it_holds_in_a_match() -> None:
    given = [*playing(ANA, BEN), holds(0, "n1.1.1a", "n1.1.1b"), *online(CLEO)]
    watches = msgspec.structs.replace(WATCHES, room="other")
    scenario().given(*given, *hosted(CLEO, room="other")).when(watches).then(
        holds(0, "n1.1.1b", tick=1), SpectatorJoined(room="other", user=ANA, socket="n1.1.1a")
    )


def test_a_socket_that_begins_to_watch_releases_no_keys_of_a_match_that_never_waits() -> None:
    relay = started(ANA, BEN, game="relay", rules_version=1, pace="free", turn_s=None)
    relayed = msgspec.Raw(b'{"kind":"relayed","seat":0,"move":{}}')
    held = msgspec.structs.replace(holds(0, "n1.1.1a"), input=relayed)
    given = [*online(ANA, BEN, CLEO), *made(ANA, BEN, game="relay"), relay, held]
    watches = msgspec.structs.replace(WATCHES, room="other")
    scenario().given(*given, *hosted(CLEO, room="other")).when(watches).then(
        SpectatorJoined(room="other", user=ANA, socket="n1.1.1a")
    )


def test_a_socket_that_begins_to_watch_has_no_keys_to_release_a_paused_match() -> None:
    given = [*playing(ANA, BEN), *online(CLEO), *hosted(CLEO, room="other"), paused(2)]
    watches = msgspec.structs.replace(WATCHES, room="other")
    scenario().given(*given, holds(0, "n1.1.1a")).when(watches).then(
        SpectatorJoined(room="other", user=ANA, socket="n1.1.1a")
    )


# Rooms with restricted access

SPECTATOR_KICKED = [*watching(ANA), SpectatorLeft(room=ROOM, user=ANA, reason="kicked")]
PLAYER_KICKED = [*seated(ANA, first=1), SeatLeft(room=ROOM, user=ANA, reason="kicked")]


@pytest.mark.parametrize("command", [PLAYS, WATCHES])
@pytest.mark.parametrize("kicked", [SPECTATOR_KICKED, PLAYER_KICKED])
def test_a_user_who_was_kicked_does_not_come_back(command: JoinRoom, kicked: list[Event]) -> None:
    scenario().given(*BENS, *kicked).when(command).then_refused(Banned)
    scenario().given(*BENS, *kicked, LOCKED).when(command).then_refused(Banned)


@pytest.mark.parametrize("command", [PLAYS, WATCHES])
def test_a_locked_room_admits_nobody(command: JoinRoom) -> None:
    scenario().given(*BENS, LOCKED).when(command).then_refused(RoomIsLocked)


@pytest.mark.parametrize("opens", [None, "another"])
@pytest.mark.parametrize("command", [PLAYS, WATCHES])
def test_a_room_with_a_password_admits_nobody_without_it(
    command: JoinRoom, opens: str | None
) -> None:
    given = [*online(ANA, BEN), *hosted(BEN, password="sealed", visibility="password")]
    tries = msgspec.structs.replace(command, verified_password=opens)
    scenario().given(*given).when(tries).then_refused(WrongPassword)


@pytest.mark.parametrize(
    ("command", "events"), [(PLAYS, [SITS, TAKEN, READY]), (WATCHES, [WATCHED])]
)
def test_the_password_admits_anybody(command: JoinRoom, events: list[Event]) -> None:
    given = [*online(ANA, BEN), *hosted(BEN, password="sealed", visibility="password")]
    scenario().given(*given).when(
        msgspec.structs.replace(command, verified_password="sealed")
    ).then(*events)


@pytest.mark.parametrize("visibility", ["public", "private"])
@pytest.mark.parametrize(
    ("command", "events"), [(PLAYS, [SITS, TAKEN, READY]), (WATCHES, [WATCHED])]
)
def test_a_password_that_nobody_asks_for_does_no_harm(
    command: JoinRoom, events: list[Event], visibility: str
) -> None:
    given = [*online(ANA, BEN), *hosted(BEN, visibility=visibility)]
    scenario().given(*given).when(msgspec.structs.replace(command, verified_password="any")).then(
        *events
    )


@pytest.mark.parametrize("role", ["player", "spectator"])
def test_a_user_who_watches_already_is_not_asked_again(
    role: Literal["player", "spectator"],
) -> None:
    room: dict[str, Any] = {"password": "sealed", "visibility": "password"}
    given = [*online(ANA, tabs="ab"), *online(BEN), *hosted(BEN, **room), *watching(ANA), LOCKED]
    tab = msgspec.structs.replace(WATCHES, role=role, socket="n1.1.1b")
    taken_by_both = [SeatTaken(room=ROOM, user=ANA, socket=f"n1.1.1{one}") for one in "ba"]
    events: dict[str, list[Event]] = {
        "player": [SITS, *taken_by_both, READY],
        "spectator": [SpectatorJoined(room=ROOM, user=ANA, socket="n1.1.1b")],
    }
    scenario().given(*given).when(tab).then(*events[role])


# Empty rooms


@pytest.mark.parametrize(
    ("command", "events"),
    [(PLAYS, [PlayerSeated(room=ROOM, user=ANA, seat=0), TAKEN]), (WATCHES, [WATCHED])],
)
def test_a_user_who_joins_an_empty_room_of_a_host_is_its_host(
    command: JoinRoom, events: list[Event]
) -> None:
    given = [*online(ANA), *hosted(host=BEN)]
    host = HostChanged(room=ROOM, user=ANA)
    scenario().given(*given).when(command).then(*events, host)


def test_a_user_who_joins_a_room_that_is_only_watched_is_not_its_host() -> None:
    given = [*online(ANA, BEN), *hosted(host=BEN), *watching(BEN)]
    scenario().given(*given).when(PLAYS).then(PlayerSeated(room=ROOM, user=ANA, seat=0), TAKEN)


def test_a_user_who_joins_alone_an_empty_room_for_one_makes_it_ready() -> None:
    given = [*online(ANA), *hosted(host=BEN, seats_min=1, game="relay")]
    scenario().given(*given).when(PLAYS).then(
        PlayerSeated(room=ROOM, user=ANA, seat=0),
        TAKEN,
        HostChanged(room=ROOM, user=ANA),
        READY,
    )


def test_a_user_who_watches_an_empty_room_that_was_created_for_others_is_no_host() -> None:
    given = [*online(ANA, BEN, CLEO), *made(BEN, CLEO), *taken(BEN, CLEO)]
    over_for_all = [
        READY,
        started(BEN, CLEO),
        over("timeup", None, 2),
        SeatLeft(room=ROOM, user=BEN),
        SeatLeft(room=ROOM, user=CLEO),
    ]
    scenario().given(*given, *over_for_all).when(WATCHES).then(WATCHED)


def test_a_room_that_was_closed_is_opened_anew_by_who_has_a_plan() -> None:
    closed = [RoomClosed(room=ROOM, reason="empty")]
    planned = msgspec.structs.replace(PLAYS, plan=RoomPlan(game="tag"))
    scenario().given(*BENS, *closed).when(planned).then_types(
        "room.created", "player.seated", "seat.taken"
    )
