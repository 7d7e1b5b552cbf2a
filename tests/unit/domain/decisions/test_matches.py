"""Decisions about matches: moves, and how a match ends; and what the projection keeps."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from service.domain.commands.base import MatchSnapshot
from service.domain.commands.ending import end_failed_match, end_match, result_of, void_match
from service.domain.commands.matches import INPUT_LEAD_TICKS_MAX
from service.domain.commands.moves import (
    Move,
    inputs,
    let_go,
    pace_of,
    released,
)
from service.domain.commands.rules import MoveFailed
from service.domain.errors import MatchIsPaused, MatchNotRunning, NotInRoom, RoomNotFound
from service.domain.events.base import Event
from service.domain.events.matches import (
    EndReason,
    MatchEnded,
    MatchOutcome,
    MatchRewound,
    MatchSuspended,
    MatchTurnNoted,
    room_of,
)
from service.domain.projections.matches import FOLD, Match, Matches
from service.domain.projections.room_options import RoomOptions
from service.games.catalogue import GAMES
from service.games.connect_four import Dropped, NoSuchColumn, NotYourTurn
from service.games.pong import KeysHeld, Served, UnknownAction, UnknownKey
from service.games.protocol import Result, RulesFailed
from service.games.relay import InvalidResult, Relayed
from tests.unit.domain.decisions.histories import ANA, BEN, CLEO, online, tab
from tests.unit.domain.decisions.plays import (
    MATCH,
    OPTIONS,
    BrokenPong,
    SaysPong,
    by_rules,
    checkpoint,
    connect_four_state,
    context_of,
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
    standing,
    started,
)
from tests.unit.domain.scenario import Scenario, scenario
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
def test_only_a_move_of_a_game_of_turns_locks_its_room(game: str, streams: set[str]) -> None:
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


def test_a_move_is_refused_while_a_pause_is_on_its_way() -> None:
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
    one.when(move(BEN, column=3)).then(entered(Dropped(1, 3), tick=9, seat=1, by=tab(BEN)))


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


def test_rules_that_are_not_here_any_more_cost_the_move() -> None:
    one = scenario().given(*room("pong", ANA, BEN), started("pong", ANA, BEN, rules_version=9))
    with pytest.raises(MoveFailed):
        one.when(move(ANA, **W_DOWN))


# How matches end


def end(
    one: Scenario, state: Any, reason: EndReason = "left", winner: int | None = 1
) -> MatchEnded:
    return end_match(match_of(one), standing(state), context_of(one), reason=reason, winner=winner)


def end_of(
    reason: EndReason, winner: int | None, *scores: int, hash_: str = "hash", tick: int = 5
) -> MatchEnded:
    return MatchEnded(
        match=MATCH, tick=tick, reason=reason, winner=winner, scores=list(scores), hash=hash_
    )


@pytest.mark.parametrize("reason", ["left", "forfeit", "abandoned"])
def test_a_match_that_the_rules_let_go_on_ends_for_the_reason_given(reason: EndReason) -> None:
    assert end(play(), pong_state((2, 1)), reason) == end_of(reason, 1, 2, 1)


@pytest.mark.parametrize(
    ("scores", "winner"), [((2, 1), 0), ((1, 2), 1), ((1, 1), None), ((0, 0), None)]
)
def test_a_match_whose_time_is_up_ends_by_the_rules_whoever_left(
    scores: tuple[int, int], winner: int | None
) -> None:
    assert end(play(), pong_state(scores, ticks_left=0)) == end_of("timeup", winner, *scores)


def test_a_game_of_turns_that_is_over_is_finished() -> None:
    state = connect_four_state(turn=None, winner=0)
    assert end(play("connect_four"), state) == end_of("finished", 0, 1, 0)


def test_a_game_of_turns_that_is_drawn_is_finished_without_a_winner() -> None:
    state = connect_four_state(turn=None)
    assert end(play("connect_four"), state) == end_of("finished", None, 0, 0)


def test_the_rules_say_why_when_a_turn_took_too_long() -> None:
    state = connect_four_state(turn=None, winner=1, timed_out=0)
    assert end(play("connect_four"), state, winner=0) == end_of("turn_timeout", 1, 0, 1)


@pytest.mark.parametrize("rule", ["result", "scores"])
def test_a_match_whose_rules_fail_is_void_and_that_is_told(rule: str) -> None:
    one = play()
    failures = by_rules(one, BrokenPong(rule))
    assert end(one, pong_state((2, 1))) == end_of("void", None, 0, 0, hash_="")
    ((match, error),) = failures
    assert match == MATCH
    assert rule in error


@pytest.mark.parametrize("winner", [2, -1, "x", True])
def test_a_match_with_an_impossible_winner_is_void(winner: object) -> None:
    one = play()
    failures = by_rules(one, SaysPong(winner))
    assert end(one, pong_state()) == end_of("void", None, 0, 0, hash_="")
    assert len(failures) == 1


@pytest.mark.parametrize("winner", [0, 1, None])
def test_every_seat_may_win(winner: int | None) -> None:
    one = play()
    by_rules(one, SaysPong(winner))
    asked = standing(pong_state())
    assert result_of(match_of(one), asked, context_of(one)) == Result(winner)
    assert end(one, pong_state()) == end_of("timeup", winner, 0, 0)


def test_scores_that_can_not_be_read_again_make_a_match_void() -> None:
    one = play()
    by_rules(one, SaysPong(0, ["x", None]))
    assert end(one, pong_state()) == end_of("void", None, 0, 0, hash_="")


def test_an_impossible_winner_is_named() -> None:
    one = play()
    by_rules(one, SaysPong(2))
    with pytest.raises(RulesFailed, match="pong name the winner 2"):
        result_of(match_of(one), standing(pong_state()), context_of(one))


def test_a_match_that_goes_on_has_no_result() -> None:
    one = play()
    assert result_of(match_of(one), standing(pong_state()), context_of(one)) is None


def test_a_void_match_has_a_score_of_zero_for_each_player() -> None:
    one = play("relay", ANA, BEN, CLEO)
    assert void_match(match_of(one), 4) == end_of("void", None, 0, 0, 0, hash_="", tick=4)


def test_failed_rules_void_the_match_where_it_stands() -> None:
    one = play()
    failures = by_rules(one, BrokenPong())
    event = end_failed_match(
        match_of(one), standing(tick=8), context_of(one), RulesFailed("broken")
    )
    assert event == end_of("void", None, 0, 0, hash_="", tick=8)
    assert failures == [(MATCH, "broken")]


# Inputs and keys


def test_game_events_of_a_seat_are_inputs_in_their_order() -> None:
    one = play("relay")
    events = [Dropped(1, 2), Dropped(1, 3)]
    assert inputs(match_of(one), 6, 1, "tab", events) == [
        entered(event, tick=6, seat=1, by="tab") for event in events
    ]
    assert inputs(match_of(one), 6, 1, "tab", []) == []


def holds(**fields: Any) -> MatchSnapshot:
    return standing(pong_state(), **fields)


def test_a_seat_that_holds_nothing_is_released_without_an_input() -> None:
    one = play()
    held = {1: {"t": ["up"]}}
    assert released(match_of(one), 0, holds(held=held), context_of(one)) == []


def test_a_seat_that_holds_keys_lets_go_of_them() -> None:
    one = play()
    held = {1: {"t": ["up"], "u": ["down"]}}
    assert released(match_of(one), 1, holds(held=held), context_of(one)) == [
        entered(KeysHeld(1, up=False, down=False), tick=9, seat=1)
    ]


def test_a_seat_goes_on_holding_what_it_may() -> None:
    one = play()
    held = {0: {"t": ["up"], "u": ["down"]}}
    assert let_go(match_of(one), 0, {"u": ["down"]}, holds(held=held), context_of(one)) == [
        entered(KeysHeld(0, up=False, down=True), tick=9, held={"u": ["down"]})
    ]


def test_a_match_is_void_when_its_rules_fail_over_keys_that_go_up() -> None:
    one = play()
    failures = by_rules(one, BrokenPong("hold"))
    held = {0: {"t": ["up"]}}
    assert released(match_of(one), 0, holds(held=held), context_of(one)) == [
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


# The events


@pytest.mark.parametrize(("match", "name"), [("room-1", "room"), ("a-b-12", "a-b")])
def test_a_match_is_named_by_its_room_and_a_number(match: str, name: str) -> None:
    event = MatchSuspended(match=match, tick=3)
    assert (room_of(match), event.room, event.stream) == (name, name, f"match:{match}")


def test_an_outcome_vouches_for_the_tick_after_it_and_others_for_their_own() -> None:
    assert outcome(3).reaches == 4
    assert MatchSuspended(match=MATCH, tick=3).reaches == 3


# The projection


def outcome(tick: int) -> MatchOutcome:
    raw = entered(Served(0, up=True)).input
    return MatchOutcome(match=MATCH, tick=tick, outcome=raw)


def folded(*events: Event, game: str = "pong", **options: Any) -> Match:
    """Return the match after it was started by the event at 10 and these, from 11 on."""
    matches = Matches()
    matches.on_match_started(started(game, ANA, BEN, **options), 10)
    for position, event in enumerate(events, 11):
        fold(matches, event, position)
    return matches.live[MATCH]


def fold(matches: Matches, event: Event, position: int) -> None:
    FOLD[type(event)](matches, event, position)  # type: ignore[operator]  # found by its type


def test_a_match_that_has_started_is_kept_with_all_that_a_rebuild_needs() -> None:
    assert folded(game="connect_four") == Match(
        id=MATCH,
        game="connect_four",
        rules_version=1,
        options=RoomOptions.read(OPTIONS),
        players=[ANA, BEN],
        seed=7,
        pace="turns",
        turn_s=20,
        turn_since=10,
        turn_left_ms=20_000,
        turn_noted=10,
        spent_ms=[0, 0],
        replay_from=10,
        checkpoint_at=10,
    )


def test_a_match_of_which_nothing_was_logged_is_at_its_beginning() -> None:
    match = Match(
        id=MATCH,
        game="pong",
        rules_version=1,
        options=RoomOptions(),
        players=[ANA, BEN],
        seed=7,
        pace="ticks",
    )
    fields = msgspec.structs.asdict(match)
    given = {"id", "game", "rules_version", "options", "players", "seed", "pace"}
    assert {name: value for name, value in fields.items() if name not in given} == {
        "turn_s": None,
        "turn_since": 0,
        "turn_left_ms": None,
        "turn_noted": 0,
        "spent_ms": [],
        "paused_at": 0,
        "run": 0,
        "paused": False,
        "tick": 0,
        "replay_from": 0,
        "checkpoint_at": 0,
        "covered_tick": 0,
        "suspended": False,
        "pressing": {},
    }


def test_a_match_without_turns_has_no_time_left() -> None:
    assert folded().turn_left_ms is None


def test_the_time_of_a_turn_is_rounded_to_milliseconds() -> None:
    assert folded(game="connect_four", turn_s=1.2346).turn_left_ms == 1235


def test_an_input_says_who_holds_the_keys_of_its_seat() -> None:
    event = entered(KeysHeld(1, up=True, down=False), tick=4, seat=1, held={"t": ["up"]})
    match = folded(event)
    assert (match.pressing, match.tick) == ({1: {"t": ["up"]}}, 4)


def test_an_input_that_holds_no_keys_lets_go_of_those_of_its_seat_only() -> None:
    none = KeysHeld(0, up=False, down=False)
    match = folded(
        entered(none, held={"t": ["up"]}), entered(none, seat=1, held={"u": ["up"]}), entered(none)
    )
    assert match.pressing == {1: {"u": ["up"]}}
    assert folded(entered(none)).pressing == {}


def test_an_input_begins_the_next_turn_with_its_whole_time() -> None:
    noted = MatchTurnNoted(match=MATCH, tick=0, turn_left_ms=5)
    match = folded(noted, entered(Dropped(0, 3)), game="connect_four")
    assert (match.turn_since, match.turn_noted, match.turn_left_ms) == (12, 12, 20_000)


def test_a_note_keeps_what_is_left_of_a_turn_that_goes_on() -> None:
    match = folded(MatchTurnNoted(match=MATCH, tick=0, turn_left_ms=5), game="connect_four")
    assert (match.turn_since, match.turn_noted, match.turn_left_ms) == (10, 11, 5)


@pytest.mark.parametrize(
    ("events", "tick"),
    [
        ([outcome(4)], 5),
        ([MatchRewound(match=MATCH, tick=6)], 6),
        ([MatchSuspended(match=MATCH, tick=6)], 6),
        ([MatchTurnNoted(match=MATCH, tick=6, turn_left_ms=1)], 6),
        ([paused(6)], 6),
        ([resumed(6)], 6),
        ([checkpoint(6)], 6),
        ([outcome(4), paused(3)], 5),
    ],
)
def test_a_match_is_as_far_as_the_latest_tick_that_was_logged(
    events: list[Event], tick: int
) -> None:
    assert folded(*events).tick == tick


def test_a_rebuild_begins_at_the_checkpoint_before_the_last_one() -> None:
    match = folded(checkpoint(60), checkpoint(120))
    assert (match.replay_from, match.checkpoint_at, match.covered_tick) == (11, 12, 60)


def test_the_first_checkpoint_lets_a_rebuild_begin_at_the_start() -> None:
    match = folded(checkpoint(60))
    assert (match.replay_from, match.checkpoint_at, match.covered_tick) == (10, 11, 0)


def test_a_checkpoint_that_is_not_behind_all_logged_ticks_moves_nothing() -> None:
    """An input for a tick after it stands before it in the log."""
    ahead = entered(KeysHeld(0, up=False, down=False), tick=65)
    match = folded(ahead, checkpoint(60), checkpoint(65))
    assert (match.replay_from, match.checkpoint_at, match.covered_tick) == (10, 12, 65)
    match = folded(ahead, checkpoint(60), checkpoint(66))
    assert (match.replay_from, match.checkpoint_at, match.covered_tick) == (12, 13, 65)


def test_a_pause_lets_go_of_all_keys_and_notes_all_times() -> None:
    held = entered(KeysHeld(0, up=True, down=False), held={"t": ["up"]})
    suspended = MatchSuspended(match=MATCH, tick=1)
    match = folded(held, suspended, paused(2, 700, [3, 4]), game="connect_four")
    assert (match.paused, match.suspended, match.paused_at) == (True, False, 13)
    assert (match.pressing, match.turn_left_ms, match.spent_ms) == ({}, 700, [3, 4])


def test_a_pause_that_says_nothing_of_times_leaves_them_as_they_were() -> None:
    match = folded(paused(2, 700, [3, 4]), resumed(), paused(), game="connect_four")
    assert (match.turn_left_ms, match.spent_ms) == (700, [3, 4])


def test_no_time_left_is_a_time() -> None:
    assert folded(paused(2, 0), game="connect_four").turn_left_ms == 0


def test_a_match_that_goes_on_lets_the_turn_go_on_from_what_was_left() -> None:
    match = folded(paused(2, 700, [3, 4]), resumed(2, 5, [6, 7]), game="connect_four")
    assert (match.paused, match.run, match.spent_ms, match.paused_at) == (False, 5, [6, 7], 11)
    assert (match.turn_since, match.turn_noted, match.turn_left_ms) == (12, 12, 700)


def test_a_match_that_goes_on_without_times_keeps_what_was_spent() -> None:
    assert folded(paused(2, 700, [3, 4]), resumed(2, 5)).spent_ms == [3, 4]


def test_a_stop_in_order_is_remembered_until_the_next_pause() -> None:
    suspended = MatchSuspended(match=MATCH, tick=1)
    assert folded(suspended).suspended is True
    assert folded(suspended, paused()).suspended is False


def test_a_match_that_is_over_is_forgotten() -> None:
    assert play().given(over()).story.world.matches.live == {}


@pytest.mark.parametrize(
    "event",
    [
        entered(Dropped(0, 3)),
        outcome(1),
        checkpoint(1),
        paused(),
        resumed(),
        MatchRewound(match=MATCH, tick=1),
        MatchSuspended(match=MATCH, tick=1),
        MatchTurnNoted(match=MATCH, tick=1, turn_left_ms=1),
    ],
)
def test_what_comes_after_the_end_changes_nothing(event: Event) -> None:
    """An input may have been under way to the log while the match was ended."""
    matches = Matches()
    fold(matches, event, 1)
    assert matches == Matches()
