"""The port of the lease: whether this node may act as the one that it is."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.domain.ids import Owner


class LeaseState(Enum):
    """Whether others can have taken over from this node."""

    VALID = "valid"
    SUSPENDED = "suspended"
    """It could not be renewed in time: nothing may be acknowledged or sent, but it may be again."""
    LOST = "lost"
    """Others have taken over; this incarnation of the node has ended."""


class NodeReport(msgspec.Struct, frozen=True):
    """What a node tells of itself with each renewal, for operators and other nodes."""

    position: int = 0
    """The position up to which it has folded the log."""
    sockets: int = 0
    rooms: int = 0
    bus_ok: bool = True
    """Whether it is connected to the bus."""
    draining: bool = False


class Lease(Protocol):
    """The lease of this incarnation of the node, which has begun."""

    @property
    def is_valid(self) -> bool:
        """Whether no other node can have declared this one lost yet."""

    @property
    def suspended_s(self) -> float:
        """How long it has not been valid, in seconds."""

    @property
    def others_on_bus(self) -> bool:
        """Whether a live node was connected to the bus, when last asked; only without it here."""

    async def run(self, report: Callable[[], NodeReport], on_gone: Callable[[Owner], None]) -> None:
        """Renew the lease until it is lost; raise `LeaseLost` then.

        `on_gone` is called, repeatedly, with each other node that may be declared lost.
        """

    async def leave(self) -> None:
        """Give the lease up."""
