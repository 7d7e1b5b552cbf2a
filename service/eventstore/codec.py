"""Encode events as JSON and decode them, upcasting older versions when they are read."""

import msgspec

from service.domain.events import EVENT_TYPES
from service.domain.events.base import Event
from service.errors import ServiceError
from service.eventstore.records import Meta
from service.eventstore.upcasts import UPCASTS

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
