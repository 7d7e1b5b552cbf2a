from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.domain.events.matches import (
    EndReason,
    MatchCheckpoint,
    MatchEnded,
    MatchEvent,
    MatchInput,
    MatchOutcome,
    MatchStarted,
)
from service.games.catalogue import GAMES
from service.games.options import set_up
from service.games.pong import PONG, KeysHeld, PongState, Scored, Served
from service.games.protocol import RulesFailed
from service.games.relay import Relayed
from service.replay.export import frame_lines
from service.replay.replay import NotAMatch, Replay
from service.replay.run import Run, decode_event, encode_state, outcomes_at, rebuild, state_hash
from tests.effort import effort
from tests.unit.replay.recordings import (
    MATCH,
    Played,
    an_input,
    checkpoint,
    encoded,
    ended,
    find,
    folded,
    raw,
    started,
)

SECONDS = 4
TICKS = SECONDS * PONG.tick_hz
LEAD_MAX = 6

Keys = tuple[int, KeysHeld]
"""Keys held from a tick on."""

FEW = effort(25)
SEEDS = st.integers(0, 2**64 - 1)
HELD = st.builds(KeysHeld, st.integers(0, 1), st.booleans(), st.booleans())
KEYS = st.lists(st.tuples(st.integers(0, TICKS - 1), HELD), max_size=30).map(
    lambda keys: sorted(keys, key=lambda one: one[0])
)


def play(
    seed: int,
    keys: Sequence[Keys] = (),
    *,
    lead: int = 0,
    ticks: int = TICKS,
    reason: EndReason = "timeup",
) -> Played:
    """Play a match of `ticks`; inputs are logged `lead` ticks before they take effect."""
    state = set_up(PONG, seed, {"duration_s": SECONDS}, 2)
    states = [encoded(state)]
    log: list[tuple[int, MatchEvent]] = []
    for tick in range(ticks):
        for at, held in keys:
            if at == tick:
                log.append((tick - lead, an_input(tick, held.seat, held)))
                PONG.apply(state, held)
        log += [(tick, outcome) for outcome in outcomes_at(MATCH, tick, PONG.step(state))]
        states.append(encoded(state))
        if (tick + 1) % PONG.tick_hz == 0 and tick + 1 < ticks:
            log.append((tick, checkpoint(state, tick + 1)))
    result = PONG.result(state)
    log.sort(key=lambda one: (one[0], not isinstance(one[1], MatchInput)))
    winner = result.winner if result else 0
    return Played(
        [
            started(PONG, seed, {"duration_s": SECONDS}, players=2),
            *(event for _, event in log),
            ended(PONG, state, ticks, reason, winner),
        ],
        states,
    )


# A true recording


@given(SEEDS, KEYS, st.integers(0, LEAD_MAX))
@FEW
def test_an_intact_recording_verifies(seed: int, keys: list[Keys], lead: int) -> None:
    assert play(seed, keys, lead=lead).replay().verify() is None


@given(SEEDS, KEYS, st.integers(0, LEAD_MAX), st.lists(st.integers(0, TICKS), min_size=5))
@FEW
def test_the_state_at_a_tick_matches_the_live_state(
    seed: int, keys: list[Keys], lead: int, ticks: list[int]
) -> None:
    played = play(seed, keys, lead=lead)
    replay = played.replay()
    for tick in {*ticks, 0, 1, 59, 60, 61, TICKS - 1, TICKS}:
        assert encoded(replay.at(tick)) == played.states[tick]


def test_ticks_out_of_range_are_clamped() -> None:
    played = play(1)
    assert encoded(played.replay().at(-5)) == played.states[0]
    assert encoded(played.replay().at(TICKS + 500)) == played.states[-1]


def test_mutating_a_returned_state_does_not_affect_the_replay() -> None:
    played = play(1)
    replay = played.replay()
    replay.at(60).scores[0] = 99
    assert encoded(replay.at(60)) == played.states[60]


@given(SEEDS, KEYS, st.integers(0, LEAD_MAX))
@FEW
def test_the_frames_are_all_states_and_end_at_the_last_tick(
    seed: int, keys: list[Keys], lead: int
) -> None:
    played = play(seed, keys, lead=lead)
    frames = [(tick, encoded(state)) for tick, state in played.replay().frames()]
    assert frames == list(enumerate(played.states))


@given(KEYS, st.sampled_from([1.0, 7.0, 10.0, 30.0, 60.0, 500.0]), st.integers(0, TICKS))
@FEW
def test_fewer_frames_from_a_later_start_are_evenly_spaced_and_end_at_the_last_tick(
    keys: list[Keys], hz: float, start: int
) -> None:
    played = play(5, keys)
    frames = [(tick, encoded(state)) for tick, state in played.replay().frames(hz, start)]
    every = max(1, round(60 / hz))
    ticks = [*range(start, TICKS, every), TICKS]
    assert frames == [(tick, played.states[tick]) for tick in ticks]


def test_frames_from_beyond_the_end_are_the_last_state_alone() -> None:
    played = play(1, ticks=100, reason="left")
    frames = [(tick, encoded(state)) for tick, state in played.replay().frames(start=150)]
    assert frames == [(100, played.states[100])]


@given(SEEDS, KEYS, st.integers(1, TICKS - 1))
@FEW
def test_a_match_that_a_player_left_ends_at_its_last_tick(
    seed: int, keys: list[Keys], ticks: int
) -> None:
    played = play(seed, keys, ticks=ticks, reason="left")
    replay = played.replay()
    assert replay.verify() is None
    assert replay.ticks == ticks
    assert encoded(replay.at(TICKS)) == played.states[ticks]


@given(SEEDS, KEYS, st.data())
@FEW
def test_a_live_match_can_be_replayed_so_far(
    seed: int, keys: list[Keys], data: st.DataObject
) -> None:
    played = play(seed, keys)
    cut = data.draw(st.integers(1, len(played.events) - 1))
    replay = Replay(played.events[:cut], GAMES)
    assert replay.verify() is None
    assert encoded(replay.at(replay.ticks)) == played.states[replay.ticks]


@pytest.mark.parametrize("reason", ["left", "timeup"])
def test_an_input_after_the_end_has_no_effect(reason: EndReason) -> None:
    # Its tick was assigned ahead of a late match, and then a player left.
    ticks = TICKS if reason == "timeup" else 100
    played = play(1, ticks=ticks, reason=reason)
    held = KeysHeld(0, up=True, down=False)
    late = an_input(ticks + 3, 0, held)
    replay = Replay([*played.events[:-1], late, played.events[-1]], GAMES)
    assert replay.verify() is None
    assert replay.ticks == ticks
    assert encoded(replay.at(ticks + 3)) == played.states[ticks]


# Tampering


def test_an_input_ahead_of_a_live_match_does_not_advance_the_replay() -> None:
    ahead = an_input(1, 0, KeysHeld(0, up=True, down=False))
    assert Replay([play(1).events[0], ahead], GAMES).verify() is None


@given(SEEDS, KEYS, st.data())
@FEW
def test_a_changed_outcome_is_found_at_its_tick(
    seed: int, keys: list[Keys], data: st.DataObject
) -> None:
    played = play(seed, keys)
    old = data.draw(st.sampled_from(played.all_of(MatchOutcome)))
    outcome = decode_event(PONG, old.outcome)
    if isinstance(outcome, Served):
        outcome = Served(outcome.side, not outcome.up)
    else:
        assert isinstance(outcome, Scored)
        outcome = Scored(1 - outcome.seat, outcome.scores)
    new = msgspec.structs.replace(old, outcome=raw(outcome))
    assert find(played.changed(old, new)).tick == old.tick


@given(SEEDS, KEYS, st.data())
@FEW
def test_a_dropped_outcome_is_found_at_its_tick(
    seed: int, keys: list[Keys], data: st.DataObject
) -> None:
    played = play(seed, keys)
    old = data.draw(st.sampled_from(played.all_of(MatchOutcome)))
    assert find(played.changed(old)).tick == old.tick


@given(SEEDS, KEYS, st.data())
@FEW
def test_a_duplicated_outcome_is_found_at_its_tick(
    seed: int, keys: list[Keys], data: st.DataObject
) -> None:
    played = play(seed, keys)
    old = data.draw(st.sampled_from(played.all_of(MatchOutcome)))
    assert find(played.changed(old, old, old)).tick == old.tick


