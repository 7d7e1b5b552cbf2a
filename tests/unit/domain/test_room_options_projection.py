"""Options of a room as the projections read them: typed, with defaults, and kept as written."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from service.domain.projections.room_options import RoomOptions
from service.domain.projections.rooms import Rooms
from service.domain.projections.world import World
from service.eventstore.codec import decode
from service.fanout.profiles import Profiles
from service.fanout.views import room_state

NUMBERS = ["reconnect_grace_s", "pause_budget_s", "spectator_delay_s", "frame_ms", "duration_s"]

WRITTEN: list[dict[str, Any]] = [
    {},
    {"teams": [1, {"b": None, "a": 0.5}], "reconnect_grace_s": 10},
    {"reconnect_grace_s": 10.0, "duration_s": 30, "pause_budget_s": 60, "seats": 2},
    {"frame_ms": 16, "spectator_delay_s": 3, "as_written": {"turn_s": 5}},
    {"reconnect_grace_s": "ten", "frame_ms": None, "duration_s": True},
]


def test_an_event_that_names_no_option_has_the_defaults() -> None:
    assert msgspec.structs.asdict(RoomOptions.read({})) == {
        "as_written": {},
        "reconnect_grace_s": 10,
        "pause_budget_s": None,
        "spectator_delay_s": 0,
        "frame_ms": 0,
        "duration_s": 30,
    }


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [0, 2, 0.5])
def test_an_option_of_the_service_is_read_as_a_number(name: str, value: float) -> None:
    options = RoomOptions.read({name: value, "teams": 3})
    assert options == msgspec.structs.replace(RoomOptions(options.as_written), **{name: value})
    assert options.as_written == {name: value, "teams": 3}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("odd", [None, True, "2", [2], {"s": 2}, 10**400])
def test_a_value_that_is_no_number_counts_as_not_named(name: str, odd: object) -> None:
    assert RoomOptions.read({name: odd}) == RoomOptions({name: odd})


@pytest.mark.parametrize("value", [5, {"reconnect_grace_s": 1}])
def test_an_option_of_the_game_is_not_taken_for_what_was_written(value: object) -> None:
    written = {"as_written": value}
    assert RoomOptions.read(written) == RoomOptions(written)


@pytest.mark.parametrize("written", WRITTEN)
def test_clients_see_the_options_byte_by_byte_as_the_event_has_them(
    written: dict[str, Any],
) -> None:
    event = {"game": "relay", "players": [1], "seats_min": 1, "seats_max": 1, "room": "room"}
    data = msgspec.json.encode(event | {"options": written})
    world = World()
    world.fold(decode("room.created", 2, data), 1)
    shown = room_state(world.rooms.rooms["room"], world, Profiles()).options
    assert msgspec.json.encode(shown) == msgspec.json.encode(written)


@pytest.mark.parametrize("written", WRITTEN)
def test_a_snapshot_keeps_the_options_as_they_are(written: dict[str, Any]) -> None:
    rooms = Rooms()
    event = decode(
        "room.created",
        2,
        msgspec.json.encode(
            {
                "room": "room",
                "game": "relay",
                "players": [],
                "options": written,
                "seats_min": 1,
                "seats_max": 1,
            }
        ),
    )
    rooms.on_room_created(event, 1)  # type: ignore[arg-type]  # decoded by its type
    dumped = msgspec.msgpack.encode(rooms)
    again = msgspec.msgpack.decode(dumped, type=Rooms)
    assert again == rooms
    assert msgspec.msgpack.encode(again) == dumped
    assert msgspec.json.encode(again.rooms["room"].options.as_written) == msgspec.json.encode(
        written
    )
