"""Pages, scripts and documents of the browser client; at `/` and `/ws` also the WebSockets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from service.edge.handshake import wants_websocket

if TYPE_CHECKING:
    from service.edge.http.addresses import Handshakes
    from service.edge.websocket import WebSockets

WEB = Path(__file__).parent.parent.parent / "web"
CONTRACT = WEB / "contract"

_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Pages:
    """Serves the files of `web/`, and upgrades requests that ask for a WebSocket."""

    def __init__(self, websockets: WebSockets, handshakes: Handshakes) -> None:
        """Hand upgrades over to `websockets`, at the rate that `handshakes` allows."""
        self._websockets = websockets
        self._handshakes = handshakes

    def routes(self) -> list[web.AbstractRouteDef]:
        """List the routes."""
        return [
            web.get("/", self._root),
            web.get("/ws", self._connect),
            web.get("/web/{file}", self._file),
            web.get("/docs", self._docs),
            web.get("/docs/{file}", self._document),
        ]

    async def _root(self, request: web.Request) -> web.StreamResponse:
        """Serve a WebSocket to requests that ask for an upgrade, and the page to all others."""
        if wants_websocket(request):
            return await self._connect(request)
        return web.FileResponse(WEB / "index.html", headers=_HEADERS)

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        if not self._handshakes.allows(request):
            raise web.HTTPTooManyRequests(text="too many connections, slow down")
        return await self._websockets.serve(request)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        return _file_in(WEB, request)

    async def _docs(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(WEB / "docs.html", headers=_HEADERS)

    async def _document(self, request: web.Request) -> web.StreamResponse:
        return _file_in(CONTRACT, request)


def _file_in(directory: Path, request: web.Request) -> web.FileResponse:
    """Return the file that the URL names; raise 404.

    The name is looked up in the listing, never joined to a path: no name can leave the directory,
    and names that the file system would refuse with an `OSError` are simply not found.
    """
    name = request.match_info["file"]
    path = next((one for one in directory.iterdir() if one.name == name), None)
    if path is None or not path.is_file():
        raise web.HTTPNotFound
    return web.FileResponse(path, headers=_HEADERS)
