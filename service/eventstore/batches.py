"""Batches of committed events as messages of the bus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from service.domain.personal_data import PersonalData, Text
from service.eventstore.codec import decode, decode_meta, encode, encode_meta
from service.eventstore.follower import Batch
from service.eventstore.records import RecordedEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

MESSAGE_BYTES_MAX = 900_000
"""Above this only the head is told: servers of the bus limit a message to 1 MiB by default."""


class _Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    version: int
    recorded_at: int
    type: str
    schema_version: int
    data: bytes
    actor: str | None
    meta: bytes | None


class Message(msgspec.Struct, frozen=True, array_like=True):
    """Events that follow each other in the log, or only what its head is."""

    epoch: str
    """The epoch of the log: another log's events are not folded."""
    head: int
    """The position of the last event."""
    rows: list[_Row]
    names: Mapping[str, str]
    texts: Mapping[str, tuple[str, str]]
    """The salt and the text of chats."""

    def batch(self) -> Batch:
        """Decode the events; raise what the codec raises."""
        after = self.head - len(self.rows)
        events = [
            RecordedEvent(
                position,
                row.version,
                row.recorded_at,
                decode(row.type, row.schema_version, row.data),
                row.actor,
                None if row.meta is None else decode_meta(row.meta),
            )
            for position, row in enumerate(self.rows, after + 1)
        ]
        texts = {chat: Text(*text) for chat, text in self.texts.items()}
        return Batch(after, self.head, events, PersonalData(dict(self.names), texts))


_encoder = msgspec.msgpack.Encoder()

decode_message = msgspec.msgpack.Decoder(Message).decode
"""Decode a message, but not its events; raises `msgspec.DecodeError`."""


def encode_message(
    epoch: str, events: Sequence[RecordedEvent], head: int, personal_data: PersonalData
) -> bytes:
    """Encode events, of which the last one is at `head`; only the head, if they are too large."""
    rows = [
        _Row(
            one.version,
            one.recorded_at,
            one.event.type,
            one.event.written_version,
            encode(one.event),
            one.actor,
            encode_meta(one.meta),
        )
        for one in events
    ]
    texts = {chat: (text.salt, text.text) for chat, text in personal_data.texts.items()}
    data = _encoder.encode(Message(epoch, head, rows, personal_data.names, texts))
    if len(data) > MESSAGE_BYTES_MAX:
        data = _encoder.encode(Message(epoch, head, [], personal_data.names, {}))
    return data


def runs_of(events: Sequence[RecordedEvent]) -> list[list[RecordedEvent]]:
    """Part events into runs without gaps: those of one commit are one, unless some were known."""
    runs: list[list[RecordedEvent]] = []
    for one in sorted(events, key=lambda one: one.position):
        if runs and runs[-1][-1].position + 1 == one.position:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs
