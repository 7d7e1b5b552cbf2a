"""The HTTP connections: deadlines, and a cap of those that are not yet authenticated.

aiohttp closes a connection that is idle; everything else that a client may leave unfinished is
bounded here: the head of a request, its body, and how many such connections an address has. Only
public methods of aiohttp's `RequestHandler` are overridden, and `_prepare_headers` of a response.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, cast

from aiohttp import hdrs, web

from service.edge.http.address_cap import AddressCap
from service.edge.http.addresses import normal_address
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import StreamReader
    from aiohttp.typedefs import Handler
    from aiohttp.web_server import Server

    from service.edge.http.addresses import Addresses
    from service.settings.sections.http import HttpLimits

TOO_MANY = "TOO_MANY_UNAUTHENTICATED"
"""The error code of a connection above the cap."""

LINGERING_S = 5.0
"""How long the rest of a body that nobody wants is read, so that the client gets the answer."""

_HEAD_ENDS = (b"\r\n\r\n", b"\n\n")

_REFUSALS = {
    429: b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\n",
    408: b"HTTP/1.1 408 Request Timeout\r\n",
    431: b"HTTP/1.1 431 Request Header Fields Too Large\r\n",
}

logger = get_logger(__name__)


class ConnectionLimiter:
    """What all HTTP connections share: time limits, and a cap for each address."""

    def __init__(
        self,
        limits: HttpLimits,
        addresses: Addresses,
        refused: Callable[[str, str], None],
        *,
        head_bytes_max: int,
    ) -> None:
        """Call `refused` with an error code and an address for each connection above the cap."""
        self.limits = limits
        self.head_bytes_max = head_bytes_max
        self.addresses = addresses
        self.refused = refused
        self.cap = AddressCap[Connection](
            limits.unauthenticated_max, lambda connection: connection.close_idle()
        )

    @property
    def peers_are_clients(self) -> bool:
        """Whether a peer is the client itself; behind a proxy only a request says who it is."""
        return not self.addresses.trusted_hops


class _Stage(Enum):
    IDLE = auto()
    """Nothing of a request has come."""
    HEAD = auto()
    """A part of a head has come, or all of it, and nobody has begun to answer."""
    BUSY = auto()
    """A request is answered; its body may still come."""
    OVER = auto()
    """Closed by the service: what still comes is dropped."""


class Connection(web.RequestHandler):
    """One HTTP connection."""

    __slots__ = (
        "_address",
        "_content",
        "_deadline",
        "_head_bytes",
        "_head_end",
        "_is_admitted",
        "_is_answered",
        "_limiter",
        "_stage",
        "_tail",
    )

    def __init__(self, limiter: ConnectionLimiter, server: Server, **options: Any) -> None:
        """Take what aiohttp's own takes, and the limits."""
        super().__init__(server, loop=asyncio.get_running_loop(), **options)
        self._limiter = limiter
        self._stage = _Stage.IDLE
        self._address: str | None = None
        """What it is counted under; None while it is not counted."""
        self._content: StreamReader | None = None
        """The body of the request that is answered."""
        self._deadline: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._head_end = False
        self._is_answered = False
        self._is_admitted = False
        self._tail = b""

    # As a protocol of asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the connection, unless its address has too many."""
        limiter = self._limiter
        if limiter.peers_are_clients:
            address = _peer(transport)
            if not limiter.cap.enter(address, self):
                self._refuse(cast("asyncio.Transport", transport), 429)
                limiter.refused(TOO_MANY, address)
                return
            self._address = address
        super().connection_made(transport)
        self._arm(limiter.limits.head_s, self._head_is_late)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End."""
        self._disarm()
        self._uncount()
        self._stage = _Stage.OVER
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what has come, in time and up to the limit of a head."""
        stage = self._stage
        if stage is _Stage.OVER:
            return
        if stage is not _Stage.BUSY and data and not self._head_goes_on(data):
            return
        super().data_received(data)

    def pause_writing(self) -> None:
        """Wait until the peer reads on, which a stranger must do in time."""
        super().pause_writing()
        if not self._is_admitted:
            self._arm(self._limiter.limits.body_s, self._body_is_late)

    def resume_writing(self) -> None:
        """Resume writing: the peer has read."""
        super().resume_writing()
        self._disarm()
        if self._content is not None:
            self._arm(self._limiter.limits.body_s, self._body_is_late)

    # As a server of HTTP

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; then the connection waits for the next request."""
        if request.content.exception() is not None:
            # Where a broken body ends nobody knows, so nothing can follow it.
            request.content.feed_eof()
            resp.force_close()
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._request_is_over()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes what the client has sent
    ) -> web.StreamResponse:
        """Answer what is no HTTP, which is logged for developers only."""
        if status < web.HTTPInternalServerError.status_code:
            logger.debug("no HTTP", error_type="validation_error", metadata={"reason": repr(exc)})
        elif isinstance(exc, ConnectionError):
            # aiohttp itself writes `100 Continue`, also to a client that is gone.
            logger.debug("client is gone", error_type="websocket_error")
        else:
            logger.error("request failed", error_type="internal_error", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        response = _Bare(status=status, text=f"{status}: the request can't be read")
        response.force_close()
        return response

    # For requests

    def began(self, request: web.Request) -> bool:
        """Begin to answer a request; return False when its address has too many of them."""
        limiter = self._limiter
        self._stage = _Stage.BUSY
        self._is_answered = False
        self._is_admitted = False
        self._disarm()
        if not limiter.peers_are_clients:
            address = limiter.addresses.of(request)
            if not limiter.cap.enter(address, self):
                limiter.refused(TOO_MANY, address)
                return False
            self._address = address
        if not request.content.is_eof():
            self._content = request.content
            self._arm(limiter.limits.body_s, self._body_is_late)
            request.content.on_eof(self._body_is_over)
        return True

    def admitted(self) -> None:
        """Count it no longer: the request, or the WebSocket, is that of a known user."""
        self._is_admitted = True
        self._uncount()

    def close_idle(self) -> bool:
        """Close it if it waits for another request, and tell whether it did."""
        if self._stage is not _Stage.IDLE or self._head_bytes == 0 or self.transport is None:
            return False
        self._stage = _Stage.OVER
        self.transport.close()
        return True

    def _body_is_over(self) -> None:
        self._disarm()
        self._content = None
        if self._is_answered and self._stage is _Stage.BUSY:
            self._stage = _Stage.IDLE

    def _request_is_over(self) -> None:
        if self._stage is not _Stage.BUSY:
            return
        self._is_answered = True
        if self._content is None:
            # Else the rest of the body is still read, so that the client gets to the answer.
            self._stage = _Stage.IDLE
        if not self._limiter.peers_are_clients:
            self._uncount()
        elif self._address is None and self.transport is not None:
            self._address = _peer(self.transport)
            self._limiter.cap.enter_again(self._address, self)

    def _uncount(self) -> None:
        if self._address is not None:
            self._limiter.cap.leave(self._address, self)
            self._address = None

    # Deadlines

    def _head_goes_on(self, data: bytes) -> bool:
        if self._stage is _Stage.IDLE:
            self._stage = _Stage.HEAD
            self._head_bytes, self._head_end, self._tail = 0, False, b""
            if self._deadline is None:
                self._arm(self._limiter.limits.head_s, self._head_is_late)
        if not self._head_end:
            window = self._tail + data
            self._head_end = any(end in window for end in _HEAD_ENDS)
            self._tail = window[-3:]
            self._head_bytes += len(data)
            if not self._head_end and self._head_bytes > self._limiter.head_bytes_max:
                self._give_up(431)
                return False
        return True

    def _head_is_late(self) -> None:
        self._give_up(None if self._stage is _Stage.IDLE else 408)

    def _body_is_late(self) -> None:
        self._give_up(None)

    def _arm(self, delay_s: float, callback: Callable[[], None]) -> None:
        self._disarm()
        self._deadline = asyncio.get_running_loop().call_later(delay_s, callback)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self, status: int | None) -> None:
        if self.transport is None:
            return
        if status is None:
            self._stage = _Stage.OVER
            self.transport.abort()
        else:
            self._refuse(self.transport, status)

    def _refuse(self, transport: asyncio.Transport, status: int) -> None:
        self._stage = _Stage.OVER
        self._disarm()
        transport.write(_REFUSALS[status] + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
        transport.close()


def _peer(transport: asyncio.BaseTransport) -> str:
    peer = (transport.get_extra_info("peername") or ("",))[0]
    return normal_address(peer) or peer


class _Bare(web.Response):
    """An answer that does not tell which server it comes from."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.popall(hdrs.SERVER, None)


