"""HTTP connections with deadlines, and a limit of unauthenticated ones per address.

aiohttp closes a connection that is idle; everything else that a client may leave unfinished is
bounded here: the head of a request, its body, and how many such connections an address has. Only
public methods of aiohttp's `RequestHandler` are overridden, and `_prepare_headers` of a response;
what upgrades a connection without a task uses private parts as well (`internals`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, cast

from aiohttp import web
from aiohttp.http import RawRequestMessage

from service.edge.http.addresses import normal_address
from service.edge.http.responses import REFUSALS, BareResponse, drop_traceback
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiohttp import StreamReader
    from aiohttp.web_server import Server

    from service.edge.http.limiter import ConnectionLimiter

TOO_MANY = "TOO_MANY_UNAUTHENTICATED"
"""The error code of a connection above the limit."""

_HEAD_ENDS = (b"\r\n\r\n", b"\n\n")

_NO_MESSAGES: deque[Any] = deque()
"""The requests of all connections that were upgraded: none."""

logger = get_logger(__name__)


class _Stage(Enum):
    IDLE = auto()
    """Between requests."""
    HEAD = auto()
    """A head is being received, or its handler was not called yet."""
    BUSY = auto()
    """A request is being handled; its body may be incomplete."""
    OVER = auto()
    """Closed by the service; received data is dropped."""


class HttpConnection(web.RequestHandler):
    """One HTTP connection."""

    __slots__ = (
        "_address",
        "_content",
        "_deadline",
        "_early",
        "_head_bytes",
        "_head_end",
        "_is_admitted",
        "_is_answered",
        "_is_handled",
        "_limiter",
        "_stage",
        "_tail",
        "on_lost",
        "refusal",
    )

    def __init__(self, limiter: ConnectionLimiter, server: Server, **options: Any) -> None:
        """Take the limits, and the arguments of aiohttp's class."""
        super().__init__(server, loop=asyncio.get_running_loop(), **options)
        self._limiter = limiter
        self._stage = _Stage.IDLE
        self._address: str | None = None
        """The address that it is counted for; None while it is not counted."""
        self._content: StreamReader | None = None
        """The body of the current request, while it is incomplete."""
        self._deadline: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._head_end = False
        self._is_answered = False
        self._is_admitted = False
        self._is_handled = limiter.upgrade is None
        """Whether its requests are handled by a task, or it is upgraded."""
        self._tail = b""
        self._early: bytes | None = b""
        """What was read before it was its turn (`Arrivals`); None from then on."""
        self.on_lost: Callable[[], None] | None = None
        self.refusal: web.HTTPException | None = None
        """The response to the request, if that is decided already."""

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or refuse the connection if its address has too many."""
        limiter = self._limiter
        if limiter.peers_are_clients:
            address = _peer(transport)
            if not limiter.cap.enter(address, self):
                self._refuse(cast("asyncio.Transport", transport), 429)
                limiter.refused(TOO_MANY, address)
                return
            self._address = address
        if self._is_handled:
            super().connection_made(transport)
        else:
            # As aiohttp does, but without a task that waits for requests.
            self.transport = cast("asyncio.Transport", transport)
            cast("Server", self._manager).connection_made(self, self.transport)
        self._arm(limiter.limits.head_s, self._head_is_late)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Release everything; the descriptor is closed when this has returned."""
        if self.on_lost is not None:
            self.on_lost()
            self.on_lost = None
        self._disarm()
        self._uncount()
        self._stage = _Stage.OVER
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse received data; refuse a head that is too large."""
        stage = self._stage
        if stage is _Stage.OVER or (self._early is not None and not self._has_turn(data)):
            return
        if stage is not _Stage.BUSY and data and not self._head_goes_on(data):
            return
        super().data_received(data)
        if not self._is_handled and self._messages:
            self._is_handled = True
            upgrade = self._limiter.upgrade
            if upgrade is None or not upgrade(self):
                self.handle_by_task()

    def pause_writing(self) -> None:
        """Pause writing; an unauthenticated client must read on in time."""
        super().pause_writing()
        if not self._is_admitted:
            self._arm(self._limiter.limits.body_s, self._body_is_late)

    def resume_writing(self) -> None:
        """Resume writing, since the peer has read."""
        super().resume_writing()
        self._disarm()
        if self._content is not None:
            self._arm(self._limiter.limits.body_s, self._body_is_late)

    # aiohttp's RequestHandler

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send the response; then the connection waits for the next request."""
        if request.content.exception() is not None:
            # The end of a malformed body is unknown, so no other request can follow.
            request.content.feed_eof()
            resp.force_close()
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            drop_traceback(resp)
            self._request_is_over()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes input
    ) -> web.StreamResponse:
        """Return the response for invalid HTTP, which is logged at debug level."""
        if status < web.HTTPInternalServerError.status_code:
            logger.debug("no HTTP", error_type="validation_error", metadata={"reason": repr(exc)})
        elif isinstance(exc, ConnectionError):
            # aiohttp writes `100 Continue` also after the client has disconnected.
            logger.debug("client is gone", error_type="websocket_error")
        else:
            logger.error("request failed", error_type="internal_error", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        if exc is not None:
            # Its frames refer to the list of messages that it is in.
            exc.__traceback__ = None
        response = BareResponse(status=status, text=f"{status}: the request can't be read")
        response.force_close()
        return response

    # Upgrades without a task; only where `internals.UPGRADES_DIRECTLY`

    def upgrade_request(self, paths: Sequence[str]) -> web.BaseRequest | None:
        """Return the request that was read, if it asks for an upgrade at one of these paths."""
        message, payload = self._messages[0]
        make: Callable[..., web.BaseRequest] | None = self._request_factory
        if not isinstance(message, RawRequestMessage) or make is None:
            return None
        path = message.path.partition("?")[0]
        if not message.upgrade or path not in paths or not payload.is_eof():
            return None
        return make(message, payload, self, None, None)

    def begins_upgrade(self, request: web.BaseRequest) -> bool:
        """Begin a request to be upgraded; return False, and count nothing, if that is refused."""
        limiter = self._limiter
        if not limiter.peers_are_clients and not limiter.cap.has_room(
            limiter.addresses.of(request)
        ):
            return False
        return self.began(request)

    def leave_http(self) -> None:
        """Drop what reads HTTP: the rest is read as WebSocket frames."""
        self._messages = _NO_MESSAGES
        self._parser = None

    def handle_by_task(self, refusal: web.HTTPException | None = None) -> None:
        """Let aiohttp's task handle the requests, or refuse the first one."""
        self.refusal = refusal
        self._task_handler = asyncio.get_running_loop().create_task(self.start())

    # Admission

    def began(self, request: web.BaseRequest) -> bool:
        """Begin a request; return False if its address has too many."""
        limiter = self._limiter
        self._stage = _Stage.BUSY
        self._is_answered = False
        self._is_admitted = False
        self._disarm()
        if not limiter.peers_are_clients and self._address is None:
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
        """Stop counting it: the request, or the WebSocket, is authenticated."""
        self._is_admitted = True
        self._uncount()

    def close_idle(self) -> bool:
        """Close it if it is between requests; return whether it was."""
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
            # Else the rest of the body is read first, so that the client receives the response.
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

    # Arrivals

    def _has_turn(self, data: bytes) -> bool:
        """Tell whether what a new connection has sent may be handled; else it is kept."""
        if self._early:
            # It is not read further until its head can be parsed.
            self._early += data
            if self.transport is not None:
                self.transport.pause_reading()
            return False
        if self._limiter.arrivals.may_go_on(self):
            self._early = None
            return True
        self._early = data
        return False

    @property
    def is_lost(self) -> bool:
        """Whether it is closed (`Arrival`)."""
        return self.transport is None or self._stage is _Stage.OVER

    def go_on(self) -> None:
        """Handle what was read, since it is its turn (`Arrival`)."""
        data, self._early = self._early, None
        if self.transport is not None:
            self.transport.resume_reading()
        self.data_received(data or b"")

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
        transport.write(REFUSALS[status] + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
        transport.close()


def _peer(transport: asyncio.BaseTransport) -> str:
    peer = (transport.get_extra_info("peername") or ("",))[0]
    return normal_address(peer) or peer


def call_when_lost(request: web.BaseRequest, callback: Callable[[], None]) -> bool:
    """Call back before the descriptor of this request's connection is closed, if that can be told.

    It is not called for one that is lost already.
    """
    if isinstance(request.protocol, HttpConnection):
        request.protocol.on_lost = callback
        return True
    return False


def admit(request: web.BaseRequest) -> None:
    """Stop counting the connection of this request as unauthenticated."""
    if isinstance(request.protocol, HttpConnection):
        request.protocol.admitted()
