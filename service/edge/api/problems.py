"""Error responses of the HTTP API (problem details, RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import ClassVar

import msgspec
from aiohttp import web
from msgspec import UNSET, UnsetType

from service.domain.errors import RoomNotFound
from service.errors import ClientError, ServiceError, Unavailable

MEDIA_TYPE = "application/problem+json"

NONE: Mapping[str, str] = MappingProxyType({})
RETRY_SOON = MappingProxyType({"Retry-After": "1"})


_TITLES = MappingProxyType({HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Request Entity Too Large"})
"""Python 3.13 calls this status otherwise; answers do not depend on the version."""


def title_of(status: HTTPStatus) -> str:
    """Return the title of the problems with this status."""
    return _TITLES.get(status, status.phrase)


class Problem(msgspec.Struct, frozen=True):
    """An error: `code` is for programs, `detail` for humans, `field` names the wrong parameter."""

    title: str
    status: int
    code: str
    detail: str
    field: str | UnsetType = UNSET
    type: str = "about:blank"


class ApiError(ServiceError):
    """The request was refused; subclasses define the status and the code."""

    status: ClassVar[HTTPStatus] = HTTPStatus.BAD_REQUEST
    code: ClassVar[str]
    headers: ClassVar[Mapping[str, str]] = NONE

    def __init__(self, message: str | None = None, field: str | None = None) -> None:
        """Take the detail, and the name of the wrong parameter or field of the body."""
        super().__init__(message)
        self.field = field


class BadParameter(ApiError):
    """A parameter, or a field of the body, is missing, unknown or wrong; `field` names it."""

    code = "BAD_PARAMETER"


class BadBody(ApiError):
    """The body must be one JSON object in UTF-8."""

    code = "BAD_BODY"


class NotJson(ApiError):
    """The body must have the `Content-Type` `application/json`."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "NOT_JSON"


class Unauthorized(ApiError):
    """Send a valid token: `Authorization: Bearer <JWT>`."""

    status = HTTPStatus.UNAUTHORIZED
    code = "UNAUTHORIZED"
    headers = MappingProxyType({"WWW-Authenticate": "Bearer"})


class ScopeMissing(ApiError):
    """This needs a service token with the scope for it."""

    status = HTTPStatus.FORBIDDEN
    code = "SCOPE_MISSING"


class MatchNotFound(ApiError):
    """There is no such match, or you may not see it."""

    status = HTTPStatus.NOT_FOUND
    code = "MATCH_NOT_FOUND"


class PlayerNotFound(ApiError):
    """Nobody with this id has been here."""

    status = HTTPStatus.NOT_FOUND
    code = "PLAYER_NOT_FOUND"


class MatchIsLive(ApiError):
    """The match is still live; join its room as a spectator to watch it."""

    status = HTTPStatus.CONFLICT
    code = "MATCH_IS_LIVE"


class DeliveryNotFound(ApiError):
    """No delivery of this match is pending or rejected."""

    status = HTTPStatus.NOT_FOUND
    code = "DELIVERY_NOT_FOUND"


class NotReplayable(ApiError):
    """The match can't be replayed: its version of the rules is missing, or it is too long."""

    status = HTTPStatus.CONFLICT
    code = "NOT_REPLAYABLE"


class EventsArchived(ApiError):
    """The events of the match are in an archive that this node can't read."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "ARCHIVED"

    def __init__(self, file: str) -> None:
        """Name the file of the archive."""
        super().__init__(f"The events of the match are in the archive {file}, which is missing.")


class TooManyReplays(ApiError):
    """Too many replays are running; try again in a second."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "TOO_MANY_REPLAYS"
    headers = RETRY_SOON


class TooManyRequests(ApiError):
    """Too many requests from your address in this second; slow down."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "RATE_LIMITED"
    headers = RETRY_SOON


class PathNotFound(ApiError):
    """There is nothing at this path."""

    status = HTTPStatus.NOT_FOUND
    code = "NOT_FOUND"


class MethodNotAllowed(ApiError):
    """This path does not support the method; the header `Allow` lists those it supports."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    code = "METHOD_NOT_ALLOWED"


class BodyTooLarge(ApiError):
    """The body is larger than a message may be."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "BODY_TOO_LARGE"


class ServerFault(ApiError):
    """The service failed; its log has the reason."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "INTERNAL_ERROR"


_OF_THE_SERVER = {one.status: one for one in (PathNotFound, MethodNotAllowed, BodyTooLarge)}

_STATUS_OF: Mapping[type[ClientError], HTTPStatus] = {
    RoomNotFound: HTTPStatus.NOT_FOUND,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


def api_error_response(error: ApiError) -> web.Response:
    """Return the response for an error of the API."""
    return _response(error.status, error.code, error.message, error.headers, error.field)


def client_error_response(error: ClientError) -> web.Response:
    """Return the response for an error that sockets get as well."""
    status = _STATUS_OF.get(type(error), HTTPStatus.CONFLICT)
    headers = RETRY_SOON if status is HTTPStatus.SERVICE_UNAVAILABLE else NONE
    return _response(status, error.code, error.message, headers, error.field)


def http_error_response(error: web.HTTPException) -> web.Response:
    """Return the response for an error of the HTTP server: path, method or size."""
    status = HTTPStatus(error.status)
    refusal = _OF_THE_SERVER.get(status)
    if refusal is None:
        return _response(status, f"HTTP_{error.status}", error.reason)
    kept = {name: value for name, value in error.headers.items() if name == "Allow"}
    return _response(status, refusal.code, refusal().message, kept)


def _response(
    status: HTTPStatus,
    code: str,
    detail: str,
    headers: Mapping[str, str] = NONE,
    field: str | None = None,
) -> web.Response:
    title = title_of(status)
    problem = Problem(title, int(status), code, detail, UNSET if field is None else field)
    return web.Response(
        body=msgspec.json.encode(problem),
        status=status,
        content_type=MEDIA_TYPE,
        headers={**headers, "Cache-Control": "no-store"},
    )
