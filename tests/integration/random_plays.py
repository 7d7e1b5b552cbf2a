"""Matches of two users on nodes that die, come back and hand rooms over, in random order."""

from __future__ import annotations

import asyncio
import random

from service.domain.commands.hosting import CreateRoom, JoinRoom, RoomPlan
from service.domain.commands.moves import Move
from service.domain.commands.presence import CloseSocket
from service.domain.commands.seats import SetReady, TakeSeat
from service.domain.events.matches import MatchEnded
from service.domain.ids import SocketId
from tests.integration.node_parts import CLIENT, Cluster, Node

NAMES = ("n1", "n2", "n3")
STEPS = 120
TICKS_MAX = 20


class Play:
    """A match of two users, who connect to some node and play on whenever they can."""

    def __init__(self, cluster: Cluster, chance: random.Random, game: str) -> None:
        self.cluster = cluster
        self.chance = chance
        self.game = game
        self.sockets: dict[int, tuple[Node, SocketId]] = {}

    def node(self) -> Node:
        return self.chance.choice(list(self.cluster.nodes.values()))

    def owner(self) -> Node | None:
        """Return the node that runs the room, by the world of any node."""
        owner = self.node().world.nodes.owner_of("room")
        return None if owner is None else self.cluster.nodes.get(owner.node)

    async def begin(self) -> None:
        for user in (1, 2):
            await self.connect(user)
        (node, socket), (other, second) = self.sockets.values()
        plan = RoomPlan(game=self.game, options={"reconnect_grace_s": 3600, "pause_budget_s": 3600})
        await self.cluster.do(node, CreateRoom(1, socket, None, plan))
        await self.cluster.do(other, JoinRoom(2, second, "room", "player", None, None))
        owner = self.owner()
        assert owner is not None
        await self.cluster.do(owner, *(SetReady(user, "room", ready=True) for user in (1, 2)))

    async def connect(self, user: int) -> None:
        node = self.node()
        self.sockets[user] = node, await self.cluster.open(user, node)
        owner = self.owner()
        if owner is not None:
            await self.cluster.do(owner, TakeSeat(user, self.sockets[user][1], "room"))

    async def move(self) -> None:
        user, (node, socket) = self.chance.choice(list(self.sockets.items()))
        owner = self.owner()
        if owner is None or self.cluster.nodes.get(node.owner.node) is not node:
            return
        column = {"column": self.chance.randrange(7)}
        key = {"direction": self.chance.choice("ws"), "action": self.chance.choice(["down", "up"])}
        move = key if self.game == "pong" else column
        owner.engine.dispatch(Move(user, socket, "room", move), CLIENT, lambda _: None)
        if self.chance.random() < 0.5:
            await self.cluster.settle()

    async def close(self) -> None:
        user, (node, socket) = self.chance.choice(list(self.sockets.items()))
        if self.cluster.nodes.get(node.owner.node) is node:
            await self.cluster.do(node, CloseSocket(user, socket, 1006))

    async def come_back(self) -> None:
        seats = self.node().world.rooms.rooms["room"].seats
        for user in (1, 2):
            if any(seat.user == user and not seat.sockets for seat in seats):
                await self.connect(user)

    async def hand_over(self) -> None:
        owner, to = self.owner(), self.node()
        if owner is not None:
            moving = asyncio.create_task(owner.ownership.hand_over("room", to.owner))
            await asyncio.sleep(0)
            if self.chance.random() < 0.5:
                await self.move()
            await self.cluster.settle()
            await moving

    async def kill(self) -> None:
        if len(self.cluster.nodes) > 1:
            dead, by = self.chance.sample(list(self.cluster.nodes.values()), 2)
            await self.cluster.kill(dead, by)

    async def start(self) -> None:
        missing = [name for name in NAMES if name not in self.cluster.nodes]
        if missing:
            await self.cluster.start(self.chance.choice(missing))

    async def tick(self) -> None:
        await self.cluster.tick(self.chance.randint(1, TICKS_MAX))

    def check(self) -> None:
        """Check that one node runs the match, and that nobody has seen it go back."""
        runs = [node for node in self.cluster.nodes.values() if node.live()]
        assert len(runs) <= 1
        for earlier, later in zip(self.cluster.shown, self.cluster.shown[1:], strict=False):
            assert earlier <= later, (earlier, later)


async def play_on(play: Play, steps: int) -> None:
    """Do random things until the match is over, or so many were done."""
    weights = {
        play.tick: 30,
        play.move: 40,
        play.close: 4,
        play.come_back: 15,
        play.hand_over: 8,
        play.kill: 4,
        play.start: 8,
    }
    for step in play.chance.choices(list(weights), list(weights.values()), k=steps):
        await step()
        await play.cluster.settle()
        play.check()
        if play.cluster.events(MatchEnded):
            break
