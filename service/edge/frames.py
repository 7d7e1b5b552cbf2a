"""Messages as WebSocket frames, ready for any socket: unmasked text frames (RFC 6455, 5.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from service.domain.event import Position
    from service.messages import ToClient

TEXT_FRAME = 0x81
"""FIN and the opcode of a text frame."""

_LENGTH_7_MAX = 125
_LENGTH_16_MAX = 0xFFFF

_TYPE = b'"type":"'

_encoder = msgspec.json.Encoder()


def frame(message: ToClient, position: Position | None = None) -> bytes:
    """Write a message as a frame, with the position of its event if it has one."""
    payload = _encoder.encode(message)
    if position is not None:
        payload = b'%b,"position":%d}' % (payload[:-1], position)
    length = len(payload)
    if length <= _LENGTH_7_MAX:
        return bytes((TEXT_FRAME, length)) + payload
    if length <= _LENGTH_16_MAX:
        return bytes((TEXT_FRAME, 126)) + length.to_bytes(2, "big") + payload
    return bytes((TEXT_FRAME, 127)) + length.to_bytes(8, "big") + payload


def type_of(message: ToClient) -> str:
    """Return the type of a message, as it stands in its frame."""
    return message.__struct_config__.tag  # type: ignore[return-value]


def type_in(data: bytes) -> str:
    """Read the type of a message in its frame, where the encoder writes it first."""
    begin = data.index(_TYPE) + len(_TYPE)
    return data[begin : data.index(b'"', begin)].decode()
