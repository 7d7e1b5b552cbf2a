"""The check of the bus between the nodes of a cluster."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from service.bus.probe import ADVICE, connection_failure
from service.cli.doctor.findings import Finding

if TYPE_CHECKING:
    from service.settings import Settings

CHECK = "bus"

ADVICE_REST = (
    "without it rooms of other nodes answer UNAVAILABLE, and nodes follow each other by reading "
    "the database"
)


async def check_bus(settings: Settings) -> list[Finding]:
    """Connect to the bus once."""
    if settings.bus.url is None:
        return [Finding(CHECK, "ok", "WS_BUS_URL is not set: this is the only node")]
    began = time.monotonic()
    failure = await connection_failure(settings.bus, "ws-service doctor")
    took_ms = (time.monotonic() - began) * 1000
    if failure is None:
        return [Finding(CHECK, "ok", f"NATS answers; it took {took_ms:.0f} ms to connect")]
    return [Finding(CHECK, "fail", f"no connection: {failure}", f"{ADVICE}; {ADVICE_REST}")]
