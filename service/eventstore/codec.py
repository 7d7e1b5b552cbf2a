"""Encode events as JSON, decode them, and upcast older schema versions on read."""

from collections.abc import Callable

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
_CURRENT = {
    (event_type.type, event_type.schema_version): _DECODERS[event_type.type]
    for event_type in EVENT_TYPES
}
# Such a version lacks fields alone, which may be unset.
_CURRENT |= {
    (event_type.type, event_type.former.schema_version): _DECODERS[event_type.type]
    for event_type in EVENT_TYPES
    if event_type.former is not None
}
_encoder = msgspec.json.Encoder()

encode: Callable[[Event], bytes] = _encoder.encode
"""Encode the fields of an event as JSON."""

_decode_meta = msgspec.json.Decoder(Meta).decode


class UnknownEvent(ServiceError):
    """The log has an event that this version of the service does not know; use a newer version."""


def encode_meta(meta: Meta | None) -> bytes | None:
    """Encode the metadata of an event; None stays None."""
    return None if meta is None else _encoder.encode(meta)


def decode_meta(data: bytes) -> Meta:
    """Decode the metadata of an event."""
    return _decode_meta(data)


def decode(type_: str, schema_version: int, data: bytes) -> Event:
    """Decode an event; raise `UnknownEvent` for one that a later version wrote."""
    decode_current = _CURRENT.get((type_, schema_version))
    return _upcast(type_, schema_version, data) if decode_current is None else decode_current(data)


def _upcast(type_: str, schema_version: int, data: bytes) -> Event:
    """Upcast an event of an older schema version, and decode it."""
    try:
        current = _TYPES[type_].schema_version
    except KeyError:
        message = f"the log has an event of the unknown type {type_!r}; use a newer version"
        raise UnknownEvent(message) from None
    if schema_version > current:
        message = (
            f"the log has {type_!r} with schema version {schema_version}, this version knows "
            f"{current}; use a newer version"
        )
        raise UnknownEvent(message)
    for version in range(schema_version, current):
        data = UPCASTS[type_, version](data)
    return _DECODERS[type_](data)
