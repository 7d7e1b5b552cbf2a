"""Events to bytes and back; older forms are lifted to the present one when they are read."""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from service.domain.events import EVENT_TYPES
from service.domain.events.base import Event
from service.errors import ServiceError
from service.eventstore.records import Meta

Upcast: TypeAlias = Callable[[bytes], bytes]


def _room_created_2(data: bytes) -> bytes:
    """Say of a room that its id was not chosen: nobody could use an id twice then."""
    return data[:-1] + b',"named":false}'


class _Keys(msgspec.Struct):
    kind: str = ""
    up: bool = False
    down: bool = False


class _MatchInput1(msgspec.Struct):
    socket: str | None
    input: _Keys


def _match_input_2(data: bytes) -> bytes:
    """Say of the keys of Pong that the tab which was used last holds them all, as was assumed."""
    before = msgspec.json.decode(data, type=_MatchInput1)
    keys = [name for name in ("up", "down") if getattr(before.input, name)]
    is_held = before.socket is not None and before.input.kind == "keys_held" and keys
    held = {before.socket: keys} if is_held else {}
    return data[:-1] + b',"held":' + msgspec.json.encode(held) + b"}"


def _match_ended_2(data: bytes) -> bytes:
    """Leave it as it is: only a later version knows of void matches."""
    return data


def _match_paused_2(data: bytes) -> bytes:
    """Say nothing of times: nobody measured them."""
    return data[:-1] + b',"turn_left_ms":null,"spent_ms":[]}'


def _match_resumed_2(data: bytes) -> bytes:
    """Say nothing of times: nobody measured them."""
    return data[:-1] + b',"spent_ms":[]}'


UPCASTS: dict[tuple[str, int], Upcast] = {
    ("room.created", 1): _room_created_2,
    ("match.input", 1): _match_input_2,
    ("match.ended", 1): _match_ended_2,
    ("match.paused", 1): _match_paused_2,
    ("match.resumed", 1): _match_resumed_2,
}
"""(type, schema_version) -> the pure function that lifts its data to the next version."""

_TYPES = {event_type.type: event_type for event_type in EVENT_TYPES}
_DECODERS = {
    event_type.type: msgspec.json.Decoder(event_type, strict=False).decode
    for event_type in EVENT_TYPES
}
_PRESENT = {
    (event_type.type, event_type.schema_version): _DECODERS[event_type.type]
    for event_type in EVENT_TYPES
}
_encoder = msgspec.json.Encoder()
_decode_meta = msgspec.json.Decoder(Meta).decode


class UnknownEvent(ServiceError):
    """The log has an event that this version of the service does not know; use a newer one."""


def encode(event: Event) -> bytes:
    """Write the fields of `event` as JSON."""
    return _encoder.encode(event)


def encode_meta(meta: Meta | None) -> bytes | None:
    """Write what stands beside an event."""
    return None if meta is None else _encoder.encode(meta)


def decode_meta(data: bytes) -> Meta:
    """Read what stands beside an event."""
    return _decode_meta(data)


def decode(type_: str, schema_version: int, data: bytes) -> Event:
    """Read an event; raise `UnknownEvent` for one that a later version wrote."""
    decode_present = _PRESENT.get((type_, schema_version))
    return _lifted(type_, schema_version, data) if decode_present is None else decode_present(data)


def _lifted(type_: str, schema_version: int, data: bytes) -> Event:
    """Read an event that is not of the present form."""
    try:
        present = _TYPES[type_].schema_version
    except KeyError:
        message = f"the log has an event of the unknown type {type_!r}; use a newer version"
        raise UnknownEvent(message) from None
    if schema_version > present:
        message = f"{type_!r} has schema version {schema_version}, known is {present}"
        raise UnknownEvent(message)
    for version in range(schema_version, present):
        data = UPCASTS[type_, version](data)
    return _DECODERS[type_](data)
