"""Shared HTTP session limits, and the classification of response statuses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from service import __version__
from service.domain.commands.outbox import Delivered, Indeterminate, Rejected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import ClientResponse

ANSWER_BYTES_MAX = 1024 * 1024

UNREACHABLE = (ClientError, TimeoutError, OSError)
"""What a request raises when there is no answer, or only a part of one."""

_OK = range(200, 300)
_REFUSED = range(400, 500)
_TRY_AGAIN = frozenset({408, 425, 429})


class TooLong(ClientError):
    """The answer is longer than any that is expected."""


def open_session(timeout_s: float, concurrency: int) -> ClientSession:
    """Make a session; no request of it takes longer, and no more than so many go at once."""
    return ClientSession(
        connector=TCPConnector(limit=concurrency),
        timeout=ClientTimeout(total=timeout_s),
        headers={"User-Agent": f"ws-service/{__version__}"},
    )


async def read(response: ClientResponse) -> bytes:
    """Read an answer to its end; raise `TooLong` for one without an end."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            raise TooLong
    return bytes(body)


async def post(
    session: ClientSession, url: str, body: bytes, headers: Mapping[str, str]
) -> Delivered | Rejected | Indeterminate:
    """Send JSON, and say what became of it.

    A cut answer leaves the outcome unknown, whatever its status says.
    """
    headers = {"Content-Type": "application/json", **headers}
    try:
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            await read(response)
    except UNREACHABLE as error:
        return Indeterminate(describe(error))
    return outcome_of(response.status, response.reason or "")


def outcome_of(status: int, reason: str) -> Delivered | Rejected | Indeterminate:
    """Say what a status means for what was sent (docs/integrations.md)."""
    if status in _OK:
        return Delivered()
    said = f"HTTP {status} {reason}".strip()
    if status in _REFUSED and status not in _TRY_AGAIN:
        return Rejected(status, said)
    return Indeterminate(said, status)


def describe(error: BaseException) -> str:
    """Name an error for a person; some have no words of their own."""
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def moment(recorded_at: int) -> str:
    """Write a time of the log as JavaScript does: `2026-11-24T15:00:00.123Z`."""
    time = datetime.fromtimestamp(recorded_at / 1_000_000, UTC)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
