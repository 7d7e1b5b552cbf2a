"""Pages, scripts and documents of the browser client; at `/` and `/ws` also the Endpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from service.edge.handshake import wants_websocket
from service.edge.http.assets import asset_routes

if TYPE_CHECKING:
    from service.edge.admission_control import AdmissionControl
    from service.edge.endpoint import Endpoint
    from service.edge.http.addresses import Handshakes

WEB = Path(__file__).parent.parent.parent / "web"
PARTS = ("client", "play", "docs", "common", "admin")
"""The folders of `WEB`; no two have a file of the same name."""

CONTRACT = WEB / "docs" / "contract"

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

    def __init__(
        self, endpoint: Endpoint, handshakes: Handshakes, admission: AdmissionControl
    ) -> None:
        """Hand upgrades over to `endpoint`, at the rates that the others allow."""
        self._endpoint = endpoint
        self._handshakes = handshakes
        self._admission = admission
        self._parts = {part: _files_in(WEB / part) for part in PARTS}
        self._documents = _files_in(CONTRACT)

    def routes(self) -> list[web.AbstractRouteDef]:
        """List the routes."""
        return [
            web.get("/", self._root),
            web.get("/ws", self._connect),
            web.get("/web/{part}/{file}", self._file),
            web.get("/web/{file}", self._file_of_any_part),
            *asset_routes(WEB, _HEADERS),
            web.get("/admin", self._console),
            web.get("/admin/{place:.+}", self._console),
            web.get("/docs", self._docs),
            web.get("/docs/{file}", self._document),
        ]

    async def _root(self, request: web.Request) -> web.StreamResponse:
        """Serve a WebSocket to requests that ask for an upgrade, and the page to all others."""
        if wants_websocket(request):
            return await self._connect(request)
        return web.FileResponse(WEB / "play" / "index.html", headers=_HEADERS)

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        if not self._handshakes.allows(request):
            raise web.HTTPTooManyRequests(text="too many connections, slow down")
        await self._admission.admit(request, self._handshakes.addresses.of(request))
        return await self._endpoint.serve(request)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        files = self._parts.get(request.match_info["part"], {})
        return _response(files, request.match_info["file"])

    async def _file_of_any_part(self, request: web.Request) -> web.StreamResponse:
        """Serve a file of the client by its published URL, and redirect to those of the pages.

        The pages' modules import each other by relative URLs, so they load from their folder only.
        """
        name = request.match_info["file"]
        part = next((part for part, files in self._parts.items() if name in files), None)
        if part is None:
            raise web.HTTPNotFound
        if part == "client":
            return _response(self._parts[part], name)
        raise web.HTTPMovedPermanently(f"/web/{part}/{name}", headers=_HEADERS)

    async def _console(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(WEB / "admin" / "console.html", headers=_HEADERS)

    async def _docs(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(WEB / "docs" / "docs.html", headers=_HEADERS)

    async def _document(self, request: web.Request) -> web.StreamResponse:
        return _response(self._documents, request.match_info["file"])


def _files_in(directory: Path) -> dict[str, Path]:
    """List a directory, once: a name from a URL is looked up here, never joined to a path.

    So no name can leave the directory, and names that the file system would refuse with an
    `OSError` are simply not found.
    """
    return {path.name: path for path in directory.iterdir() if path.is_file()}


def _response(files: dict[str, Path], name: str) -> web.FileResponse:
    """Serve one of these files; raise 404 for a name that is none of theirs."""
    if name not in files:
        raise web.HTTPNotFound
    return web.FileResponse(files[name], headers=_HEADERS)
