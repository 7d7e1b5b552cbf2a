"""Bots play on the node that runs their match, and go on with the next one when it is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import UNSET

from service.domain.commands.bots import AddBot
from service.domain.commands.hosting import CreateRoom, RoomPlan
from service.domain.commands.moves import Move
from service.domain.commands.seats import SetReady
from service.domain.events.matches import MatchEnded, MatchInput, MatchPaused
from service.games.bots import BOT_HZ
from service.games.catalogue import GAMES
from service.replay.replay import Replay
from service.runtime.bots import BotPlayers
from service.telemetry import Metrics
from tests.integration.node_parts import Cluster

ANA = 1
MATCH = "room-1"


class AtOnce:
    """Asks a bot without a thread."""

    def ask(self, _loop: object, decide: Callable[[], Any], done: Callable[..., None]) -> None:
        done(decide(), 0.0)

    def stop(self) -> None:
        pass


class Play:
    """A match of Ana, who is connected to n2, against a bot; n1 runs it."""

    def __init__(self) -> None:
        self.cluster = Cluster("n1", "n2")
        self.bots: dict[str, BotPlayers] = {}

    async def begin(self, game: str, **options: object) -> None:
        one, two = await self.cluster.started()
        for node in (one, two):
            thread: Any = AtOnce()
            self.bots[node.owner.node] = BotPlayers(
                node.engine, node.matches, thread, clock=node.time, metrics=Metrics()
            )
        self.socket = await self.cluster.open(ANA, two)
        plan = RoomPlan(game=game, options=dict(options))
        await self.cluster.do(two, CreateRoom(ANA, self.socket, None, plan))
        assert await self.cluster.hand_over("room", two, one)
        await self.cluster.do(one, SetReady(ANA, "room", ready=True), AddBot(ANA, "room", 3))

    async def pass_s(self, seconds: float) -> None:
        """Let time pass: matches and bots are stepped at their rates."""
        for tick in range(round(seconds * 60)):
            await self.cluster.tick()
            if tick % (60 // BOT_HZ) == 0:
                for name, node in self.cluster.nodes.items():
                    self.bots[name].step(node.time.now)
                await self.cluster.settle()

    def inputs(self) -> list[MatchInput]:
        """Return the inputs of the bot."""
        return [one for one in self.cluster.events(MatchInput) if one.seat == 1]

    def verify(self) -> None:
        assert Replay(self.cluster.recorded(MATCH), GAMES).verify() is None


async def test_a_bot_goes_on_where_the_match_goes_on() -> None:
    play = Play()
    await play.begin("pong", duration_s=20)
    await play.pass_s(5)
    one, two = play.cluster.nodes.values()
    before = len(play.inputs())
    assert before > 3
    assert (one.live(), two.live()) == ([MATCH], [])
    await play.cluster.kill(one, by=two)
    await play.cluster.settle()
    assert two.live() == [MATCH]
    # Ana has a socket at the other node, and nobody waits for the bot.
    assert play.cluster.events(MatchPaused) == []
    await play.pass_s(5)
    assert len(play.inputs()) > before + 3
    await play.pass_s(16)
    (ended,) = play.cluster.events(MatchEnded)
    assert (ended.reason, ended.bots) == ("timeup", [1])
    play.verify()


async def test_a_bot_answers_each_move_after_a_while_and_once() -> None:
    play = Play()
    await play.begin("connect_four", clock_s=60)
    one = play.cluster.nodes["n1"]
    (live,) = one.matches
    if live.run.state.turn == 1:
        await play.pass_s(2)
    for column in (0, 6, 0):
        moves = len(play.inputs())
        move = Move(ANA, play.socket, "room", {"column": column})
        await play.cluster.do(one, move)
        await play.pass_s(0.4)
        assert len(play.inputs()) == moves
        await play.pass_s(2)
        assert len(play.inputs()) == moves + 1
        spent_ms = play.inputs()[-1].spent_ms
        assert spent_ms is not UNSET
        assert 500 <= spent_ms <= 900
        if not one.live():
            break
    play.verify()
