"""Upgrade connections to WebSockets in the callback that reads their request.

A request handler of aiohttp runs as a task, below a second task of its connection; a WebSocket
would keep both, and a dozen coroutines, for as long as it is open. A handshake whose token can be
verified at once needs none. All others, and all that are refused, are left to the request handler.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from service.edge.auth import token_of
from service.edge.handshake import read_handshake

if TYPE_CHECKING:
    from service.edge.admission_control import AdmissionControl
    from service.edge.auth import Identity
    from service.edge.endpoint import Endpoint
    from service.edge.handshake import Handshake
    from service.edge.http.addresses import Handshakes
    from service.edge.http.server import HttpConnection

PATHS = ("/", "/ws")


class Upgrades:
    """Decides which connections are upgraded at once."""

    def __init__(
        self, endpoint: Endpoint, handshakes: Handshakes, control: AdmissionControl
    ) -> None:
        """Hand connections over to `endpoint`, at the rates that the others allow."""
        self._endpoint = endpoint
        self._handshakes = handshakes
        self._control = control

    def take(self, connection: HttpConnection) -> bool:
        """Upgrade a connection, now or when it is its turn; return False if that is not for here.

        Then nothing was counted, and the request handler sees the request as it is.
        """
        request = connection.upgrade_request(PATHS)
        if request is None or self._endpoint.is_draining:
            return False
        try:
            handshake = read_handshake(request)
        except web.HTTPException:
            return False
        # Before the token is verified: with a public key that takes time.
        if not self._handshakes.would_allow(request):
            return False
        token = token_of(request)
        identity = None if token is None else self._endpoint.admission.admit_at_once(request, token)
        if token is None or identity is None:
            return False
        if not connection.begins_upgrade(request):
            return False
        self._handshakes.allows(request)
        go_on = partial(self._go_on, connection, request, handshake, token)
        address = self._handshakes.addresses.of(request)
        if self._control.enter(request.transport, address, go_on) is None:
            self._upgrade(connection, request, handshake, identity, token)
        return True

    def _go_on(
        self,
        connection: HttpConnection,
        request: web.BaseRequest,
        handshake: Handshake,
        token: str,
        is_admitted: bool,  # noqa: FBT001 - a callback
    ) -> None:
        """Upgrade a connection that has waited, or refuse it."""
        if request.transport is None:
            return
        if not is_admitted:
            connection.handle_by_task(self._control.refusal())
            return
        # The token may have expired.
        identity = self._endpoint.admission.admit_at_once(request, token)
        if identity is None or self._endpoint.is_draining:
            connection.handle_by_task()
        else:
            self._upgrade(connection, request, handshake, identity, token)

    def _upgrade(
        self,
        connection: HttpConnection,
        request: web.BaseRequest,
        handshake: Handshake,
        identity: Identity,
        token: str,
    ) -> None:
        connection.leave_http()
        self._endpoint.upgrade(request, handshake, identity, token)