def admit(request: web.Request) -> None:
    """Count the connection of this request no longer among those of strangers."""
    if isinstance(request.protocol, Connection):
        request.protocol.admitted()


class Runner(web.AppRunner):
    """Runs an application behind `Connection`s."""

    def __init__(
        self,
        app: web.Application,
        limiter: ConnectionLimiter,
        *,
        shutdown_timeout: float,
        max_line_size: int,
        max_field_size: int,
    ) -> None:
        """Take the limits, and the options of aiohttp that are not its defaults."""
        options: dict[str, Any] = {
            "access_log": None,
            "keepalive_timeout": limiter.limits.idle_s,
            "lingering_time": LINGERING_S,
            "max_line_size": max_line_size,
            "max_field_size": max_field_size,
        }
        super().__init__(app, shutdown_timeout=shutdown_timeout, **options)
        self._limiter = limiter
        self._options = options
        app.middlewares.insert(0, _guard)
        app.on_response_prepare.append(_hide_server)

    @property
    def server(self) -> Server | None:
        """What makes a connection for each peer; aiohttp's sites ask for it."""
        made = super().server
        if made is None:
            return None

        def connection() -> Connection:
            return Connection(self._limiter, made, **self._options)

        return cast("Server", connection)


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Bound the request, and answer what a client has broken off or got wrong."""
    connection = request.protocol
    if isinstance(connection, Connection) and not connection.began(request):
        raise web.HTTPTooManyRequests(headers={"Retry-After": "1"}, text="too many connections")
    try:
        return await handler(request)
    except (ConnectionError, web.RequestPayloadError) as error:
        # The body has ended early, or is not coded as its headers say.
        raise web.HTTPBadRequest(text="the body can't be read") from error
    except (web.HTTPException, asyncio.CancelledError):
        raise
    except Exception as error:
        logger.exception(
            "request failed",
            error_type="internal_error",
            metadata={"method": request.method, "path": request.path},
        )
        raise web.HTTPInternalServerError(text="the service has failed") from error


async def _hide_server(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.popall(hdrs.SERVER, None)