@given(SEEDS, KEYS, st.integers(0, TICKS - 1))
@FEW
def test_an_invented_outcome_is_found_at_its_tick(seed: int, keys: list[Keys], tick: int) -> None:
    played = play(seed, keys)
    assume(tick not in {outcome.tick for outcome in played.all_of(MatchOutcome)})
    (invented,) = outcomes_at(MATCH, tick, [Scored(0, (9, 0))])
    end = played.events[-1]
    assert find(played.changed(end, invented, end)).tick == tick


def test_an_invented_outcome_after_the_last_step_is_found() -> None:
    played = play(1)
    (invented,) = outcomes_at(MATCH, TICKS, [Scored(0, (9, 0))])
    end = played.events[-1]
    assert find(played.changed(end, invented, end)).tick == TICKS


def test_a_changed_last_outcome_is_found() -> None:
    played = play(1)
    at, old = next(
        (at, event) for at, event in enumerate(played.events) if isinstance(event, MatchOutcome)
    )
    changed = msgspec.structs.replace(old, outcome=raw(Scored(0, (9, 0))))
    assert find(Replay([*played.events[:at], changed], GAMES)).tick == old.tick


@given(SEEDS, KEYS, st.data())
@FEW
def test_a_changed_input_is_found_at_the_first_differing_state(
    seed: int, keys: list[Keys], data: st.DataObject
) -> None:
    assume(keys)
    played = play(seed, keys)
    index = data.draw(st.integers(0, len(keys) - 1))
    tick, held = keys[index]
    other = KeysHeld(held.seat, not held.up, held.down)
    elsewhere = play(seed, [*keys[:index], (tick, other), *keys[index + 1 :]])
    old = played.all_of(MatchInput)[index]
    replay = played.changed(old, msgspec.structs.replace(old, input=raw(other)))
    # What comes after it may make up for it, so that nothing that was recorded is different.
    if all(
        [one for one in played.all_of(kind) if one.tick > tick]
        == [one for one in elsewhere.all_of(kind) if one.tick > tick]
        for kind in (MatchOutcome, MatchCheckpoint, MatchEnded)
    ) and played.all_of(MatchOutcome) == elsewhere.all_of(MatchOutcome):
        assert replay.verify() is None
    else:
        assert find(replay).tick >= tick


@given(SEEDS, KEYS)
@FEW
def test_a_changed_last_input_is_found(seed: int, keys: list[Keys]) -> None:
    assume(keys)
    played = play(seed, keys)
    tick, held = keys[-1]
    old = played.all_of(MatchInput)[-1]
    other = raw(KeysHeld(held.seat, not held.up, held.down))
    assert find(played.changed(old, msgspec.structs.replace(old, input=other))).tick >= tick


@given(SEEDS, KEYS, st.data())
@FEW
def test_a_changed_hash_of_a_checkpoint_is_found_at_its_tick(
    seed: int, keys: list[Keys], data: st.DataObject
) -> None:
    played = play(seed, keys)
    old = data.draw(st.sampled_from(played.all_of(MatchCheckpoint)))
    new = msgspec.structs.replace(old, hash=state_hash("another"))
    assert find(played.changed(old, new)).tick == old.tick


def test_a_changed_hash_of_a_checkpoint_at_the_last_tick_is_found() -> None:
    played = play(1)
    state = msgspec.json.decode(played.states[-1], type=PongState)
    last = msgspec.structs.replace(checkpoint(state, TICKS), hash=state_hash("another"))
    end = played.events[-1]
    assert find(played.changed(end, last, end)).tick == TICKS


def test_a_changed_checkpoint_state_is_found_despite_a_valid_hash() -> None:
    played = play(1)
    for old in played.all_of(MatchCheckpoint):
        state = msgspec.json.decode(old.state, type=PongState)
        state.scores[0] += 1
        new = msgspec.structs.replace(old, state=encode_state(state))
        assert find(played.changed(old, new)).tick == old.tick


