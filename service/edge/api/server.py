"""Serve the routes: authenticate, rate-limit, parse, call the handler, encode the response."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from service.edge.api.calls import Call, Dependencies, Route
from service.edge.api.problems import (
    ApiError,
    BadBody,
    EventsArchived,
    NotJson,
    ScopeMissing,
    ServerFault,
    TooManyRequests,
    Unauthorized,
    api_error_response,
    client_error_response,
    http_error_response,
)
from service.edge.api.reading import read_body, read_parameters
from service.edge.api.routes import ROUTES
from service.edge.api.shapes import Parameters
from service.edge.auth import AuthenticationError, bearer_of
from service.edge.claims import includes
from service.edge.http.cors import Cors
from service.edge.http.server import admit
from service.errors import ClientError, Unavailable
from service.eventstore.archive_file import Archived
from service.telemetry import Metrics, get_logger, note_fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp.typedefs import Handler

    from service.edge.auth import Authenticator, Caller
    from service.edge.http.addresses import AddressRate

logger = get_logger(__name__)

PREFIX = "/api"
VERSION = "/v1"

CORS_METHODS = "GET, HEAD, POST, DELETE"
CORS_HEADERS = "Authorization, Content-Type, If-None-Match"
CORS_EXPOSED = "ETag, Retry-After"


class Api:
    """The HTTP application of the API."""

    def __init__(
        self,
        deps: Dependencies,
        authenticator: Authenticator,
        rate: AddressRate,
        origins: Sequence[str],
        metrics: Metrics | None = None,
    ) -> None:
        """Serve authenticated callers, with a rate limit per address.

        Pages of `origins` may read the responses (CORS).
        """
        self._metrics = metrics or Metrics()
        self._deps = deps
        self._authenticator = authenticator
        self._rate = rate
        self._cors = Cors(origins, methods=CORS_METHODS, headers=CORS_HEADERS, exposed=CORS_EXPOSED)

    def app(self) -> web.Application:
        """Return the application to mount at `PREFIX`."""
        app = web.Application(middlewares=[self._report_problems])
        for route in ROUTES:
            handler = self._handler(route)
            app.router.add_route(route.method, VERSION + route.path, handler)
            if route.method == "GET":
                app.router.add_route("HEAD", VERSION + route.path, handler)
        app.on_cleanup.append(self._stop)
        # A signal, so that streamed responses get the headers as well.
        app.on_response_prepare.append(self._add_cors)
        return app

    async def _add_cors(self, request: web.Request, response: web.StreamResponse) -> None:
        self._cors.apply(request, response)

    async def _stop(self, _app: web.Application) -> None:
        self._deps.replays.stop()

    def _handler(self, route: Route[Any]) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            caller = await self._caller(request)
            admit(request)
            if route.scope is not None and not includes(caller.scopes, route.scope):
                raise ScopeMissing(f"This needs the token of a service with scope `{route.scope}`.")
            params = await _params_of(route, request)
            answer = await route.handler(self._deps, Call(params, caller, request))
            # Like an ack of a socket: not while others may have taken over from this node.
            if not await self._deps.hub.flush_scope.released():
                raise Unavailable
            return _response(route, request, answer)

        return answer

    async def _caller(self, request: web.Request) -> Caller:
        try:
            caller = await self._authenticator.check_caller(bearer_of(request))
        except AuthenticationError as error:
            raise Unauthorized(f"{error.message}: send `Authorization: Bearer <JWT>`.") from error
        identity, access = caller.identity, self._deps.world.access
        if identity is not None and not access.allows(identity.user, identity.issued_at_s):
            raise Unauthorized("The token was revoked: get a new one.")
        return caller

    def _check_rate(self, request: web.Request) -> None:
        if not self._rate.allows(request):
            raise TooManyRequests

    async def _preflight(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=204, headers=self._cors.preflight(request))

    @web.middleware
    async def _report_problems(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Convert errors to problem details."""
        try:
            self._check_rate(request)
            return await (self._preflight if _is_preflight(request) else handler)(request)
        except (ApiError, Archived) as error:
            return api_error_response(_api_error(error))
        except ClientError as error:
            return client_error_response(error)
        except web.HTTPException as error:
            return http_error_response(error)
        except (ConnectionError, web.RequestPayloadError):
            # The body ended early, or its encoding is not the one in the headers.
            return api_error_response(BadBody())
        except Exception as error:  # noqa: BLE001 - a fault must fail this request only
            note_fault(self._metrics, "request", error, method=request.method, path=request.path)
            return api_error_response(ServerFault())


def _api_error(error: ApiError | Archived) -> ApiError:
    """Return an error of the API; an archive that can't be read is logged."""
    if isinstance(error, ApiError):
        return error
    logger.warning("archive missing", error_code="ARCHIVED", metadata={"reason": error.message})
    return EventsArchived(error.file)


def _is_preflight(request: web.Request) -> bool:
    return request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers


async def _params_of(route: Route[Any], request: web.Request) -> Any:
    if not route.has_body:
        return read_parameters(route.params_type, request.match_info, request.query)
    read_parameters(Parameters, request.match_info, request.query)
    if request.content_type != "application/json":
        raise NotJson
    return read_body(route.params_type, await request.read())


def _response(route: Route[Any], request: web.Request, answer: object) -> web.StreamResponse:
    """Return the response; 304 if the client has this ETag already."""
    if isinstance(answer, web.StreamResponse):
        return answer
    if answer is None:
        return web.Response(status=204, headers=route.cache)
    body = msgspec.json.encode(answer)
    response = web.Response(body=body, content_type="application/json", headers=route.cache)
    if route.method == "GET":
        etag = hashlib.sha256(body).hexdigest()[:32]
        if any(known.value in {etag, "*"} for known in request.if_none_match or ()):
            response = web.Response(status=304, headers=route.cache)
        response.etag = etag
    return response
