"""The bus in memory: between the nodes of one process, and of a service that is the only node."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from service.bus.port import NoResponders, RequestTimeout
from service.telemetry import Metrics, note_fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.bus.port import Handler, Reply, RequestHandler

PAYLOAD_MAX = 1024 * 1024
"""The greatest size of a message in bytes, as of NATS by default."""


class LocalBus:
    """The bus of one node; nodes that were created with the same `others` reach each other."""

    def __init__(
        self, others: list[LocalBus] | None = None, metrics: Metrics | None = None
    ) -> None:
        """Join the nodes `others`; alone, nobody is reached."""
        self._nodes = [] if others is None else others
        self._metrics = metrics or Metrics()
        self._handlers: dict[str, list[Handler]] = {}
        self._servers: dict[str, RequestHandler] = {}
        self.is_connected = False
        self.payload_max = PAYLOAD_MAX
        self.queued_bytes = 0

    def subscribe(self, subject: str, handler: Handler) -> None:
        """Call `handler` with each message that another node publishes on `subject`."""
        self._handlers.setdefault(subject, []).append(handler)

    def serve(self, subject: str, handler: RequestHandler) -> None:
        """Call `handler` with each request to `subject`."""
        self._servers[subject] = handler

    async def start(self) -> None:
        """Connect."""
        self._nodes.append(self)
        self.is_connected = True

    async def stop(self) -> None:
        """Disconnect."""
        if self.is_connected:
            self._nodes.remove(self)
            self.is_connected = False

    def publish(self, subject: str, data: bytes) -> bool:
        """Hand `data` to the subscribers of `subject` in the next turn of the loop."""
        if not self.is_connected or len(data) > self.payload_max:
            self._metrics.bus_dropped()
            return False
        for node in self._nodes:
            if node is not self:
                node.deliver(subject, data)
        return True

    def deliver(self, subject: str, data: bytes) -> None:
        """Hand a message of another node to the handlers, in the next turn of the loop."""
        for handler in self._handlers.get(subject, ()):
            asyncio.get_running_loop().call_soon(self._call, handler, data)

    async def request(self, subject: str, data: bytes, timeout_s: float) -> bytes:
        """Send a request, and return the reply; raise `NoResponders` or `RequestTimeout`."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[bytes] = loop.create_future()

        def reply(answer: bytes) -> None:
            loop.call_soon(_settle, answered, answer)

        is_sent = self.is_connected and len(data) <= self.payload_max
        others = (node for node in self._nodes if node is not self)
        if not is_sent or not any(node.answer(subject, data, reply) for node in others):
            raise NoResponders
        try:
            async with asyncio.timeout(timeout_s):
                return await answered
        except TimeoutError:
            raise RequestTimeout from None

    def answer(self, subject: str, data: bytes, reply: Reply) -> bool:
        """Hand a request of another node to its handler; return whether there is one."""
        handler = self._servers.get(subject)
        if handler is not None:
            asyncio.get_running_loop().call_soon(self._call, handler, data, reply)
        return handler is not None

    def _call(self, handler: Callable[..., None], *arguments: object) -> None:
        """Call a handler, unless this node has stopped meanwhile."""
        if not self.is_connected:
            return
        try:
            handler(*arguments)
        except Exception as error:  # noqa: BLE001 - it costs this message alone
            note_fault(self._metrics, "bus", error)


def _settle(answered: asyncio.Future[bytes], answer: bytes) -> None:
    if not answered.done():
        answered.set_result(answer)
