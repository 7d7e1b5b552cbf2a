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
    MatchStarted,
)
from service.games.catalogue import GAMES
from service.games.connect_four import COLUMNS, CONNECT_FOUR, ROWS, Dropped, TimedOut
from service.games.options import set_up
from service.games.protocol import Game, GameEvent
from service.games.relay import RELAY, Relayed
from service.replay.replay import Replay
from service.replay.run import Run, encode_state, outcomes_at, rebuild, state_hash
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

PLAYERS = {CONNECT_FOUR.name: 2, RELAY.name: 3}
CHECKPOINT_TICKS = 8
LATE_MAX = 6

FEW = effort(50)
SEEDS = st.integers(0, 2**64 - 1)
LATE = st.integers(0, LATE_MAX)
"""How many inputs get into the log while a checkpoint is on its way there."""
CHOICES = st.lists(st.integers(0, COLUMNS - 1), min_size=2, max_size=COLUMNS * ROWS)
MOVES = st.lists(
    st.builds(
        Relayed,
        st.integers(0, 2),
        st.dictionaries(st.sampled_from("ab"), st.integers(0, 9)).map(raw),
    ),
    min_size=2,
    max_size=40,
)


def play(
    game: Game, seed: int, inputs: Sequence[tuple[int, int, GameEvent]], *, late: int = 0
) -> Played:
    """Play a match of (tick, seat, event), which ends by the rules or because a player left."""
    state = set_up(game, seed, {}, PLAYERS[game.name])
    states = [encoded(state)]
    log: list[tuple[int, MatchEvent]] = []
    tick = 0
    for count, (at, seat, event) in enumerate(inputs, 1):
        log.append((count, an_input(at, seat, event)))
        game.apply(state, event)
        # A tick whose input could not be committed has the state of the one before.
        states += [states[-1]] * (at - tick)
        states.append(encoded(state))
        tick = at + 1
        if count % CHECKPOINT_TICKS == 0:
            log.append((count + late, checkpoint(state, tick)))
    log.sort(key=lambda one: one[0])
    result = game.result(state)
    reason: EndReason = "left" if result is None else "finished"
    return Played(
        [
            started(game, seed, {}, PLAYERS[game.name]),
            *(event for _, event in log),
            ended(game, state, tick, reason, result.winner if result else 0),
        ],
        states,
    )


def connect_four(
    seed: int, choices: Sequence[int], *, late: int = 0, timeout: bool = False
) -> Played:
    """Play a random match, which ends early when the choices do, or by a timeout."""
    state = set_up(CONNECT_FOUR, seed, {}, 2)
    inputs: list[tuple[int, int, GameEvent]] = []
    for tick, choice in enumerate(choices):
        if state.turn is None:
            break
        free = [column for column, discs in enumerate(state.columns) if len(discs) < ROWS]
        inputs.append((tick, state.turn, Dropped(state.turn, free[choice % len(free)])))
        CONNECT_FOUR.apply(state, inputs[-1][2])
    if timeout and state.turn is not None:
        inputs.append((len(inputs), *CONNECT_FOUR.timeout(state)))
    return play(CONNECT_FOUR, seed, inputs, late=late)


def relay(moves: Sequence[Relayed], *, late: int = 0, lost: Sequence[int] = ()) -> Played:
    """Play a match where the appends of the inputs of some ticks have failed."""
    ticks = [tick for tick in range(len(moves) + len(lost)) if tick not in lost]
    inputs = [(tick, move.seat, move) for tick, move in zip(ticks, moves, strict=False)]
    return play(RELAY, 1, inputs, late=late)


FOURS = st.builds(connect_four, SEEDS, CHOICES, late=LATE, timeout=st.booleans())
RELAYS = st.builds(relay, MOVES, late=LATE)
ANY = st.one_of(FOURS, RELAYS)
WHOLE_FOURS = st.builds(
    connect_four,
    SEEDS,
    st.lists(st.integers(0, COLUMNS - 1), min_size=COLUMNS * ROWS, max_size=COLUMNS * ROWS),
)
LONG_RELAYS = st.builds(
    relay, st.lists(st.builds(Relayed, st.integers(0, 2), st.just(raw({}))), min_size=20)
)


# A true recording


@given(ANY)
@FEW
def test_an_intact_recording_verifies(played: Played) -> None:
    assert played.replay().verify() is None


@given(ANY)
@FEW
def test_a_game_without_ticks_has_one_tick_per_input(played: Played) -> None:
    assert played.replay().ticks == len(played.all_of(MatchInput))


@given(ANY)
@FEW
def test_the_state_at_tick_n_is_the_one_after_n_inputs(played: Played) -> None:
    replay = played.replay()
    for tick, state in enumerate(played.states):
        assert encoded(replay.at(tick)) == state
    assert encoded(replay.at(-1)) == played.states[0]
    assert encoded(replay.at(999)) == played.states[-1]


@given(ANY, st.sampled_from([None, 0.1, 1.0, 60.0]), st.integers(0, 45))
@FEW
def test_the_frames_are_the_states_after_each_input(
    played: Played, hz: float | None, start: int
) -> None:
    start = min(start, len(played.states) - 1)
    frames = [(tick, encoded(state)) for tick, state in played.replay().frames(hz, start)]
    assert frames == list(enumerate(played.states))[start:]


@given(ANY)
@FEW
def test_the_last_input_is_the_one_that_led_to_a_state(played: Played) -> None:
    replay = played.replay()
    assert replay.last_input(0) is None
    for tick, event in enumerate(played.all_of(MatchInput), 1):
        assert replay.last_input(tick) == event


@pytest.mark.parametrize("played", [relay([]), connect_four(1, [])])
def test_a_match_without_inputs_can_be_replayed(played: Played) -> None:
    replay = played.replay()
    assert replay.verify() is None
    assert replay.ticks == 0
    assert [(tick, encoded(state)) for tick, state in replay.frames()] == [(0, played.states[0])]


def test_a_game_without_ticks_is_shown_at_one_tick_a_second() -> None:
    assert relay([]).replay().tick_hz == 1


def test_a_turn_timeout_is_replayed_as_an_input() -> None:
    played = connect_four(1, [3, 3], timeout=True)
    assert played.replay().verify() is None
    assert played.replay().at(3).timed_out == played.replay().at(2).turn


@given(MOVES)
@FEW
def test_inputs_after_the_end_have_no_effect(moves: list[Relayed]) -> None:
    played = relay(moves)
    late = an_input(len(moves), 0, Relayed(0, raw({"late": True})))
    replay = Replay([*played.events, late], GAMES)
    assert replay.verify() is None
    assert replay.ticks == len(moves)
    assert encoded(replay.at(len(moves) + 1)) == played.states[-1]
    assert [encoded(state) for _, state in replay.frames()] == played.states


@given(ANY, st.data())
@FEW
def test_a_live_match_can_be_replayed_up_to_its_last_input(
    played: Played, data: st.DataObject
) -> None:
    logged = played.events[: data.draw(st.integers(1, len(played.events) - 1))]
    replay = Replay(logged, GAMES)
    assert replay.verify() is None
    assert replay.ticks == sum(isinstance(event, MatchInput) for event in logged)
    assert encoded(replay.at(replay.ticks)) == played.states[replay.ticks]


# Tampering


@given(FOURS, st.data())
@FEW
def test_a_removed_move_is_found_at_its_tick(played: Played, data: st.DataObject) -> None:
    old = data.draw(st.sampled_from(played.all_of(MatchInput)))
    assert find(played.changed(old)).tick == old.tick


@given(FOURS, st.data())
@FEW
def test_an_illegal_move_is_found_at_its_tick_with_a_message(
    played: Played, data: st.DataObject
) -> None:
    old = data.draw(st.sampled_from(played.all_of(MatchInput)))
    wrong = Dropped(1 - old.seat, 3)
    difference = find(played.changed(old, msgspec.structs.replace(old, input=raw(wrong))))
    assert difference.tick == old.tick
    assert "the other player's turn" in difference.what


