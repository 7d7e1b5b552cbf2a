"""The check of the bus between the nodes of a cluster."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

from service.cli.doctor.findings import Finding

if TYPE_CHECKING:
    from service.settings import Settings

CHECK = "bus"
TIMEOUT_S = 5.0
LOOK_AGAIN_S = 0.01

ADVICE = "check WS_BUS_URL, its credentials, and whether NATS runs; without it rooms of other nodes"
ADVICE_REST = "answer UNAVAILABLE, and nodes follow each other by reading the database"


async def check_bus(settings: Settings) -> list[Finding]:
    """Connect to the bus once."""
    if settings.bus.url is None:
        return [Finding(CHECK, "ok", "WS_BUS_URL is not set: this is the only node")]
    # Its client is slow to import.
    from service.bus.nats import CLOSED_BY_SERVER, NatsBus  # noqa: PLC0415 - only a cluster needs it

    bus = NatsBus(settings.bus, "ws-service doctor", jitter=random.random)
    began = time.monotonic()
    await bus.start()
    try:
        while not bus.is_connected and time.monotonic() - began < TIMEOUT_S:
            # A server that refuses the credentials may be heard to close the connection before it
            # is heard to say why; then the next attempt tells.
            if bus.last_failure not in ("", CLOSED_BY_SERVER):
                break
            await asyncio.sleep(LOOK_AGAIN_S)
        took_ms = (time.monotonic() - began) * 1000
        if bus.is_connected:
            return [Finding(CHECK, "ok", f"NATS answers; it took {took_ms:.0f} ms to connect")]
        reason = bus.last_failure or f"no answer within {TIMEOUT_S:g} s"
        return [Finding(CHECK, "fail", f"no connection: {reason}", f"{ADVICE} {ADVICE_REST}")]
    finally:
        await bus.stop()
