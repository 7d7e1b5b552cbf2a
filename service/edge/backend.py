"""The parts behind the connections, which carry out what clients ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from service.domain.ids import SocketId, UserId
    from service.edge.admission import Admission
    from service.edge.hub import Hub
    from service.edge.passwords import Passwords
    from service.edge.queries import Queries
    from service.fanout.audience import Delivery
    from service.runtime.dispatcher import Dispatcher
    from service.runtime.idempotency import Fingerprints
    from service.tasks import Tasks
    from service.telemetry import Metrics


class Relay(Protocol):
    """Sends what clients send to each other: the hub, or in a cluster what reaches all nodes."""

    def deliver(self, delivery: Delivery, /) -> None:
        """Send a message to its audience."""

    def sockets_of(self, user: UserId, /) -> tuple[SocketId, ...]:
        """Return the open sockets of a user."""


class Backend(NamedTuple):
    """The parts that carry out what clients ask for; all conversations share them."""

    engine: Dispatcher
    hub: Hub
    relay: Relay
    queries: Queries
    admission: Admission
    passwords: Passwords
    fingerprints: Fingerprints
    tasks: Tasks
    metrics: Metrics
