"""Find out whether the bus can be reached from here."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.settings.sections.cluster import BusSettings

TIMEOUT_S = 5.0
LOOK_AGAIN_S = 0.01

ADVICE = "check WS_BUS_URL, its credentials, and whether NATS runs"


async def connection_failure(settings: BusSettings, name: str) -> str | None:
    """Connect once as the client `name`; return why that fails, or None."""
    # Its client is slow to import.
    from service.bus.nats import CLOSED_BY_SERVER, NatsBus  # noqa: PLC0415 - only a cluster needs it

    bus = NatsBus(settings, name, jitter=random.random, is_quiet=True)
    until = time.monotonic() + TIMEOUT_S
    await bus.start()
    try:
        while not bus.is_connected and time.monotonic() < until:
            # A server that refuses the credentials may be heard to close the connection before it
            # is heard to say why; then the next attempt tells.
            if bus.last_failure not in ("", CLOSED_BY_SERVER):
                return bus.last_failure
            await asyncio.sleep(LOOK_AGAIN_S)
        if bus.is_connected:
            return None
        return bus.last_failure or f"no answer within {TIMEOUT_S:g} s"
    finally:
        await bus.stop()
