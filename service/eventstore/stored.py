"""A stored event that is decoded on demand, and the error of one that can't be decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from service.errors import ServiceError
from service.eventstore.codec import decode, decode_meta
from service.eventstore.records import RecordedEvent

if TYPE_CHECKING:
    from service.domain.events.base import Position


class UnreadableEvent(ServiceError):
    """An event of the log can't be decoded."""

    def __init__(self, position: Position, type_: str, error: Exception) -> None:
        """Take the position and type of the event, and the error of the decoder."""
        super().__init__(
            f"the event at position {position} ({type_}) can't be read: {error}. Start the "
            "version that wrote it, or skip this event permanently by `ws-service log "
            f"skip {position} --reason TEXT`"
        )
        self.position = position


class StoredEvent(NamedTuple):
    """A stored event that is decoded on demand, for readers that need few of them."""

    position: Position
    stream: str
    version: int
    recorded_at: int
    type: str
    schema_version: int
    data: bytes
    actor: str | None
    meta: bytes | None

    def decoded(self) -> RecordedEvent:
        """Decode the event; raise `UnreadableEvent`."""
        try:
            event = decode(self.type, self.schema_version, self.data)
        except Exception as error:
            raise UnreadableEvent(self.position, self.type, error) from error
        return RecordedEvent(
            self.position,
            self.version,
            self.recorded_at,
            event,
            self.actor,
            None if self.meta is None else decode_meta(self.meta),
        )
