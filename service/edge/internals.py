"""The private parts of aiohttp and uvloop that the service uses, checked when this is imported.

What is not as expected is named in `MISSING`, and done without: messages are read by aiohttp's
own tasks, and written by the transports.
"""

from __future__ import annotations

import asyncio.selector_events
import socket
from typing import Any

import uvloop
from aiohttp import web, web_ws

QUEUE, READER = "WebSocketDataQueue", "WebSocketReader"
CALLBACK = "_data_received_cb"
"""The names by which a WebSocket of aiohttp makes its queue and its parser."""

DataQueue: Any = getattr(web_ws, QUEUE, None)
Reader: Any = getattr(web_ws, READER, None)

_READING = (
    (DataQueue, QUEUE, ("feed_data", "set_exception", "_buffer", "_stalled_reader")),
    (Reader, READER, ("feed_data",)),
    (
        web.WebSocketResponse,
        "WebSocketResponse",
        ("_post_start", "_on_data_received", "_heartbeat_when", "_pong_response_cb"),
    ),
)

_PLAIN_TCP = {
    "uvloop.loop.TCPTransport": getattr(uvloop.loop, "TCPTransport", None),
    "asyncio._SelectorSocketTransport": getattr(
        asyncio.selector_events, "_SelectorSocketTransport", None
    ),
}
"""The transports that write to the socket what they are given, and nothing else."""

MISSING_FOR_READING = [
    f"{owner}.{name}"
    for part, owner, names in _READING
    for name in names
    if not hasattr(part, name)
]
MISSING = MISSING_FOR_READING + [name for name, one in _PLAIN_TCP.items() if one is None]
"""What is not there; nothing should be."""

IS_EAGER = not MISSING_FOR_READING
"""Whether messages can be handled when they are read."""


def descriptor(transport: object) -> int:
    """Return the descriptor of a plain TCP connection that is open; -1 for any other transport."""
    if type(transport) not in _PLAIN_TCP.values():
        return -1
    if transport.is_closing():  # type: ignore[attr-defined]  # it is one of the transports above
        return -1
    found = transport.get_extra_info("socket")  # type: ignore[attr-defined]  # the same
    if found is None or found.family not in (socket.AF_INET, socket.AF_INET6):
        return -1
    return int(found.fileno())
