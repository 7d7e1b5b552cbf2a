"""Encode messages as WebSocket frames that any socket can send: unmasked text (RFC 6455, 5.2).

Messages are framed for all transports; long polling removes the header of each frame.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.domain.events.base import Position
    from service.protocol import FromClient, ToClient

TEXT_FRAME = 0x81
"""FIN and the opcode of a text frame."""

_LENGTH_7_MAX = 125
_LENGTH_16_MAX = 0xFFFF

_LENGTH_16 = 126
_LENGTH_64 = 127

_HEADS_KEPT = 1024
"""The lengths whose headers are kept, as most messages are so short."""

_TYPE = re.compile(rb'(?:\{"type":|\d\[)"([^"]*)"')
"""The type of a message, which is first in a plain message and in a Socket.IO event."""

_TYPE_WITHIN = 128

_encode = msgspec.json.Encoder().encode


def _head(length: int) -> bytes:
    """Return the header of a text frame."""
    if length <= _LENGTH_7_MAX:
        return bytes((TEXT_FRAME, length))
    if length <= _LENGTH_16_MAX:
        return bytes((TEXT_FRAME, _LENGTH_16)) + length.to_bytes(2, "big")
    return bytes((TEXT_FRAME, _LENGTH_64)) + length.to_bytes(8, "big")


_HEADS = [_head(length) for length in range(_HEADS_KEPT)]


def frame(message: ToClient, position: Position | None = None) -> bytes:
    """Encode a message as a frame, with the position of its event if it has one."""
    payload = _encode(message)
    if position is not None:
        payload = b'%b,"position":%d}' % (payload[:-1], position)
    return text_frame(payload)


def text_frame(payload: bytes) -> bytes:
    """Encode a text as a frame."""
    length = len(payload)
    return (_HEADS[length] if length < _HEADS_KEPT else _head(length)) + payload


def type_of(message: ToClient | FromClient) -> str:
    """Return the `type` of a message."""
    return message.__struct_config__.tag  # type: ignore[return-value]  # a tag is a text here


def type_in(data: bytes) -> str:
    """Return the `type` of the message in a frame; Socket.IO acks have none."""
    found = _TYPE.search(data, 0, _TYPE_WITHIN)
    return "ack" if found is None else found[1].decode()


def texts_of(frames: bytes) -> Iterator[bytes]:
    """Yield the payloads of adjacent frames."""
    begin = 0
    while begin < len(frames):
        length = frames[begin + 1]
        begin += 2
        if length > _LENGTH_7_MAX:
            size = 2 if length == _LENGTH_16 else 8
            length = int.from_bytes(frames[begin : begin + size], "big")
            begin += size
        yield frames[begin : begin + length]
        begin += length
