"""Matches whose recorded options the rules would not take today are replayed all the same."""

from __future__ import annotations

from typing import Any

import pytest

from service.games.catalogue import GAMES
from service.games.connect_four import CONNECT_FOUR
from service.games.pong import PONG
from service.games.protocol import Game
from service.games.relay import RELAY
from service.replay.replay import Replay
from tests.unit.replay.recordings import started


@pytest.mark.parametrize(
    ("options", "ticks"),
    [
        ({}, 1800),
        ({"duration_s": 7200}, 432_000),
        ({"duration_s": 2, "a_former_option": [1]}, 120),
        ({"duration_s": "long"}, 1800),
        ({"duration_s": None}, 1800),
        ({"duration_s": {"s": 1}}, 1800),
        ({"duration_s": True}, 1800),
        ({"duration_s": 10**400}, 1800),
    ],
)
def test_a_duration_is_taken_as_it_was_recorded(options: dict[str, Any], ticks: int) -> None:
    replay = Replay([started(PONG, 1, options, 2)], GAMES)
    assert replay.at(0).ticks_left == ticks
    assert replay.verify() is None


@pytest.mark.parametrize("game", [PONG, CONNECT_FOUR, RELAY], ids=lambda game: game.name)
@pytest.mark.parametrize("value", [None, "x", -1, [], {}, 1e6])
def test_no_recorded_option_stops_a_replay(game: Game, value: object) -> None:
    names = ("duration_s", "turn_s", "clock_s", "seats", "frame_ms", "unknown")
    options = dict.fromkeys(names, value)
    if game is PONG and isinstance(value, int | float):
        options["duration_s"] = 1
    replay = Replay([started(game, 1, options, 2)], GAMES)
    assert replay.verify() is None
    replay.view(replay.at(0))
