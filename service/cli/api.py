"""Ask the HTTP API of the running service, for the commands that look at it or step in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import aiohttp
import typer

from service.errors import ServiceError

if TYPE_CHECKING:
    from service.settings import Settings

OK = 200

_ADDRESS = re.compile(r"(?:http|ws)(s?://[^/?#\s]+(?:/[^?#\s]*)?)")


class ServiceNotReached(ServiceError):
    """The service cannot be reached, or refuses what it is asked for."""


def base_url(url: str | None, settings: Settings, scheme: Literal["http", "ws"] = "http") -> str:
    """Return the address of the service for a scheme: the one given, or that of this machine.

    Raises `BadParameter` for what is none; `http` and `ws` are taken for each other.
    """
    found = _ADDRESS.fullmatch(url or f"http://127.0.0.1:{settings.listen.port}")
    if not found:
        raise typer.BadParameter("give it like http://127.0.0.1:4000", param_hint="--url")
    address = f"{scheme}{found[1]}".rstrip("/")
    return http_address(address) if scheme == "http" else address


def http_address(url: str) -> str:
    """Return the address of the HTTP API where sockets connect to `url`, which may end with /ws."""
    return re.sub(r"^ws", "http", url).rstrip("/").removesuffix("/ws")


async def ask(
    http: aiohttp.ClientSession, method: str, url: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the answer to a request, with a JSON body or without; raise `ServiceNotReached`."""
    try:
        async with http.request(method, url, json=body) as response:
            answer = await response.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        reason = str(error) or "it does not answer"
        message = f"{url} can't be reached: {reason}; is the service running?"
        raise ServiceNotReached(message) from error
    found: dict[str, Any] = answer if isinstance(answer, dict) else {}
    if response.status != OK or not found:
        message = f"{url} answers {response.status}. {found.get('detail', '')}"
        raise ServiceNotReached(message.strip())
    return found
