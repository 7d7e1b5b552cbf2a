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
HIDDEN = "docs/contract/"
"""The documents, which are served at `/docs/FILE` only."""

PLACES = ("/room/{id}", "/replay/{id}", "/player/{id}", "/matches", "/live")
"""What the page shows besides the lobby, each with a URL of its own; its script reads them."""

FLAT = ("client", "play", "docs", "common", "games")
"""The folders whose files 0.1.0 served without their folder; the first one that has it counts."""

CONTRACT = WEB / "docs" / "contract"

HEADERS = {
    "Cache-Control": "no-cache",
    # Nothing is loaded from, or sent to, another server; 'self' includes its WebSockets.
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
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
        self._documents = _files_below(CONTRACT)
        self._files = {
            path: file for path, file in _files_below(WEB).items() if not path.startswith(HIDDEN)
        }
        self._by_name = {
            file.name: path
            for part in reversed(FLAT)
            for path, file in self._files.items()
            if path == f"{part}/{file.name}"
        }

    def routes(self) -> list[web.AbstractRouteDef]:
        """List the routes."""
        return [
            web.get("/", self._root),
            web.get("/ws", self._connect),
            *(web.get(place, self._page) for place in PLACES),
            web.get("/web/{file}", self._file_by_name),
            web.get("/web/{path:.+}", self._file),
            *asset_routes(WEB, HEADERS),
            web.get("/admin", self._console),
            web.get("/admin/{place:.+}", self._console),
            web.get("/docs", self._docs),
            web.get("/docs/{file}", self._document),
        ]

    async def _root(self, request: web.Request) -> web.StreamResponse:
        """Serve a WebSocket to requests that ask for an upgrade, and the page to all others."""
        if wants_websocket(request):
            return await self._connect(request)
        return await self._page(request)

    async def _page(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(WEB / "play" / "index.html", headers=HEADERS)

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        if not self._handshakes.allows(request):
            raise web.HTTPTooManyRequests(text="too many connections, slow down")
        await self._admission.admit(request, self._handshakes.addresses.of(request))
        return await self._endpoint.serve(request)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        return _response(self._files, request.match_info["path"])

    async def _file_by_name(self, request: web.Request) -> web.StreamResponse:
        """Serve a file of the client by its published URL, and redirect to those of the pages.

        The pages' modules import each other by relative URLs, so they load from their folder only.
        """
        path = self._by_name.get(request.match_info["file"])
        if path is None:
            raise web.HTTPNotFound
        if path.startswith("client/"):
            return _response(self._files, path)
        raise web.HTTPMovedPermanently(f"/web/{path}", headers=HEADERS)

    async def _console(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(WEB / "admin" / "console.html", headers=HEADERS)

    async def _docs(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(WEB / "docs" / "docs.html", headers=HEADERS)

    async def _document(self, request: web.Request) -> web.StreamResponse:
        return _response(self._documents, request.match_info["file"])


def _files_below(directory: Path) -> dict[str, Path]:
    """List a directory, once: a path from a URL is looked up here, never joined to a path.

    So no path can leave the directory, and names that the file system would refuse with an
    `OSError` are simply not found.
    """
    found = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path for path in found}


def _response(files: dict[str, Path], path: str) -> web.FileResponse:
    """Serve one of these files; raise 404 for a path that is none of theirs."""
    if path not in files:
        raise web.HTTPNotFound
    return web.FileResponse(files[path], headers=HEADERS)