@given(SEEDS, KEYS, st.integers(0, 1))
@FEW
def test_a_changed_final_score_is_found_at_the_end(seed: int, keys: list[Keys], seat: int) -> None:
    played = play(seed, keys)
    (old,) = played.all_of(MatchEnded)
    scores = [points + (index == seat) for index, points in enumerate(old.scores)]
    assert find(played.changed(old, msgspec.structs.replace(old, scores=scores))).tick == TICKS


@given(SEEDS, KEYS, st.sampled_from([None, 0, 1]))
@FEW
def test_a_changed_winner_is_found_at_the_end(
    seed: int, keys: list[Keys], winner: int | None
) -> None:
    played = play(seed, keys)
    (old,) = played.all_of(MatchEnded)
    assume(winner != old.winner)
    assert find(played.changed(old, msgspec.structs.replace(old, winner=winner))).tick == TICKS


def test_a_changed_last_hash_is_found_at_the_end() -> None:
    played = play(1)
    (old,) = played.all_of(MatchEnded)
    new = msgspec.structs.replace(old, hash=state_hash("another"))
    assert find(played.changed(old, new)).tick == TICKS


def test_a_premature_time_up_is_found_at_the_end() -> None:
    assert find(play(1, ticks=100, reason="timeup").replay()).tick == 100


def test_a_changed_seed_is_found() -> None:
    played = play(1)
    (old,) = played.all_of(MatchStarted)
    # The other way up at the first serve.
    first = decode_event(PONG, played.all_of(MatchOutcome)[0].outcome)
    seed = next(
        seed
        for seed in range(2, 100)
        if decode_event(PONG, play(seed, ticks=1).all_of(MatchOutcome)[0].outcome) != first
    )
    assert find(played.changed(old, msgspec.structs.replace(old, seed=seed))).tick == 0


# A rebuild


@given(SEEDS, KEYS, st.integers(0, LEAD_MAX), st.data())
@FEW
def test_a_match_cut_off_anywhere_is_rebuilt_at_its_last_logged_tick(
    seed: int, keys: list[Keys], lead: int, data: st.DataObject
) -> None:
    played = play(seed, keys, lead=lead)
    cut = data.draw(st.integers(1, len(played.events) - 1))
    logged = played.events[:cut]
    match, since = folded(logged)
    run, unlogged = rebuild(match, since, PONG)
    assert run.tick == match.tick
    assert run.tick >= max(event.tick for event in logged)
    assert encoded(run.state) == played.states[run.tick]
    assert unlogged == [
        outcome
        for outcome in played.all_of(MatchOutcome)
        if outcome.tick < run.tick and outcome not in logged
    ]


@pytest.mark.parametrize("lead", [0, 3, LEAD_MAX])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_rebuilt_match_continues_to_the_same_end_with_every_outcome_once(
    seed: int, lead: int
) -> None:
    keys = [(tick, KeysHeld(tick % 2, tick % 3 == 0, tick % 3 == 1)) for tick in range(0, TICKS, 7)]
    played = play(seed, keys, lead=lead)
    for cut in range(1, len(played.events)):
        logged = played.events[:cut]
        match, since = folded(logged)
        run, unlogged = rebuild(match, since, PONG)
        outcomes = [*(one for one in logged if isinstance(one, MatchOutcome)), *unlogged]
        for event in played.events[cut:]:
            if isinstance(event, MatchInput):
                run.add_input(event)
        while PONG.result(run.state) is None:
            tick = run.tick
            outcomes += outcomes_at(MATCH, tick, run.step())
        assert encoded(run.state) == played.states[-1]
        assert [one.tick for one in outcomes] == [one.tick for one in played.all_of(MatchOutcome)]
        assert outcomes == played.all_of(MatchOutcome)


def test_outcomes_missing_from_the_log_are_returned() -> None:
    # The first serve is in tick 0, and the log has only an input of a later tick.
    played = play(1, [(5, KeysHeld(0, up=True, down=False))], lead=5)
    match, since = folded(played.events[:2])
    run, unlogged = rebuild(match, since, PONG)
    assert run.tick == 5
    assert unlogged == played.all_of(MatchOutcome)[:1]


