"""HTTP requests to other services with time and size limits and one error type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec

from service.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWER_BYTES_MAX = 1024 * 1024
_CHUNK_BYTES = 64 * 1024


class NoAnswer(ServiceError):
    """The other service gave no answer that can be read."""


class Answer(msgspec.Struct, frozen=True):
    """What came back; `body` is read JSON."""

    status: int
    body: Any


async def ask(
    method: str,
    url: str,
    *,
    timeout_s: float,
    headers: Mapping[str, str] | None = None,
    body: object = None,
) -> Answer:
    """Send one request with JSON and read the JSON that answers it; raise `NoAnswer` else.

    Redirects are not followed: the headers may hold a token that is for this address only. A
    session for each request costs little where one goes out every minute, and can't be left open.
    """
    headers = {"Content-Type": "application/json", **(headers or {})}
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    sent = None if body is None else msgspec.json.encode(body)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(
                method, url, headers=headers, data=sent, allow_redirects=False
            ) as response,
        ):
            raw = await _read(response)
    except TimeoutError as error:
        raise NoAnswer(f"no answer within {timeout_s:g} s") from error
    except aiohttp.ClientConnectorError as error:
        raise NoAnswer(f"no connection: {error.os_error}") from error
    except (aiohttp.ClientError, OSError, UnicodeError) as error:
        # The last one is of a host that can be none.
        raise NoAnswer(str(error) or type(error).__name__) from error
    try:
        return Answer(response.status, msgspec.json.decode(raw) if raw else None)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NoAnswer(f"HTTP {response.status} without JSON") from error


async def _read(response: aiohttp.ClientResponse) -> bytes:
    raw = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        raw += chunk
        if len(raw) > ANSWER_BYTES_MAX:
            raise NoAnswer(f"an answer of more than {ANSWER_BYTES_MAX} bytes")
    return bytes(raw)
