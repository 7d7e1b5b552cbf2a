"""Decisions to end a match that nobody asks for: by its rules, or since these have failed."""

from __future__ import annotations

import pytest

from service.domain.commands.ending import FinishMatch, VoidMatch
from service.domain.events.base import Event
from service.domain.events.matches import MatchEnded
from tests.unit.domain.decisions.histories import ANA, BEN, CLEO
from tests.unit.domain.decisions.plays import (
    MATCH,
    BrokenPong,
    SaysPong,
    by_rules,
    connect_four_state,
    match_of,
    measured,
    over,
    play,
    pong_state,
    room,
)
from tests.unit.domain.scenario import scenario

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


def test_a_game_of_turns_is_finished_by_its_last_move() -> None:
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
