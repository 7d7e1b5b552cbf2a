"""Dialects: the classic contract, Socket.IO and protocol v1.

A plain WebSocket chooses by its subprotocol. Socket.IO has a path of its own, and there the
messages of the classic contract are events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, get_args

import msgspec

from service.edge.frames import frame
from service.edge.socketio.packets import event_frame
from service.protocol import FromClassicClient, FromClientMessage, FromV1Client, ToClient

Framing: TypeAlias = Callable[[ToClient], bytes]


class Dialect(msgspec.Struct, frozen=True, eq=False):
    """How the messages of one kind of client are decoded, named and framed."""

    protocol: str
    decoder: msgspec.json.Decoder[Any]
    types: Mapping[type[FromClientMessage], str]
    """The types that a client may send, with the `type` of each on the wire."""
    fields: Mapping[str, frozenset[str]]
    """The field names of each `type`."""
    is_strict: bool = False
    """Whether unknown fields are refused."""
    unchecked: frozenset[type[FromClientMessage]] = frozenset()
    """The types whose unknown fields a strict dialect checks after decoding."""
    frame: Framing = frame
    """Encodes a message as a WebSocket frame."""


def _dialect(
    protocol: str, union: Any, *, is_strict: bool = False, framing: Framing = frame
) -> Dialect:
    messages: tuple[type[FromClientMessage], ...] = get_args(union)
    types = {message: str(message.__struct_config__.tag) for message in messages}
    fields = {tag: _names_in(message) for message, tag in types.items()}
    shared = (one for one in messages if not one.__struct_config__.forbid_unknown_fields)
    unchecked = frozenset(shared if is_strict else ())
    return Dialect(
        protocol, msgspec.json.Decoder(union), types, fields, is_strict, unchecked, framing
    )


def _names_in(message: type[FromClientMessage]) -> frozenset[str]:
    return frozenset({"type", *message.__struct_encode_fields__})


CLASSIC = _dialect("ws-service.classic", FromClassicClient)
V1 = _dialect("ws-service.v1", FromV1Client, is_strict=True)
SOCKET_IO = _dialect("socket.io", FromClassicClient, framing=event_frame)

PROTOCOLS = (V1.protocol, CLASSIC.protocol)
"""The supported subprotocols, in order of preference."""


def dialect_of(protocol: str | None) -> Dialect:
    """Return the dialect of the selected subprotocol; classic if none was selected."""
    return V1 if protocol == V1.protocol else CLASSIC
