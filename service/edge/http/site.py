"""The HTTP server: the routes of all parts behind one port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from service.edge.http.limiter import ConnectionLimiter
from service.edge.http.runner import Runner
from service.edge.internals import UPGRADES_DIRECTLY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from service.edge.http.addresses import Handshakes
    from service.edge.http.server import HttpConnection
    from service.settings import Settings

STOP_TIMEOUT_S = 3

ACCEPT_QUEUE_MAX = 1024
"""Connections that the kernel keeps until they are accepted."""


class Site:
    """Serves routes, and applications below a prefix, at the address of the settings."""

    def __init__(
        self,
        settings: Settings,
        handshakes: Handshakes,
        routes: Iterable[web.AbstractRouteDef],
        apps: Mapping[str, web.Application],
        upgrade: Callable[[HttpConnection], bool],
    ) -> None:
        """Serve nothing yet; refused connections are counted by `handshakes`.

        `upgrade` takes over connections that it upgrades, and tells whether it does.
        """
        message_bytes_max = settings.connections.session.message_bytes_max
        app = web.Application(client_max_size=message_bytes_max)
        app.add_routes(routes)
        for prefix, sub in apps.items():
            app.add_subapp(prefix, sub)
        self._listen = settings.listen
        limiter = ConnectionLimiter(
            settings.http,
            handshakes.addresses,
            handshakes.refused,
            head_bytes_max=settings.connections.head_bytes_max,
        )
        if UPGRADES_DIRECTLY:
            limiter.upgrade = upgrade
        self._runner = Runner(
            app,
            limiter,
            shutdown_timeout=STOP_TIMEOUT_S,
            # A token in the query may be long.
            max_line_size=message_bytes_max,
            max_field_size=message_bytes_max,
        )

    async def start(self) -> str:
        """Listen, and return the URL, with the port that was free where the settings name 0."""
        await self._runner.setup()
        listen = self._listen
        await web.TCPSite(self._runner, listen.host, listen.port, backlog=ACCEPT_QUEUE_MAX).start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    async def stop(self) -> None:
        """Close the port and all connections."""
        await self._runner.cleanup()
