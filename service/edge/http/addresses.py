"""Normalise client addresses, and limit the rate of requests of each."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from service.telemetry import Metrics

IPV6_PREFIX = 64
"""Prefix length of the networks that providers assign to one customer."""

ADDRESSES_CACHED_MAX = 1024
"""Addresses whose normal form is cached; a client asks for its own several times."""

LOG_INTERVAL_S = 10.0
"""Minimum time between two log lines about requests refused with 429."""

_BRACKETED = re.compile(r"\[([^\]]*)\](?::\d{1,5})?")
_WITH_PORT = re.compile(r"([^:]*):\d{1,5}")

logger = get_logger(__name__)


@lru_cache(ADDRESSES_CACHED_MAX)
def normal_address(text: str) -> str | None:
    """Return an IP address in its normal form, or None if it is none.

    A port, brackets, a zone and quotes are dropped, an IPv4 address mapped to IPv6 is IPv4, and
    an IPv6 address is replaced by its /64 network.
    """
    text = text.strip().strip('"').strip()
    found = _BRACKETED.fullmatch(text) or _WITH_PORT.fullmatch(text)
    bare = (found[1] if found else text).partition("%")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))


class Addresses:
    """Finds the address of the client behind the trusted proxies."""

    def __init__(self, trusted_hops: int) -> None:
        """Trust the last `trusted_hops` entries of X-Forwarded-For."""
        self.trusted_hops = trusted_hops

    def of(self, request: web.BaseRequest) -> str:
        """Return the client's address; each trusted proxy has added one to X-Forwarded-For.

        It is the peer's where the header has too few entries, or no address at that place.
        """
        peer = request.remote or ""
        forwarded: str | None = None
        if self.trusted_hops:
            # A proxy may add a second header instead of extending the one of the client.
            headers = ",".join(request.headers.getall("X-Forwarded-For", ()))
            hops = [hop for hop in headers.split(",") if hop.strip()]
            if self.trusted_hops <= len(hops):
                forwarded = normal_address(hops[-self.trusted_hops])
        return forwarded or normal_address(peer) or peer


class AddressRate:
    """Limits the requests per second of each address, by fixed windows of a second."""

    def __init__(self, per_s: int, addresses: Addresses, clock: Callable[[], float]) -> None:
        """Allow `per_s`, or any number when that is 0."""
        self._per_s = per_s
        self._addresses = addresses
        self._clock = clock
        self._window = 0
        self._counts: dict[str, int] = {}

    def would_allow(self, request: web.BaseRequest) -> bool:
        """Tell whether `allows` would return True."""
        if self._per_s == 0:
            return True
        if int(self._clock()) != self._window:
            return True
        return self._counts.get(self._addresses.of(request), 0) < self._per_s

    def allows(self, request: web.BaseRequest) -> bool:
        """Count a request; return whether it is within the limit."""
        if self._per_s == 0:
            return True
        window = int(self._clock())
        if window != self._window:
            self._window = window
            self._counts = {}
        address = self._addresses.of(request)
        self._counts[address] = self._counts.get(address, 0) + 1
        return self._counts[address] <= self._per_s


class Handshakes:
    """Limits the rate of handshakes per address, and logs what is refused."""

    def __init__(
        self, rate: AddressRate, addresses: Addresses, metrics: Metrics, clock: Callable[[], float]
    ) -> None:
        """Count each refusal in `metrics`, and log one line for many."""
        self.addresses = addresses
        self._rate = rate
        self._metrics = metrics
        self._clock = clock
        self._count = 0
        self._logged_at = -LOG_INTERVAL_S

    def would_allow(self, request: web.BaseRequest) -> bool:
        """Tell whether `allows` would return True; count nothing."""
        return self._rate.would_allow(request)

    def allows(self, request: web.BaseRequest) -> bool:
        """Count a handshake; return False if it has to be refused with 429."""
        is_allowed = self._rate.allows(request)
        if not is_allowed:
            self.refused_request("RATE_LIMITED", request)
        return is_allowed

    def refused_request(self, error_code: str, request: web.BaseRequest) -> None:
        """Record that a request is refused with 429."""
        is_forwarded = "X-Forwarded-For" in request.headers
        self.refused(error_code, self.addresses.of(request), is_forwarded=is_forwarded)

    def refused(self, error_code: str, address: str, *, is_forwarded: bool = False) -> None:
        """Record that a request or connection of `address` is refused with 429."""
        self._metrics.handshake_refused(error_code)
        self._count += 1
        now = self._clock()
        if now - self._logged_at < LOG_INTERVAL_S:
            return
        metadata: dict[str, object] = {"address": address, "refused": self._count}
        if is_forwarded and not self.addresses.trusted_hops:
            metadata["hint"] = "requests come through a proxy: set WS_TRUSTED_HOPS"
        logger.warning(
            "connections refused",
            error_type="websocket_error",
            error_code=error_code,
            http_status=int(HTTPStatus.TOO_MANY_REQUESTS),
            metadata=metadata,
        )
        self._logged_at, self._count = now, 0
