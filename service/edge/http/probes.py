"""Health probes, and the metrics for Prometheus."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from service.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

    from service.cluster.membership import Membership
    from service.domain.projections.world import World
    from service.eventstore.writer import EventLog
    from service.telemetry import Metrics


LAG_MAX_S = 1.0
"""How far a ready node of a cluster may be behind the log."""

PROBE_S = 1.0
"""How long a node of a cluster waits for the database before it is not ready."""


class Probes:
    """Tells an orchestrator and a monitoring system how the service is."""

    def __init__(
        self,
        log: EventLog,
        world: World,
        metrics: Metrics,
        membership: Membership | None = None,
    ) -> None:
        """Report on `log`, and how far `world` has folded it; and on the node of a cluster."""
        self._log = log
        self._world = world
        self._metrics = metrics
        self._membership = membership

    def routes(self) -> list[web.AbstractRouteDef]:
        """List the routes."""
        return [
            web.get("/healthz", self._healthz),
            web.get("/readyz", self._readyz),
            web.get("/metrics", self._scrape),
        ]

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        """Answer 200 if the log is writable and the projections have folded all of it, else 503.

        Of several nodes each one is a little behind the others; and it needs a valid lease.
        """
        try:
            await self._probe()
        except Unavailable as error:
            return web.json_response({"status": "unavailable", "reason": str(error)}, status=503)
        position, head = self._world.position, self._log.position
        status = "ready" if position == head else "behind"
        body: dict[str, object] = {"position": position, "head": head}
        if self._membership is not None:
            status = _status_of(self._membership)
            is_connected = self._membership.bus.is_connected
            body["node"] = self._membership.node.node
            body["bus"] = "connected" if is_connected else "disconnected"
        body = {"status": status, **body}
        return web.json_response(body, status=200 if status == "ready" else 503)

    async def _probe(self) -> None:
        """Raise `Unavailable` unless the log can be written.

        A node of a cluster repeats what it writes until the database answers, so the probe may
        have to wait; a node without a valid lease is not ready in any case.
        """
        if self._membership is None:
            await self._log.probe()
        elif not self._membership.is_suspended():
            try:
                async with asyncio.timeout(PROBE_S):
                    await self._log.probe()
            except TimeoutError:
                raise Unavailable("the database does not answer") from None

    async def _scrape(self, request: web.Request) -> web.Response:
        """Answer in the text format of Prometheus, or in OpenMetrics if `Accept` prefers it."""
        encode, content_type = _encoder_for(request.headers.get("Accept", ""))
        body = encode(self._metrics.registry)
        return web.Response(body=body, headers={"Content-Type": content_type})


def _status_of(membership: Membership) -> str:
    if membership.is_draining:
        return "draining"
    if membership.is_suspended():
        return "suspended"
    if membership.is_cut_off:
        return "cut off"
    return "ready" if membership.lag_s < LAG_MAX_S else "behind"


def _encoder_for(accept: str) -> tuple[Callable[[CollectorRegistry], bytes], str]:
    """Choose a text format; the plain one if the header can't be parsed."""
    try:
        return choose_encoder(accept)
    except (TypeError, ValueError, LookupError):
        # The library compares version numbers, and raises for those that are none.
        return choose_encoder("")
