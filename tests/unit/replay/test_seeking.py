"""A seek decodes what lies between a checkpoint and its tick, however long the match."""

from __future__ import annotations

import random

import msgspec
import pytest

from service.domain.events.matches import MatchEvent
from service.games.catalogue import GAMES
from service.games.connect_four import CONNECT_FOUR, Dropped
from service.games.options import set_up
from service.games.pong import PONG, TICK_HZ, KeysHeld
from service.games.protocol import Game, GameEvent
from service.games.relay import RELAY, Relayed
from service.replay import run, track
from service.replay.replay import Replay
from service.replay.run import Run
from tests.unit.replay.recordings import (
    an_input,
    checkpoint,
    encoded,
    find,
    raw,
    started,
)

CHECKPOINT_TICKS = TICK_HZ
HOUR = 3600 * TICK_HZ
INPUTS_A_SECOND = 10


def an_hour() -> Replay:
    """Return an hour of Pong; nobody has stepped it, so its checkpoints are all of its start."""
    state = set_up(PONG, 1, {"duration_s": 3600}, 2)
    events: list[MatchEvent] = [started(PONG, 1, {"duration_s": 3600}, 2)]
    for tick in range(0, HOUR, TICK_HZ // INPUTS_A_SECOND):
        if tick % CHECKPOINT_TICKS == 0:
            events.append(checkpoint(state, tick))
        events.append(an_input(tick, 0, KeysHeld(0, up=tick % 12 == 0, down=False)))
    return Replay([*events, checkpoint(state, HOUR)], GAMES)


class Decoded:
    """Counts the inputs, checkpoints and steps that a seek costs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.inputs = self.checkpoints = self.steps = 0
        decode_event, decoded, step = run.decode_event, track.Track.decoded, Run.step

        def counted_event(*given: object) -> GameEvent:
            self.inputs += 1
            return decode_event(*given)  # type: ignore[arg-type]  # as it was called

        def counted_state(*given: object) -> Run:
            self.checkpoints += 1
            return decoded(*given)  # type: ignore[arg-type]  # as it was called

        def counted_step(run: Run) -> object:
            self.steps += 1
            return step(run)

        monkeypatch.setattr(run, "decode_event", counted_event)
        monkeypatch.setattr(track.Track, "decoded", counted_state)
        monkeypatch.setattr(Run, "step", counted_step)


@pytest.mark.parametrize("tick", [0, 1, 59, 60, HOUR // 2 + 59, HOUR - 1, HOUR])
def test_a_seek_in_an_hour_decodes_one_checkpoint_and_the_inputs_of_a_second(
    monkeypatch: pytest.MonkeyPatch, tick: int
) -> None:
    replay = an_hour()
    cost = Decoded(monkeypatch)
    replay.at(tick)
    assert cost.checkpoints == (tick >= CHECKPOINT_TICKS)
    # One more input is decoded where a step begins at its tick.
    assert cost.inputs <= INPUTS_A_SECOND + 1
    assert cost.steps == tick % CHECKPOINT_TICKS


def test_the_frames_from_a_tick_on_are_decoded_as_they_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replay = an_hour()
    cost = Decoded(monkeypatch)
    frames = replay.frames(start=30)
    for _ in range(30):
        next(frames)
    assert cost.steps == 30 + 29
    assert cost.inputs <= INPUTS_A_SECOND + 1


@pytest.mark.parametrize("tick", [0, 500, 1000])
def test_a_seek_in_a_game_without_ticks_decodes_no_input_after_its_tick(
    monkeypatch: pytest.MonkeyPatch, tick: int
) -> None:
    state = set_up(RELAY, 1, {}, 2)
    events: list[MatchEvent] = [started(RELAY, 1, {}, 2)]
    for number in range(1000):
        move = Relayed(number % 2, raw({"n": number}))
        events.append(an_input(number, move.seat, move))
        RELAY.apply(state, move)
        if number % 100 == 99:
            events.append(checkpoint(state, number + 1))
    replay = Replay(events, GAMES)
    cost = Decoded(monkeypatch)
    assert replay.at(tick).moves == tick
    assert cost.inputs <= 1


@pytest.mark.parametrize("game", [PONG, RELAY])
def test_inputs_in_any_order_of_ticks_give_the_same_state_from_a_checkpoint_as_from_the_start(
    game: Game,
) -> None:
    chance = random.Random(3)  # noqa: S311 - no secret
    ticks = [chance.randrange(90) for _ in range(40)]
    inputs = [
        an_input(tick, tick % 2, KeysHeld(tick % 2, up=tick % 3 == 0, down=False))
        if game is PONG
        else an_input(tick, tick % 2, Relayed(tick % 2, raw({"t": tick})))
        for tick in ticks
    ]
    whole = Replay([started(game, 1, {}, 2), *inputs], GAMES)
    whole.ticks = 90
    for at in (1, 30, 60, 89):
        again = Replay([*whole.events, checkpoint(whole.at(at), at)], GAMES)
        again.ticks = 90
        for tick in (at, at + 1, 90):
            assert encoded(again.at(tick)) == encoded(whole.at(tick))


def test_an_input_that_the_rules_cannot_read_is_found_at_its_tick() -> None:
    inputs = [an_input(tick, 0, Dropped(tick % 2, 3)) for tick in range(3)]
    damaged = msgspec.structs.replace(inputs[1], input=raw({"kind": "dropped", "seat": "one"}))
    replay = Replay([started(CONNECT_FOUR, 1, {}, 2), inputs[0], damaged, inputs[2]], GAMES)
    difference = find(replay)
    assert difference.tick == 1
    assert "The input of tick 1 can't be read" in difference.what
