"""The port of the lease: whether this node may act as the one that it is."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

import msgspec


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
    """The right of an incarnation of this node to acknowledge and to send."""

    @property
    def state(self) -> LeaseState:
        """The state by the clock of this machine, without asking anybody."""

    @property
    def is_valid(self) -> bool:
        """Whether the state is `VALID`."""


class SingleLease:
    """The lease of a node that has no others beside it: always valid."""

    @property
    def state(self) -> LeaseState:
        """Always `VALID`."""
        return LeaseState.VALID

    @property
    def is_valid(self) -> bool:
        """Always true."""
        return True
