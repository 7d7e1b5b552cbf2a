"""Idempotency store: bounded results of commands by id, rebuilt from the log."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

from service.errors import ClientError

if TYPE_CHECKING:
    from service.domain.events.base import Event, Position
    from service.domain.ids import RoomId
    from service.eventstore.records import RecordedEvent

KEPT_US = 5 * 60 * 1_000_000
"""For how long an id is remembered, by the times of the log."""

PER_USER_MAX = 500
"""How many ids of one user are remembered; the oldest are forgotten."""

DIGEST_BYTES, KEY_ID_BYTES = 16, 4

_encoder = msgspec.json.Encoder(order="deterministic")

CommandKey: TypeAlias = "tuple[str, str]"
"""Whose command it is, and the id that they gave to it."""


class IdReused(ClientError):
    """The id was given to another command before; nothing was done. Use a new id."""

    code = "ID_REUSED"


class Fingerprints:
    """Tells commands apart without keeping what they say: by a digest that needs the key.

    The digests stand in the log, which is never changed. Without the key, which can be erased,
    nobody can find out by guessing what was said.
    """

    def __init__(self, secret: str) -> None:
        """Take the key."""
        self._key = hashlib.blake2b(secret.encode()).digest()
        self._key_id = hashlib.blake2b(b"id", key=self._key, digest_size=KEY_ID_BYTES).digest()

    def of(self, message: msgspec.Struct) -> bytes:
        """Digest the type and the content of a message; equal ones have equal digests."""
        content = _encoder.encode(message)
        digest = hashlib.blake2b(content, key=self._key, digest_size=DIGEST_BYTES)
        return self._key_id + digest.digest()


def are_equal(known: bytes | None, digest: bytes | None) -> bool:
    """Tell whether two digests may be of one command; those of different keys say nothing."""
    if known is None or digest is None or known[:KEY_ID_BYTES] != digest[:KEY_ID_BYTES]:
        return True
    return known == digest


class CommandResult(msgspec.Struct, frozen=True):
    """What a command that was carried out is answered with."""

    position: Position
    """That of its last event."""
    room: RoomId | None = None
    """The room of its last event, if that is in one: where the command has led to."""
    digest: bytes | None = None
    """What tells the command from others; None when that was not recorded."""


def result_of(last: Event, position: Position, digest: bytes | None = None) -> CommandResult:
    """Make the answer to a command from its last event."""
    return CommandResult(position, getattr(last, "room", None), digest)


class _Begun(NamedTuple):
    """The command whose events are being taken."""

    key: CommandKey
    last: Position
    digest: bytes | None
    seen: RecordedEvent
    """The last of its events that was taken."""


class CommandResults:
    """The answers to the commands of the last minutes, as the log has them."""

    def __init__(self) -> None:
        """Begin with none."""
        self._of_users: dict[str, OrderedDict[str, CommandResult]] = {}
        self._ages: OrderedDict[CommandKey, int] = OrderedDict()
        """When each was carried out, the oldest first."""
        self._begun: _Begun | None = None
        self._recorded_at: int | None = None
        self._now = 0
        """The sum of the times between events; where the clock went back, no time has passed."""

    def __len__(self) -> int:
        """Count the commands that are remembered."""
        return len(self._ages)

    def find(self, key: CommandKey) -> CommandResult | None:
        """Return how the command was answered, or None when it was not carried out."""
        user, command = key
        answers = self._of_users.get(user)
        return None if answers is None else answers.get(command)

    def record(self, recorded: RecordedEvent) -> None:
        """Remember the command that `recorded` ends, and forget what is too old."""
        if self._recorded_at is not None:
            self._now += max(0, recorded.recorded_at - self._recorded_at)
        self._recorded_at = recorded.recorded_at
        oldest = self._now - KEPT_US
        while self._ages and next(iter(self._ages.values())) < oldest:
            self._forget(self._ages.popitem(last=False)[0])
        begun, meta = self._begun, recorded.meta
        if begun is not None and recorded.position > begun.last:
            # At start, events that nobody is told of are left out, also the last one of a command.
            self._remember(begun)
            begun = None
        if meta is not None and recorded.actor is not None:
            key = (recorded.actor, meta.command)
            last = recorded.position + meta.events - 1
            begun = _Begun(key, last, meta.digest, recorded)
        elif begun is not None:
            begun = begun._replace(seen=recorded)
        if begun is not None and begun.last == recorded.position:
            self._remember(begun)
            begun = None
        self._begun = begun

    def _remember(self, begun: _Begun) -> None:
        user, command = begun.key
        answers = self._of_users.setdefault(user, OrderedDict())
        answers[command] = result_of(begun.seen.event, begun.last, begun.digest)
        self._ages.pop(begun.key, None)
        self._ages[begun.key] = self._now
        if len(answers) > PER_USER_MAX:
            del self._ages[user, answers.popitem(last=False)[0]]

    def _forget(self, key: CommandKey) -> None:
        user, command = key
        answers = self._of_users.get(user)
        if answers is not None:
            answers.pop(command, None)
            if not answers:
                del self._of_users[user]
