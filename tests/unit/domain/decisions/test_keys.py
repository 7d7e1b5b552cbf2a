"""Keys held by socket, as values: nothing is changed in place."""

from __future__ import annotations

import pytest

from service.domain.projections.keys import Held, after_key, key_names, without_tab
from service.games.protocol import Key

UP_DOWN, UP_UP = Key("up", down=True), Key("up", down=False)


@pytest.mark.parametrize(
    ("held", "after"),
    [
        ({}, {"a": ["up"]}),
        ({"a": ["up"]}, {"a": ["up"]}),
        ({"a": ["down"]}, {"a": ["down", "up"]}),
        ({"b": ["up"]}, {"b": ["up"], "a": ["up"]}),
        ({"b": ["down"]}, {"b": ["down"], "a": ["up"]}),
    ],
)
def test_a_key_that_goes_down_is_held_by_its_socket_besides_all_others(
    held: Held, after: Held
) -> None:
    assert after_key(held, "a", UP_DOWN) == after


@pytest.mark.parametrize(
    ("held", "after"),
    [
        ({"a": ["up"]}, {}),
        ({"a": ["up", "down"]}, {"a": ["down"]}),
        ({"a": ["up"], "b": ["up"]}, {"b": ["up"]}),
        ({"a": ["up", "down"], "b": ["up", "down"]}, {"a": ["down"], "b": ["up", "down"]}),
    ],
)
def test_a_socket_that_holds_a_key_releases_it_for_itself_alone(held: Held, after: Held) -> None:
    assert after_key(held, "a", UP_UP) == after


@pytest.mark.parametrize(
    ("held", "after"),
    [
        ({}, {}),
        ({"a": ["down"]}, {"a": ["down"]}),
        ({"b": ["up"]}, {}),
        ({"b": ["up"], "c": ["down", "up"]}, {"c": ["down"]}),
        ({"a": ["down"], "b": ["up", "down"]}, {"a": ["down"], "b": ["down"]}),
    ],
)
def test_a_socket_that_does_not_hold_a_key_releases_it_in_every_socket(
    held: Held, after: Held
) -> None:
    assert after_key(held, "a", UP_UP) == after


@pytest.mark.parametrize(
    ("held", "after"),
    [
        ({}, {}),
        ({"a": ["up"]}, {}),
        ({"b": ["up"]}, {"b": ["up"]}),
        ({"a": ["up"], "b": ["up"]}, {"b": ["up"]}),
    ],
)
def test_a_socket_that_is_gone_holds_nothing(held: Held, after: Held) -> None:
    assert without_tab(held, "a") == after


def test_a_seat_holds_what_any_of_its_sockets_holds() -> None:
    assert key_names({}) == set()
    assert key_names({"a": ["up"], "b": ["up", "down"]}) == {"up", "down"}


@pytest.mark.parametrize("key", [UP_DOWN, UP_UP, Key("down", down=True)])
def test_what_was_held_before_stays_as_it_was(key: Key) -> None:
    held = {"a": ["up"], "b": ["up"]}
    for after in (after_key(held, "a", key), after_key(held, "c", key), without_tab(held, "a")):
        assert after is not held
    assert held == {"a": ["up"], "b": ["up"]}
