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

RESULT_TTL_US = 5 * 60 * 1_000_000
"""How long the result of a command is kept, in microseconds by the times of the log."""

RESULTS_PER_USER_MAX = 500
"""The maximum number of results that are kept of one user; the oldest are dropped."""

DIGEST_BYTES, KEY_ID_BYTES = 16, 4

_encoder = msgspec.json.Encoder(order="deterministic")

CommandKey: TypeAlias = "tuple[str, str]"
"""The user, and the idempotency key that their client gave the command."""


class IdReused(ClientError):
    """The id was given to another command before; nothing was done. Use a new id."""

    code = "ID_REUSED"


class Fingerprints:
    """Keyed digests of commands, which tell two commands with the same id apart.

    Digests are recorded in the log, which is never changed. Without the key, which can be erased,
    nobody can verify a guess at what was said.
    """

    def __init__(self, secret: str) -> None:
        """Derive the key from `secret`."""
        self._key = hashlib.blake2b(secret.encode()).digest()
        self._key_id = hashlib.blake2b(b"id", key=self._key, digest_size=KEY_ID_BYTES).digest()

    def of(self, message: msgspec.Struct) -> bytes:
        """Return the digest of a message: of its type and content, behind the id of the key."""
        content = _encoder.encode(message)
        digest = hashlib.blake2b(content, key=self._key, digest_size=DIGEST_BYTES)
        return self._key_id + digest.digest()


def are_equal(known: bytes | None, digest: bytes | None) -> bool:
    """Return whether two digests may be of one command; different keys can't be compared."""
    if known is None or digest is None or known[:KEY_ID_BYTES] != digest[:KEY_ID_BYTES]:
        return True
    return known == digest


class CommandResult(msgspec.Struct, frozen=True):
    """The result of a command that was carried out, as it is acknowledged."""

    position: Position
    """The position of its last event."""
    room: RoomId | None = None
    """The room of its last event, if that has one."""
    digest: bytes | None = None
    """The digest of the command; None when none was recorded."""


def result_of(last: Event, position: Position, digest: bytes | None = None) -> CommandResult:
    """Return the result of a command, made from its last event."""
    return CommandResult(position, getattr(last, "room", None), digest)


class _Open(NamedTuple):
    """A command of which not all events were recorded here yet."""

    key: CommandKey
    last: Position
    digest: bytes | None
    seen: RecordedEvent
    """The latest of its events."""


class CommandResults:
    """The idempotency store: results of the commands of the last minutes, as logged."""

    def __init__(self) -> None:
        """Start empty."""
        self._of_users: dict[str, OrderedDict[str, CommandResult]] = {}
        self._ages: OrderedDict[CommandKey, int] = OrderedDict()
        """When each was carried out, by `_now`, the oldest first."""
        self._open: _Open | None = None
        self._recorded_at: int | None = None
        self._later: list[RecordedEvent] | None = None
        """What was recorded during a refill."""
        self._now = 0
        """The time of the log, in microseconds; it never decreases, unlike the clock."""

    def __len__(self) -> int:
        """Return the number of results."""
        return len(self._ages)

    def find(self, key: CommandKey) -> CommandResult | None:
        """Return the result of a command, or None when it was not carried out lately."""
        user, command = key
        results = self._of_users.get(user)
        return None if results is None else results.get(command)

    def begin_refill(self) -> None:
        """Keep what is recorded from now on until `end_refill`, since older events come first."""
        self._later = []

    def end_refill(self) -> None:
        """Record what was kept since `begin_refill`."""
        later, self._later = self._later, None
        for recorded in later or ():
            self.record(recorded)

    def record(self, recorded: RecordedEvent) -> None:
        """Keep the result of the command that `recorded` completes, and drop expired ones."""
        if self._later is None:
            self.refill(recorded)
        else:
            self._later.append(recorded)

    def refill(self, recorded: RecordedEvent) -> None:
        """Do what `record` does with an event from before the start."""
        if self._recorded_at is not None:
            self._now += max(0, recorded.recorded_at - self._recorded_at)
        self._recorded_at = recorded.recorded_at
        oldest = self._now - RESULT_TTL_US
        while self._ages and next(iter(self._ages.values())) < oldest:
            self._drop(self._ages.popitem(last=False)[0])
        opened, meta = self._open, recorded.meta
        if opened is not None and recorded.position > opened.last:
            # A start skips events without messages, which may be the last of a command.
            self._keep(opened)
            opened = None
        if meta is not None and recorded.actor is not None:
            key = (recorded.actor, meta.command)
            last = recorded.position + meta.events - 1
            opened = _Open(key, last, meta.digest, recorded)
        elif opened is not None:
            opened = opened._replace(seen=recorded)
        if opened is not None and opened.last == recorded.position:
            self._keep(opened)
            opened = None
        self._open = opened

    def _keep(self, opened: _Open) -> None:
        user, command = opened.key
        results = self._of_users.setdefault(user, OrderedDict())
        results[command] = result_of(opened.seen.event, opened.last, opened.digest)
        self._ages.pop(opened.key, None)
        self._ages[opened.key] = self._now
        if len(results) > RESULTS_PER_USER_MAX:
            del self._ages[user, results.popitem(last=False)[0]]

    def _drop(self, key: CommandKey) -> None:
        user, command = key
        results = self._of_users.get(user)
        if results is not None:
            results.pop(command, None)
            if not results:
                del self._of_users[user]
