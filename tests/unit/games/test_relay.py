from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.games.options import set_up
from service.games.protocol import NoOptions
from service.games.relay import RELAY, Relayed, RelayState
from tests.effort import effort

SLOW = effort()

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=8), JSON, max_size=4)
SMALL_OBJECTS = st.dictionaries(st.sampled_from("ab"), st.integers(0, 2))
MOVES = st.lists(st.tuples(st.integers(0, 15), SMALL_OBJECTS), max_size=12)

Moves = list[tuple[int, dict[str, Any]]]


def after(moves: Moves) -> RelayState:
    state: RelayState = set_up(RELAY, 1, {}, 16)
    for seat, move in moves:
        (event,) = RELAY.decide(state, seat, move)
        RELAY.apply(state, event)
    return state


def encoded(state: RelayState) -> bytes:
    return msgspec.json.encode(state)


@given(st.integers(0, 15), OBJECTS)
@SLOW
def test_any_object_is_relayed_unchanged(seat: int, move: dict[str, Any]) -> None:
    (event,) = RELAY.decide(after([]), seat, move)
    assert isinstance(event, Relayed)
    assert event.seat == seat
    assert msgspec.json.decode(event.move) == move


@given(st.integers(0, 15), OBJECTS)
@SLOW
def test_a_move_survives_the_log_byte_for_byte(seat: int, move: dict[str, Any]) -> None:
    (event,) = RELAY.decide(after([]), seat, move)
    assert isinstance(event, Relayed)
    again = msgspec.json.decode(msgspec.json.encode(event), type=RELAY.event_type)
    assert again == event
    assert bytes(again.move) == bytes(event.move)


def test_a_move_that_looks_like_an_event_is_a_move() -> None:
    move = {"kind": "relayed", "seat": 9, "move": {}}
    (event,) = RELAY.decide(after([]), 2, move)
    again = msgspec.json.decode(msgspec.json.encode(event), type=RELAY.event_type)
    assert (again.seat, msgspec.json.decode(again.move)) == (2, move)


def test_decide_does_not_change_the_state() -> None:
    state = after([])
    RELAY.decide(state, 0, {"a": 1})
    assert state == after([])


@given(MOVES)
@SLOW
def test_the_view_has_the_move_count(moves: Moves) -> None:
    state = after(moves)
    assert msgspec.to_builtins(RELAY.view(state, None)) == {"moves": len(moves)}
    assert RELAY.view(state, 3) == RELAY.view(state, None)


@given(MOVES, MOVES)
@SLOW
def test_only_the_same_moves_in_the_same_order_give_the_same_state(
    moves: Moves, others: Moves
) -> None:
    as_text = [[(seat, msgspec.json.encode(move)) for seat, move in row] for row in (moves, others)]
    assert (after(moves) == after(others)) is (as_text[0] == as_text[1])


@pytest.mark.parametrize(
    ("moves", "others"),
    [
        ([(0, {"a": 1}), (1, {"a": 1})], [(1, {"a": 1}), (0, {"a": 1})]),
        ([(0, {"a": 1}), (0, {"a": 2})], [(0, {"a": 2}), (0, {"a": 1})]),
        ([(0, {"a": 1})], [(0, {"a": 1.0})]),
        ([(1, {})], [(11, {})]),
    ],
)
def test_the_state_depends_on_order_seat_and_move(moves: Moves, others: Moves) -> None:
    assert after(moves) != after(others)


@given(MOVES, MOVES)
@SLOW
def test_a_state_restored_from_json_continues_identically(moves: Moves, more: Moves) -> None:
    state = msgspec.json.decode(encoded(after(moves)), type=RelayState)
    assert state == after(moves)
    for seat, move in more:
        for event in RELAY.decide(state, seat, move):
            RELAY.apply(state, event)
    assert encoded(state) == encoded(after([*moves, *more]))


def test_the_state_has_a_constant_size() -> None:
    few, many = after([(0, {"a": 1})] * 10), after([(0, {"a": 1})] * 99)
    assert len(encoded(few)) == len(encoded(many))


@pytest.mark.parametrize("players", [1, 2, 16])
def test_the_relay_has_1_to_16_seats_and_no_winner_of_its_own(players: int) -> None:
    assert players in RELAY.seats
    state = set_up(RELAY, 1, {}, players)
    RELAY.apply(state, Relayed(0, msgspec.Raw(b"{}")))
    assert RELAY.result(state) is None
    assert RELAY.scores(state) == [0] * players


def test_the_relay_refuses_other_seat_counts() -> None:
    assert 0 not in RELAY.seats
    assert 17 not in RELAY.seats


def test_the_relay_has_no_clock() -> None:
    state = after([(0, {})])
    assert RELAY.clock(state, NoOptions()) is None
    assert RELAY.remaining_ticks(state) is None
    with pytest.raises(NotImplementedError):
        RELAY.timeout(state)
    assert list(RELAY.step(state)) == []
    assert RELAY.key_in({"direction": "w", "action": "down"}) is None
    assert state == after([(0, {})])
