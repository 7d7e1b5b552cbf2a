"""A node that alone can't reach the bus is refused at its start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.bus.probe import ADVICE, connection_failure
from service.errors import ConfigurationError

if TYPE_CHECKING:
    from service.cluster.lease import PostgresLease
    from service.settings.sections.cluster import BusSettings

ATTEMPTS = 3
"""A server that has just been started, or a busy machine, may let the first one fail."""


class BusUnreachable(ConfigurationError):
    """The bus can't be reached from here, while other nodes are connected to it."""

    error_code = "BUS_UNREACHABLE"
    exit_code = 1


async def check_bus(settings: BusSettings, lease: PostgresLease, name: str) -> None:
    """Raise `BusUnreachable` if others have the bus, and this node would have to leave again.

    Without the bus anywhere a node starts: all go on by the database.
    """
    if not await lease.are_others_on_bus():
        return
    for _ in range(ATTEMPTS):
        failure = await connection_failure(settings, name)
        if failure is None:
            break
    else:
        raise BusUnreachable(
            f"the bus can't be reached, while other nodes are connected to it: {failure}; {ADVICE}"
        )
