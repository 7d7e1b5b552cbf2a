"""What all HTTP connections share: their limits, and who upgrades them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from service.edge.http.address_cap import AddressCap
from service.edge.http.arrivals import Arrivals

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.edge.http.addresses import Addresses
    from service.settings.sections.http import HttpLimits


class Closable(Protocol):
    """A connection that counts."""

    def close_idle(self) -> bool:
        """Close it if it is between requests; return whether it was."""

    def __hash__(self) -> int:
        """Return the same number for as long as it counts."""


class ConnectionLimiter:
    """The limits that all HTTP connections share."""

    def __init__(
        self,
        limits: HttpLimits,
        addresses: Addresses,
        refused: Callable[[str, str], None],
        *,
        head_bytes_max: int,
    ) -> None:
        """Call `refused` with an error code and an address for each connection above the limit."""
        self.limits = limits
        self.head_bytes_max = head_bytes_max
        self.addresses = addresses
        self.refused = refused
        self.arrivals = Arrivals()
        self.upgrade: Callable[[Any], bool] | None = None
        """Upgrades an `HttpConnection` without a task, if it can; None: a task handles them all."""
        self.cap: AddressCap[Closable] = AddressCap(
            limits.unauthenticated_max, lambda connection: connection.close_idle()
        )

    @property
    def peers_are_clients(self) -> bool:
        """Whether peers are clients; behind a proxy only requests contain the client's address."""
        return not self.addresses.trusted_hops
