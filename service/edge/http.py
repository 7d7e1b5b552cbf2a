"""HTTP endpoints: demo page, health probes, metrics and development tokens."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

import jwt
import msgspec
from aiohttp import web
from prometheus_client.exposition import choose_encoder

from service.domain.names import clean_name
from service.edge.handshake import wants_websocket
from service.errors import ClientError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

    from service.edge.addresses import Handshakes
    from service.edge.websocket import WebSockets
    from service.eventstore.writer import EventLog
    from service.runtime.engine import Engine
    from service.settings import Settings
    from service.telemetry import Metrics

WEB = Path(__file__).parent.parent / "web"
CONTRACT = WEB / "contract"

DEV_TOKEN_TTL_S = 7 * 24 * 3600

_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class BadName(ClientError):
    """A name has at least one visible character, and is not too long."""

    code = "BAD_NAME"


class DevTokens:
    """Makes a token for any name, for development only: the same name is the same user."""

    def __init__(self, settings: Settings, secret: str) -> None:
        """Sign with the secret that the service checks with, and say what it wants to be said."""
        self._secret = secret
        self._algorithm = settings.jwt_algorithms[0]
        self._name_length_max = settings.name_length_max
        required = {"aud": settings.jwt_audience, "iss": settings.jwt_issuer}
        self._claims = {claim: value for claim, value in required.items() if value is not None}

    async def serve(self, request: web.Request) -> web.Response:
        """Answer `{name}` with `{token, user}`."""
        try:
            name = self._name(await request.read())
        except ClientError as error:
            raw = msgspec.json.encode({"code": error.code, "message": error.message})
            return web.Response(body=raw, status=400, content_type="application/json")
        user = 1 + int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
        exp = int(time.time()) + DEV_TOKEN_TTL_S
        claims = {"id": user, "name": name, "exp": exp, **self._claims}
        token = jwt.encode(claims, self._secret, algorithm=self._algorithm)
        return web.json_response({"token": token, "user": {"id": user, "name": name}})

    def _name(self, body: bytes) -> str:
        try:
            raw = msgspec.json.decode(body, type=dict[str, object]).get("name")
        except (msgspec.DecodeError, ValueError, RecursionError):
            raw = None
        name = clean_name(raw) if isinstance(raw, str) else ""
        if not name:
            raise BadName("Send a JSON object with a `name` that has a visible character.")
        if len(name) > self._name_length_max:
            raise BadName(f"A name has at most {self._name_length_max} characters.")
        return name


class Endpoints:
    """Everything that the port answers."""

    def __init__(  # noqa: PLR0913 - the parts are given by the composition root
        self,
        websockets: WebSockets,
        engine: Engine,
        log: EventLog,
        handshakes: Handshakes,
        dev_tokens: DevTokens | None,
        *,
        metrics: Metrics,
    ) -> None:
        """Answer by these parts; `dev_tokens` only in development."""
        self._websockets = websockets
        self._engine = engine
        self._log = log
        self._handshakes = handshakes
        self._dev_tokens = dev_tokens
        self._metrics = metrics

    def routes(self) -> list[web.AbstractRouteDef]:
        """List the routes."""
        routes: list[web.AbstractRouteDef] = [
            web.get("/", self._root),
            web.get("/ws", self._connect),
            web.get("/web/{file}", self._file),
            web.get("/docs", self._docs),
            web.get("/docs/{file}", self._document),
            web.get("/healthz", self._healthz),
            web.get("/readyz", self._readyz),
            web.get("/metrics", self._scrape),
        ]
        if self._dev_tokens is not None:
            routes.append(web.post("/dev/token", self._dev_tokens.serve))
        return routes

    async def _root(self, request: web.Request) -> web.StreamResponse:
        """Take an upgrade as a connection, and anything else as a visit to the page."""
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

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        """Tell whether the log can be written and the projections are where it ends."""
        try:
            await self._log.probe()
        except Unavailable as error:
            return web.json_response({"status": "unavailable", "reason": str(error)}, status=503)
        position, head = self._engine.world.position, self._log.head.position
        status = "ready" if position == head else "behind"
        body = {"status": status, "position": position, "head": head}
        return web.json_response(body, status=200 if position == head else 503)

    async def _scrape(self, request: web.Request) -> web.Response:
        """Answer in the text format of Prometheus, or in OpenMetrics for who asks for that."""
        encode, content_type = _encoder_for(request.headers.get("Accept", ""))
        body = encode(self._metrics.registry)
        return web.Response(body=body, headers={"Content-Type": content_type})


def _encoder_for(accept: str) -> tuple[Callable[[CollectorRegistry], bytes], str]:
    """Choose a text format; the plain one for a header that can't be read."""
    try:
        return choose_encoder(accept)
    except (TypeError, ValueError, LookupError):
        # The library compares versions that are no numbers.
        return choose_encoder("")


def _file_in(directory: Path, request: web.Request) -> web.FileResponse:
    """Answer with the file that the URL names.

    The name is looked up, never made a path of: a file system refuses some names by errors.
    """
    name = request.match_info["file"]
    path = next((one for one in directory.iterdir() if one.name == name), None)
    if path is None or not path.is_file():
        raise web.HTTPNotFound
    return web.FileResponse(path, headers=_HEADERS)
