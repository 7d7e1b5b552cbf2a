"""Matches go on while nodes die, come back, and hand rooms over, in random order.

Nobody sees the run of a match fall, or its tick fall within a run, and every match verifies.
"""

from __future__ import annotations

import random

import pytest

from service.domain.events.matches import MatchEnded, MatchStarted
from service.games.catalogue import GAMES
from service.replay.replay import Replay
from tests.integration.node_parts import Cluster
from tests.integration.random_plays import NAMES, STEPS, Play, play_on


@pytest.mark.parametrize("game", ["pong", "connect_four"])
@pytest.mark.parametrize("seed", range(12))
async def test_a_match_survives_its_nodes(game: str, seed: int) -> None:
    chance = random.Random(f"{game} {seed}")  # noqa: S311 - no secret
    cluster = Cluster(*NAMES, match_duration_s=3600)
    await cluster.started()
    play = Play(cluster, chance, game)
    await play.begin()
    await play_on(play, STEPS)
    (started,) = cluster.events(MatchStarted)
    replay = Replay(cluster.recorded(started.match), GAMES)
    assert replay.verify() is None
    assert not any(one.reason == "void" for one in cluster.events(MatchEnded))
