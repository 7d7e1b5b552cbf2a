from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.games.connect_four import (
    COLUMNS,
    CONNECT_FOUR,
    ROWS,
    ColumnFull,
    ConnectFourOptions,
    ConnectFourState,
    Dropped,
    GameIsOver,
    NoSuchColumn,
    NotYourTurn,
    TimedOut,
)
from service.games.options import check_options, set_up
from service.games.protocol import InvalidMove, InvalidOptions, Result
from tests.effort import effort

SEAT_0_BEGINS, SEAT_1_BEGINS = 1, 3
"""Seeds."""

DRAW = [int(column) for column in "330254564223355224331121550404466660106011"]

SLOW = effort()
SEEDS = st.integers(0, 2**64 - 1)
CHOICES = st.lists(st.integers(0, COLUMNS - 1), min_size=COLUMNS * ROWS, max_size=COLUMNS * ROWS)
"""One of the columns that have room, for each move that there can be."""


def beginning(seed: int = SEAT_0_BEGINS, **options: Any) -> ConnectFourState:
    state: ConnectFourState = set_up(CONNECT_FOUR, seed, options, 2)
    return state


def move(state: ConnectFourState, column: object) -> None:
    """Let the player to move make a move, as in a live match."""
    assert state.turn is not None
    (event,) = CONNECT_FOUR.decide(state, state.turn, {"column": column})
    CONNECT_FOUR.apply(state, event)


def after(columns: Sequence[int], seed: int = SEAT_0_BEGINS) -> ConnectFourState:
    state = beginning(seed)
    for column in columns:
        move(state, column)
    return state


def open_columns(state: ConnectFourState) -> list[int]:
    return [column for column, discs in enumerate(state.columns) if len(discs) < ROWS]


def chosen(choices: Sequence[int], seed: int = SEAT_0_BEGINS) -> list[int]:
    """Return the columns of a random match, as far as it goes."""
    state, columns = beginning(seed), []
    for choice in choices:
        if state.turn is None:
            break
        free = open_columns(state)
        columns.append(free[choice % len(free)])
        move(state, columns[-1])
    return columns


def encoded(state: ConnectFourState) -> bytes:
    return msgspec.json.encode(state)


def all_fours(state: ConnectFourState) -> dict[int, set[tuple[int, int]]]:
    """Look for four in a row at every place, in every direction, slowly."""
    discs = {
        (column, height): seat
        for column, seats in enumerate(state.columns)
        for height, seat in enumerate(seats)
    }
    found: dict[int, set[tuple[int, int]]] = {}
    for column in range(COLUMNS):
        for height in range(ROWS):
            for across in (-1, 0, 1):
                for up in (-1, 0, 1):
                    if (across, up) != (0, 0):
                        four = [(column + step * across, height + step * up) for step in range(4)]
                        seats = {discs.get(place) for place in four}
                        if len(seats) == 1 and None not in seats:
                            found.setdefault(discs[column, height], set()).update(four)
    return found


# The beginning


def test_the_seed_decides_who_begins() -> None:
    assert beginning(SEAT_0_BEGINS).turn == 0
    assert beginning(SEAT_1_BEGINS).turn == 1
    first = [beginning(seed).turn for seed in range(1000)]
    assert 400 < sum(turn == 0 for turn in first) < 600


def test_the_board_is_7_wide_and_6_high_and_empty() -> None:
    view = CONNECT_FOUR.view(beginning(), None)
    assert view.board == [[None] * 7 for _ in range(6)]


@pytest.mark.parametrize(
    ("options", "turn_s"), [({}, 30), ({"turn_s": 1}, 1), ({"turn_s": 90}, 90)]
)
def test_the_turn_time_is_30_seconds_or_the_option(options: dict[str, Any], turn_s: float) -> None:
    assert CONNECT_FOUR.turn_s(beginning(**options), ConnectFourOptions(**options)) == turn_s


@pytest.mark.parametrize(
    "turn_s",
    [0, 0.99, -1, 3600.5, float("nan"), float("inf"), "30", None, [30], {}, True],
)
def test_an_invalid_turn_time_is_refused_with_a_message(turn_s: object) -> None:
    with pytest.raises(InvalidOptions, match=r"`turn_s`.* 1 to 3600") as caught:
        check_options(CONNECT_FOUR, {"turn_s": turn_s})
    assert caught.value.code == "INVALID_OPTIONS"


def test_options_of_other_games_are_ignored() -> None:
    assert beginning(colour="green") == beginning()


# Moves


def test_a_disc_lands_on_top_of_its_column() -> None:
    assert after([3, 3, 2]).columns == [[], [], [0], [0, 1], [], [], []]


