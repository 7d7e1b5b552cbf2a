"""Replays are what was shown: 200 matches with drops, pauses, and nodes that are killed.

A v1 client keys a state by the run and the tick. Up to the tick at which the next run begins, the
replay has the same state; what a run showed after that was rewound, and the replay says so.
"""

from __future__ import annotations

import random

import msgspec
import pytest

from service.domain.events.matches import MatchPaused, MatchRewound, MatchStarted
from service.games.catalogue import GAMES
from service.replay.replay import Replay
from service.replay.summary import runs_of, was_rewound
from tests.integration.node_parts import Cluster
from tests.integration.random_plays import NAMES, Play, play_on

MATCHES = 200
PARTS = 8
STEPS = 80


@pytest.mark.parametrize("part", range(PARTS))
async def test_replays_are_what_v1_clients_were_shown(part: int) -> None:
    compared = rewound = pauses = rewinds = 0
    for number in range(part, MATCHES, PARTS):
        game = "pong" if number % 5 else "connect_four"
        chance = random.Random(f"{game} {number}")  # noqa: S311 - no secret
        cluster = Cluster(*NAMES, match_duration_s=3600)
        cluster.states = {}
        await cluster.started()
        play = Play(cluster, chance, game)
        await play.begin()
        await play_on(play, STEPS)

        (started,) = cluster.events(MatchStarted)
        replay = Replay(cluster.recorded(started.match), GAMES)
        assert replay.verify() is None
        spans = {span.run: span for span in runs_of(replay)}
        pauses += len(cluster.events(MatchPaused))
        rewinds += len(cluster.events(MatchRewound))
        for (_, run, tick), shown in cluster.states.items():
            span = spans[run]
            assert span.from_tick <= tick
            if tick <= span.to_tick:
                view = msgspec.json.encode(replay.view(replay.at(tick)))
                assert view == shown, (number, run, tick)
                compared += 1
            elif run != max(spans):
                assert was_rewound(replay, run, tick)
                rewound += 1
    assert compared > 1000
    assert pauses
    assert rewinds
    assert rewound
