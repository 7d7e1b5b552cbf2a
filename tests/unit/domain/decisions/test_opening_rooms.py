"""Decisions about new rooms: options, visibility, and the first player or spectator."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from service.domain.commands.base import Command
from service.domain.commands.hosting import (
    CreateRoom,
    JoinRoom,
    RoomPlan,
)
from service.domain.errors import (
    AlreadyInRoom,
    ContradictoryRoom,
    NotConnected,
    RoomExists,
    RoomFull,
    TooManyRooms,
    UnknownGame,
    WrongPassword,
)
from service.domain.events.base import Event
from service.domain.events.rooms import (
    PlayerSeated,
    RoomBecameReady,
    RoomCreated,
    SeatLeft,
    SeatTaken,
    SpectatorJoined,
)
from service.domain.projections.world import World
from service.errors import UnknownField
from service.games.catalogue import GAMES
from service.games.protocol import InvalidOptions
from tests.unit.domain.decisions.histories import (
    ANA,
    BEN,
    OWNER,
    READY,
    holds,
    hosted,
    lost,
    made,
    online,
    over,
    playing,
    started,
    taken,
    watching,
)
from tests.unit.domain.decisions.tag import scenario
from tests.unit.domain.scenario import Outcome
from tests.unit.domain.story import ROOM

DEFAULTS = {"duration_s": 30, "reconnect_grace_s": 10, "pause_budget_s": 60}

OLD_ROOM = [
    *made(ANA, BEN, room="old"),
    *taken(ANA, BEN, room="old"),
    RoomBecameReady(room="old"),
    started(ANA, BEN, room="old"),
    over("timeup", None, 2, room="old"),
]
"""A room in which Ana and Ben have played."""

OPENS: list[CreateRoom | JoinRoom] = [
    CreateRoom(ANA, "n1.1.1a", "mine", RoomPlan(game="tag")),
    JoinRoom(ANA, "n1.1.1a", "mine", "player", None, RoomPlan(game="tag")),
]
"""The two ways in which a player opens a room."""


def create(**plan: Any) -> CreateRoom:
    """Let Ana open a room for tag, which gets an id."""
    return CreateRoom(ANA, "n1.1.1a", None, RoomPlan(**({"game": "tag"} | plan)))


def watch_new(**plan: Any) -> JoinRoom:
    """Let Ana open a room for tag to watch it."""
    asked = RoomPlan(**({"game": "tag"} | plan))
    return JoinRoom(ANA, "n1.1.1a", ROOM, "spectator", None, asked)


def room_of(outcome: Outcome) -> RoomCreated:
    """Return the room that was opened."""
    assert outcome.refused is None, outcome
    (created,) = [event for event in outcome.events if isinstance(event, RoomCreated)]
    return created


def opened_room(room: str = ROOM, **fields: Any) -> RoomCreated:
    """Return the room that Ana opens for tag when they say nothing about it."""
    created: dict[str, Any] = {
        "room": room,
        "game": "tag",
        "players": [],
        "options": DEFAULTS,
        "seats_min": 2,
        "seats_max": 4,
        "host": ANA,
        "spectators_max": 2000,
        "owner": OWNER,
    }
    return RoomCreated(**(created | fields))


# Locks


@pytest.mark.parametrize(
    ("command", "locks"),
    [
        (create(), {"user:1", "room:old"}),
        (OPENS[0], {"user:1", "room:mine", "room:old"}),
        (OPENS[1], {"user:1", "room:mine", "room:old"}),
    ],
)
def test_a_user_who_opens_or_joins_a_room_locks_it_and_themselves_and_the_room_that_they_leave(
    command: Command, locks: set[str]
) -> None:
    world = scenario().given(*online(ANA, BEN), *OLD_ROOM).story.world
    assert command.streams(world) == locks
    assert command.streams(World()) == locks - {"room:old"}


# CreateRoom


def test_a_host_opens_a_room_and_takes_its_first_seat() -> None:
    scenario().given(*online(ANA)).when(create()).then(
        opened_room(),
        PlayerSeated(room=ROOM, user=ANA, seat=0),
        SeatTaken(room=ROOM, user=ANA, socket="n1.1.1a"),
    )


@pytest.mark.parametrize("command", OPENS)
def test_a_room_has_the_id_that_its_host_chose(command: Command) -> None:
    scenario().given(*online(ANA)).when(command).then(
        opened_room("mine", named=True),
        PlayerSeated(room="mine", user=ANA, seat=0),
        SeatTaken(room="mine", user=ANA, socket="n1.1.1a"),
    )


def test_an_id_that_is_in_use_is_not_taken_again() -> None:
    given = [*online(ANA, BEN), *hosted(BEN, room="mine")]
    scenario().given(*given).when(OPENS[0]).then_refused(RoomExists)


@pytest.mark.parametrize("command", [create(), *OPENS])
def test_a_closed_connection_opens_no_room(command: Command) -> None:
    scenario().given(*online(ANA), *lost(ANA)).when(command).then_refused(NotConnected)


@pytest.mark.parametrize("command", [create(), *OPENS])
def test_a_user_who_is_busy_in_a_room_opens_no_other(command: Command) -> None:
    given = [*online(ANA), *hosted(ANA)]
    scenario().given(*given).when(command).then_refused(AlreadyInRoom)


def test_a_user_who_opens_a_room_leaves_the_one_where_all_is_over() -> None:
    scenario().given(*online(ANA, BEN), *OLD_ROOM).when(create()).then(
        SeatLeft(room="old", user=ANA),
        opened_room(),
        PlayerSeated(room=ROOM, user=ANA, seat=0),
        SeatTaken(room=ROOM, user=ANA, socket="n1.1.1a"),
    )


def test_a_room_in_which_one_may_play_alone_is_ready_at_once() -> None:
    plan = {"game": "relay", "options": {"seats": 1}}
    scenario().given(*online(ANA)).when(create(**plan)).then(
        opened_room(game="relay", options=DEFAULTS | {"seats": 1}, seats_min=1, seats_max=1),
        PlayerSeated(room=ROOM, user=ANA, seat=0),
        SeatTaken(room=ROOM, user=ANA, socket="n1.1.1a"),
        READY,
    )


@pytest.mark.parametrize("command", [create(game="x" * 41), watch_new(game="x" * 41)])
def test_a_game_that_does_not_exist_is_refused_and_the_existing_ones_are_named(
    command: Command,
) -> None:
    outcome = scenario().given(*online(ANA)).when(command)
    outcome.then_refused(UnknownGame)
    assert outcome.refused is not None
    assert outcome.refused.message == (
        f"There is no game '{'x' * 40}': {', '.join([*GAMES, 'tag'])}."
    )


@pytest.mark.parametrize(
    ("plan", "visibility", "password"),
    [
        ({}, "public", None),
        ({"visibility": "public"}, "public", None),
        ({"visibility": "private"}, "private", None),
        ({"password": "sealed"}, "password", "sealed"),
        ({"password": "sealed", "visibility": "password"}, "password", "sealed"),
    ],
)
def test_a_room_is_as_open_as_its_host_says(
    plan: dict[str, Any], visibility: str, password: str | None
) -> None:
    for command in (create(**plan), watch_new(**plan)):
        room = room_of(scenario().given(*online(ANA)).when(command))
        assert (room.visibility, room.password) == (visibility, password)


@pytest.mark.parametrize("visibility", ["public", "private"])
def test_a_room_with_a_password_is_neither_public_nor_private(visibility: str) -> None:
    asked = create(password="sealed", visibility=visibility)
    scenario().given(*online(ANA)).when(asked).then_refused(ContradictoryRoom)


def test_a_room_that_wants_a_password_needs_one() -> None:
    outcome = scenario().given(*online(ANA)).when(create(visibility="password"))
    outcome.then_refused(WrongPassword)
    assert outcome.refused is not None
    assert outcome.refused.message == "A room with the visibility `password` needs a password."


def test_a_room_keeps_what_its_host_notes_of_it() -> None:
    outcome = scenario().given(*online(ANA)).when(create(metadata={"name": "Ana's"}))
    assert room_of(outcome).metadata == {"name": "Ana's"}


@pytest.mark.parametrize(("asked", "allowed"), [(None, 5), (0, 0), (4, 4), (5, 5), (6, 5)])
def test_a_room_has_as_many_spectators_as_asked_for_and_allowed(
    asked: int | None, allowed: int
) -> None:
    outcome = scenario(spectators_max=5).given(*online(ANA)).when(create(spectators_max=asked))
    assert room_of(outcome).spectators_max == allowed


# The options of a room


@pytest.mark.parametrize(
    ("options", "seats"),
    [
        ({}, (2, 4)),
        ({"seats": 2}, (2, 2)),
        ({"seats": 3}, (3, 3)),
        ({"seats": 4}, (4, 4)),
        ({"seats_min": 2}, (2, 4)),
        ({"seats_min": 4}, (4, 4)),
        ({"seats": 3, "seats_min": 2}, (2, 3)),
        ({"seats": 3, "seats_min": 3}, (3, 3)),
    ],
)
def test_a_room_has_as_many_seats_as_its_options_or_else_its_game_say(
    options: dict[str, Any], seats: tuple[int, int]
) -> None:
    room = room_of(scenario().given(*online(ANA)).when(create(options=options)))
    assert (room.seats_min, room.seats_max) == seats
    assert room.options == DEFAULTS | options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        *(({"seats": odd}, "`seats` must be from 2 to 4.") for odd in (1, 5, True, 3.0, "3", None)),
        ({"seats_min": 1}, "`seats_min` must be from 2 to 4."),
        ({"seats_min": 5}, "`seats_min` must be from 2 to 4."),
        ({"seats": 3, "seats_min": 4}, "`seats_min` must be from 2 to 3."),
        ({"seats": 2, "seats_min": 1}, "`seats_min` must be 2."),
        ({"frame_ms": 1}, "`frame_ms` must be 0 or 16."),
        ({"frame_ms": 15}, "`frame_ms` must be 0 or 16."),
        ({"frame_ms": None}, "`frame_ms` must be 0 or 16."),
        *(
            ({name: odd}, f"`{name}` must be a number from 0 to {most}.")
            for name, most in [
                ("reconnect_grace_s", 3600),
                ("pause_budget_s", 3600),
                ("spectator_delay_s", 600),
            ]
            for odd in (-0.1, most + 0.1, True, "1", None)
        ),
    ],
)
def test_an_option_out_of_its_range_is_refused(options: dict[str, Any], message: str) -> None:
    outcome = scenario().given(*online(ANA)).when(create(options=options))
    outcome.then_refused(InvalidOptions)
    assert outcome.refused is not None
    assert outcome.refused.message == f"The option {message}"


@pytest.mark.parametrize("name", ["seats", "seats_min"])
def test_true_is_no_number_of_seats_where_one_would_do(name: str) -> None:
    alone = create(game="relay", options={name: True})
    scenario().given(*online(ANA)).when(alone).then_refused(InvalidOptions)


@pytest.mark.parametrize(
    "options",
    [
        {"frame_ms": 0},
        {"frame_ms": 16},
        *(
            {name: value}
            for name, most in [
                ("reconnect_grace_s", 3600),
                ("pause_budget_s", 3600),
                ("spectator_delay_s", 600),
            ]
            for value in (0, 0.5, most)
        ),
        {"teams": 2},
    ],
)
def test_an_option_within_its_range_is_kept(options: dict[str, Any]) -> None:
    outcome = scenario().given(*online(ANA)).when(create(options=options))
    assert room_of(outcome).options == DEFAULTS | options


def test_the_options_that_nobody_chose_are_those_of_the_settings() -> None:
    rules = scenario(match_duration_s=5, reconnect_grace_s=6, pause_budget_s=7)
    chosen = create(options={"reconnect_grace_s": 1})
    assert room_of(rules.given(*online(ANA)).when(chosen)).options == {
        "duration_s": 5,
        "reconnect_grace_s": 1,
        "pause_budget_s": 7,
    }


@pytest.mark.parametrize("name", ["duration_s", "team", "seat"])
def test_an_option_that_neither_the_room_nor_the_game_knows_is_refused(name: str) -> None:
    outcome = scenario().given(*online(ANA)).when(create(options={name: 2}))
    outcome.then_refused(UnknownField)
    assert outcome.refused is not None
    assert outcome.refused.message.startswith(f"options of tag has no `{name}`")


@pytest.mark.parametrize(("options", "refused"), [({"seats": 3}, True), ({"seats": 4}, False)])
def test_the_game_checks_the_options_with_all_seats_taken(
    options: dict[str, Any], *, refused: bool
) -> None:
    outcome = scenario().given(*online(ANA)).when(create(options=options | {"teams": 3}))
    if refused:
        outcome.then_refused(InvalidOptions)
    else:
        assert room_of(outcome).options["teams"] == 3


@pytest.mark.parametrize("command", [*OPENS, create(), watch_new()])
def test_the_options_are_checked_in_each_way_to_open_a_room(
    command: CreateRoom | JoinRoom,
) -> None:
    asked = msgspec.structs.replace(command, plan=RoomPlan(game="tag", options={"seats": 5}))
    scenario().given(*online(ANA)).when(asked).then_refused(InvalidOptions)


# To open a room and watch it


def test_a_spectator_opens_a_room_without_taking_a_seat() -> None:
    scenario().given(*online(ANA)).when(watch_new()).then(
        opened_room(named=True), SpectatorJoined(room=ROOM, user=ANA, socket="n1.1.1a")
    )


@pytest.mark.parametrize("given", [hosted(ANA, room="old"), OLD_ROOM])
def test_a_spectator_opens_a_room_besides_the_one_where_they_have_seats(given: list[Event]) -> None:
    scenario().given(*online(ANA, BEN), *given).when(watch_new()).then(
        opened_room(named=True), SpectatorJoined(room=ROOM, user=ANA, socket="n1.1.1a")
    )


def test_a_socket_that_opens_a_room_to_watch_releases_its_keys() -> None:
    given = [*playing(ANA, BEN), holds(0, "n1.1.1a", "n1.1.1b")]
    command = msgspec.structs.replace(watch_new(), room="new")
    scenario().given(*given).when(command).then(
        holds(0, "n1.1.1b", tick=1),
        opened_room("new", named=True),
        SpectatorJoined(room="new", user=ANA, socket="n1.1.1a"),
    )


@pytest.mark.parametrize("spectators_max", [0, 1])
def test_a_room_without_spectators_is_opened_by_none(spectators_max: int) -> None:
    command = watch_new(spectators_max=spectators_max)
    outcome = scenario().given(*online(ANA)).when(command)
    if spectators_max:
        assert room_of(outcome).spectators_max == 1
    else:
        outcome.then_refused(RoomFull)


@pytest.mark.parametrize("rooms_per_user_max", [1, 2])
def test_a_spectator_opens_no_more_rooms_than_they_may_watch(rooms_per_user_max: int) -> None:
    given = [*online(ANA, BEN), *hosted(BEN, room="old"), *watching(ANA, room="old")]
    outcome = scenario(rooms_per_user_max=rooms_per_user_max).given(*given).when(watch_new())
    if rooms_per_user_max == 1:
        outcome.then_refused(TooManyRooms)
    else:
        assert room_of(outcome).room == ROOM
