"""Records of the event store: proposed and recorded events and their metadata."""

import hashlib
import os
import random
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from service.domain.events.base import Event, Position
from service.domain.ids import UserId

Expect: TypeAlias = Mapping[str, int]
"""Optimistic concurrency: the version that each named stream must be at for an append."""

ANY: Expect = {}
"""No expectation: the streams may be at any version."""

GENESIS = bytes(32)
"""The hash before the first event."""


class Origin(msgspec.Struct, frozen=True):
    """Who caused an event, and the correlation id that it shares with log lines."""

    correlation_id: str = "service"
    actor: UserId | None = None
    command: str | None = None
    """The command id (idempotency key) that the actor chose; None without one."""
    digest: bytes | None = None
    """Keyed digest of the command, by which another command with the same id is noticed."""


class Meta(msgspec.Struct, frozen=True, omit_defaults=True):
    """Metadata of the first event of a command that has an id."""

    command: str
    events: int
    """The number of events of the command; their positions are consecutive."""
    digest: bytes | None = None
    """Keyed digest of the command's type and content; None in events of older versions."""


class ProposedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event to be appended; an `event_id` is recorded at most once."""

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
    """The end of the log. A new epoch begins when its history changes, as by a restore."""

    position: Position
    hash: bytes
    epoch: str


def propose(events: Sequence[Event], origin: Origin) -> list[ProposedEvent]:
    """Give each event an id; the first one gets the metadata of the command."""
    if origin.command is None:
        return [ProposedEvent(event, new_event_id(), origin) for event in events]
    meta = Meta(origin.command, len(events), origin.digest)
    return [
        ProposedEvent(event, new_event_id(), origin, None if index else meta)
        for index, event in enumerate(events)
    ]


class NewId:
    """Generates UUIDs of version 7: ordered by time, so that their index grows at one end.

    Within a millisecond they count up from random bits (RFC 9562, section 6.2, method 2). They need
    not be unguessable, and `os.urandom` would release the GIL for each of them.
    """

    def __init__(self) -> None:
        """Seed the generator from the system, and again in each process that is forked off."""
        self._last_ms = 0
        self._last_id = 0
        self._random = random.Random()  # noqa: S311 - an event id is no secret
        os.register_at_fork(after_in_child=self._seed_again)

    def _seed_again(self) -> None:
        """Forget the state of the parent process, which both would go on from."""
        self._last_ms = 0
        self._last_id = 0
        self._random.seed()

    def __call__(self) -> bytes:
        """Return the next id (RFC 9562, section 5.7); it is greater than all before it."""
        now_ms = time.time_ns() // 1_000_000
        if now_ms > self._last_ms:
            self._last_ms = now_ms
            seed = self._random.getrandbits(80) & _RANDOM_BITS
            self._last_id = now_ms << 80 | _VERSION_AND_VARIANT | seed
        else:
            self._last_id += 1
        return self._last_id.to_bytes(16, "big")


_VERSION_AND_VARIANT = 0x7 << 76 | 0b10 << 62
_RANDOM_BITS = (1 << 80) - 1 & ~(0xF << 76 | 0b111 << 61)
"""All bits but the version, the variant, and the next one, which the count can't pass."""


new_event_id = NewId()


def chain(previous: bytes, unhashed: tuple[object, ...]) -> bytes:
    """Return the hash of a row, given the previous hash and the row without its own hash.

    The fields are encoded by msgpack, so that no two different rows have the same input.
    """
    return hashlib.sha256(previous + msgspec.msgpack.encode(unhashed)).digest()
