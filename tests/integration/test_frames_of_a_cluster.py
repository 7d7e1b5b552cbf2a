"""What does not follow from the log reaches the sockets of other nodes, but nothing outdated."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from service.cluster.envelopes import Envelope, State, Text, decode, encode
from service.cluster.frames import CONGESTED_BYTES, WAITING_BYTES_MAX, FrameSender
from service.cluster.showing import FrameReceiver
from service.domain.commands.hosting import JoinRoom
from service.domain.commands.presence import CloseSocket
from service.edge.connection import Connection
from service.edge.dialect import CLASSIC, SOCKET_IO, V1
from service.edge.frames import texts_of
from service.edge.hub import Hub
from service.edge.socketio.polling import Polling
from service.eventstore.records import Origin
from service.fanout.audience import Delivery, Everyone, InRoom, Sockets, Users
from service.protocol import classic, v1
from service.settings.sections.connections import SlowLimits
from tests.integration.node_parts import Cluster, Node
from tests.integration.routing_parts import Net, NodeLink
from tests.unit.edge.test_hub_dialects import make_node

ANA, BEN, CLEO = 1, 2, 3

RATES = frozenset((60, 30, 20))


class Local:
    """The sockets of a node: notes what they are sent."""

    def __init__(self) -> None:
        self.delivered: list[Delivery] = []
        self.rates = RATES

    def publish(self, message: Any, _position: int = 0) -> None:
        self.deliver(message)

    def published(self, position: int) -> None:
        raise AssertionError(position)

    def deliver(self, delivery: Delivery) -> None:
        self.delivered.append(delivery)

    def frame_rates(self, _room: str) -> frozenset[int]:
        return self.rates

    def count(self, _delivery: Delivery) -> int:
        return 3

    @property
    def ticks(self) -> list[int]:
        """The ticks of the states that were shown."""
        return [one.v1.tick for one in self.delivered if isinstance(one.v1, v1.GameUpdate)]


class Site:
    """A node, with what it sends to others and shows of them."""

    def __init__(self, node: Node, net: Net, local: Any = None) -> None:
        self.node = node
        self.link = NodeLink(node, net)
        self.local = local or Local()
        self.sender = FrameSender(self.local, node.world, self.link)
        self.shown: list[tuple[str, int | None, str]] = []
        self.repeated: list[int | None] = []
        self.receiver = FrameReceiver(self.sender, self, node.time)
        node.engine.subscribe(self.receiver.missed.observe)

    def show(self, room: Any, seat: int | None, socket: str) -> bool:
        self.shown.append((room.id, seat, socket))
        return self.node.matches.get(room.match) is not None

    def repeat(self, room: Any, seat: int | None) -> bool:
        self.repeated.append(seat)
        return self.node.matches.get(room.match) is not None

    def state(
        self, tick: int, *, run: int = 0, clocks: tuple[Any, ...] = (), **fields: Any
    ) -> None:
        """Publish a state of the match that this node runs."""
        fields = {"audience": InRoom("room"), **fields}
        view = {"tick": tick}
        update = v1.GameUpdate("room", run, tick, view, *clocks)
        self.sender.publish(Delivery(classic=classic.GameUpdate("room", view), v1=update, **fields))


class Pair:
    """A match of Ana on the first node, which runs it, and Ben on the second one."""

    def __init__(
        self, cluster: Cluster, sites: list[Site], sockets: dict[int, str], net: Net
    ) -> None:
        self.cluster, self.sites, self.sockets, self.net = cluster, sites, sockets, net
        self.one, self.two = sites[:2]

    @classmethod
    async def begun(cls, *names: str, game: str = "pong", **options: Any) -> Pair:
        cluster = Cluster(*names)
        nodes = await cluster.started()
        players = (ANA, nodes[0]), (BEN, nodes[1])
        _, sockets = await cluster.play(game, *players, on=nodes[0], **options)
        net = Net()
        return cls(cluster, [Site(node, net) for node in nodes], sockets, net)

    async def carry(self) -> list[tuple[str, Envelope]]:
        """Let everything arrive that was published; return it."""
        carried = await self.sent()
        for subject, envelope in carried:
            for expected, handler in self.net.subscribers:
                if subject == expected:
                    handler(encode(envelope))
        return carried

    async def sent(self) -> list[tuple[str, Envelope]]:
        """Return what was published since the last call."""
        await asyncio.sleep(0)
        found = []
        for site in self.sites:
            found += [(subject, decode(data)) for subject, data in site.link.bus.published]
            site.link.bus.published.clear()
        return found


async def test_what_is_for_one_node_within_a_turn_is_one_message_in_its_order() -> None:
    pair = await Pair.begun("n1", "n2")
    pair.one.state(1)
    signal = Delivery(Sockets((pair.sockets[BEN],)), v1=v1.Signal(ANA, "s", msgspec.Raw(b"1")))
    pair.one.sender.deliver(signal)
    pair.one.state(2)
    ((subject, envelope),) = await pair.carry()
    assert subject == "ws.test.to.n2"
    # The newer state of a match takes the place of the older one.
    assert [type(part) for part in envelope.parts] == [Text, State]
    assert pair.two.local.delivered[0] == signal
    assert pair.two.local.ticks == [2]
    state = pair.two.local.delivered[1]
    assert msgspec.json.encode(state.v1) == msgspec.json.encode(
        v1.GameUpdate("room", 0, 2, {"tick": 2})
    )
    assert msgspec.json.encode(state.classic) == msgspec.json.encode(
        classic.GameUpdate("room", {"tick": 2})
    )
    assert pair.one.local.ticks == [1, 2]


async def test_clocks_are_shown_by_every_node() -> None:
    pair = await Pair.begun("n1", "n2")
    pair.one.state(1, clocks=(7000, [7000, 9000]))
    await pair.carry()
    (state,) = pair.two.local.delivered
    shown: Any = state.v1
    assert (shown.turn_ends_in_ms, shown.clocks_ms) == (7000, [7000, 9000])


async def test_only_nodes_with_sockets_of_the_audience_are_sent_anything() -> None:
    pair = await Pair.begun("n1", "n2", "n3")
    pair.one.state(1, audience=InRoom("room", players=False))
    pair.one.sender.deliver(Delivery(Users((BEN,)), v1=v1.Pong()))
    pair.one.sender.deliver(Delivery(Users((CLEO,)), v1=v1.Pong()))
    pair.one.sender.deliver(Delivery(Sockets((pair.sockets[ANA],)), v1=v1.Pong()))
    ((subject, envelope),) = await pair.sent()
    assert (subject, len(envelope.parts)) == ("ws.test.to.n2", 1)
    pair.one.sender.deliver(Delivery(Everyone(), v1=v1.Pong()))
    assert {subject for subject, _ in await pair.sent()} == {"ws.test.to.n2", "ws.test.to.n3"}


async def test_a_state_is_shown_when_what_came_before_it_is_folded() -> None:
    pair = await Pair.begun("n1", "n2")
    late = pair.two.node
    gone = CloseSocket(ANA, pair.sockets[ANA], 1006)
    pair.one.node.engine.dispatch(gone, Origin("test", ANA), print)
    pair.one.node.log.commit()
    pair.one.state(1)
    await pair.carry()
    pair.one.state(2)
    await pair.carry()
    assert pair.two.local.ticks == []
    late.log.deliver()
    assert pair.two.local.ticks == [1, 2]


async def test_states_that_are_past_are_not_shown() -> None:
    pair = await Pair.begun("n1", "n2", "n3")
    pair.one.state(5)
    older = (await pair.carry())[0][1]
    pair.one.state(6)
    await pair.carry()
    receive = dict(pair.net.subscribers)["ws.test.to.n2"]
    receive(encode(older))
    assert pair.two.local.ticks == [5, 6]
    # As often as it is sent, at the rates that it is sent for.
    pair.one.state(6, rates=frozenset((20,)))
    await pair.carry()
    assert pair.two.local.ticks == [5, 6, 6]
    other_match = msgspec.structs.replace(older.parts[0], match="room-7", tick=9)
    receive(encode(msgspec.structs.replace(older, parts=[other_match])))
    assert pair.two.local.ticks == [5, 6, 6]


async def test_states_of_a_lost_node_and_of_a_former_owner_are_not_shown() -> None:
    pair = await Pair.begun("n1", "n2", "n3")
    pair.one.state(5)
    ((_, envelope),) = await pair.sent()
    receive = dict(pair.net.subscribers)["ws.test.to.n2"]
    assert await pair.cluster.hand_over("room", pair.one.node, pair.sites[2].node)
    receive(encode(envelope))
    pair.sites[2].state(4)
    await pair.carry()
    assert pair.two.local.ticks == [4]
    pair.sites[2].state(6)
    ((_, envelope), *_) = [one for one in await pair.sent() if one[0] == "ws.test.to.n2"]
    await pair.cluster.kill(pair.sites[2].node, by=pair.two.node)
    receive(encode(envelope))
    assert pair.two.local.ticks == [4]


async def test_a_pause_is_not_shown_when_the_match_goes_on_by_now() -> None:
    pair = await Pair.begun("n1", "n2")
    here = Sockets((pair.sockets[BEN],))
    paused = v1.GamePaused("room", [ANA], 1000)
    pair.one.sender.publish(Delivery(here, classic.GamePaused("room", [ANA], 1000), paused))
    await pair.carry()
    assert pair.two.local.delivered == []
    await pair.cluster.do(pair.one.node, CloseSocket(ANA, pair.sockets[ANA], 1006))
    pair.one.sender.publish(Delivery(here, classic.GamePaused("room", [ANA], 1000), paused))
    await pair.carry()
    assert [one.v1 for one in pair.two.local.delivered] == [paused]


async def test_a_node_is_sent_the_frame_rates_that_its_sockets_have() -> None:
    pair = await Pair.begun("n1", "n2")
    pair.one.local.rates = frozenset((60,))
    pair.two.local.rates = frozenset((30,))
    assert pair.one.sender.frame_rates("room") == RATES
    pair.one.state(1)
    await pair.carry()
    # The second node tells its rates, and is sent states for these alone.
    await pair.carry()
    assert pair.one.sender.frame_rates("room") == frozenset((60, 30))
    pair.one.state(2, rates=frozenset((60,)))
    pair.one.state(3, rates=frozenset((60, 30)))
    await pair.carry()
    assert pair.two.local.ticks == [1, 3]
    assert await pair.carry() == []
    pair.two.local.rates = frozenset((60,))
    pair.one.state(5, rates=frozenset((60, 30)))
    await pair.carry()
    await pair.carry()
    pair.one.state(6, rates=frozenset((60,)))
    await pair.carry()
    assert pair.two.local.ticks == [1, 3, 5, 6]


async def test_a_spectator_who_joins_is_sent_states_whatever_was_told_before() -> None:
    pair = await Pair.begun("n1", "n2")
    pair.two.local.rates = frozenset((20,))
    pair.one.state(1)
    await pair.carry()
    await pair.carry()
    cleo = await pair.cluster.open(CLEO, pair.two.node)
    await pair.cluster.do(pair.one.node, JoinRoom(CLEO, cleo, "room", "spectator", None, None))
    assert pair.one.sender.frame_rates("room") == RATES


async def test_a_bus_that_is_behind_is_sent_the_newest_states() -> None:
    pair = await Pair.begun("n1", "n2")
    bus = pair.one.link.bus
    bus.queued_bytes = CONGESTED_BYTES + 1
    for tick in range(1, 50):
        pair.one.state(tick, rates=frozenset((20,)) if tick < 40 else frozenset((60,)))
        assert await pair.sent() == []
    bus.queued_bytes = 0
    bus.has_published.clear()
    async with asyncio.timeout(5):
        await bus.has_published.wait()
    ((_, envelope),) = await pair.sent()
    (state,) = envelope.parts
    assert isinstance(state, State)
    # Nobody who was to be shown one of the states before is left out.
    assert (state.tick, state.rates) == (49, [20, 60])


async def test_what_waits_for_one_node_is_bounded() -> None:
    pair = await Pair.begun("n1", "n2")
    bus = pair.one.link.bus
    bus.queued_bytes = CONGESTED_BYTES + 1
    data = msgspec.Raw(msgspec.json.encode("x" * 100_000))
    for _ in range(60):
        pair.one.sender.deliver(
            Delivery(Sockets((pair.sockets[BEN],)), v1=v1.Signal(ANA, "s", data))
        )
    bus.queued_bytes = 0
    sent = await pair.sent()
    size = sum(len(encode(envelope)) for _, envelope in sent)
    assert 0.9 * WAITING_BYTES_MAX < size <= WAITING_BYTES_MAX
    assert len(sent) > 10


async def test_a_suspended_node_sends_nothing() -> None:
    pair = await Pair.begun("n1", "n2")
    pair.one.state(1)
    pair.one.link.suspended = True
    assert await pair.sent() == []
    pair.one.link.suspended = False
    pair.one.state(2)
    assert len(await pair.sent()) == 1


async def test_parts_and_fields_of_later_versions_are_passed_over() -> None:
    pair = await Pair.begun("n1", "n2")
    pair.one.state(1)
    ((_, envelope),) = await pair.sent()
    (state,) = msgspec.msgpack.decode(msgspec.msgpack.encode(envelope.parts))
    later = [*msgspec.to_builtins(envelope)[:3], [[99, "new"], [*state, "more"], [2, "?"]], "more"]
    receive = dict(pair.net.subscribers)["ws.test.to.n2"]
    receive(msgspec.msgpack.encode(later))
    assert pair.two.local.ticks == [1]
    receive(b"\xc1")


async def test_the_owner_is_asked_to_show_a_match_to_a_socket_that_joins_again() -> None:
    pair = await Pair.begun("n1", "n2")
    pair.two.sender.ask_to_show("room", BEN, pair.sockets[BEN])
    pair.one.sender.ask_to_show("room", ANA, pair.sockets[ANA])
    ((subject, _),) = await pair.carry()
    assert subject == "ws.test.to.n1"
    assert pair.one.shown == [("room", 1, pair.sockets[BEN])]


async def test_an_announcement_reaches_all_nodes_and_counts_their_sockets() -> None:
    pair = await Pair.begun("n1", "n2", "n3")
    delivery = Delivery(Everyone(), v1=v1.ServerMessage(msgspec.Raw(b'"hello"')))
    asked = asyncio.create_task(pair.one.sender.announce(delivery))
    await asyncio.sleep(0.01)
    assert len(pair.net.requests) == 2
    pair.net.deliver_all()
    pair.net.deliver_all()
    assert await asked == 9
    assert all(site.local.delivered == [delivery] for site in pair.sites)


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        (V1, b'{"type":"game:update","roomId":"room","run":0,"tick":4,"state":{"tick":4}}'),
        (CLASSIC, b'{"type":"game:update","roomId":"room","state":{"tick":4}}'),
        (SOCKET_IO, b'42["game:update",{"roomId":"room","state":{"tick":4}}]'),
    ],
)
async def test_each_dialect_is_shown_a_state_as_by_its_own_node(dialect: Any, text: bytes) -> None:
    pair = await Pair.begun("n1", "n2")
    hub: Hub = make_node(pair.two.node.world).hub
    connection = Connection(
        pair.sockets[BEN], BEN, dialect, transport=Polling(lambda: None), limits=SlowLimits()
    )
    hub._index.add(connection)  # noqa: SLF001 - it was opened before
    pair.net.subscribers = [one for one in pair.net.subscribers if one[0] != "ws.test.to.n2"]
    Site(pair.two.node, pair.net, hub)
    pair.one.state(4)
    await pair.carry()
    assert list(texts_of(b"".join(connection.frames))) == [text]
    hub.flush()