def test_the_players_take_turns() -> None:
    state = beginning(SEAT_1_BEGINS)
    turns = []
    for column in (0, 1, 2, 3):
        turns.append(state.turn)
        move(state, column)
    assert turns == [1, 0, 1, 0]


def test_decide_does_not_change_the_state_and_apply_does() -> None:
    state = beginning()
    assert CONNECT_FOUR.decide(state, 0, {"column": 3}) == [Dropped(0, 3)]
    assert state == beginning()
    CONNECT_FOUR.apply(state, Dropped(0, 3))
    assert state != beginning()


def test_a_move_out_of_turn_is_refused_with_a_message() -> None:
    with pytest.raises(NotYourTurn, match=r"the other player's turn") as caught:
        CONNECT_FOUR.decide(beginning(), 1, {"column": 3})
    assert caught.value.code == "INVALID_MOVE"


@pytest.mark.parametrize("column", [-1, 7, 10**30, 1.0, 2.5, True, False, "3", None, [3], {}])
def test_an_invalid_column_is_refused_with_a_message(column: object) -> None:
    with pytest.raises(NoSuchColumn, match=r"integer from 0 to 6") as caught:
        CONNECT_FOUR.decide(beginning(), 0, {"column": column})
    assert caught.value.code == "INVALID_MOVE"


def test_a_move_needs_a_column() -> None:
    with pytest.raises(NoSuchColumn):
        CONNECT_FOUR.decide(beginning(), 0, {})


def test_a_full_column_refuses_a_disc() -> None:
    with pytest.raises(ColumnFull, match=r"column is full") as caught:
        CONNECT_FOUR.decide(after([4] * 6), 0, {"column": 4})
    assert caught.value.code == "INVALID_MOVE"


@given(SEEDS, CHOICES, st.integers(0, 42), st.integers(0, 1), st.integers(-2, 9))
@SLOW
def test_exactly_the_legal_moves_are_accepted(
    seed: int, choices: list[int], moves: int, seat: int, column: int
) -> None:
    state = after(chosen(choices[:moves], seed), seed)
    before = encoded(state)
    if seat == state.turn and column in open_columns(state):
        assert CONNECT_FOUR.decide(state, seat, {"column": column}) == [Dropped(seat, column)]
        CONNECT_FOUR.apply(state, Dropped(seat, column))
        assert state.columns[column][-1] == seat
    else:
        with pytest.raises(InvalidMove):
            CONNECT_FOUR.decide(state, seat, {"column": column})
        with pytest.raises(InvalidMove):
            CONNECT_FOUR.apply(state, Dropped(seat, column))
        assert encoded(state) == before


# Results


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        ([0, 0, 1, 1, 2, 2, 3], [(5, 0), (5, 1), (5, 2), (5, 3)]),
        ([6, 0, 6, 1, 6, 2, 6], [(2, 6), (3, 6), (4, 6), (5, 6)]),
        ([0, 1, 1, 2, 2, 3, 2, 3, 3, 6, 3], [(2, 3), (3, 2), (4, 1), (5, 0)]),
        ([6, 5, 5, 4, 4, 3, 4, 3, 3, 0, 3], [(2, 3), (3, 4), (4, 5), (5, 6)]),
    ],
)
def test_four_in_a_row_win_in_every_direction(
    columns: list[int], line: list[tuple[int, int]]
) -> None:
    before, state = after(columns[:-1]), after(columns)
    assert CONNECT_FOUR.result(before) is None
    assert CONNECT_FOUR.result(state) == Result(0)
    assert CONNECT_FOUR.scores(state) == [1, 0]
    assert CONNECT_FOUR.view(state, None).line == line


def test_the_player_who_did_not_begin_may_win_too() -> None:
    state = after([0, 0, 1, 1, 2, 2, 3], SEAT_1_BEGINS)
    assert CONNECT_FOUR.result(state) == Result(1)
    assert CONNECT_FOUR.scores(state) == [0, 1]


def test_a_disc_can_complete_several_lines_at_once() -> None:
    # Seven in a row at the bottom: three at each side, and then the one in the middle.
    state = after([0, 0, 1, 1, 2, 2, 4, 4, 5, 5, 6, 6, 3])
    assert CONNECT_FOUR.view(state, None).line == [(5, column) for column in range(7)]


def test_a_full_board_without_four_in_a_row_is_a_draw() -> None:
    assert CONNECT_FOUR.result(after(DRAW[:-1])) is None
    state = after(DRAW)
    assert CONNECT_FOUR.result(state) == Result(None)
    assert CONNECT_FOUR.scores(state) == [0, 0]
    assert CONNECT_FOUR.view(state, None).line == []