@given(FOURS, st.data())
@FEW
def test_a_duplicated_move_is_found_at_its_second_occurrence(
    played: Played, data: st.DataObject
) -> None:
    old = data.draw(st.sampled_from(played.all_of(MatchInput)[:-1]))
    assert find(played.changed(old, old, old)).tick == old.tick + 1


@given(ANY, st.data())
@FEW
def test_a_changed_move_is_found_at_the_next_checkpoint(
    played: Played, data: st.DataObject
) -> None:
    old = data.draw(st.sampled_from(played.all_of(MatchInput)))
    event: GameEvent
    if played.all_of(MatchStarted)[0].game == RELAY.name:
        event = Relayed(old.seat, raw({"tampered": True}))
    elif b"timed_out" in bytes(old.input):
        event = Dropped(old.seat, 0)
    else:
        event = TimedOut(old.seat)
    recorded = [one.tick for one in played.all_of(MatchCheckpoint) if one.tick > old.tick]
    difference = find(played.changed(old, msgspec.structs.replace(old, input=raw(event))))
    assert old.tick <= difference.tick <= min([*recorded, len(played.states) - 1])


@given(RELAYS, st.data())
@FEW
def test_reordered_or_removed_relay_moves_are_found(played: Played, data: st.DataObject) -> None:
    inputs = played.all_of(MatchInput)
    at = data.draw(st.integers(0, len(inputs) - 2))
    assert find(played.changed(inputs[at])).tick >= at
    one, other = inputs[at : at + 2]
    assume(one.input != other.input)
    swapped = played.changed(one, msgspec.structs.replace(other, tick=at))
    swapped = Replay(
        [
            msgspec.structs.replace(one, tick=at + 1) if event is other else event
            for event in swapped.events
        ],
        GAMES,
    )
    assert find(swapped).tick > at


@given(ANY)
@FEW
def test_an_end_with_too_many_ticks_is_found_at_the_last_input(played: Played) -> None:
    (old,) = played.all_of(MatchEnded)
    longer = msgspec.structs.replace(old, tick=old.tick + 2)
    assert find(played.changed(old, longer)).tick == old.tick


@given(ANY)
@FEW
def test_a_match_with_missing_inputs_can_be_replayed_up_to_them(played: Played) -> None:
    (old,) = played.all_of(MatchEnded)
    longer = msgspec.structs.replace(old, tick=old.tick + 2)
    assert encoded(played.changed(old, longer).at(old.tick + 2)) == played.states[-1]


def test_a_checkpoint_beyond_the_last_input_is_found() -> None:
    moves = [Relayed(0, raw({"a": number})) for number in range(CHECKPOINT_TICKS)]
    logged = relay(moves).events[:-1]
    assert isinstance(logged[-1], MatchCheckpoint)
    del logged[-2]
    assert find(Replay(logged, GAMES)).tick == CHECKPOINT_TICKS - 1


@given(st.one_of(WHOLE_FOURS, LONG_RELAYS), st.data())
@FEW
def test_a_changed_checkpoint_is_found_at_its_tick(played: Played, data: st.DataObject) -> None:
    assume(played.all_of(MatchCheckpoint))  # Connect four may be over in seven moves.
    old = data.draw(st.sampled_from(played.all_of(MatchCheckpoint)))
    state = set_up(played.replay().game, 5, {}, 2)
    for new in (
        msgspec.structs.replace(old, hash=state_hash("another")),
        msgspec.structs.replace(old, state=encode_state(state)),
    ):
        assert find(played.changed(old, new)).tick == old.tick


@given(ANY, st.data())
@FEW
def test_an_invented_outcome_is_found_at_its_tick(played: Played, data: st.DataObject) -> None:
    tick = data.draw(st.integers(0, played.replay().ticks))
    game = played.replay().game
    event: GameEvent = Relayed(0, raw({})) if game.name == RELAY.name else TimedOut(0)
    (invented,) = outcomes_at(MATCH, tick, [event])
    (end,) = played.all_of(MatchEnded)
    assert find(played.changed(end, invented, end)).tick == tick


