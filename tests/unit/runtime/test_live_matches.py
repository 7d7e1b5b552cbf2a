"""Holds of live matches, and snapshots of matches that wait for a commit."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from service.domain.commands.ending import VoidMatch
from service.domain.events.matches import MatchCheckpoint, MatchInput, MatchPaused
from service.errors import Unavailable
from service.games.pong import KeysHeld
from service.replay.run import Run
from service.runtime.live_matches import GROUP_S, MOVE_FAULTS_MAX, LiveMatches
from service.telemetry import Metrics
from tests.unit.runtime.live_pong import live_pong

MATCH, STREAM = "r-1", "room:r"


class Matches(LiveMatches):
    """One live match of Pong, whose first tick is due at once."""

    def __init__(self) -> None:
        super().__init__(lambda: 0.0, Metrics())
        self.live = live_pong(MATCH)
        self.live.resume(0.0)
        self.add(self.live)


def an_input(tick: int = 0) -> MatchInput:
    event = msgspec.Raw(msgspec.json.encode(KeysHeld(0, up=True, down=False)))
    return MatchInput(match=MATCH, tick=tick, seat=0, socket="s", input=event, held={"s": ["w"]})


def test_a_match_is_not_stepped_past_an_event_on_its_way_into_the_log() -> None:
    matches = Matches()
    hold = matches.hold(an_input(tick=0))
    assert hold is not None
    assert not matches.live.is_due(0.0)
    hold.release()
    assert matches.live.is_due(0.0)


def test_a_match_is_stepped_up_to_an_event_of_a_later_tick() -> None:
    matches = Matches()
    matches.hold(an_input(tick=1))
    assert matches.live.is_due(0.0)
    matches.live.step(0.0)
    assert not matches.live.is_due(1.0)


def test_equal_events_are_held_by_a_hold_each() -> None:
    matches = Matches()
    first, second = matches.hold(an_input()), matches.hold(an_input())
    assert first is not None
    assert second is not None
    first.release()
    assert not matches.live.is_due(0.0)
    second.release()
    assert matches.live.is_due(0.0)


def test_a_hold_is_released_once() -> None:
    hold = Matches().hold(an_input())
    assert hold is not None
    hold.release()
    with pytest.raises(ValueError, match="not in list"):
        hold.release()


def test_a_checkpoint_and_an_event_of_no_live_match_hold_nothing() -> None:
    matches = Matches()
    assert (
        matches.hold(MatchCheckpoint(match=MATCH, tick=0, state=msgspec.Raw(b"{}"), hash=""))
        is None
    )
    assert matches.hold(msgspec.structs.replace(an_input(), match="r-2")) is None
    assert matches.live.is_due(0.0)


def test_a_snapshot_shows_what_is_on_its_way_until_its_hold_is_released() -> None:
    matches = Matches()
    before = matches.snapshot(MATCH).state
    hold = matches.hold(an_input())
    pause = matches.hold(MatchPaused(match=MATCH, tick=0, turn_left_ms=None, spent_ms=[0, 0]))
    assert hold is not None
    assert pause is not None
    snapshot = matches.snapshot(MATCH)
    assert (snapshot.held, snapshot.pausing) == ({0: {"s": ["w"]}}, True)
    assert snapshot.state != before
    hold.release()
    pause.release()
    assert (matches.snapshot(MATCH).held, matches.snapshot(MATCH).pausing) == ({}, False)
    assert matches.snapshot(MATCH).state == before


async def test_commands_wait_while_an_outcome_is_recorded() -> None:
    matches = Matches()
    assert matches.is_settled({STREAM, "room:other"})
    await matches.settled({STREAM})
    matches.live.begin_recording()
    assert not matches.is_settled({STREAM})
    assert matches.is_settled({"room:other"})
    assert not matches.live.is_due(0.0)
    waiting = asyncio.create_task(matches.settled({STREAM, "room:other"}))
    await asyncio.sleep(0)
    assert not waiting.done()
    matches.live.end_recording()
    await waiting
    assert matches.is_settled({STREAM})


async def test_commands_are_refused_while_an_outcome_cannot_be_recorded() -> None:
    matches = Matches()
    matches.live.begin_recording()
    waiting = asyncio.create_task(matches.settled({STREAM}))
    await asyncio.sleep(0)
    matches.live.recording_failed()
    with pytest.raises(Unavailable):
        await waiting
    with pytest.raises(Unavailable):
        matches.snapshot(MATCH)
    matches.live.end_recording()
    await matches.settled({STREAM})
    assert matches.snapshot(MATCH).tick == 0


def test_a_match_is_void_after_too_many_moves_over_which_its_rules_fail() -> None:
    matches = Matches()
    for _ in range(MOVE_FAULTS_MAX - 1):
        matches.move_failed(MATCH, 0)
    matches.move_failed(MATCH, 1)
    matches.move_failed("r-2", 0)
    assert matches.take_failed() == []
    matches.move_failed(MATCH, 0)
    matches.move_failed(MATCH, 0)
    assert matches.take_failed() == [VoidMatch(MATCH, 0)]
    assert matches.take_failed() == []
    assert not matches.live.is_due(0.0)
    with pytest.raises(Unavailable):
        matches.snapshot(MATCH)


def test_a_match_whose_rules_fail_over_a_snapshot_is_void(monkeypatch: pytest.MonkeyPatch) -> None:
    matches = Matches()

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Run, "ahead", fail)
    with pytest.raises(Unavailable):
        matches.snapshot(MATCH)
    assert matches.take_failed() == [VoidMatch(MATCH, 0)]


def test_a_match_that_has_ended_is_not_live_any_more() -> None:
    matches = Matches()
    matches.live.begin_recording()
    matches.remove(MATCH)
    matches.remove(MATCH)
    assert (len(matches), list(matches), matches.get(MATCH), matches.get(None)) == (
        0,
        [],
        None,
        None,
    )
    assert matches.is_settled({STREAM})


def test_inputs_may_wait_until_their_match_is_stepped_next_and_checkpoints_for_others() -> None:
    matches = Matches()
    checkpoint = MatchCheckpoint(match=MATCH, tick=0, state=msgspec.Raw(b"{}"), hash="")
    pause = MatchPaused(match=MATCH, tick=0, turn_left_ms=None, spent_ms=[0, 0])
    matches.live.resume(0.01)
    assert matches.may_wait_s([an_input()]) == pytest.approx(0.01)
    assert matches.may_wait_s([checkpoint]) == GROUP_S
    assert matches.may_wait_s([checkpoint, an_input()]) == pytest.approx(0.01)
    matches.live.resume(60.0)
    assert matches.may_wait_s([an_input()]) == GROUP_S
    assert matches.may_wait_s([an_input(), pause]) == 0.0
    assert matches.may_wait_s([msgspec.structs.replace(an_input(), match="r-2")]) == 0.0
