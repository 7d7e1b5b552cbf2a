"""A fork of a match stands where the other one stood, goes on, and verifies."""

from __future__ import annotations

import random

import msgspec
import pytest

from service.domain.commands.forks import ForkMatch
from service.domain.commands.seats import TakeSeat
from service.domain.errors import AlreadyInRoom
from service.domain.events.matches import MatchEnded, MatchResumed, MatchStarted
from service.domain.ids import UserId
from service.games.catalogue import GAMES
from service.replay.fork import CannotFork, fork
from service.replay.replay import Replay
from tests.integration.node_parts import Cluster
from tests.integration.random_plays import Play, play_on

PLAYERS: list[UserId] = [11, 12]


async def played(game: str, seed: int) -> tuple[Cluster, Replay]:
    cluster = Cluster("n1", match_duration_s=3600)
    await cluster.started()
    play = Play(cluster, random.Random(seed), game)  # noqa: S311 - no secret
    await play.begin()
    for _ in range(30):
        await play.move()
        await cluster.settle()
        await cluster.tick(20)
    await play_on(play, 0)
    (started,) = cluster.events(MatchStarted)
    return cluster, Replay(cluster.recorded(started.match), GAMES)


@pytest.mark.parametrize("game", ["pong", "connect_four"])
@pytest.mark.parametrize("seed", range(3))
async def test_a_fork_waits_for_its_players_and_goes_on_from_there(game: str, seed: int) -> None:
    cluster, original = await played(game, seed)
    tick = original.ticks // 2
    node = cluster.nodes["n1"]
    node.engine.context = msgspec.structs.replace(node.engine.context, new_room_id=lambda: "fork")
    sockets = [await cluster.open(int(user), node) for user in PLAYERS]
    command = ForkMatch(original.started.match, PLAYERS, tuple(fork(original, tick)))
    (done,) = await cluster.do(node, command)
    assert not isinstance(done, Exception), done

    match = node.world.matches.live["fork-1"]
    assert (match.paused, match.tick) == (True, tick)
    live = node.matches.get("fork-1")
    assert live is not None
    assert live.run.tick == tick
    assert original.view(live.run.state) == original.view(original.at(tick))
    await cluster.tick(90)
    assert live.run.tick == tick
    await cluster.do(node, TakeSeat(PLAYERS[0], sockets[0], "fork"))
    assert match.paused
    await cluster.do(node, TakeSeat(PLAYERS[1], sockets[1], "fork"))
    assert [one.match for one in cluster.events(MatchResumed)] == ["fork-1"]
    await cluster.tick(180)
    assert live.run.tick > tick or game == "connect_four"
    replay = Replay(cluster.recorded("fork-1"), GAMES)
    assert replay.verify() is None
    assert replay.started.players == PLAYERS
    assert not [one for one in cluster.events(MatchEnded) if one.reason == "void"]


async def test_a_fork_is_refused_while_its_players_are_busy() -> None:
    cluster, original = await played("pong", 1)
    command = ForkMatch(original.started.match, original.started.players, tuple(fork(original, 10)))
    (refused,) = await cluster.do(cluster.nodes["n1"], command)
    assert isinstance(refused, AlreadyInRoom)
    assert str(refused).startswith(f"User {original.started.players[0]} has a seat")


async def test_only_a_tick_of_the_match_can_be_forked() -> None:
    _, original = await played("pong", 1)
    for tick in (-1, original.ticks + 1):
        with pytest.raises(CannotFork):
            fork(original, tick)
