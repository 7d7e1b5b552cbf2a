"""Batched sends and reading of text frames for ws-service, in C."""

from ws_service_wire._wire import Output, Reader, SendQueue

INTERFACE = 2
"""What `service/edge` expects to find here: another number is not used."""

__all__ = ["INTERFACE", "Output", "Reader", "SendQueue"]
