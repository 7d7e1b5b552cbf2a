"""Run an application behind `HttpConnection`s, whose errors become responses."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from aiohttp import hdrs, web

from service.edge.http.server import HttpConnection, logger

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler
    from aiohttp.web_server import Server

    from service.edge.http.limiter import ConnectionLimiter

LINGERING_S = 5.0
"""How long the rest of a refused body is read, so that the client receives the response."""


class Runner(web.AppRunner):
    """Runs an application behind `HttpConnection`s."""

    def __init__(
        self,
        app: web.Application,
        limiter: ConnectionLimiter,
        *,
        shutdown_timeout: float,
        max_line_size: int,
        max_field_size: int,
    ) -> None:
        """Take the limits, and the options of aiohttp that differ from its defaults."""
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
        """The factory of connections that aiohttp's sites use."""
        made = super().server
        if made is None:
            return None

        def connection() -> HttpConnection:
            return HttpConnection(self._limiter, made, **self._options)

        return cast("Server", connection)


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Admit the request, and convert errors to responses."""
    connection = request.protocol
    if isinstance(connection, HttpConnection) and not connection.began(request):
        raise web.HTTPTooManyRequests(headers={"Retry-After": "1"}, text="too many connections")
    if isinstance(connection, HttpConnection) and connection.refusal is not None:
        refusal, connection.refusal = connection.refusal, None
        raise refusal
    try:
        return await handler(request)
    except (ConnectionError, web.RequestPayloadError) as error:
        # The body ended early, or its encoding is not the one in the headers.
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
