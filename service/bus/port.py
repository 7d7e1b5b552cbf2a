"""The port of the bus between nodes, with an adapter in memory and one for NATS.

What is published may be lost, and arrives at most once and in order; whoever needs it all reads it
from the log. Nothing is kept while the bus is not connected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from service.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    Handler: TypeAlias = Callable[[bytes], None]
    """Takes a message. It is called in the event loop, and must not block."""
    Reply: TypeAlias = Callable[[bytes], None]
    """Answers a request, at once or later; called once."""
    RequestHandler: TypeAlias = Callable[[bytes, Reply], None]


class RequestFailed(ServiceError):
    """A request to another node got no reply."""


class NoResponders(RequestFailed):
    """No node serves this subject, or the bus is not connected: it was not carried out."""


class RequestTimeout(RequestFailed):
    """There was no reply in time: whether the request was carried out is not known."""


class Bus(Protocol):
    """Publishes to other nodes, and sends them requests; never to this node itself."""

    @property
    def is_connected(self) -> bool:
        """Whether messages reach other nodes now, as far as this one knows."""

    @property
    def queued_bytes(self) -> int:
        """The size of what is published and has not left yet, in bytes."""

    @property
    def payload_max(self) -> int:
        """The greatest size of a message, in bytes."""

    def subscribe(self, subject: str, handler: Handler) -> None:
        """Call `handler` with each message that another node publishes on `subject`."""

    def serve(self, subject: str, handler: RequestHandler) -> None:
        """Call `handler` with each request to `subject`."""

    async def start(self) -> None:
        """Begin to connect, for ever; this does not wait until the bus is connected."""

    async def stop(self) -> None:
        """Send what is queued, and disconnect."""

    def publish(self, subject: str, data: bytes) -> bool:
        """Send `data` to the subscribers of `subject`, without waiting.

        Return whether it was sent; it is dropped while the bus is not connected or too much is
        queued, and when it is larger than `payload_max`.
        """

    async def request(self, subject: str, data: bytes, timeout_s: float) -> bytes:
        """Send a request, and return the reply; raise `NoResponders` or `RequestTimeout`."""
