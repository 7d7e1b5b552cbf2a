"""Health probes, and the metrics for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from service.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

    from service.domain.projections.world import World
    from service.eventstore.writer import EventLog
    from service.telemetry import Metrics


class Probes:
    """Tells an orchestrator and a monitoring system how the service is."""

    def __init__(self, log: EventLog, world: World, metrics: Metrics) -> None:
        """Report on `log`, and how far `world` has folded it."""
        self._log = log
        self._world = world
        self._metrics = metrics

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
        """Answer 200 if the log is writable and the projections have folded all of it, else 503."""
        try:
            await self._log.probe()
        except Unavailable as error:
            return web.json_response({"status": "unavailable", "reason": str(error)}, status=503)
        position, head = self._world.position, self._log.position
        status = "ready" if position == head else "behind"
        body = {"status": status, "position": position, "head": head}
        return web.json_response(body, status=200 if position == head else 503)

    async def _scrape(self, request: web.Request) -> web.Response:
        """Answer in the text format of Prometheus, or in OpenMetrics if `Accept` prefers it."""
        encode, content_type = _encoder_for(request.headers.get("Accept", ""))
        body = encode(self._metrics.registry)
        return web.Response(body=body, headers={"Content-Type": content_type})


def _encoder_for(accept: str) -> tuple[Callable[[CollectorRegistry], bytes], str]:
    """Choose a text format; the plain one if the header can't be parsed."""
    try:
        return choose_encoder(accept)
    except (TypeError, ValueError, LookupError):
        # The library compares version numbers, and raises for those that are none.
        return choose_encoder("")
