"""Hidden inputs tell nobody that they exist, by no tick of others and by nothing that bots do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from service.cli.at import tick_at
from service.domain.commands.bots import AddBot
from service.domain.commands.seats import SetReady
from service.domain.events.matches import MatchInput
from service.games.sight import SPECTATOR
from service.replay.replay import Replay
from service.replay.seen import seen_by
from service.runtime.bots import BotPlayers
from service.telemetry import Metrics
from tests.integration.test_bots_of_a_cluster import AtOnce
from tests.integration.test_secrets import (
    ANA,
    BEN,
    MATCH,
    Run,
    Told,
    assert_same,
    run_of,
)
from tests.integration.watched_parts import ROOM, catalogue, match_events_of

STORY = [
    ("move", ANA, {"say": "a"}),
    ("move", BEN, {"say": "b"}),
    ("visit", 1),
    ("tab", BEN),
    ("history", 0),
]


@pytest.mark.parametrize("game", ["letters", "loose_letters"])
@pytest.mark.parametrize("names", [("n1",), ("n1", "n2")])
def test_a_hidden_input_beside_a_shown_one_of_the_same_move_is_not_told(
    game: str, names: tuple[str, ...]
) -> None:
    told = []
    for secret in ([], ["x"], ["x", "yy"]):
        first = ("move", ANA, {"say": "a", "write": secret})
        told.append(asyncio.run(run_of(game, [first, *STORY[1:]], [], names=names))[1])
    assert_same(told[0], told[1])
    assert_same(told[0], told[2])


async def test_each_input_of_a_move_takes_a_tick_of_its_own() -> None:
    move = {"say": "a", "write": ["x", "y"]}
    run, _ = await run_of("letters", [("move", ANA, move), ("move", BEN, {"say": "b"})], [])
    inputs = [one for one in match_events_of(run.one, MATCH) if isinstance(one, MatchInput)]
    kinds = [(one.tick, msgspec.json.decode(one.input)["kind"]) for one in inputs]
    assert kinds == [(0, "wrote"), (1, "wrote"), (2, "said"), (3, "said")]


class BotRun(Run):
    """Ana, Ben and a bot."""

    async def begin(self, **options: Any) -> None:
        (self.one,) = (self.two,) = await self.cluster.started()
        players = (ANA, self.one), (BEN, self.one)
        _, sockets = await self.cluster.play(
            self.game, *players, on=self.one, begins=False, seats=3, **options
        )
        self.ana = self.cluster.clients[sockets[ANA]]
        self.others = [self.cluster.clients[sockets[BEN]]]
        thread: Any = AtOnce()
        self.bots = BotPlayers(
            self.one.engine, self.one.matches, thread, clock=self.one.time, metrics=Metrics()
        )
        await self.cluster.do(self.one, AddBot(ANA, ROOM, 1))
        for user in (ANA, BEN):
            await self.cluster.do(self.one, SetReady(user, ROOM, ready=True))

    async def pass_s(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.one.time.now += 0.1
            self.bots.step(self.one.time.now)
            await self.cluster.settle()


async def said_by_bots(secrets: Sequence[int]) -> list[bytes]:
    """Return what Ben is told of a match in which Ana writes so often before each step of time."""
    run = BotRun("letters")
    await run.begin()
    numbers = iter(secrets)
    for say in "ab":
        for user in (ANA, BEN):
            await run.do(("move", user, {"say": say}))
            # While the bot waits for its turn, and while it thinks.
            for _ in range(5):
                await run.pass_s(0.2)
                for _ in range(next(numbers, 0)):
                    await run.cluster.move(run.one, ANA, {"write": ["secret"]})
    assert run.one.live() == []
    return run.others[0].texts


async def test_a_bot_does_the_same_whatever_is_hidden_from_it() -> None:
    without = await said_by_bots([])
    assert sum(b"game:moved" in text for text in without) == 6
    for secrets in ([1], [0] * 5 + [1, 1, 1], [1, 0, 2] * 7):
        assert await said_by_bots(secrets) == without


@pytest.mark.parametrize("names", [("n1",), ("n1", "n2")])
def test_a_timeout_tells_nobody_who_had_moved_in_secret(names: tuple[str, ...]) -> None:
    """Paper is what the timeout makes of a hand that is missing."""
    story = [("visit", 0), ("timeout",), ("history", 1), ("timeout",), ("tab", BEN)]
    told = [
        asyncio.run(run_of("hands", story, [[], secret], names=names))[1]
        for secret in ([], [{"hand": "paper"}], [{"hand": "rock"}, {"hand": "paper"}])
    ]
    assert any(b"out_of_patience" in text for text in told[0].by_door["socket 0 of 2"])
    assert_same(told[0], told[1])
    assert_same(told[0], told[2])


async def after_a_loss(game: str, seed: int, secret: Sequence[dict[str, Any]]) -> Told:
    """Play until the node of the match is lost, and with the next one; return what is told."""
    run = Run(game, ("n1", "n2"), seed)
    await run.begin()
    lost, next_one = run.one, run.two
    await run.do(("time", 130))
    for move in secret:
        await run.cluster.move(lost, ANA, move)
    await run.do(("time", 10))
    run.others = [one for one in run.others if one.connection.socket.startswith("n2")]
    await run.cluster.kill(lost, by=next_one)
    run.one = next_one
    await run.do(("time", 60))
    await run.do(("visit", 1))
    events = match_events_of(next_one, MATCH)
    assert Replay(events, catalogue(), [0] * len(events)).verify() is None
    return await run.told()


@pytest.mark.parametrize(
    ("game", "seeds", "secret"),
    [
        ("digs", (7, 7), [{"mark": "x"}]),
        ("digs", (7, 8), []),
        ("hands", (7, 7), [{"hand": "rock"}]),
        ("letters", (7, 7), [{"write": ["x"]}]),
    ],
)
async def test_a_lost_node_tells_nothing_of_what_was_hidden_last(
    game: str, seeds: tuple[int, int], secret: Sequence[dict[str, Any]]
) -> None:
    """Neither by the tick from which the match goes on, nor by what is left of a turn."""
    without = await after_a_loss(game, seeds[0], [])
    assert any(b"game:paused" in text for texts in without.by_door.values() for text in texts)
    assert_same(without, await after_a_loss(game, seeds[1], secret))


async def test_the_tick_of_a_past_time_tells_nothing_of_what_was_hidden_before_it() -> None:
    ticks = []
    for seed, secret in ((7, []), (7, [[], [{"mark": "x"}]]), (8, [])):
        run, _ = await run_of("digs", [("time", 130), ("time", 20)], secret, seed=seed)
        events: list[Any] = match_events_of(run.one, MATCH)
        times = [event.tick * 1_000_000 // 60 for event in events]
        replay = seen_by(Replay(events, catalogue(), times), SPECTATOR)
        match = run.one.world.matches.live[MATCH]
        ticks.append([tick_at(replay, at_us, match) for at_us in range(0, 2_500_000, 50_000)])
    assert ticks == ticks[:1] * 3
    assert max(ticks[0]) > 60
