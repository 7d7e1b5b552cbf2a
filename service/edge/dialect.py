"""The two ways to speak with a client; which one it is, the WebSocket subprotocol says."""

from __future__ import annotations

from typing import Any

import msgspec

from service.messages import FromClassicClient, FromV1Client


class Dialect(msgspec.Struct, frozen=True, eq=False):
    """What differs between clients; everything else is the same for all."""

    protocol: str
    decoder: msgspec.json.Decoder[Any]
    types: frozenset[str]
    """The types of the messages that a client may send."""


def _dialect(protocol: str, union: Any) -> Dialect:
    types = frozenset(message.__struct_config__.tag for message in union.__args__)
    return Dialect(protocol, msgspec.json.Decoder(union), types)


CLASSIC = _dialect("ws-service.classic", FromClassicClient)
V1 = _dialect("ws-service.v1", FromV1Client)

PROTOCOLS = (V1.protocol, CLASSIC.protocol)
"""The subprotocols that are selected when a client offers them, the best one first."""


def dialect_of(protocol: str | None) -> Dialect:
    """Return the dialect of the selected subprotocol; none is classic."""
    return V1 if protocol == V1.protocol else CLASSIC
