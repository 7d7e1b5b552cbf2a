"""Calling the rules of a match: failures are contained to that match."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from service.domain.commands.rules import MoveFailed, as_logged, call_rules, call_rules_for_move
from service.domain.events.matches import MatchEnded
from service.games.catalogue import Catalogue
from service.games.pong import PONG, Pong, UnknownKey
from service.games.protocol import Game, RulesFailed
from service.settings.sections.play import Rules
from tests.unit.domain.decisions.histories import ANA, BEN
from tests.unit.domain.decisions.plays import (
    MATCH,
    BrokenRules,
    context_of,
    match_of,
    play,
    room,
    started,
)
from tests.unit.domain.scenario import Scenario, scenario


class PongTwo(Pong):
    """A later version of the rules."""

    rules_version = 2


def fail(error: Exception) -> Any:
    raise error


def later(version: int) -> Scenario:
    """Begin with a match by this version of Pong."""
    return scenario().given(
        *room("pong", ANA, BEN), started("pong", ANA, BEN, rules_version=version)
    )


def test_the_rules_answer_what_they_are_asked() -> None:
    one = play()
    assert call_rules(match_of(one), context_of(one), lambda game: game.name) == "pong"
    assert call_rules_for_move(match_of(one), context_of(one), 0, lambda game: game) is PONG


@pytest.mark.parametrize(("version", "game"), [(1, PONG), (2, PongTwo())])
def test_the_rules_of_the_version_are_asked_that_the_match_started_with(
    version: int, game: Game
) -> None:
    one = later(version)
    games = Catalogue([PongTwo(), PONG])
    context = msgspec.structs.replace(context_of(one), games=games)
    asked = call_rules(match_of(one), context, lambda one: one)
    assert type(asked) is type(game)


def test_rules_that_are_not_available_are_not_asked() -> None:
    one = later(3)
    with pytest.raises(RulesFailed, match="Version 3 of the rules of pong is not available"):
        call_rules(match_of(one), context_of(one), lambda _: fail(AssertionError()))


@pytest.mark.parametrize("error", [BrokenRules("x"), UnknownKey(), RecursionError(), KeyError(1)])
def test_whatever_rules_raise_they_have_failed(error: Exception) -> None:
    one = play()
    with pytest.raises(RulesFailed, match="The rules of pong have failed") as caught:
        call_rules(match_of(one), context_of(one), lambda _: fail(error))
    assert caught.value.__cause__ is error


def test_a_refusal_of_a_move_is_that_of_the_rules() -> None:
    one, refusal = play(), UnknownKey()
    with pytest.raises(UnknownKey) as caught:
        call_rules_for_move(match_of(one), context_of(one), 0, lambda _: fail(refusal))
    assert caught.value is refusal
    assert caught.value.__suppress_context__


def test_rules_that_fail_over_a_move_name_match_seat_and_cause() -> None:
    one, error = play(), BrokenRules("x")
    with pytest.raises(MoveFailed, match=f"a move of seat 1 in match {MATCH}") as caught:
        call_rules_for_move(match_of(one), context_of(one), 1, lambda _: fail(error))
    assert caught.value.__cause__ is error
    assert (caught.value.match, caught.value.seat) == (MATCH, 1)


def test_rules_that_are_not_available_fail_a_move() -> None:
    one = later(3)
    with pytest.raises(MoveFailed) as caught:
        call_rules_for_move(match_of(one), context_of(one), 0, lambda game: game)
    assert isinstance(caught.value.__cause__, RulesFailed)


def test_what_decisions_depend_on_by_default() -> None:
    assert Rules() == Rules(
        invite_needs_lobby=False,
        signals_to_anybody=False,
        sockets_per_user_max=10,
        match_duration_s=30,
        reconnect_grace_s=10,
        pause_budget_s=60,
        spectators_max=2000,
        rooms_per_user_max=10,
    )


def ended(scores: Any, winner: Any = None) -> MatchEnded:
    return MatchEnded(match=MATCH, tick=1, reason="finished", winner=winner, scores=scores, hash="")


def test_an_event_is_decided_as_it_will_be_read() -> None:
    assert as_logged(ended((1, 2))) == ended([1, 2])


@pytest.mark.parametrize("event", [ended("12"), ended([1.5]), ended([], winner="x")])
def test_an_event_that_could_not_be_read_is_not_decided(event: MatchEnded) -> None:
    with pytest.raises(msgspec.ValidationError):
        as_logged(event)
