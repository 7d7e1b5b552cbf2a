"""The ways to speak with a client.

A plain WebSocket chooses by its subprotocol. Socket.IO has a path of its own, and there the
messages of the classic contract are events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from service.edge.frames import frame
from service.edge.socketio.packets import event_frame
from service.messages import FromClassicClient, FromV1Client, ToClient

Framing: TypeAlias = Callable[[ToClient], bytes]


class Dialect(msgspec.Struct, frozen=True, eq=False):
    """What differs between clients; everything else is the same for all."""

    protocol: str
    decoder: msgspec.json.Decoder[Any]
    types: frozenset[str]
    """The types of the messages that a client may send."""
    frame: Framing = frame
    """Writes a message as a WebSocket frame."""


def _dialect(protocol: str, union: Any, framing: Framing = frame) -> Dialect:
    types = frozenset(message.__struct_config__.tag for message in union.__args__)
    return Dialect(protocol, msgspec.json.Decoder(union), types, framing)


CLASSIC = _dialect("ws-service.classic", FromClassicClient)
V1 = _dialect("ws-service.v1", FromV1Client)
SOCKET_IO = _dialect("socket.io", FromClassicClient, event_frame)

PROTOCOLS = (V1.protocol, CLASSIC.protocol)
"""The subprotocols that are selected when a client offers them, the best one first."""


def dialect_of(protocol: str | None) -> Dialect:
    """Return the dialect of the selected subprotocol; none is classic."""
    return V1 if protocol == V1.protocol else CLASSIC
