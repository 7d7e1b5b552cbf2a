"""Options of games: what a client chooses is checked, what was recorded is read."""

from __future__ import annotations

from itertools import product
from typing import Annotated, Any, Literal

import msgspec
import pytest

from service.errors import UnknownField
from service.games.catalogue import GAMES
from service.games.connect_four import CONNECT_FOUR, ConnectFourOptions
from service.games.options import (
    check_options,
    option_names,
    options_in_words,
    options_schema,
    read_options,
)
from service.games.pong import PONG, PongOptions
from service.games.protocol import Game, InvalidOptions
from service.games.relay import Relay


class Board(msgspec.Struct, frozen=True, rename="camel"):
    """Options of every kind."""

    rows: Annotated[int, msgspec.Meta(ge=3, le=19, description="How high it is.")] = 6
    odds: Annotated[float, msgspec.Meta(gt=0)] = 0.5
    shape: Literal["square", "hex"] = "square"
    hidden: bool = False
    motto: Annotated[str, msgspec.Meta(max_length=10)] = ""
    walls: Annotated[list[int], msgspec.Meta(max_length=3)] = []
    anything: Any = None
    limit_s: Annotated[int, msgspec.Meta(ge=1)] | None = None

    def __post_init__(self) -> None:
        if len(self.walls) > self.rows:
            raise ValueError("there are more walls than rows")


class BoardGame(Relay):
    name = "board"
    options_type: type[msgspec.Struct] = Board


BOARD = BoardGame()
EVERY_GAME = [*GAMES.registered, BOARD]

WRONG = [
    True,
    False,
    None,
    "1",
    "",
    float("nan"),
    float("inf"),
    -float("inf"),
    10**30,
    -(10**400),
    -1,
    [],
    [[[1]]],
    {},
    {"a": {"b": 1}},
    "x" * 100_000,
]


@pytest.mark.parametrize("value", WRONG, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize(
    ("game", "name"),
    [
        (game, name)
        for game in GAMES.registered
        for name in option_names(game)
        if game.rules_version == 1
    ],
)
def test_a_number_takes_no_other_value_and_the_error_says_which_it_takes(
    game: Game, name: str, value: object
) -> None:
    with pytest.raises(InvalidOptions) as caught:
        check_options(game, {name: value})
    assert caught.value.field == name
    assert caught.value.message.startswith(f"The option `{name}` must be a number ")
    assert caught.value.message.endswith("; leave it out for 30.")
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("rows", 2, "an integer from 3 to 19; leave it out for 6."),
        ("rows", 20, "an integer from 3 to 19; leave it out for 6."),
        ("rows", 6.0, "an integer from 3 to 19; leave it out for 6."),
        ("rows", True, "an integer from 3 to 19; leave it out for 6."),
        ("odds", 0, "a number above 0; leave it out for 0.5."),
        ("shape", "round", "one of: hex, square; leave it out for square."),
        ("shape", 1, "one of: hex, square; leave it out for square."),
        ("hidden", 1, "true or false; leave it out for false."),
        ("motto", "x" * 11, 'a text of at most this many characters: 10; leave it out for "".'),
        ("walls", [1, 2, 3, 4], "a list of at most this many items: 3; leave it out for []."),
        ("walls", ["1"], "a list of at most this many items: 3; leave it out for []."),
        ("limitS", 0, "an integer of at least 1 or null."),
        ("limitS", "", "an integer of at least 1 or null."),
        ("anything", float("nan"), "another value."),
        ("anything", [[[[[[[[[]]]]]]]]], "another value."),
    ],
)
def test_the_error_of_an_option_says_what_it_must_be(name: str, value: object, wanted: str) -> None:
    with pytest.raises(InvalidOptions) as caught:
        check_options(BOARD, {"rows": 7, name: value})
    assert (caught.value.message, caught.value.field) == (
        f"The option `{name}` must be {wanted}",
        name,
    )


def test_options_that_only_together_are_wrong_say_why() -> None:
    check_options(BOARD, {"rows": 3, "walls": [1, 2, 3]})
    game = _without_lengths()
    with pytest.raises(InvalidOptions, match="more walls than rows") as caught:
        check_options(game, {"rows": 3, "walls": [1, 2, 3, 4]})
    assert caught.value.field is None


def _without_lengths() -> Game:
    class Longer(Board, frozen=True, rename="camel"):
        walls: list[int] = []

    class LongerGame(BoardGame):
        options_type: type[msgspec.Struct] = Longer

    return LongerGame()


@pytest.mark.parametrize("name", ["limit_s", "Rows", "", "x" * 5000, "seats "])
def test_an_option_by_another_name_is_unknown(name: str) -> None:
    with pytest.raises(UnknownField) as caught:
        check_options(BOARD, {name: 1}, ("seats",))
    assert caught.value.field == name[:64]
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("game", EVERY_GAME, ids=lambda game: game.name)
def test_no_options_are_the_defaults(game: Game) -> None:
    assert check_options(game, {}) == read_options(game, {}) == game.options_type()


@pytest.mark.parametrize("game", EVERY_GAME, ids=lambda game: game.name)
def test_the_schema_has_a_default_and_help_for_each_option(game: Game) -> None:
    schema = options_schema(game.options_type)
    assert (schema["type"], schema["additionalProperties"]) == ("object", False)
    assert list(schema["properties"]) == list(option_names(game))
    assert all("default" in field for field in schema["properties"].values())
    if game is not BOARD:
        assert all(field["description"] for field in schema["properties"].values())


# Recorded options


@pytest.mark.parametrize(("value", "game"), list(product(WRONG, EVERY_GAME)))
def test_whatever_was_recorded_can_be_read(value: object, game: Game) -> None:
    for name in (*option_names(game), "seats", "gone"):
        options = read_options(game, {name: value, "other": 1})
        assert isinstance(options, game.options_type)


def test_a_recorded_value_out_of_its_present_range_is_taken() -> None:
    assert read_options(PONG, {"duration_s": 7200}) == PongOptions(7200.0)
    assert read_options(CONNECT_FOUR, {"turn_s": 0.5, "duration_s": 30}) == ConnectFourOptions(0.5)
    assert read_options(BOARD, {"limitS": -3, "rows": 99}) == Board(limit_s=-3, rows=99)


def test_a_recorded_value_of_another_type_is_as_if_not_chosen() -> None:
    assert read_options(PONG, {"duration_s": "long"}) == PongOptions()
    assert read_options(BOARD, {"rows": "x", "odds": 2, "shape": 9}) == Board(odds=2.0)


def test_recorded_options_that_are_wrong_together_are_as_if_not_chosen() -> None:
    assert read_options(BOARD, {"rows": 1, "walls": [1, 2, 3]}) == Board()


def test_options_are_told_in_words_with_their_defaults() -> None:
    wanted = "a number above 0 and at most 3600; by default 30"
    assert options_in_words(PongOptions) == {"duration_s": wanted}
