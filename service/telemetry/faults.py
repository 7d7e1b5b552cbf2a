"""Report isolated faults: exceptions that affect one message, event or match only.

Each is logged as an error with its traceback, and counted by the part that it happened in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from service.telemetry.logs import get_logger

if TYPE_CHECKING:
    from service.telemetry.metrics import Metrics

FaultPart: TypeAlias = Literal[
    "bot", "bus", "command", "delivery", "feed", "greeting", "message", "move", "observer",
    "request", "rules", "task", "write",
]  # fmt: skip
"""The part of the service that caught the fault."""

logger = get_logger(__name__)


def note_fault(metrics: Metrics, part: FaultPart, error: BaseException, **metadata: object) -> None:
    """Log and count an exception that was caught to isolate it from the rest of the service."""
    metrics.faulted(part)
    logger.error(
        "fault",
        error_type="internal_error",
        metadata={"part": part, **metadata},
        exc_info=error,
    )
