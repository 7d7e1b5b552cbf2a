"""Responses of the HTTP server itself, and the end of any response."""

from __future__ import annotations

from aiohttp import hdrs, web

REFUSALS = {
    429: b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\n",
    408: b"HTTP/1.1 408 Request Timeout\r\n",
    431: b"HTTP/1.1 431 Request Header Fields Too Large\r\n",
}
"""The heads of responses that are written without aiohttp, by status."""


class BareResponse(web.Response):
    """A response without the header `Server`."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.popall(hdrs.SERVER, None)


def drop_traceback(response: web.StreamResponse) -> None:
    """Drop the traceback of a response that was raised, or of the error of a WebSocket.

    Its frames refer to the response, which would stay in memory until a garbage collection.
    """
    error = response.exception() if isinstance(response, web.WebSocketResponse) else response
    if isinstance(error, BaseException):
        error.__traceback__ = error.__context__ = None
