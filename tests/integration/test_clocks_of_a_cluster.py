"""Clocks of players over pauses, handovers and lost nodes: always the sum of the recorded times."""

from __future__ import annotations

import asyncio
from typing import Any

import hypothesis.strategies as st
from hypothesis import given
from msgspec import UNSET

from service.domain.commands.moves import Move
from service.domain.commands.presence import CloseSocket, OpenSocket
from service.domain.commands.seats import TakeSeat
from service.domain.commands.turns import NoteTurn, TimeOutTurn
from service.domain.events.matches import MatchEnded, MatchInput
from service.games.catalogue import GAMES
from service.games.protocol import OutOfTime
from service.replay.replay import Replay
from tests.integration.node_parts import Cluster, Node

ANA, BEN = 1, 2
MATCH = "room-1"
CLOCK_S, INCREMENT_S = 600, 3
STEP_S = 0.125
"""Times are multiples of it, which floats add exactly."""

ACTIONS = st.one_of(
    st.tuples(st.just("wait"), st.integers(1, 40)),
    st.tuples(st.sampled_from(["move", "note", "pause", "hand over", "kill"]), st.just(0)),
)


class Model:
    """What the clocks have to be: base, minus what was spent, plus the increments."""

    def __init__(self, turn: int) -> None:
        self.left = [CLOCK_S * 1000] * 2
        self.turn = turn
        self.spent = self.noted = 0
        self.inputs: list[tuple[int, int, list[int]]] = []

    def moved(self) -> None:
        self.left[self.turn] += INCREMENT_S * 1000 - self.spent
        self.inputs.append((self.turn, self.spent, list(self.left)))
        self.turn, self.spent, self.noted = 1 - self.turn, 0, 0

    def now(self) -> list[int]:
        return [left - self.spent * (seat == self.turn) for seat, left in enumerate(self.left)]


class Story:
    """A match of two players at the node n3, which is run by others."""

    async def begin(self) -> None:
        self.cluster = Cluster("n1", "n2", "n3")
        one, _, three = await self.cluster.started()
        self.home = three
        _, self.sockets = await self.cluster.play(
            "connect_four", (ANA, three), (BEN, three), on=one,
            clock_s=CLOCK_S, increment_s=INCREMENT_S, pause_budget_s=3600,
        )  # fmt: skip
        self.model = Model(self.live().run.state.turn)
        self.pauses = 0

    def owner(self) -> Node:
        return next(node for node in self.cluster.nodes.values() if node.live() == [MATCH])

    def live(self) -> Any:
        (live,) = self.owner().matches
        return live

    async def do(self, action: str, steps: int) -> None:
        model, cluster, owner = self.model, self.cluster, self.owner()
        if action == "wait":
            cluster.time.now += steps * STEP_S
            model.spent += round(steps * STEP_S * 1000)
        elif action == "move":
            await self.move()
        elif action == "note":
            await cluster.do(owner, NoteTurn(MATCH, owner.world.matches.live[MATCH].turn_noted))
            model.noted = model.spent
        elif action == "pause":
            await self.pause()
        elif action == "hand over":
            others = [node for node in cluster.nodes.values() if node is not owner]
            if others:
                assert await cluster.hand_over("room", owner, others[0])
                model.noted = model.spent
        elif owner is not self.home:
            await cluster.kill(owner, by=self.home)
            model.spent = model.noted

    async def move(self) -> None:
        state = self.live().run.state
        columns = [column for column in range(7) if len(state.columns[column]) < 6]
        user = (ANA, BEN)[self.model.turn]
        # Pairs of columns, so that nobody gets four in a row for long.
        column = columns[len(self.model.inputs) // 2 * 3 % len(columns)]
        move = Move(user, self.sockets[user], "room", {"column": column})
        (done,) = await self.cluster.do(self.owner(), move)
        assert not isinstance(done, Exception), done
        self.model.moved()

    async def pause(self) -> None:
        cluster, owner = self.cluster, self.owner()
        await cluster.do(owner, CloseSocket(BEN, self.sockets[BEN], 1006))
        await cluster.settle()
        cluster.time.now += 5
        self.pauses += 1
        socket = f"n3.1.{900 + self.pauses}"
        await cluster.do(owner, OpenSocket(BEN, socket), TakeSeat(BEN, socket, "room"))
        self.sockets[BEN] = socket
        self.model.noted = self.model.spent

    def check(self) -> None:
        model, cluster = self.model, self.cluster
        if cluster.events(MatchEnded):
            return
        owner = self.owner()
        match = owner.world.matches.live[MATCH]
        left_ms = self.live().clock.turn_left_ms(cluster.time.now)
        assert left_ms == model.now()[model.turn]
        assert match.clocks_ms(left_ms) == model.now()

    def verify(self) -> None:
        inputs = self.cluster.events(MatchInput)
        assert [(one.seat, one.spent_ms) for one in inputs] == [
            (seat, spent) for seat, spent, _ in self.model.inputs
        ]
        recorded = self.cluster.recorded(MATCH)
        replay = Replay(recorded, GAMES)
        assert replay.verify() is None
        for tick, (_, _, left) in enumerate(self.model.inputs, start=1):
            assert replay.at(tick).clocks.left_ms == left


@given(st.lists(ACTIONS, max_size=25))
def test_the_clocks_are_sums_over_what_was_recorded(actions: list[tuple[str, int]]) -> None:
    async def run() -> None:
        story = Story()
        await story.begin()
        for action, steps in actions:
            if story.cluster.events(MatchEnded) or story.live().finishing:
                break
            await story.do(action, steps)
            story.check()
        story.verify()

    asyncio.run(run())


def test_a_move_in_the_last_millisecond_wins_and_one_at_the_end_loses() -> None:
    async def at(late_s: float) -> tuple[list[Any], list[Any]]:
        story = Story()
        await story.begin()
        cluster, owner = story.cluster, story.owner()
        cluster.time.now += CLOCK_S + late_s
        user = (ANA, BEN)[story.model.turn]
        since = owner.world.matches.live[MATCH].turn_since
        move = Move(user, story.sockets[user], "room", {"column": 3})
        # Both wait for the lock of the room, and the move comes first.
        done, _ = await cluster.do(owner, move, TimeOutTurn(MATCH, since))
        return cluster.events(MatchInput), [done]

    moved, (done,) = asyncio.run(at(-STEP_S))
    assert not isinstance(done, Exception)
    (one,) = moved
    left = CLOCK_S * 1000 - 125
    assert (one.socket is None, one.spent_ms) == (False, left)
    timed_out, (refused,) = asyncio.run(at(0))
    assert isinstance(refused, OutOfTime)
    (one,) = timed_out
    assert (one.socket, one.spent_ms, one.clock) == (None, CLOCK_S * 1000, UNSET)
    late, _ = asyncio.run(at(STEP_S))
    assert late[0].spent_ms == CLOCK_S * 1000
