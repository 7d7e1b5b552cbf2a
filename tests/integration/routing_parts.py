"""Nodes whose commands go where they are decided, over a bus that loses and reorders as told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from service.bus.port import NoResponders, RequestTimeout
from service.cluster.routing import Router
from service.domain.commands.base import Command
from service.domain.ids import Owner
from service.errors import ClientError
from service.eventstore.records import Origin
from service.runtime.pending import Executed
from tests.integration.node_parts import Cluster, Node

HEALING_TURNS_MAX = 2000

Handler = Callable[[bytes], None]

RequestHandler = Callable[[bytes, Handler], None]


class Sent(msgspec.Struct, eq=False):
    """A request on its way, or the answer to it."""

    data: bytes
    answered: asyncio.Future[bytes]
    handler: RequestHandler | None = None
    """That of the node that is asked; None for an answer."""


class Net:
    """What is on its way between the nodes, until a test delivers or drops it."""

    def __init__(self) -> None:
        self.handlers: dict[str, RequestHandler] = {}
        self.requests: list[Sent] = []
        self.answers: list[Sent] = []
        self.asked: list[asyncio.Future[bytes]] = []
        """What somebody waits for."""
        self.subscribers: list[tuple[str, Handler]] = []

    def carry(self, sent: Sent) -> None:
        """Hand a request or an answer over."""
        if sent.handler is not None:
            sent.handler(sent.data, self._reply_to(sent))
        elif not sent.answered.done():
            sent.answered.set_result(sent.data)

    def _reply_to(self, sent: Sent) -> Handler:
        return lambda data: self.answers.append(Sent(data, sent.answered))

    def give_up(self, which: int) -> None:
        """Let one of those who wait for an answer wait no longer."""
        waiting = [one for one in self.asked if not one.done()]
        if waiting:
            waiting[which % len(waiting)].set_exception(RequestTimeout())

    def deliver_all(self) -> bool:
        """Deliver what is on its way; return whether there was anything."""
        sent = [*self.requests, *self.answers]
        self.requests.clear()
        self.answers.clear()
        for one in sent:
            self.carry(one)
        return bool(sent)


class NetBus:
    """The bus of one node."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.is_connected = True
        self.queued_bytes = 0
        self.payload_max = 1024 * 1024
        self.published: list[tuple[str, bytes]] = []
        self.has_published = asyncio.Event()

    def subscribe(self, subject: str, handler: Handler) -> None:
        self.net.subscribers.append((subject, handler))

    def serve(self, subject: str, handler: RequestHandler) -> None:
        self.net.handlers[subject] = handler

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    def publish(self, subject: str, data: bytes) -> bool:
        self.published.append((subject, data))
        self.has_published.set()
        return True

    async def request(self, subject: str, data: bytes, timeout_s: float) -> bytes:
        assert timeout_s > 0
        handler = self.net.handlers.get(subject)
        if handler is None or not self.is_connected:
            raise NoResponders
        answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.net.asked.append(answered)
        self.net.requests.append(Sent(data, answered, handler))
        return await answered


class NodeLink:
    """Connects a node of the tests with the others."""

    def __init__(self, node: Node, net: Net) -> None:
        self.bus = NetBus(net)
        self.node: Owner = node.owner
        self.realm = "test"
        self.log = node.log
        self.suspended = False

    def is_suspended(self) -> bool:
        return self.suspended

    def when_folded(self, position: int, done: Callable[[], None]) -> None:
        self.log.follower.note_head(position)
        self.log.follower.when_folded(position, done)

    def sync(self, done: Callable[[], None]) -> None:
        self.log.sync(done)


class Routes:
    """The routers of the nodes of a cluster."""

    def __init__(self, cluster: Cluster, nodes: list[Node]) -> None:
        self.cluster = cluster
        self.net = Net()
        self.links = {node.owner.node: NodeLink(node, self.net) for node in nodes}
        self.routers = {
            node.owner.node: Router(node.engine, node.matches, self.links[node.owner.node])
            for node in nodes
        }

    async def do(self, node: Node, command: Command, origin: Origin) -> Executed | Exception:
        """Dispatch a command at a node, over a bus that works; return the result."""
        results: list[Executed | Exception] = []
        self.dispatch(node, command, results.append, origin)
        await self.until(lambda: bool(results))
        return results[0]

    def dispatch(
        self, node: Node, command: Command, done: Callable[[Any], None], origin: Origin
    ) -> None:
        """Dispatch a command at a node."""
        self.routers[node.owner.node].dispatch(command, origin, done)

    async def turn(self) -> None:
        """Let the loop run what is due."""
        for _ in range(4):
            await asyncio.sleep(0)

    async def until(self, is_done: Callable[[], bool]) -> None:
        """Let everything arrive, and whoever waits for what was lost give up."""
        for _ in range(HEALING_TURNS_MAX):
            is_moving = self.net.deliver_all()
            await self.cluster.settle()
            if is_done():
                return
            if not (is_moving or self.net.requests or self.net.answers):
                self.net.give_up(0)
                # Decisions that are made again wait a little.
                await asyncio.sleep(0.001)
        raise AssertionError([one for one in self.net.asked if not one.done()])


def error_of(result: Executed | Exception) -> ClientError:
    """Return the error of a command that was refused."""
    assert isinstance(result, ClientError), result
    return result
