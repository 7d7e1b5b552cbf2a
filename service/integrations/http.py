"""HTTP client for other services: limits of time and size, and what a response status means."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec

from service import __version__
from service.domain.commands.outbox import Delivered, Indeterminate, Rejected
from service.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

RESPONSE_BYTES_MAX = 1024 * 1024
"""The longest response body that is read."""

_OK = range(200, 300)
_CLIENT_ERRORS = range(400, 500)
_RETRYABLE = frozenset({408, 425, 429})


class NoResponse(ServiceError):
    """The other service gave no response that can be read."""


class ResponseTooLong(ServiceError):
    """The response is longer than `RESPONSE_BYTES_MAX`."""


REQUEST_ERRORS = (aiohttp.ClientError, TimeoutError, OSError, ResponseTooLong)
"""What a request raises when there is no response, or only a part of one."""


class JsonResponse(msgspec.Struct, frozen=True):
    """An HTTP status and the decoded JSON body; None for an empty body."""

    status: int
    body: Any


async def request_json(
    method: str,
    url: str,
    *,
    timeout_s: float,
    headers: Mapping[str, str] | None = None,
    body: object = None,
) -> JsonResponse:
    """Send one request and decode the JSON of its response; raise `NoResponse` if there is none.

    Redirects are not followed: the headers may hold a token that is for this address only. Each
    request opens its own session, which costs little for one request a minute and can't leak.
    """
    headers = {"Content-Type": "application/json", **(headers or {})}
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    data = None if body is None else msgspec.json.encode(body)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(
                method, url, headers=headers, data=data, allow_redirects=False
            ) as response,
        ):
            raw = await read_body(response)
    except TimeoutError as error:
        raise NoResponse(f"no answer within {timeout_s:g} s") from error
    except aiohttp.ClientConnectorError as error:
        raise NoResponse(f"no connection: {error.os_error}") from error
    except ResponseTooLong as error:
        raise NoResponse(f"an answer of more than {RESPONSE_BYTES_MAX} bytes") from error
    except (aiohttp.ClientError, OSError, UnicodeError) as error:
        # UnicodeError: the host name can't be encoded for DNS.
        raise NoResponse(str(error) or type(error).__name__) from error
    try:
        return JsonResponse(response.status, msgspec.json.decode(raw) if raw else None)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NoResponse(f"HTTP {response.status} without JSON") from error


def open_session(timeout_s: float, concurrency: int) -> aiohttp.ClientSession:
    """Make a session whose requests take at most `timeout_s`, `concurrency` of them at a time."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=concurrency),
        timeout=aiohttp.ClientTimeout(total=timeout_s),
        headers={"User-Agent": f"ws-service/{__version__}"},
    )


async def read_body(response: aiohttp.ClientResponse) -> bytes:
    """Read the whole body; raise `ResponseTooLong` above `RESPONSE_BYTES_MAX`."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > RESPONSE_BYTES_MAX:
            raise ResponseTooLong
    return bytes(body)


async def post(
    session: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str]
) -> Delivered | Rejected | Indeterminate:
    """Post JSON and classify the outcome.

    A response that is cut off is `Indeterminate`, whatever its status.
    """
    headers = {"Content-Type": "application/json", **headers}
    try:
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            await read_body(response)
    except REQUEST_ERRORS as error:
        return Indeterminate(describe(error))
    return outcome_of(response.status, response.reason or "")


def outcome_of(status: int, reason: str) -> Delivered | Rejected | Indeterminate:
    """Classify a response status: 2xx is delivered, 4xx rejected, all else is tried again.

    408, 425 and 429 are tried again as well (docs/integrations.md).
    """
    if status in _OK:
        return Delivered()
    text = f"HTTP {status} {reason}".strip()
    if status in _CLIENT_ERRORS and status not in _RETRYABLE:
        return Rejected(status, text)
    return Indeterminate(text, status)


def describe(error: BaseException) -> str:
    """Return the type and the text of an exception; some have no text."""
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def iso_time(recorded_at: int) -> str:
    """Format microseconds since 1970 as JavaScript does: `2026-11-24T15:00:00.123Z`."""
    time = datetime.fromtimestamp(recorded_at / 1_000_000, UTC)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