def test_a_rebuild_begins_at_the_newest_checkpoint() -> None:
    played = play(1)
    at = next(at for at, event in enumerate(played.events) if getattr(event, "tick", 0) == 2 * 60)
    match, since = folded(played.events[: at + 1])
    assert isinstance(since[0], MatchCheckpoint)
    assert since[0].tick == 60
    run, unlogged = rebuild(match, since, PONG)
    assert (run.tick, unlogged) == (120, [])
    assert encoded(run.state) == played.states[120]


# A run


def test_the_predicted_state_includes_future_inputs() -> None:
    run = Run(PONG, set_up(PONG, 1, {}, 2))
    assert run.ahead() is run.state
    held = KeysHeld(0, up=True, down=False)
    run.add_input(an_input(2, 0, held))
    assert run.ahead().paddles[0].up
    assert not run.state.paddles[0].up
    run.step()
    run.step()
    assert not run.state.paddles[0].up
    run.step()
    assert run.state.paddles[0].up
    assert run.ahead() is run.state


def test_the_predicted_state_includes_uncommitted_inputs() -> None:
    run = Run(PONG, set_up(PONG, 1, {}, 2))
    run.add_input(an_input(2, 0, KeysHeld(0, up=True, down=False)))
    state = run.ahead([an_input(3, 1, KeysHeld(1, up=False, down=True))])
    assert state.paddles[0].up
    assert state.paddles[1].down
    assert not run.ahead().paddles[1].down


# What is no match


def test_an_empty_event_list_is_refused() -> None:
    with pytest.raises(NotAMatch):
        Replay([], GAMES)


def test_a_match_without_its_start_is_refused() -> None:
    with pytest.raises(NotAMatch):
        Replay(play(1).events[1:], GAMES)


def test_a_match_of_other_rules_versions_is_refused_with_a_message() -> None:
    played = play(1)
    (old,) = played.all_of(MatchStarted)
    with pytest.raises(NotAMatch, match=r"r-1 .*version 99 .*pong"):
        played.changed(old, msgspec.structs.replace(old, rules_version=99))


def test_a_match_of_an_unknown_game_is_refused() -> None:
    played = play(1)
    (old,) = played.all_of(MatchStarted)
    with pytest.raises(NotAMatch):
        played.changed(old, msgspec.structs.replace(old, game="chess"))


# What is void


def voided(events: Sequence[MatchEvent], tick: int) -> MatchEnded:
    return MatchEnded(
        match=events[0].match, tick=tick, reason="void", winner=None, scores=[0, 0], hash=""
    )


def test_a_void_match_verifies_up_to_the_rules_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    events = play(1).events[:-1]
    at = max(event.reaches for event in events)
    replay = Replay([*events, voided(events, at)], GAMES)
    assert replay.verify() is None

    def fail(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(PONG, "step", fail)
    started = [*events[:1], voided(events, 0)]
    assert Replay(started, GAMES).verify() is None
    assert Replay([*events[:1], voided(events, 7)], GAMES).verify() is None
    # Something was recorded after the rules had failed, as they now do.
    assert find(replay).what.startswith("The rules of pong have failed at tick 0")


def test_rules_failing_on_a_match_that_is_not_void_are_a_difference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError

    replay = play(1).replay()
    monkeypatch.setattr(PONG, "step", fail)
    assert find(replay).tick == 0


@pytest.mark.parametrize("rule", ["setup", "scores", "result"])
def test_any_failing_rule_is_a_difference(monkeypatch: pytest.MonkeyPatch, rule: str) -> None:
    replay = play(1).replay()
    monkeypatch.setattr(PONG, rule, failing)
    assert find(replay).what.startswith("The rules of pong have failed: ZeroDivisionError")


@pytest.mark.parametrize("rule", ["setup", "view"])
def test_frames_raise_when_the_rules_fail(monkeypatch: pytest.MonkeyPatch, rule: str) -> None:
    replay = play(1).replay()
    monkeypatch.setattr(PONG, rule, failing)
    with pytest.raises(RulesFailed, match="The rules of pong have failed"):
        next(frame_lines(replay))


def test_a_checkpoint_of_another_shape_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    replay = play(1).replay()
    monkeypatch.setattr(type(PONG), "state_type", Relayed)
    assert find(replay).what.startswith("The rules of pong have failed: ValidationError")


def failing(*_: object) -> None:
    raise ZeroDivisionError
