"""The projection of matches: what is kept of a live match, and from where it is rebuilt."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from service.domain.events.base import Event
from service.domain.events.matches import (
    MatchOutcome,
    MatchRewound,
    MatchSuspended,
    MatchTurnNoted,
    room_of,
)
from service.domain.projections.matches import FOLD, Match, Matches
from service.domain.projections.room_options import RoomOptions
from service.games.connect_four import Dropped
from service.games.pong import KeysHeld, Served
from tests.unit.domain.decisions.histories import ANA, BEN
from tests.unit.domain.decisions.plays import (
    MATCH,
    OPTIONS,
    checkpoint,
    entered,
    over,
    paused,
    play,
    resumed,
    started,
)

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
        "clock": None,
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
        "rewound": False,
        "has_secrets": False,
        "hidden": {},
    }


def test_a_match_without_turns_has_no_time_left() -> None:
    assert folded().turn_left_ms is None


def test_the_time_of_a_turn_is_rounded_to_milliseconds() -> None:
    assert folded(game="connect_four", turn_s=1.2346).turn_left_ms == 1235


def test_an_input_says_who_holds_the_keys_of_its_seat() -> None:
    event = entered(KeysHeld(1, up=True, down=False), tick=4, seat=1, held={"t": ["up"]})
    match = folded(event)
    assert (match.pressing, match.tick) == ({1: {"t": ["up"]}}, 4)


def test_an_input_that_holds_no_keys_releases_those_of_its_seat_only() -> None:
    none = KeysHeld(0, up=False, down=False)
    match = folded(
        entered(none, held={"t": ["up"]}), entered(none, seat=1, held={"u": ["up"]}), entered(none)
    )
    assert match.pressing == {1: {"u": ["up"]}}
    assert folded(entered(none)).pressing == {}


def test_an_input_starts_the_next_turn_with_its_whole_time() -> None:
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


def test_a_rebuild_starts_at_the_checkpoint_before_the_last_one() -> None:
    match = folded(checkpoint(60), checkpoint(120))
    assert (match.replay_from, match.checkpoint_at, match.covered_tick) == (11, 12, 60)


def test_the_first_checkpoint_lets_a_rebuild_start_at_the_start() -> None:
    match = folded(checkpoint(60))
    assert (match.replay_from, match.checkpoint_at, match.covered_tick) == (10, 11, 0)


def test_a_checkpoint_that_is_not_behind_all_logged_ticks_moves_nothing() -> None:
    """An input for a later tick precedes it in the log."""
    ahead = entered(KeysHeld(0, up=False, down=False), tick=65)
    match = folded(ahead, checkpoint(60), checkpoint(65))
    assert (match.replay_from, match.checkpoint_at, match.covered_tick) == (10, 12, 65)
    match = folded(ahead, checkpoint(60), checkpoint(66))
    assert (match.replay_from, match.checkpoint_at, match.covered_tick) == (12, 13, 65)


def test_a_pause_releases_all_keys_and_records_all_times() -> None:
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


def test_a_match_that_goes_on_continues_the_turn_from_what_was_left() -> None:
    match = folded(paused(2, 700, [3, 4]), resumed(2, 5, [6, 7]), game="connect_four")
    assert (match.paused, match.run, match.spent_ms, match.paused_at) == (False, 5, [6, 7], 11)
    assert (match.turn_since, match.turn_noted, match.turn_left_ms) == (12, 12, 700)


def test_a_match_that_continues_without_times_keeps_what_was_spent() -> None:
    assert folded(paused(2, 700, [3, 4]), resumed(2, 5)).spent_ms == [3, 4]


def test_a_graceful_stop_is_recorded_until_the_next_pause() -> None:
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


def test_a_match_that_was_rewound_is_shown_as_of_the_run_that_will_resume_it() -> None:
    match = Match("room-1-1", "pong", 1, RoomOptions(), [ANA, BEN], 7, "ticks", run=3)
    assert match.shown_run == 3
    match.rewound = True
    assert match.shown_run == 4
