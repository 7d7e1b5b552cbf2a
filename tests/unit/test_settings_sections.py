"""Sections of the settings: the limits that parts take, and how they are read."""

from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import Any

import pytest

from service.errors import ConfigurationError
from service.settings import Settings, load_settings
from service.settings.fields import make, part, section, setting, settings_of, values_of
from service.settings.load import read
from service.settings.sections.broadcasts import BroadcastLimits
from service.settings.sections.connections import (
    ConnectionLimits,
    Rate,
    SessionLimits,
    UserLimits,
)
from service.settings.sections.storage import StorageSettings


@section
class Bulb:
    """A part of a lamp."""

    watts: float = setting("LAMP_WATTS", 40, "Power.", unit="W", ge=1, le=100)


@section
class Lamp:
    """A section with a section in it."""

    colour: str = setting("LAMP_COLOUR", "white", "Colour of the light.")
    bulb: Bulb = part(Bulb)


def sections(cls: Any = Settings) -> list[Any]:
    inner = [one.type for one in fields(cls) if is_dataclass(one.type)]
    return [cls, *(found for one in inner for found in sections(one))]


def test_the_settings_of_a_section_are_its_own_and_those_of_its_parts_in_order() -> None:
    assert [one.env for one in settings_of(Lamp)] == ["LAMP_COLOUR", "LAMP_WATTS"]
    assert list(values_of(Lamp(colour="red"))) == ["red", 40]


def test_a_section_is_made_of_values_by_variable() -> None:
    assert make(Lamp, {"LAMP_WATTS": 60}) == Lamp(bulb=Bulb(watts=60))
    assert make(Lamp, {}) == Lamp()


def test_a_section_can_not_be_changed_and_has_no_dictionary() -> None:
    lamp: Any = Lamp()
    with pytest.raises(FrozenInstanceError):
        lamp.colour = "red"
    assert [one.__name__ for one in sections() if not hasattr(one, "__slots__")] == []
    assert not hasattr(lamp, "__dict__")


def test_values_have_the_types_of_their_fields_also_by_default() -> None:
    watts = read(Lamp, {}).bulb.watts
    assert (watts, type(watts)) == (40.0, float)


def test_a_given_value_overrides_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMP_WATTS", "10")
    assert read(Lamp, {}).bulb.watts == 10
    assert read(Lamp, {"LAMP_WATTS": 20}).bulb.watts == 20


def test_all_wrong_values_of_a_section_are_named() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(Lamp, {"LAMP_WATTS": 0, "LAMP_COLOR": "red"})
    assert caught.value.message == (
        "LAMP_WATTS=0 is not allowed: it must be a number from 1 to 100; "
        "LAMP_COLOR is not a setting"
    )


def test_each_section_has_its_place_and_each_variable_its_field() -> None:
    assert len(sections()) == len(set(sections()))
    envs = [one.env for one in settings_of(Settings)]
    assert len(envs) == len(set(envs))


def test_the_defaults_of_a_section_are_those_of_the_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for one in settings_of(Settings):
        monkeypatch.delenv(one.env, raising=False)
    assert load_settings() == Settings()


def test_the_user_limit_follows_from_the_socket_limit() -> None:
    limits = UserLimits(session=SessionLimits(messages_per_s=3, messages_burst=5))
    assert limits.session.messages == Rate(3, 5)
    assert limits.messages == Rate(12, 20)


def test_rates_per_minute_are_taken_by_the_second() -> None:
    limits = UserLimits(rooms_made_per_min=30, invites_per_min=6)
    assert limits.rooms == Rate(0.5, 20)
    assert limits.invites == Rate(0.1, 20)


def test_the_rates_of_a_user_without_settings() -> None:
    limits = UserLimits()
    assert limits.messages == Rate(480, 960)
    assert limits.chat == Rate(1, 10)
    assert limits.logged_bytes == Rate(64 * 1024, 512 * 1024)
    assert limits.signal_bytes == Rate(128 * 1024, 512 * 1024)
    assert limits.rooms == Rate(0.5, 20)
    assert limits.invites == Rate(0.5, 20)


def test_times_of_connections_and_broadcasts_in_the_units_of_their_parts() -> None:
    limits = ConnectionLimits(heartbeat_s=1.5)
    assert (limits.heartbeat_ms, limits.pong_s) == (1500, 0.75)
    assert limits.head_bytes_max == 2 * 65_536
    broadcasts = BroadcastLimits(user_list_ms=250, user_diff_ms=100)
    assert (broadcasts.user_list_s, broadcasts.user_diff_s) == (0.25, 0.1)


def test_the_database_is_where_it_is_set_or_in_the_data_directory() -> None:
    assert StorageSettings().database_url == "sqlite+aiosqlite:///data/ws-service.db"
    elsewhere = StorageSettings(database_url="sqlite+aiosqlite:///x.db")
    assert elsewhere.database_url == "sqlite+aiosqlite:///x.db"
