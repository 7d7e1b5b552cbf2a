"""Records of the event store: proposed and recorded events and their metadata."""

import hashlib
import random
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from service.domain.events.base import Event, Position
from service.domain.ids import UserId

Expect: TypeAlias = Mapping[str, int]
"""The version that each stream must be at for an append; a stream not named may be at any."""

ANY: Expect = {}

GENESIS = bytes(32)
"""The hash before the first event."""


class Origin(msgspec.Struct, frozen=True):
    """Who caused an event, and the id that ties it to its cause and to the log lines."""

    correlation_id: str = "service"
    actor: UserId | None = None
    command: str | None = None
    """The id that the actor gave to their command, so that it is carried out once."""
    digest: bytes | None = None
    """What tells this command from others that come with the same id."""


class Meta(msgspec.Struct, frozen=True, omit_defaults=True):
    """What stands beside the first event of a command that has an id."""

    command: str
    events: int
    """How many events the command made; they stand one after the other."""
    digest: bytes | None = None
    """The keyed digest of the command's type and content; older entries have none."""


class ProposedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event on its way into the log; the same `event_id` is never recorded twice."""

    event: Event
    event_id: bytes
    origin: Origin
    meta: Meta | None = None


class RecordedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event in the log; `recorded_at` is in microseconds since 1970."""

    position: Position
    version: int
    recorded_at: int
    event: Event
    actor: str | None = None
    meta: Meta | None = None


class Row(NamedTuple):
    """A row of the table `events`, column by column."""

    position: Position
    stream: str
    version: int
    type: str
    schema_version: int
    event_id: bytes
    correlation_id: str
    actor: str | None
    node: str
    recorded_at: int
    data: bytes
    meta: bytes | None
    hash: bytes


class Head(NamedTuple):
    """Where the log ends; the epoch changes when its past does, as by a restored backup."""

    position: Position
    hash: bytes
    epoch: str


def propose(
    events: Sequence[Event], origin: Origin, new_id: "NewId | None" = None
) -> list[ProposedEvent]:
    """Give each event an id; the first one names the command that it belongs to."""
    new_id = new_id or new_event_id
    meta = None if origin.command is None else Meta(origin.command, len(events), origin.digest)
    return [
        ProposedEvent(event, new_id(), origin, None if index else meta)
        for index, event in enumerate(events)
    ]


class NewId:
    """Makes UUIDs of version 7: in the order of time, so that their index grows at one end.

    They need not be hard to guess, and asking the system for each of them would give the GIL away.
    """

    def __init__(self) -> None:
        """Begin somewhere; the generator takes its seed from the system."""
        self._last_ms = 0
        self._chance = random.Random()  # noqa: S311 - an event id is no secret

    def __call__(self) -> bytes:
        """Make the next one (RFC 9562, section 5.7)."""
        self._last_ms = max(self._last_ms, time.time_ns() // 1_000_000)
        tail = self._chance.getrandbits(80) & _RANDOM_BITS | _VERSION_AND_VARIANT
        return (self._last_ms << 80 | tail).to_bytes(16, "big")


_VERSION_AND_VARIANT = 0x7 << 76 | 0b10 << 62
_RANDOM_BITS = (1 << 80) - 1 & ~(0xF << 76 | 0b11 << 62)


new_event_id = NewId()


def chain(previous: bytes, unhashed: tuple[object, ...]) -> bytes:
    """Hash a row without its hash onto the hash of the row before; msgpack keeps fields apart."""
    return hashlib.sha256(previous + msgspec.msgpack.encode(unhashed)).digest()
