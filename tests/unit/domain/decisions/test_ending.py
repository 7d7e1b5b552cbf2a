"""Decisions that end matches: by the rules, or as void since the rules failed."""

from __future__ import annotations

from typing import Any

import pytest

from service.domain.commands.ending import (
    FinishMatch,
    VoidMatch,
    end_failed_match,
    end_match,
    result_of,
    void_match,
)
from service.domain.events.base import Event
from service.domain.events.matches import (
    EndReason,
    MatchEnded,
)
from service.games.protocol import Result, RulesFailed
from tests.unit.domain.decisions.histories import ANA, BEN, CLEO
from tests.unit.domain.decisions.plays import (
    MATCH,
    BrokenPong,
    SaysPong,
    by_rules,
    connect_four_state,
    context_of,
    end_of,
    match_of,
    measured,
    over,
    play,
    pong_state,
    room,
    snapshot,
)
from tests.unit.domain.scenario import Scenario, scenario

VOID = MatchEnded(match=MATCH, tick=5, reason="void", winner=None, scores=[0, 0], hash="")


@pytest.mark.parametrize("command", [FinishMatch("a-b-1"), VoidMatch("a-b-1", 3)])
def test_the_end_of_a_match_locks_its_room(command: FinishMatch | VoidMatch) -> None:
    assert command.streams(play().story.world) == {"room:a-b"}


@pytest.mark.parametrize("command", [FinishMatch(MATCH), VoidMatch(MATCH, 3)])
@pytest.mark.parametrize("given", [[], room("pong", ANA, BEN)])
def test_a_match_that_is_not_there_does_not_end(
    command: FinishMatch | VoidMatch, given: list[Event]
) -> None:
    scenario().given(*given).when(command).then_nothing()


@pytest.mark.parametrize("command", [FinishMatch(MATCH), VoidMatch(MATCH, 3)])
def test_a_match_ends_once(command: FinishMatch | VoidMatch) -> None:
    play().given(over()).when(command).then_nothing()


def test_a_match_that_the_rules_let_go_on_is_not_finished() -> None:
    measured(play(), state=pong_state((3, 1), ticks_left=1)).when(FinishMatch(MATCH)).then_nothing()


def test_a_match_whose_time_is_up_is_finished_with_its_score() -> None:
    one = measured(play(), state=pong_state((3, 1), ticks_left=0))
    one.when(FinishMatch(MATCH)).then(
        MatchEnded(match=MATCH, tick=5, reason="timeup", winner=0, scores=[3, 1], hash="hash")
    )


def test_a_turn_based_game_is_finished_by_its_last_move() -> None:
    one = measured(play("connect_four"), state=connect_four_state(turn=None, winner=1))
    one.when(FinishMatch(MATCH)).then(
        MatchEnded(match=MATCH, tick=5, reason="finished", winner=1, scores=[0, 1], hash="hash")
    )


@pytest.mark.parametrize("rule", ["result", "scores"])
def test_a_match_whose_rules_fail_at_its_end_is_void_and_that_is_told_once(rule: str) -> None:
    one = measured(play(), state=pong_state(ticks_left=0))
    failures = by_rules(one, BrokenPong(rule))
    one.when(FinishMatch(MATCH)).then(VOID)
    assert [match for match, _ in failures] == [MATCH]


def test_a_match_with_an_impossible_winner_is_void() -> None:
    one = measured(play(), state=pong_state())
    by_rules(one, SaysPong(2))
    one.when(FinishMatch(MATCH)).then(VOID)


def test_a_match_is_void_at_the_tick_before_which_its_rules_failed() -> None:
    play("relay", ANA, BEN, CLEO).when(VoidMatch(MATCH, 3)).then(
        MatchEnded(match=MATCH, tick=3, reason="void", winner=None, scores=[0, 0, 0], hash="")
    )


def test_rules_are_not_asked_to_void_a_match() -> None:
    one = play()
    failures = by_rules(one)
    assert match_of(one).id == MATCH
    one.when(VoidMatch(MATCH, 5)).then(VOID)
    assert failures == []


# How matches end


def end(
    one: Scenario, state: Any, reason: EndReason = "left", winner: int | None = 1
) -> MatchEnded:
    return end_match(match_of(one), snapshot(state), context_of(one), reason=reason, winner=winner)


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


def test_a_turn_based_game_that_is_over_is_finished() -> None:
    state = connect_four_state(turn=None, winner=0)
    assert end(play("connect_four"), state) == end_of("finished", 0, 1, 0)


def test_a_turn_based_game_that_is_drawn_is_finished_without_a_winner() -> None:
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
def test_a_match_ends_void_when_the_rules_name_no_seat_as_winner(winner: object) -> None:
    one = play()
    failures = by_rules(one, SaysPong(winner))
    assert end(one, pong_state()) == end_of("void", None, 0, 0, hash_="")
    assert len(failures) == 1


@pytest.mark.parametrize("winner", [0, 1, None])
def test_every_seat_may_win(winner: int | None) -> None:
    one = play()
    by_rules(one, SaysPong(winner))
    asked = snapshot(pong_state())
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
        result_of(match_of(one), snapshot(pong_state()), context_of(one))


def test_a_match_that_goes_on_has_no_result() -> None:
    one = play()
    assert result_of(match_of(one), snapshot(pong_state()), context_of(one)) is None


def test_a_void_match_has_a_score_of_zero_for_each_player() -> None:
    one = play("relay", ANA, BEN, CLEO)
    assert void_match(match_of(one), 4) == end_of("void", None, 0, 0, 0, hash_="", tick=4)


def test_failed_rules_void_the_match_where_it_stands() -> None:
    one = play()
    failures = by_rules(one, BrokenPong())
    event = end_failed_match(
        match_of(one), snapshot(tick=8), context_of(one), RulesFailed("broken")
    )
    assert event == end_of("void", None, 0, 0, hash_="", tick=8)
    assert failures == [(MATCH, "broken")]
