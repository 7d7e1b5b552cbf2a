"""Client addresses in one normal form, and the rate of requests of each."""

from __future__ import annotations

import ipaddress
import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from service.telemetry import Metrics

IPV6_PREFIX = 64
"""One customer has a whole network of so many bits, and may take any address of it."""

TELL_EVERY_S = 10.0
"""Least time between two log lines about what was refused with 429."""

_BRACKETED = re.compile(r"\[([^\]]*)\](?::\d{1,5})?")
_WITH_PORT = re.compile(r"([^:]*):\d{1,5}")

logger = get_logger(__name__)


def normal_address(text: str) -> str | None:
    """Return the one form of an IP address, or None for what is none.

    A port, brackets, a zone and quotes are dropped, an IPv4 address mapped to IPv6 is IPv4, and
    an IPv6 address stands for its /64 network.
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
        """Believe so many entries of X-Forwarded-For, counted from its end."""
        self.trusted_hops = trusted_hops

    def of(self, request: web.Request) -> str:
        """Return the client's address; each trusted proxy has added one to X-Forwarded-For.

        It is the peer's where the header has too few entries, or no address at that place.
        """
        peer = request.remote or ""
        forwarded: str | None = None
        if self.trusted_hops:
            # A proxy may add a header of its own below the one that the client has sent.
            headers = ",".join(request.headers.getall("X-Forwarded-For", ()))
            hops = [hop for hop in headers.split(",") if hop.strip()]
            if self.trusted_hops <= len(hops):
                forwarded = normal_address(hops[-self.trusted_hops])
        return forwarded or normal_address(peer) or peer


class AddressRate:
    """How often one address may ask for something in a second: a fixed window for each."""

    def __init__(self, per_s: int, addresses: Addresses, clock: Callable[[], float]) -> None:
        """Allow `per_s`, or any number when that is 0."""
        self._per_s = per_s
        self._addresses = addresses
        self._clock = clock
        self._window = 0
        self._counts: dict[str, int] = {}

    def allows(self, request: web.Request) -> bool:
        """Count this request, and tell whether it is one of those that are allowed."""
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
    """Admits handshakes at the rate of their address, and tells operators of those refused."""

    def __init__(
        self, rate: AddressRate, addresses: Addresses, metrics: Metrics, clock: Callable[[], float]
    ) -> None:
        """Count each refusal, and log one line for many."""
        self.addresses = addresses
        self._rate = rate
        self._metrics = metrics
        self._clock = clock
        self._count = 0
        self._told_at = -TELL_EVERY_S

    def allows(self, request: web.Request) -> bool:
        """Count a handshake, and tell whether it may go on; if not, answer with 429."""
        is_allowed = self._rate.allows(request)
        if not is_allowed:
            self.refused_request("RATE_LIMITED", request)
        return is_allowed

    def refused_request(self, error_code: str, request: web.Request) -> None:
        """Note that a request is refused with 429."""
        is_forwarded = "X-Forwarded-For" in request.headers
        self.refused(error_code, self.addresses.of(request), is_forwarded=is_forwarded)

    def refused(self, error_code: str, address: str, *, is_forwarded: bool = False) -> None:
        """Note that something of `address` is refused with 429."""
        self._metrics.handshake_refused(error_code)
        self._count += 1
        now = self._clock()
        if now - self._told_at < TELL_EVERY_S:
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
        self._told_at, self._count = now, 0
