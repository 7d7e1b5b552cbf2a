"""Nodes of the tests with real hubs: what each client is sent of live matches, byte by byte."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec

from service.cluster.envelopes import decode, encode
from service.cluster.frames import FrameSender
from service.cluster.missed import PAUSE_MAX_S
from service.cluster.showing import FrameReceiver
from service.domain.commands.hosting import JoinRoom
from service.domain.commands.moves import Move
from service.domain.commands.presence import CloseSocket, OpenSocket
from service.domain.events.base import Event, Position, match_stream
from service.domain.ids import MatchId, SocketId
from service.domain.projections.world import World
from service.edge.backlog import Backlog
from service.edge.connection import Connection
from service.edge.dialect import CLASSIC, SOCKET_IO, V1, Dialect
from service.edge.frames import texts_of
from service.edge.hub import Hub
from service.edge.moves import MoveHistory
from service.edge.tail import Ages, Refill
from service.eventstore.records import RecordedEvent, Row
from service.fanout.profiles import Profiles
from service.games.catalogue import GAMES, Catalogue
from service.games.protocol import Game
from service.runtime.match_publisher import MatchPublisher
from service.runtime.pending import Executed
from service.runtime.projector import Observer, Publisher
from service.runtime.recorded_states import RecordedStates
from service.settings.sections.broadcasts import BroadcastLimits
from service.settings.sections.connections import SlowLimits
from service.settings.sections.storage import BacklogLimits
from service.telemetry import Metrics
from tests.integration.node_parts import Cluster, Node, Time
from tests.integration.routing_parts import Net, NodeLink
from tests.secret_games import SECRET_GAMES

ROOM = "room"

IDS_AND_TIMES = re.compile(
    rb'"(position|v|from|to|cursor|recordedAt|atS|durationS|perSecond|lastedS)":'
    rb'("[^"]*"|-?[0-9.]+|null)'
)
"""Positions of the log, as ids and cursors, and times: these alone may differ."""

CLIENT_LIMITS = SlowLimits()


def catalogue() -> Catalogue:
    """Return the built-in games, and those with secrets."""
    built_in: list[Game] = list(GAMES.values())
    return Catalogue([*built_in, *SECRET_GAMES])


def masked(text: bytes) -> bytes:
    """Return a text without its ids of the log and its times."""
    return IDS_AND_TIMES.sub(rb'"\1":0', text)


class WatchedNode(Node):
    """A node whose sockets can be looked at."""

    def recipients(self) -> Publisher:
        self.profiles = Profiles()
        self.backlog = Backlog(BacklogLimits())
        limits = BroadcastLimits(user_list_ms=60_000, user_diff_ms=60_000)
        self.hub = Hub(self.world, self.profiles, self.backlog, limits, Metrics())
        self.hub.start()
        return self.hub

    def connect(self, net: Net) -> None:
        """Let it reach the sockets of other nodes."""
        self.link = NodeLink(self, net)
        self.sender = FrameSender(self.hub, self.world, self.link)
        self.patience = Time()
        """The time for which it waits for what may be lost."""
        self.missed = FrameReceiver(self.sender, self.match_publisher, self.patience).missed
        self.engine.subscribe(self.missed.observe)
        self.match_publisher._publisher = self.sender  # noqa: SLF001 - the test makes it late

    def publisher(self) -> MatchPublisher:
        self.recorded_states = RecordedStates(self.world, self.games, self.owner)
        self.match_publisher = MatchPublisher(
            self.matches,
            self.world,
            self.profiles,
            self.hub,
            clock=self.time,
            grace_left_s=lambda _room: 10.0,
            recorded=self.recorded_states,
        )
        return self.match_publisher

    def observers(self) -> Sequence[Observer]:
        self.history = MoveHistory(
            self.world,
            self.hub,
            self,  # type: ignore[arg-type]  # the part of a reader that it needs
            bytes_max=100_000,
            clock=self.time,
            metrics=Metrics(),
        )
        return (self.hub.observe, self.history.observe, self.recorded_states.observe)

    # The reader

    def recorded(self, stream: str) -> list[RecordedEvent]:
        """Return the recorded events of a stream."""
        rows = self.log.shared.recorded(0, len(self.log.shared.rows))
        return [one for one in rows if one.event.stream == stream]

    async def of_match(
        self, stream: str, after: int, limit: int
    ) -> list[tuple[int, Position, Event]]:
        """Return a page of a match, with versions."""
        await asyncio.sleep(0)
        numbered = [
            (version, one.position, one.event)
            for version, one in enumerate(self.recorded(stream), 1)
        ]
        return numbered[after : after + limit]

    async def rows(self, after: Position = 0, *, stream: str | None) -> AsyncIterator[list[Row]]:
        """Yield the rows of a stream."""
        assert stream is not None
        rows = [
            Row(
                one.position,
                stream,
                1,
                one.event.type,
                one.event.schema_version,
                b"",
                "",
                None,
                "n1",
                one.recorded_at,
                msgspec.json.encode(one.event),
                None,
                b"",
            )
            for one in self.recorded(stream)
            if one.position > after
        ]
        await asyncio.sleep(0)
        yield rows

    async def page(self, after: Position, *, stream: str, limit: int) -> list[RecordedEvent]:
        """Return a page of a stream."""
        await asyncio.sleep(0)
        return [one for one in self.recorded(stream) if one.position > after][:limit]


class Client:
    """A socket of a user, which reads at once, and all that it was sent."""

    connection: Connection

    def __init__(self) -> None:
        self.texts: list[bytes] = []

    # A transport

    def write(self, data: bytes) -> None:
        self.texts += [masked(text) for text in texts_of(data)]

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        raise AssertionError


class WatchedCluster(Cluster):
    """Nodes over one log, whose clients can be looked at."""

    node_type = WatchedNode

    def __init__(self, *names: str, **rules: Any) -> None:
        super().__init__(*names, **rules)
        self.clients: dict[SocketId, Client] = {}
        self.net: Net | None = None
        self.is_cut = False
        """Whether the bus loses all that is published."""

    async def heal(self) -> None:
        """Let the bus lose nothing any more, and the nodes ask for what they miss."""
        self.is_cut = False
        for node in self.nodes.values():
            assert isinstance(node, WatchedNode)
            if self.net is not None:
                node.patience.now += 2 * PAUSE_MAX_S
                node.missed.check()
        await self.settle()

    async def started(self) -> list[Any]:
        nodes = [await self.start(name, catalogue()) for name in self.names]
        if len(nodes) > 1:
            self.net = Net()
            for node in nodes:
                assert isinstance(node, WatchedNode)
                node.connect(self.net)
        return nodes

    async def client(self, user: int, node: Node, dialect: Dialect = V1) -> Client:
        """Open a socket of a user."""
        assert isinstance(node, WatchedNode)
        socket = f"{node.owner.node}.{node.owner.incarnation}.{next(node.sockets)}"
        client = self.clients[socket] = Client()
        connection = Connection(socket, user, dialect, transport=client, limits=CLIENT_LIMITS)
        client.connection = connection
        node.hub.expect(connection)
        await self.do(node, OpenSocket(user, socket))
        return client

    async def open(self, user: int, node: Node) -> SocketId:
        return (await self.client(user, node)).connection.socket

    async def settle(self) -> None:
        await super().settle()
        if self.net is not None:
            await self._carry()
            await super().settle()
        for node in self.nodes.values():
            assert isinstance(node, WatchedNode)
            node.hub.flush()

    async def _carry(self) -> None:
        assert self.net is not None
        for node in self.nodes.values():
            assert isinstance(node, WatchedNode)
            sent = [*node.link.bus.published]
            node.link.bus.published.clear()
            for subject, data in () if self.is_cut else sent:
                for expected, handler in self.net.subscribers:
                    if subject == expected:
                        handler(encode(decode(data)))

    async def watch(self, user: int, node: Node, dialect: Dialect = V1) -> Client:
        """Let a spectator, or one more tab of a player, join the room."""
        client = await self.client(user, node, dialect)
        join = JoinRoom(user, client.connection.socket, ROOM, "spectator", None, None)
        # As the router does: the node that runs the match decides.
        await self.do(next(iter(self.nodes.values())), join)
        return client

    async def move(self, node: Node, user: int, move: Mapping[str, Any]) -> Executed | Exception:
        """Let a player move by one of their sockets."""
        room = node.world.rooms.rooms[ROOM]
        seat = room.seat_of(user)
        assert seat is not None
        socket = min(room.seats[seat].sockets)
        (result,) = await self.do(node, Move(user, socket, ROOM, move))
        return result

    async def drop(self, node: Node, client: Client) -> None:
        """Break a connection off."""
        connection = client.connection
        assert isinstance(node, WatchedNode)
        node.hub.remove(connection)
        del self.clients[connection.socket]
        await self.do(node, CloseSocket(connection.user, connection.socket, 1006))


def missed(node: Node, user: int, after: Position = 0) -> list[bytes]:
    """Return what a user who resumes after a position is sent."""
    assert isinstance(node, WatchedNode)
    frames = node.backlog.between(user, after, node.world.position)
    assert frames is not None
    return [masked(text) for text in texts_of(b"".join(frames))]


def refilled(node: Node, user: int) -> list[bytes]:
    """Return the same by a backlog that was refilled from the log, as after a start."""
    assert isinstance(node, WatchedNode)
    backlog, shared = Backlog(BacklogLimits()), node.log.shared
    refill = Refill(backlog, World(), Profiles(), Ages(0, 0.0))
    for one in shared.recorded(0, len(shared.rows)):
        refill._fold(one)  # noqa: SLF001 - what is stored is decoded already
    frames = backlog.between(user, 0, node.world.position)
    assert frames is not None
    return [masked(text) for text in texts_of(b"".join(frames))]


DIALECTS = (V1, CLASSIC, SOCKET_IO)


def match_events_of(node: Node, match: MatchId) -> list[Event]:
    """Return the events of a match."""
    assert isinstance(node, WatchedNode)
    return [one.event for one in node.recorded(match_stream(match))]


def as_json(value: object) -> bytes:
    """Return a value as a client gets it, without ids and times."""
    return masked(msgspec.json.encode(value))
