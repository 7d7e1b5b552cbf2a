"""Nodes with their live matches over one log in memory; time passes when a test lets it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any, cast

import msgspec

from service.domain.commands.base import Command
from service.domain.commands.hosting import CreateRoom, JoinRoom, RoomPlan
from service.domain.commands.nodes import LoseNode, StartNode
from service.domain.commands.presence import OpenSocket
from service.domain.commands.seats import SetReady
from service.domain.events.base import Event, match_stream
from service.domain.events.nodes import NodeStarted
from service.domain.ids import MatchId, Owner, RoomId, SocketId
from service.domain.projections.matches import Match
from service.domain.projections.world import World
from service.eventstore.records import Origin
from service.eventstore.writer import EventLog
from service.fanout.profiles import Profiles
from service.games.catalogue import GAMES, Catalogue
from service.protocol.frame_rates import ALL_RATES
from service.runtime.conditions import Conditions
from service.runtime.decision_context import decision_context
from service.runtime.engine import Engine
from service.runtime.live_match import LiveMatch
from service.runtime.live_matches import LiveMatches
from service.runtime.match_publisher import MatchPublisher
from service.runtime.ownership import MatchOwnership
from service.runtime.pending import Executed
from service.runtime.projector import Observer, Publisher
from service.runtime.tick_slots import GRID_HZ, PHASES
from service.runtime.ticker import Ticker
from service.settings.sections.play import Rules
from service.telemetry import Metrics
from tests.integration.engine_parts import NoRecipients
from tests.integration.shared_log import NodeLog, SharedLog

CLIENT = Origin("test", 1)

QUIET_TURNS = 5


class Time:
    """The monotonic time of all nodes, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Shown:
    """Notes the frames that are shown, by the run and the tick of their match."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, int]] = []
        self.all: list[tuple[str, int, int]] = []
        self.states: dict[tuple[str, int, int], bytes] | None = None
        """What was shown, as v1 clients key it: by match, run and tick; None if nobody asks."""

    def frame_rates(self, _room: object) -> frozenset[int]:
        return ALL_RATES

    def publish_frame(self, live: LiveMatch) -> None:
        live.frames.show_all(live.run.tick)
        self._note(live)

    def publish_tick(self, live: LiveMatch) -> None:
        live.frames.advance(live.run.tick)
        self._note(live)

    def publish_newest(self, _live: LiveMatch) -> None:
        pass

    def show(self, *_: object) -> None:
        pass

    def _note(self, live: LiveMatch) -> None:
        self.frames.append((live.match.run, live.run.tick))
        self.all.append((live.id, live.match.run, live.run.tick))
        if self.states is not None:
            key = live.id, live.match.shown_run, live.run.tick
            view = msgspec.json.encode(live.run.game.view(live.run.state, None))
            assert self.states.setdefault(key, view) == view


class Node:
    """A node: engine, world, and the matches that it runs."""

    def __init__(
        self,
        shared: SharedLog,
        owner: Owner,
        time: Time,
        games: Catalogue = GAMES,
        **rules: Any,
    ) -> None:
        self.log = NodeLog(shared)
        self.world = World()
        self.owner = owner
        self.time = time
        self.games = games
        self.seed = 7
        """That of the matches that it starts."""
        self.matches = LiveMatches(time, Metrics())
        context = msgspec.structs.replace(
            decision_context(self.owner, Rules(**rules), games, self.matches),
            new_token=lambda: "token",
            new_room_id=lambda: "room",
            new_seed=lambda: self.seed,
        )
        self.engine = Engine(
            cast("EventLog", self.log),
            self.world,
            Profiles(),
            self.recipients(),
            context=context,
            gate=self.matches,
            conditions=Conditions(lambda: 0.0, self.log.sync),
        )
        self.shown = Shown()
        self.ticker = Ticker(
            self.engine,
            self.matches,
            games,
            self.publisher(),
            checkpoint_s=1,
            clock=time,
            metrics=Metrics(),
        )
        self.ownership = MatchOwnership(self.engine, self.matches, self.ticker, self.read, time)
        for observe in (*self.observers(), self.ticker.observe, self.ownership.observe):
            self.engine.subscribe(observe)
        self.log.start(self.engine.followed)
        self.results: list[Executed | Exception] = []
        self.sockets = itertools.count(1)
        self.unreadable = 0
        """How often the next reads of a match fail."""

    def recipients(self) -> Publisher:
        """Return what publishes the messages of events."""
        return NoRecipients()

    def publisher(self) -> MatchPublisher:
        """Return what publishes live matches."""
        return cast("MatchPublisher", self.shown)

    def observers(self) -> Sequence[Observer]:
        """Return what observes events before the ticker does."""
        return ()

    async def read(self, match: Match) -> Sequence[Event]:
        """Return the events of a match since its last checkpoint."""
        await asyncio.sleep(0)
        if self.unreadable:
            self.unreadable -= 1
            raise OSError
        recorded = self.log.shared.recorded(match.replay_from - 1, len(self.log.shared.rows))
        return [one.event for one in recorded if one.event.stream == match_stream(match.id)]

    def live(self) -> list[MatchId]:
        """Return the matches that this node runs."""
        return [live.id for live in self.matches]

    def step(self) -> None:
        """Step what is due."""
        for phase in range(PHASES):
            self.ticker.advance(phase, self.time.now)


class Cluster:
    """Nodes, all of which follow the log, but for those that are dead."""

    node_type = Node

    def __init__(self, *names: str, **rules: Any) -> None:
        self.shared = SharedLog()
        self.time = Time()
        self.rules = rules
        self.nodes: dict[str, Node] = {}
        self.names = names
        self.shown: list[tuple[str, int, int]] = []
        """The match, run and tick of each frame, in the order in which they were shown."""
        self.states: dict[tuple[str, int, int], bytes] | None = None
        """What was shown by match, run and tick; None if nobody asks."""

    async def start(self, name: str, games: Catalogue = GAMES) -> Node:
        """Start one more node."""
        number = 1 + len([one for one in self.events(NodeStarted) if one.node == name])
        node = self.node_type(self.shared, Owner(name, number), self.time, games, **self.rules)
        node.shown.all = self.shown
        node.shown.states = self.states
        others = frozenset(one.owner for one in self.nodes.values())
        self.nodes[name] = node
        node.log.deliver()
        await self.do(node, StartNode(name, number, others))
        await node.ownership.recover()
        await self.settle()
        return node

    async def started(self) -> list[Node]:
        """Start all nodes."""
        return [await self.start(name) for name in self.names]

    async def tick(self, count: int = 1) -> None:
        """Let the time of so many ticks pass, and all nodes step."""
        for _ in range(count):
            self.time.now += 1 / GRID_HZ
            for node in self.nodes.values():
                node.step()
            await self.settle()

    async def settle(self) -> None:
        """Let all appends reach the log and all events all nodes, until nothing happens."""
        quiet = 0
        while quiet < QUIET_TURNS:
            busy = False
            for node in self.nodes.values():
                busy |= node.log.commit()
                before = node.log.follower.position
                node.log.deliver()
                busy |= node.log.follower.position > before
            await asyncio.sleep(0)
            quiet = 0 if busy else quiet + 1

    async def do(self, node: Node, *commands: Command) -> list[Executed | Exception]:
        """Execute commands on a node; return the results."""
        results: list[Executed | Exception] = []
        for command in commands:
            node.engine.dispatch(command, CLIENT, results.append)
            await self.settle()
        return results

    async def kill(self, node: Node, by: Node) -> None:
        """Let a node die, and another one declare it lost."""
        del self.nodes[node.owner.node]
        await self.do(by, LoseNode(node.owner.node, node.owner.incarnation))

    async def open(self, user: int, node: Node) -> SocketId:
        """Open a socket of a user on a node."""
        socket = f"{node.owner.node}.{node.owner.incarnation}.{next(node.sockets)}"
        await self.do(node, OpenSocket(user, socket))
        return socket

    async def play(
        self, game: str, *players: tuple[int, Node], on: Node, begins: bool = True, **options: Any
    ) -> tuple[RoomId, dict[int, SocketId]]:
        """Begin a match of these players, each with a socket on a node; it is run by `on`."""
        sockets = {user: await self.open(user, node) for user, node in players}
        (host, home), *others = players
        plan = RoomPlan(game=game, options=options)
        await self.do(home, CreateRoom(host, sockets[host], None, plan))
        for user, node in others:
            await self.do(node, JoinRoom(user, sockets[user], "room", "player", None, None))
        if home is not on:
            assert await self.hand_over("room", home, on)
        for user, _ in players if begins else ():
            await self.do(on, SetReady(user, "room", ready=True))
        return "room", sockets

    async def hand_over(self, room: RoomId, of: Node, to: Node) -> bool:
        """Let a node hand a room over."""
        task = asyncio.create_task(of.ownership.hand_over(room, to.owner))
        await asyncio.sleep(0)
        await self.settle()
        return await task

    def events(self, *kinds: type[Event]) -> list[Any]:
        """Return the events of these kinds that are in the log."""
        return [
            row.recorded.event for row in self.shared.rows if isinstance(row.recorded.event, kinds)
        ]

    def recorded(self, match: MatchId) -> list[Event]:
        """Return the events of a match."""
        stream = match_stream(match)
        return [event for event in self.events(Event) if event.stream == stream]