@given(WHOLE_FOURS, st.sampled_from([None, 0, 1]))
@FEW
def test_a_changed_winner_is_found_at_the_end(played: Played, winner: int | None) -> None:
    (old,) = played.all_of(MatchEnded)
    assume(winner != old.winner)
    assert find(played.changed(old, msgspec.structs.replace(old, winner=winner))).tick == old.tick


def test_a_premature_win_is_found() -> None:
    played = connect_four(1, [3, 3])
    (old,) = played.all_of(MatchEnded)
    assert find(played.changed(old, msgspec.structs.replace(old, reason="finished"))).tick == 2


# A rebuild


@given(ANY, st.data())
@FEW
def test_a_match_cut_off_anywhere_is_rebuilt_with_every_input_that_was_logged(
    played: Played, data: st.DataObject
) -> None:
    logged = played.events[: data.draw(st.integers(1, len(played.events) - 1))]
    match, since = folded(logged)
    run, unlogged = rebuild(match, since, played.replay().game)
    assert run.tick == sum(isinstance(event, MatchInput) for event in logged)
    assert not run.has_inputs
    assert encoded(run.state) == played.states[run.tick]
    assert unlogged == []


@given(ANY, st.data())
@FEW
def test_a_rebuilt_match_continues_to_the_same_end(played: Played, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(played.events) - 1))
    match, since = folded(played.events[:cut])
    run, _ = rebuild(match, since, played.replay().game)
    for event in played.events[cut:]:
        if isinstance(event, MatchInput):
            run.add_input(event)
            assert list(run.step()) == []
            assert encoded(run.state) == played.states[run.tick]
    (end,) = played.all_of(MatchEnded)
    assert (run.tick, state_hash(run.state)) == (end.tick, end.hash)


@pytest.mark.parametrize("late", range(LATE_MAX + 1))
def test_a_rebuild_begins_at_the_newest_checkpoint(late: int) -> None:
    moves = [Relayed(0, raw({"a": number})) for number in range(4 * CHECKPOINT_TICKS)]
    played = relay(moves, late=late)
    match, since = folded(played.events[:-1])
    assert not any(event.tick < CHECKPOINT_TICKS for event in since if hasattr(event, "tick"))
    run, _ = rebuild(match, since, RELAY)
    assert run.tick == len(moves)
    assert encoded(run.state) == played.states[-1]


# Inputs that could not be committed


@given(MOVES, st.lists(st.integers(0, 45), max_size=4), LATE, st.data())
@FEW
def test_ticks_of_lost_inputs_are_skipped_consistently(
    moves: list[Relayed], lost: list[int], late: int, data: st.DataObject
) -> None:
    played = relay(moves, late=late, lost=lost)
    replay = played.replay()
    assert replay.verify() is None
    for tick, state in enumerate(played.states):
        assert encoded(replay.at(tick)) == state
        assert encoded(next(replay.frames(start=tick))[1]) == state
    for tick, frame in replay.frames():
        assert encoded(frame) == played.states[tick]
    cut = data.draw(st.integers(1, len(played.events) - 1))
    run, _ = rebuild(*folded(played.events[:cut]), RELAY)
    for event in played.events[cut:]:
        if isinstance(event, MatchInput):
            run.add_input(event)
            run.step()
    assert (run.tick, encoded(run.state)) == (replay.ticks, played.states[-1])


# A run


def test_each_step_takes_the_next_input_and_no_other() -> None:
    run = Run(RELAY, set_up(RELAY, 1, {}, 3))
    for tick in range(3):
        run.add_input(an_input(tick, tick, Relayed(tick, raw({}))))
    for moves in (1, 2, 3):
        assert list(run.step()) == []
        assert (run.tick, run.state.moves) == (moves, moves)


def test_a_live_match_continues_despite_an_illegal_logged_input() -> None:
    run = Run(CONNECT_FOUR, set_up(CONNECT_FOUR, 1, {}, 2))
    first = run.state.turn
    for tick, seat in enumerate((1 - first, first)):
        run.add_input(an_input(tick, seat, Dropped(seat, 3)))
        run.step()
    assert run.state.columns[3] == [first]
    assert run.tick == 2
