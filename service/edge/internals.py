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
        (
            "_post_start",
            "_on_data_received",
            "_heartbeat_when",
            "_pong_response_cb",
            "_send_heartbeat",
            "_pong_not_received",
            "_reset_heartbeat",
        ),
    ),
)

_UPGRADING = (
    (
        web.RequestHandler,
        "RequestHandler",
        (
            "_manager",
            "_messages",
            "_parser",
            "_request_factory",
            "_task_handler",
            "_drain_helper",
            "_upgraded",
        ),
    ),
    (
        web.WebSocketResponse,
        "WebSocketResponse",
        ("_headers", "_keep_alive", "_loop", "_payload_writer", "_req", "_writer"),
    ),
)
"""What is used to upgrade a connection without a task (`upgraded`)."""

_PLAIN_TCP = {
    "uvloop.loop.TCPTransport": getattr(uvloop.loop, "TCPTransport", None),
    "asyncio._SelectorSocketTransport": getattr(
        asyncio.selector_events, "_SelectorSocketTransport", None
    ),
}
"""The transports that write to the socket what they are given, and nothing else."""


_SET_WHEN_MADE = frozenset(web.WebSocketResponse().__dict__)
"""The attributes that are not declared by the class."""


def _missing(parts: tuple[tuple[Any, str, tuple[str, ...]], ...]) -> list[str]:
    return [
        f"{owner}.{name}"
        for part, owner, names in parts
        for name in names
        if not hasattr(part, name) and name not in _SET_WHEN_MADE
    ]


MISSING_FOR_READING = _missing(_READING)
MISSING_FOR_UPGRADING = MISSING_FOR_READING + _missing(_UPGRADING)
MISSING = MISSING_FOR_UPGRADING + [name for name, one in _PLAIN_TCP.items() if one is None]
"""What is not there; nothing should be."""

IS_EAGER = not MISSING_FOR_READING
"""Whether messages can be handled when they are read."""

UPGRADES_DIRECTLY = not MISSING_FOR_UPGRADING
"""Whether a connection can be upgraded when its request is read."""


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