@pytest.mark.parametrize("columns", [[0, 0, 1, 1, 2, 2, 3], DRAW])
def test_the_state_is_final_after_the_end(columns: list[int]) -> None:
    state = after(columns)
    before = encoded(state)
    for seat in (0, 1):
        with pytest.raises(GameIsOver):
            CONNECT_FOUR.decide(state, seat, {"column": 6})
        with pytest.raises(GameIsOver):
            CONNECT_FOUR.apply(state, TimedOut(seat))
    with pytest.raises(GameIsOver):
        CONNECT_FOUR.timeout(state)
    assert CONNECT_FOUR.turn_s(state, ConnectFourOptions()) is None
    assert encoded(state) == before


@given(SEEDS, CHOICES)
@SLOW
def test_random_matches_end_as_a_brute_force_check_says(seed: int, choices: list[int]) -> None:
    state = beginning(seed)
    for column in chosen(choices, seed):
        assert all_fours(state) == {}
        assert CONNECT_FOUR.result(state) is None
        seat = state.turn
        move(state, column)
    fours = all_fours(state)
    if fours:
        assert seat is not None
        assert CONNECT_FOUR.result(state) == Result(seat)
        assert {seat: set(state.line)} == fours
    else:
        assert open_columns(state) == []
        assert CONNECT_FOUR.result(state) == Result(None)


# The clock of a turn


@pytest.mark.parametrize("moves", range(4))
def test_a_turn_timeout_loses_the_game(moves: int) -> None:
    state = after([3, 3, 3][:moves])
    loser = state.turn
    assert loser is not None
    seat, event = CONNECT_FOUR.timeout(state)
    assert (seat, event) == (loser, TimedOut(loser))
    assert CONNECT_FOUR.result(state) is None
    CONNECT_FOUR.apply(state, event)
    assert CONNECT_FOUR.result(state) == Result(1 - loser, "turn_timeout")
    assert CONNECT_FOUR.scores(state)[loser] == 0
    assert CONNECT_FOUR.view(state, None).timed_out == loser


def test_only_the_player_to_move_can_time_out() -> None:
    state = beginning()
    with pytest.raises(NotYourTurn):
        CONNECT_FOUR.apply(state, TimedOut(1))
    assert state == beginning()


# What is sent and kept


def test_the_view_has_rows_from_the_top_and_wire_names() -> None:
    assert msgspec.to_builtins(CONNECT_FOUR.view(after([3, 3, 2]), None)) == {
        "board": [
            [None, None, None, None, None, None, None],
            [None, None, None, None, None, None, None],
            [None, None, None, None, None, None, None],
            [None, None, None, None, None, None, None],
            [None, None, None, 1, None, None, None],
            [None, None, 0, 0, None, None, None],
        ],
        "turn": 1,
        "winner": None,
        "line": [],
        "lastColumn": 2,
        "timedOut": None,
    }


@given(SEEDS, CHOICES)
@SLOW
def test_the_line_of_the_view_has_the_winning_discs(seed: int, choices: list[int]) -> None:
    state = after(chosen(choices, seed), seed)
    assume(state.winner is not None)
    view = CONNECT_FOUR.view(state, None)
    assert {view.board[row][column] for row, column in view.line} == {state.winner}


def test_every_viewer_gets_the_same_view() -> None:
    state = after([3, 3, 2])
    assert CONNECT_FOUR.view(state, 0) == CONNECT_FOUR.view(state, 1)
    assert CONNECT_FOUR.view(state, 0) == CONNECT_FOUR.view(state, None)


@given(SEEDS, CHOICES, st.integers(0, 42))
@SLOW
def test_a_state_restored_from_json_continues_identically(
    seed: int, choices: list[int], moves: int
) -> None:
    columns = chosen(choices, seed)
    state = after(columns[:moves], seed)
    again = msgspec.json.decode(encoded(state), type=ConnectFourState)
    assert again == state
    for column in columns[moves:]:
        move(again, column)
    assert again == after(columns, seed)
    assert encoded(again) == encoded(after(columns, seed))


@pytest.mark.parametrize("event", [Dropped(1, 6), TimedOut(0)])
def test_every_event_survives_json(event: Dropped | TimedOut) -> None:
    encoded_event = msgspec.json.encode(event)
    assert msgspec.json.decode(encoded_event, type=CONNECT_FOUR.event_type) == event


def test_the_state_does_not_change_without_input() -> None:
    state = after([3, 3, 2])
    before = encoded(state)
    assert list(CONNECT_FOUR.step(state)) == []
    assert CONNECT_FOUR.key_in({"column": 3}) is None
    assert CONNECT_FOUR.remaining_ticks(state) is None
    assert encoded(state) == before
