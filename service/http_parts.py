"""The parts that are served by HTTP, created and wired: pages, probes, the API, Socket.IO."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from service.edge.admission_control import AdmissionControl
from service.edge.api.calls import Dependencies
from service.edge.api.replays import Replays
from service.edge.api.server import PREFIX, Api
from service.edge.http.addresses import Addresses, AddressRate, Handshakes
from service.edge.http.dev_tokens import dev_token_routes
from service.edge.http.game_pages import game_page_routes
from service.edge.http.pages import HEADERS, Pages
from service.edge.http.probes import Probes
from service.edge.http.site import Site
from service.edge.socketio.server import SocketIo
from service.edge.upgrades import Upgrades
from service.figures import Figures

if TYPE_CHECKING:
    from service.app import Parts


class HttpParts:
    """What of the parts is served by HTTP."""

    def __init__(self, parts: Parts, *, dev: bool) -> None:
        """Create them for `parts`; `dev` adds `POST /dev/token`."""
        settings, limits = parts.settings, parts.settings.connections
        clock, metrics = time.monotonic, parts.metrics
        addresses = Addresses(settings.addresses.trusted_hops)
        handshake_rate = AddressRate(settings.addresses.handshakes_per_s, addresses, clock)
        request_rate = AddressRate(settings.addresses.requests_per_s, addresses, clock)
        handshakes = Handshakes(handshake_rate, addresses, metrics, clock)
        self.admission_control = control = AdmissionControl(
            settings.admission, lambda: parts.ticker.lateness_s, metrics, clock
        )
        self.socket_io = SocketIo(
            parts.endpoint,
            handshakes,
            control,
            limits,
            node=parts.node.node,
            unauthenticated_max=settings.http.unauthenticated_max,
        )
        replays = Replays(parts.reader, parts.games)
        self.figures = Figures(parts.world, lambda: parts.log.position, metrics, now=time.time)
        deps = Dependencies(
            parts.dispatcher,
            parts.hub,
            parts.reader,
            replays,
            announcer=parts.publisher,
            figures=self.figures,
            games=parts.games,
            node=parts.node,
            outbox_notes=parts.log.outbox_notes,
            now=time.time,
        )
        api = Api(deps, parts.authenticator, request_rate, limits.origins, metrics)
        routes = [
            *Pages(parts.endpoint, handshakes, control).routes(),
            *game_page_routes(parts.games, HEADERS, dev=dev),
            *Probes(parts.log, parts.world, metrics, parts.membership).routes(),
            *(dev_token_routes(settings.tokens, parts.secret) if dev else ()),
            *self.socket_io.routes(),
        ]
        upgrade = Upgrades(parts.endpoint, handshakes, control).take
        self.site = Site(settings, handshakes, routes, {PREFIX: api.app()}, upgrade)
