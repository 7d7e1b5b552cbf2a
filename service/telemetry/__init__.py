"""Logs, metrics and traces."""

from service.telemetry.faults import FaultPart, note_fault
from service.telemetry.frequent import FrequentLine
from service.telemetry.logs import configure_logging, get_logger
from service.telemetry.metrics import Metrics
from service.telemetry.traces import traces

__all__ = [
    "FaultPart",
    "FrequentLine",
    "Metrics",
    "configure_logging",
    "get_logger",
    "note_fault",
    "traces",
]
