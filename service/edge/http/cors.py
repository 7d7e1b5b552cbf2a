"""Cross-origin resource sharing (CORS) for pages of the allowed origins."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

PREFLIGHT_KEPT_S = 600


class Cors:
    """Allows pages of the allowed origins to read the responses of some paths."""

    def __init__(self, origins: Sequence[str], *, methods: str, headers: str, exposed: str) -> None:
        """Allow requests with these methods and headers; pages may read the headers `exposed`."""
        self._origins = frozenset(origins)
        self._methods = methods
        self._headers = headers
        self._exposed = exposed

    def permission(self, request: web.Request) -> dict[str, str]:
        """Return the headers of any response to `request`."""
        origin = self._allowed(request)
        if origin is None:
            return {}
        allowed = {"Access-Control-Allow-Origin": origin}
        return allowed | ({"Access-Control-Expose-Headers": self._exposed} if self._exposed else {})

    def preflight(self, request: web.Request) -> dict[str, str]:
        """Return the headers of the response to OPTIONS."""
        if self._allowed(request) is None:
            return {}
        return {
            "Access-Control-Allow-Methods": self._methods,
            "Access-Control-Allow-Headers": self._headers,
            "Access-Control-Max-Age": str(PREFLIGHT_KEPT_S),
        }

    def apply(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add the headers to `response`."""
        response.headers.update(self.permission(request))
        varied = response.headers.get("Vary")
        response.headers["Vary"] = f"{varied}, Origin" if varied else "Origin"

    def _allowed(self, request: web.Request) -> str | None:
        origin = request.headers.get("Origin")
        return origin if origin is not None and {"*", origin} & self._origins else None
