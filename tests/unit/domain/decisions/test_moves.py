"""Decisions about moves: who may move, inputs, and keys that are held or released."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from service.domain.commands.base import MatchSnapshot
from service.domain.commands.moves import (
    INPUT_LEAD_TICKS_MAX,
    Move,
    hold_only,
    input_events,
    pace_of,
    release_keys,
)
from service.domain.commands.rules import MoveFailed
from service.domain.errors import MatchIsPaused, MatchNotRunning, NotInRoom, RoomNotFound
from service.domain.events.base import Event
from service.domain.events.matches import ClockState
from service.games.catalogue import GAMES
from service.games.connect_four import Dropped, NoSuchColumn, NotYourTurn
from service.games.pong import KeysHeld, UnknownAction, UnknownKey
from service.games.relay import InvalidResult, Relayed
from tests.unit.domain.decisions.histories import ANA, BEN, CLEO, online, tab
from tests.unit.domain.decisions.plays import (
    MATCH,
    BrokenPong,
    by_rules,
    connect_four_state,
    context_of,
    end_of,
    entered,
    left,
    match_of,
    measured,
    over,
    paused,
    play,
    pong_state,
    resumed,
    room,
    snapshot,
    started,
)
from tests.unit.domain.scenario import scenario
from tests.unit.domain.story import ROOM

W_DOWN = {"direction": "w", "action": "down"}
W_UP = {"direction": "w", "action": "up"}
S_DOWN = {"direction": "s", "action": "down"}


def move(user: int, **fields: Any) -> Move:
    return Move(user, tab(user), ROOM, fields)


# Move


@pytest.mark.parametrize(
    ("game", "streams"), [("pong", set()), ("relay", set()), ("connect_four", {"room:room"})]
)
def test_only_a_move_of_a_turn_based_game_locks_its_room(game: str, streams: set[str]) -> None:
    assert move(ANA).streams(play(game).story.world) == streams


@pytest.mark.parametrize("given", [[], room("connect_four", ANA, BEN)])
def test_a_move_without_a_match_locks_nothing(given: list[Event]) -> None:
    assert move(ANA).streams(scenario().given(*given).story.world) == set()


def test_a_move_in_a_room_that_is_not_there_is_refused() -> None:
    scenario().given(*online(ANA)).when(move(ANA, **W_DOWN)).then_refused(RoomNotFound)


def test_a_move_of_somebody_without_a_seat_is_refused() -> None:
    play().given(*online(CLEO)).when(move(CLEO, **W_DOWN)).then_refused(NotInRoom)


def test_a_move_of_a_player_who_has_left_is_refused() -> None:
    play("relay", ANA, BEN, CLEO).given(left(CLEO)).when(move(CLEO)).then_refused(NotInRoom)


def test_a_move_before_the_match_is_refused() -> None:
    one = scenario().given(*room("pong", ANA, BEN))
    one.when(move(ANA, **W_DOWN)).then_refused(MatchNotRunning)


def test_a_move_after_the_match_is_refused() -> None:
    play().given(over()).when(move(ANA, **W_DOWN)).then_refused(MatchNotRunning)


def test_a_move_in_a_pause_is_refused() -> None:
    play().given(paused()).when(move(ANA, **W_DOWN)).then_refused(MatchIsPaused)


def test_a_move_is_refused_before_a_pause_is_committed() -> None:
    play().measured(pausing=True).when(move(ANA, **W_DOWN)).then_refused(MatchIsPaused)


def test_a_move_after_a_pause_is_taken() -> None:
    play().given(paused(), resumed()).when(move(ANA, **W_DOWN)).then_types("match.input")


def test_a_key_goes_down_at_the_tick_of_the_input() -> None:
    one = measured(play())
    one.when(move(ANA, **W_DOWN)).then(
        entered(KeysHeld(0, up=True, down=False), tick=9, by=tab(ANA), held={tab(ANA): ["up"]})
    )


def test_a_key_of_the_second_seat_is_an_input_of_that_seat() -> None:
    one = measured(play())
    one.when(move(BEN, **S_DOWN)).then(
        entered(
            KeysHeld(1, up=False, down=True),
            tick=9,
            seat=1,
            by=tab(BEN),
            held={tab(BEN): ["down"]},
        )
    )


def test_a_key_that_is_down_already_is_written_down_once() -> None:
    play().given(move(ANA, **W_DOWN)).when(move(ANA, **W_DOWN)).then_nothing()


def test_a_key_that_nobody_holds_goes_up_without_an_input() -> None:
    play().when(move(ANA, **W_UP)).then_nothing()


def test_a_key_goes_up() -> None:
    one = measured(play(), held={0: {tab(ANA): ["up"]}})
    one.when(move(ANA, **W_UP)).then(
        entered(KeysHeld(0, up=False, down=False), tick=9, by=tab(ANA), held={})
    )


def test_the_keys_of_the_other_seat_stay_as_they_are() -> None:
    one = measured(play(), held={1: {tab(BEN): ["down"]}})
    one.when(move(ANA, **W_DOWN)).then(
        entered(KeysHeld(0, up=True, down=False), tick=9, by=tab(ANA), held={tab(ANA): ["up"]})
    )


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"direction": "x", "action": "down"}, UnknownKey),
        ({"direction": "w", "action": "press"}, UnknownAction),
    ],
)
def test_a_move_against_the_rules_is_refused_by_them(
    fields: dict[str, str], error: type[UnknownKey]
) -> None:
    play().when(move(ANA, **fields)).then_refused(error)


def test_a_disc_falls_at_the_tick_of_the_input() -> None:
    one = measured(play("connect_four"), state=connect_four_state(turn=1))
    one.when(move(BEN, column=3)).then(
        entered(Dropped(1, 3), tick=9, seat=1, by=tab(BEN), spent_ms=0, clock=ClockState(20_000))
    )


def test_a_move_out_of_turn_is_refused() -> None:
    one = play("connect_four").measured(state=connect_four_state(turn=1))
    one.when(move(ANA, column=3)).then_refused(NotYourTurn)


def test_a_move_that_the_rules_do_not_know_is_refused() -> None:
    play("connect_four").when(move(ANA, column="3")).then_refused(NoSuchColumn)


def test_any_move_of_the_relay_is_passed_on() -> None:
    one = measured(play("relay"))
    relayed = Relayed(0, msgspec.Raw(b'{"x":1}'))
    one.when(move(ANA, x=1)).then(entered(relayed, tick=9, by=tab(ANA)))


def test_an_impossible_result_of_the_relay_is_refused() -> None:
    play("relay").when(move(ANA, result={"winner": 2, "scores": [0, 0]})).then_refused(
        InvalidResult
    )


def test_rules_that_fail_cost_the_move_and_name_match_and_seat() -> None:
    one = play()
    by_rules(one, BrokenPong("hold"))
    with pytest.raises(MoveFailed) as caught:
        one.when(move(BEN, **W_DOWN))
    assert (caught.value.match, caught.value.seat) == (MATCH, 1)
    assert match_of(one).tick == 0


def test_rules_that_are_no_longer_available_cost_the_move() -> None:
    one = scenario().given(*room("pong", ANA, BEN), started("pong", ANA, BEN, rules_version=9))
    with pytest.raises(MoveFailed):
        one.when(move(ANA, **W_DOWN))


# Inputs and keys


def test_game_events_of_a_seat_are_inputs_in_their_order() -> None:
    one = play("relay")
    events = [Dropped(1, 2), Dropped(1, 3)]
    # Without ticks each takes one.
    assert input_events(match_of(one), 6, 1, "tab", events) == [
        entered(event, tick=tick, seat=1, by="tab") for tick, event in enumerate(events, 6)
    ]
    assert input_events(match_of(play()), 6, 1, "tab", events) == [
        entered(event, tick=6, seat=1, by="tab") for event in events
    ]
    assert input_events(match_of(one), 6, 1, "tab", []) == []


def holds(**fields: Any) -> MatchSnapshot:
    return snapshot(pong_state(), **fields)


def test_a_seat_that_holds_nothing_is_released_without_an_input() -> None:
    one = play()
    held = {1: {"t": ["up"]}}
    assert release_keys(match_of(one), 0, holds(held=held), context_of(one)) == []


def test_a_seat_that_holds_keys_releases_them() -> None:
    one = play()
    held = {1: {"t": ["up"], "u": ["down"]}}
    assert release_keys(match_of(one), 1, holds(held=held), context_of(one)) == [
        entered(KeysHeld(1, up=False, down=False), tick=9, seat=1)
    ]


def test_a_seat_keeps_holding_what_it_may() -> None:
    one = play()
    held = {0: {"t": ["up"], "u": ["down"]}}
    assert hold_only(match_of(one), 0, {"u": ["down"]}, holds(held=held), context_of(one)) == [
        entered(KeysHeld(0, up=False, down=True), tick=9, held={"u": ["down"]})
    ]


def test_a_match_is_void_when_its_rules_fail_over_keys_that_go_up() -> None:
    one = play()
    failures = by_rules(one, BrokenPong("hold"))
    held = {0: {"t": ["up"]}}
    assert release_keys(match_of(one), 0, holds(held=held), context_of(one)) == [
        end_of("void", None, 0, 0, hash_="")
    ]
    assert len(failures) == 1


@pytest.mark.parametrize(
    ("game", "pace"), [("pong", "ticks"), ("connect_four", "turns"), ("relay", "free")]
)
def test_the_clock_turns_or_nothing_moves_a_match_on(game: str, pace: str) -> None:
    assert pace_of(GAMES[game]) == pace


def test_an_input_leads_its_match_by_a_tenth_of_a_second_at_most() -> None:
    assert GAMES["pong"].tick_hz / 10 == INPUT_LEAD_TICKS_MAX
