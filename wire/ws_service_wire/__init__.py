"""Batched sends and reading of text frames for ws-service, in C."""

from ws_service_wire._wire import Output, SendQueue, read_texts

INTERFACE = 1
"""What `service/edge` expects to find here: another number is not used."""

__all__ = ["INTERFACE", "Output", "SendQueue", "read_texts"]
