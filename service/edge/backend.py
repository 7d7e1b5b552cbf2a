"""The parts behind the connections, which carry out what clients ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from service.edge.admission import Admission
    from service.edge.hub import Hub
    from service.edge.passwords import Passwords
    from service.edge.queries import Queries
    from service.runtime.dispatcher import Dispatcher
    from service.runtime.idempotency import Fingerprints
    from service.tasks import Tasks
    from service.telemetry import Metrics


class Backend(NamedTuple):
    """The parts that carry out what clients ask for; all conversations share them."""

    engine: Dispatcher
    hub: Hub
    queries: Queries
    admission: Admission
    passwords: Passwords
    fingerprints: Fingerprints
    tasks: Tasks
    metrics: Metrics
