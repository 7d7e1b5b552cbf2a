"""What both kinds of the bus promise, in memory and on a real server of NATS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from pydantic import SecretStr

from service.bus.local import LocalBus
from service.bus.nats import NatsBus
from service.bus.port import Bus, NoResponders, RequestTimeout
from service.settings.sections.cluster import BusSettings
from tests.nats_server import NatsServer, running

PATIENCE_S = 10.0


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    """A server that the tests of this file share."""
    with running() as server:
        yield server


async def connected(bus: Bus) -> None:
    """Wait until a bus is connected."""
    async with asyncio.timeout(PATIENCE_S):
        while not bus.is_connected:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


class Inbox:
    """Takes messages, and waits for them."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self._news = asyncio.Event()

    def take(self, data: bytes) -> None:
        """Keep a message."""
        self.got.append(data)
        self._news.set()

    async def until(self, count: int) -> list[bytes]:
        """Wait for as many messages."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.got) < count:
                self._news.clear()
                await self._news.wait()
        return self.got


class BusContract:
    """The contract; the fixture `new_bus` makes another node on the same bus."""

    @staticmethod
    async def started(*buses: Bus) -> None:
        """Start buses, and wait until they are connected."""
        for bus in buses:
            await bus.start()
        for bus in buses:
            await connected(bus)

    async def test_a_message_reaches_every_other_node_in_order_and_not_its_sender(
        self, new_bus: Callable[[], Bus]
    ) -> None:
        buses = [new_bus() for _ in range(3)]
        inboxes = [Inbox() for _ in buses]
        for bus, inbox in zip(buses, inboxes, strict=True):
            bus.subscribe("ws.test.log", inbox.take)
        await self.started(*buses)
        sent = [b"%d" % number for number in range(100)]
        assert all(buses[0].publish("ws.test.log", data) for data in sent)
        assert await inboxes[1].until(100) == sent
        assert await inboxes[2].until(100) == sent
        assert inboxes[0].got == []

    async def test_a_message_reaches_only_the_subscribers_of_its_subject(
        self, new_bus: Callable[[], Bus]
    ) -> None:
        one, two = new_bus(), new_bus()
        inbox, other = Inbox(), Inbox()
        two.subscribe("ws.test.to.n2", inbox.take)
        two.subscribe("ws.test.to.n1", other.take)
        await self.started(one, two)
        one.publish("ws.test.to.n3", b"nobody")
        one.publish("ws.test.to.n2", b"n2")
        assert await inbox.until(1) == [b"n2"]
        assert other.got == []

    async def test_a_request_is_answered_at_once_or_later(self, new_bus: Callable[[], Bus]) -> None:
        one, two = new_bus(), new_bus()
        two.serve("ws.test.node.n2", lambda data, reply: reply(data.upper()))
        later: list[asyncio.TimerHandle] = []
        two.serve(
            "ws.test.node.later",
            lambda data, reply: later.append(
                asyncio.get_running_loop().call_later(0.02, reply, data)
            ),
        )
        await self.started(one, two)
        assert await one.request("ws.test.node.n2", b"a", PATIENCE_S) == b"A"
        assert await one.request("ws.test.node.later", b"b", PATIENCE_S) == b"b"

    async def test_many_requests_at_once_get_their_own_replies(
        self, new_bus: Callable[[], Bus]
    ) -> None:
        one, two = new_bus(), new_bus()
        two.serve("ws.test.node.n2", lambda data, reply: reply(data * 2))
        await self.started(one, two)
        asked = [b"%d" % number for number in range(200)]
        replies = await asyncio.gather(
            *(one.request("ws.test.node.n2", data, PATIENCE_S) for data in asked)
        )
        assert replies == [data * 2 for data in asked]

    async def test_a_request_that_nobody_serves_fails_at_once_and_definitely(
        self, new_bus: Callable[[], Bus]
    ) -> None:
        one, two = new_bus(), new_bus()
        # A node does not serve itself either.
        one.serve("ws.test.node.n1", lambda data, reply: reply(data))
        await self.started(one, two)
        for subject in ("ws.test.node.n9", "ws.test.node.n1"):
            with pytest.raises(NoResponders):
                await one.request(subject, b"", PATIENCE_S)

    async def test_a_request_without_a_reply_in_time_is_indefinite(
        self, new_bus: Callable[[], Bus]
    ) -> None:
        one, two = new_bus(), new_bus()
        got = Inbox()
        two.serve("ws.test.node.n2", lambda data, _reply: got.take(data))
        await self.started(one, two)
        with pytest.raises(RequestTimeout):
            await one.request("ws.test.node.n2", b"a", 0.05)
        assert await got.until(1) == [b"a"]

    async def test_a_handler_that_fails_costs_its_message_alone(
        self, new_bus: Callable[[], Bus]
    ) -> None:
        one, two = new_bus(), new_bus()
        inbox = Inbox()

        def fail_once(data: bytes) -> None:
            if data == b"bad":
                raise ValueError(data)
            inbox.take(data)

        two.subscribe("ws.test.log", fail_once)
        await self.started(one, two)
        for data in (b"bad", b"good"):
            one.publish("ws.test.log", data)
        assert await inbox.until(1) == [b"good"]

    async def test_nothing_is_published_or_requested_before_it_is_connected(
        self, new_bus: Callable[[], Bus]
    ) -> None:
        bus = new_bus()
        assert not bus.is_connected
        assert not bus.publish("ws.test.log", b"")
        with pytest.raises(NoResponders):
            await bus.request("ws.test.node.n2", b"", PATIENCE_S)

    async def test_a_message_above_the_maximum_is_dropped_and_others_go_on(
        self, new_bus: Callable[[], Bus]
    ) -> None:
        one, two = new_bus(), new_bus()
        inbox = Inbox()
        two.subscribe("ws.test.log", inbox.take)
        await self.started(one, two)
        assert not one.publish("ws.test.log", bytes(one.payload_max + 1))
        assert one.publish("ws.test.log", bytes(one.payload_max))
        assert one.publish("ws.test.log", b"small")
        assert [len(data) for data in await inbox.until(2)] == [one.payload_max, 5]


class TestLocalBus(BusContract):
    @pytest.fixture
    async def new_bus(self) -> AsyncIterator[Callable[[], Bus]]:
        nodes: list[LocalBus] = []
        made: list[LocalBus] = []

        def new() -> Bus:
            made.append(LocalBus(nodes))
            return made[-1]

        yield new
        for bus in made:
            await bus.stop()


class TestNatsBus(BusContract):
    @pytest.fixture
    async def new_bus(self, server: NatsServer) -> AsyncIterator[Callable[[], Bus]]:
        made: list[NatsBus] = []

        def new() -> Bus:
            made.append(bus_at(server.url))
            return made[-1]

        yield new
        for bus in made:
            await bus.stop()


def bus_at(url: str) -> NatsBus:
    """Return a bus on the servers of `url`."""
    return NatsBus(BusSettings(url=SecretStr(url)), "test", jitter=lambda: 0.0)
