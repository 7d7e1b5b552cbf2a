"""Ids of users and sockets, at their bounds."""

from __future__ import annotations

import pytest

from service.domain.ids import (
    USER_ID_LENGTH_MAX,
    USER_ID_MAX,
    opened_on,
    opening_order,
    parse_user_id,
)


@pytest.mark.parametrize(
    ("raw", "user"),
    [
        (1, 1),
        ("1", 1),
        ("10", 10),
        (2**53 - 1, 2**53 - 1),
        ("9007199254740991", 2**53 - 1),
        ("9007199254740992", "9007199254740992"),
        ("12345678901234567", "12345678901234567"),
        ("0", "0"),
        ("01", "01"),
        ("-1", "-1"),
        ("1 ", "1 "),
        ("1\n", "1\n"),
        ("x", "x"),
        ("x" * 128, "x" * 128),
    ],
)
def test_a_user_id_has_one_form(raw: object, user: int | str) -> None:
    assert parse_user_id(raw) == user
    assert type(parse_user_id(raw)) is type(user)


@pytest.mark.parametrize(
    "raw", [0, -1, 2**53, "", "x" * 129, True, False, 1.0, None, [1], {}, b"1"]
)
def test_an_invalid_user_id_is_refused(raw: object) -> None:
    with pytest.raises(ValueError, match="from 1 to 2\\^53-1 or a text of 1 to 128 characters"):
        parse_user_id(raw)


def test_the_bounds_of_a_user_id_are_those_of_the_contract() -> None:
    assert (USER_ID_MAX, USER_ID_LENGTH_MAX) == (9_007_199_254_740_991, 128)


@pytest.mark.parametrize("node", ["n1", "eu.games.1"])
def test_socket_ids_sort_by_opening_order(node: str) -> None:
    sockets = ["10.1", "1.10", "9.1", "1.9", "2.1", "1.2"]
    ordered = ["1.2", "1.9", "1.10", "2.1", "9.1", "10.1"]
    assert sorted((f"{node}.{socket}" for socket in sockets), key=opening_order) == [
        f"{node}.{socket}" for socket in ordered
    ]


@pytest.mark.parametrize(
    ("socket", "node", "is_there"),
    [
        ("n1.1.2", "n1", True),
        ("n1.12.3", "n1", True),
        ("n10.1.2", "n1", False),
        ("n1.1.2", "n1.1", False),
        ("a.b.1.2", "a.b", True),
        ("a.b.1.2", "a", False),
    ],
)
def test_a_socket_id_names_its_node(socket: str, node: str, *, is_there: bool) -> None:
    assert opened_on(socket, node) is is_there
