"""Decode and encode the packets of Engine.IO 4 and Socket.IO 5; no I/O.

An Engine.IO packet is a digit and a text. The text of a message is a Socket.IO packet: a digit,
a namespace unless it is `/`, the number of an acknowledgement where one is wanted, and JSON.
"""

from __future__ import annotations

import re
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

import msgspec

from service.edge.frames import text_frame
from service.errors import ServiceError
from service.protocol import ToClient, classic, v1

if TYPE_CHECKING:
    from collections.abc import Iterator

MAIN = "/"
"""The only namespace."""

SEPARATOR = "\x1e"
"""Separates the packets in the body of a poll or post."""

BINARY = "b"
"""The prefix of a binary packet in the body of a poll or post."""


class EngineType(StrEnum):
    """The types of Engine.IO packets."""

    OPEN = "0"
    CLOSE = "1"
    PING = "2"
    PONG = "3"
    MESSAGE = "4"
    UPGRADE = "5"
    NOOP = "6"


class PacketKind(IntEnum):
    """The types of Socket.IO packets."""

    CONNECT = 0
    DISCONNECT = 1
    EVENT = 2
    ACK = 3
    CONNECT_ERROR = 4
    BINARY_EVENT = 5
    BINARY_ACK = 6


PROBE = EngineType.PING + "probe"
PROBED = EngineType.PONG + "probe"

CLOSE_FRAME = text_frame(EngineType.CLOSE.encode())
PING_FRAME = text_frame(EngineType.PING.encode())
DISCONNECT_FRAME = text_frame(b"41")

_PACKET = re.compile(
    r"(?:([0-4])|([56])\d{1,9}-)"  # the type; the number of attachments
    r"(?:(/[^,]*)(?:,|$))?"  # the namespace
    r"(\d{1,15})?"  # the ack id
    r"(.*)",
    re.DOTALL | re.ASCII,
)

_TEXT = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_BARE = re.compile(r'[^\[\]{},:"\s]++')
"""Strings in JSON, valid or not, and other scalars, such as numbers."""

_list_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_name_decoder = msgspec.json.Decoder(str)
_encoder = msgspec.json.Encoder()


class InvalidPacket(ServiceError):
    """The client sent a malformed packet, or one that is not allowed in this state."""


class Packet(msgspec.Struct, frozen=True):
    """A Socket.IO packet of a client."""

    kind: PacketKind
    namespace: str
    id: str | None
    """The ack id, if the client asks for an acknowledgement."""
    data: str


class Opened(msgspec.Struct, frozen=True, rename="camel"):
    """The content of the first packet of a connection."""

    sid: str
    upgrades: list[str]
    ping_interval: int
    ping_timeout: int
    max_payload: int


class _Auth(msgspec.Struct):
    token: str | None = None


_auth_decoder = msgspec.json.Decoder(_Auth)


class _Connected(msgspec.Struct):
    sid: str


class _ErrorData(msgspec.Struct):
    code: int


class _ConnectError(msgspec.Struct, omit_defaults=True):
    message: str
    data: _ErrorData | None = None


# From clients


def split(payload: str) -> Iterator[str]:
    """Split the body of a post into Engine.IO packets."""
    yield from payload.split(SEPARATOR)


def read(text: str) -> Packet:
    """Decode a Socket.IO packet; raise `InvalidPacket`."""
    found = _PACKET.fullmatch(text)
    if found is None:
        raise InvalidPacket
    plain, binary, namespace, id_, data = found.groups()
    # A namespace may have a query, which is ignored.
    namespace = (namespace or MAIN).partition("?")[0]
    return Packet(PacketKind(int(plain or binary)), namespace, id_, data)


def token_in(packet: Packet) -> str | None:
    """Return the token in the `auth` of a CONNECT packet; raise `InvalidPacket`."""
    try:
        return _auth_decoder.decode(packet.data).token if packet.data else None
    except msgspec.ValidationError:
        return None
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidPacket from error


def message_of(packet: Packet) -> str:
    """Convert an event to a message of the classic contract; raise `InvalidPacket`.

    The name of the event is its `type`, the number of the acknowledgement its `id`. What is no
    object has no fields, and further arguments mean nothing. An event with a value that can't be
    read is no message either, but the text that is returned still has the number.
    """
    try:
        name, *arguments = _list_decoder.decode(packet.data)
        _name_decoder.decode(name)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        if _has_only_a_bad_value(packet.data):
            return f'{{"data":{packet.data},"id":{packet.id or "null"}}}'
        raise InvalidPacket from error
    fields = bytes(arguments[0]).strip() if arguments else b""
    inner = fields[1:-1].strip() if fields.startswith(b"{") else b""
    # The last one of equal keys wins, so that no field can replace the ack id.
    id_ = (packet.id or "null").encode()
    parts = (b'"type":%b' % bytes(name), inner, b'"id":%b' % id_)
    return (b"{%b}" % b",".join(part for part in parts if part)).decode()


def _has_only_a_bad_value(data: str) -> bool:
    """Tell whether an event is well-formed apart from its strings and numbers."""
    if not data.startswith('["'):
        return False
    structure = _BARE.sub("0", _TEXT.sub('""', data))
    try:
        return bool(_list_decoder.decode(structure))
    except RecursionError:
        return True
    except msgspec.DecodeError:
        return False


# To clients


def open_frame(opened: Opened) -> bytes:
    """Encode the first packet of a connection."""
    return text_frame(b"0" + _encoder.encode(opened))


def connected_frame(sid: str) -> bytes:
    """Encode the answer to a CONNECT packet, with the id of the session."""
    return text_frame(b"40" + _encoder.encode(_Connected(sid)))


def connect_error_frame(message: str, code: int) -> bytes:
    """Encode the refusal of a CONNECT packet, with the close code and reason of a WebSocket."""
    return text_frame(b"44" + _encoder.encode(_ConnectError(message, _ErrorData(code))))


def unknown_namespace_frame(namespace: str) -> bytes:
    """Encode the refusal of a CONNECT packet for another namespace."""
    error = _encoder.encode(_ConnectError("Invalid namespace"))
    return text_frame(b"44%b,%b" % (namespace.encode(), error))


def event_frame(message: ToClient) -> bytes:
    """Encode a message as an event named by its type, or an ack as an acknowledgement."""
    match message:
        case v1.Ack():
            return _ack_frame(message.id, {"ok": True, **_said(message)})
        case classic.Error(code, text, str(id_)):
            return _ack_frame(id_, {"error": {"code": code, "message": text}})
        case _:
            # The encoder puts the type first.
            payload = _encoder.encode(message).removeprefix(b'{"type":"')
            name, _, fields = payload.partition(b'"')
            return text_frame(b'42["%b",{%b]' % (name, fields.removeprefix(b",")))


def _said(ack: v1.Ack) -> dict[str, object]:
    said: dict[str, object] = {"position": ack.position}
    if ack.room_id is not msgspec.UNSET:
        said["roomId"] = ack.room_id
    return said


def _ack_frame(id_: str, answer: dict[str, object]) -> bytes:
    return text_frame(b"43%b[%b]" % (id_.encode(), _encoder.encode(answer)))
