"""The kit for tests of games passes correct games, and finds each fault that it is there for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from service.games import shield
from service.games.protocol import Game, InvalidMove, TurnClock
from service.games.testing import GameTests
from tests.unit.games import faulty_games as games


def kit_of(game: Game, folder: Path, base: type[GameTests] = GameTests) -> GameTests:
    """Return the tests of a game, with recordings in a folder."""
    members: dict[str, Any] = {"game": game, "recordings": folder, "ticks_max": 2000}
    made: GameTests = type("TestsOfGame", (base,), members)()
    return made


def names() -> list[str]:
    return [name for name in vars(GameTests) if name.startswith("test_")]


CORRECT = [
    games.NIM,
    games.TUG,
    games.KEYS,
    games.SECRET,
    games.TIMED,
    games.BELLS,
    games.ROUNDS,
]


@pytest.mark.parametrize("game", CORRECT)
def test_a_correct_game_passes(game: Game, tmp_path: Path) -> None:
    tests = kit_of(game, tmp_path, games.TestsOfSecret if game is games.SECRET else GameTests)
    with pytest.raises(AssertionError, match="has been made now"):
        tests.test_recorded_matches_stay_as_they_were()
    for name in names():
        try:
            getattr(tests, name)()
        except pytest.skip.Exception:
            continue
        except Exception as error:
            if type(error).__name__ != "SkipTest":
                raise


FAULTS: list[tuple[Any, str, str]] = [
    (games.WithoutTitle, "the_service_takes_the_game", "`title` must be"),
    (games.ByRandom, "the_same_moves_make_the_same_match", "no `random`"),
    (games.ByInstance, "the_same_moves_make_the_same_match", "nothing kept in the game"),
    (games.BySet, "other_processes_play_the_same_match", "iterate over a set"),
    (games.Forgetful, "states_and_events_survive_storage", "after it was stored and read"),
    (games.Forgetful, "a_replay_from_any_tick_is_the_match", "not in the state"),
    (games.Endless, "every_match_ends", "has no result"),
    (games.OddWinner, "every_match_ends", "winner of a result is a seat below 2"),
    (games.FewScores, "every_match_ends", "an integer for each of 2 seats"),
    (games.NegativeClock, "every_match_ends", "None or at least 0"),
    (games.ListsTooMuch, "legal_moves_are_taken", "which legal_moves"),
    (games.TakesTrue, "other_moves_are_refused", "does not list"),
    (games.OutOfTurn, "other_moves_are_refused", "does not list"),
    (games.Crashes, "other_moves_are_refused", "raised TypeError"),
    (games.Wordless, "other_moves_are_refused", "without a message"),
    (games.DecidesInPlace, "legal_moves_are_taken", "changed the state"),
    (games.DecidesInPlace, "other_moves_are_refused", "changed the state"),
    (games.LateCrash, "late_inputs_do_no_harm", "raised KeyError"),
    (games.LateHalf, "late_inputs_do_no_harm", "changed the state"),
    (games.TimedInVain, "turns_that_time_out_go_on", "made for ever"),
    (games.ChangesByView, "views_can_be_shown", "changed the state"),
    (games.ViewForEach, "views_can_be_shown", "has_secrets = False"),
    (games.InfiniteView, "views_can_be_shown", "the number inf"),
    (games.OtherViewEachTime, "views_can_be_shown", "another view of the same state"),
    (games.BigView, "views_can_be_shown", "at most 16384"),
    (games.BigState, "states_and_events_survive_storage", "at most 262144"),
    (games.KeyCrash, "keys_can_be_held", "key_in.. of the move .* raised"),
    (games.HoldRefused, "keys_can_be_held", "made by hold"),
    (games.ShownChanges, "secrets_are_kept", "shown.. of .* changed the state"),
    (games.returning(games.Nim, "setup", {}), "every_match_ends", "must return a Heap, its"),
    (
        games.returning(games.Nim, "decide", None),
        "every_match_ends",
        "must return a list of",
    ),
    (games.returning(games.Nim, "result", True), "every_match_ends", "must return a Result, or"),  # noqa: FBT003 - the fault
    (games.returning(games.Nim, "scores", None), "every_match_ends", "scores.. raised TypeError"),
    (games.returning(games.Nim, "view", {}), "views_can_be_shown", "must return a msgspec struct"),
    (games.returning(games.Tug, "step", None), "every_match_ends", "step.. must return a list"),
    (games.returning(games.Timed, "clock", 7), "every_match_ends", "must return a TurnClock, or"),
    (
        games.returning(games.Timed, "timeout", 1),
        "turns_that_time_out_go_on",
        "a seat and an",
    ),
    (games.returning(games.Nim, "bot", None), "bots_play_by_the_rules", "raised TypeError"),
    (games.returning(games.Timed, "clock", TurnClock(-5)), "every_match_ends", "whole milli"),
    (games.returning(games.Timed, "clock", TurnClock(5, [1])), "every_match_ends", "2 seats or"),
    (games.returning(games.Timed, "clock", TurnClock(5, (), [7])), "every_match_ends", "names s"),
    (games.ScoresChange, "views_can_be_shown", "scores.. changed the state"),
    (games.TimeoutChanges, "views_can_be_shown", "timeout.. changed the state"),
    (games.TimeoutLeaks, "secrets_are_kept", "timeout.., or its seat, tells seat . a secret"),
    (games.OutcomeLeaks, "secrets_are_kept", "an outcome of step.. tells"),
    (games.ClockLeaks, "secrets_are_kept", "clock.. changes by it"),
    (games.ViewLeaks, "secrets_are_kept", "nothing is hidden from spectators"),
    (games.ShownLeaks, "secrets_are_kept", "shown.. tells them apart"),
    (games.ExistenceLeaks, "secrets_are_kept", "view changed by it"),
    (games.ErrorLeaks, "secrets_are_kept", "tells seat . a secret"),
    (games.MovesLeak, "secrets_are_kept", "legal_moves.. of seat . tells"),
    (games.DividesBySize, "options_have_defaults_and_ranges", "ZeroDivisionError"),
    (games.BadBot, "bots_play_by_the_rules", "number.:7"),
    (games.BotByRandom, "bots_play_by_the_rules", "the same chance"),
]


@pytest.mark.parametrize(
    ("fault", "test", "text"), FAULTS, ids=[f"{one[0].__name__}-{one[1]}" for one in FAULTS]
)
def test_a_fault_is_found_and_told(fault: Any, test: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as found:
        getattr(kit_of(fault(), tmp_path), f"test_{test}")()
    assert re.search(text, str(found.value)), str(found.value)


def test_a_secret_that_the_author_names_finds_a_view_that_leaks_later(tmp_path: Path) -> None:
    tests = kit_of(games.DealLeaksLater(), tmp_path, games.TestsOfSecret)
    with pytest.raises(AssertionError, match=r"view.. shows seat . a secret"):
        tests.test_secrets_are_kept()


def test_rules_that_take_too_long_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shield, "CPU_S_MAX", 0.0)
    with pytest.raises(AssertionError, match=r"took .* s, in which no match goes on"):
        kit_of(games.Nim(), tmp_path).test_every_match_ends()


def test_a_clock_that_tells_what_was_dealt_is_found(tmp_path: Path) -> None:
    tests = kit_of(games.ClockOfDeal(), tmp_path, games.TestsOfSecret)
    with pytest.raises(AssertionError, match=r"clock.. tells seat . a secret"):
        tests.test_secrets_are_kept()


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (games.WithoutRange, "no range"),
        (games.WithoutDescription, "no description"),
        (games.WithoutDefault, "needs a default"),
        (games.NotFrozen, "frozen=True"),
        (games.TakesAnything, "description|takes"),
    ],
)
def test_options_without_what_they_need_are_found(kind: Any, text: str, tmp_path: Path) -> None:
    game = games.Nim()
    game.options_type = kind
    with pytest.raises(AssertionError, match=text):
        kit_of(game, tmp_path).test_options_have_defaults_and_ranges()


class LongerHeap(games.Nim):
    """Other rules under the same version."""

    def setup(self, seed: int, options: Any, players: int) -> Any:
        return games.Heap(options.size + 4)


class Stricter(games.Nim):
    """Refuses a move that was legal."""

    def decide(self, state: Any, seat: int, move: Any) -> Any:
        if move == {"number": 3}:
            raise InvalidMove("Take 1 or 2.")
        return super().decide(state, seat, move)


@pytest.mark.parametrize("changed", [LongerHeap(), Stricter()])
def test_a_change_of_the_rules_without_a_new_version_is_found(
    changed: Game, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match="Commit it"):
        kit_of(games.NIM, tmp_path).test_recorded_matches_stay_as_they_were()
    kit_of(games.NIM, tmp_path).test_recorded_matches_stay_as_they_were()
    with pytest.raises(AssertionError, match="rules_version = 2"):
        kit_of(changed, tmp_path).test_recorded_matches_stay_as_they_were()


def test_a_recording_without_a_match_is_no_proof(tmp_path: Path) -> None:
    (tmp_path / "nim-1.ndjson").write_text("")
    with pytest.raises(AssertionError, match="has no match"):
        kit_of(games.NIM, tmp_path).test_recorded_matches_stay_as_they_were()


def test_a_new_version_has_a_recording_of_its_own(tmp_path: Path) -> None:
    game = games.Nim()
    for version in (1, 2):
        game.rules_version = version
        with pytest.raises(AssertionError, match=rf"nim-{version}.ndjson has been made"):
            kit_of(game, tmp_path).test_recorded_matches_stay_as_they_were()
