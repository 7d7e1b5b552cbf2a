"""Portable recordings: a match in one file of JSON, with the hashes that tie it to its log; pure.

Each event is there as the log has it, byte by byte, beside the hash of the event before it in the
log: so its own hash can be computed again without the log. The last line has the digest of all
bytes before it, which covers what is in no event, such as names.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from service.domain.events.base import match_stream
from service.domain.events.matches import EndReason, MatchEnded, MatchEvent, MatchStarted
from service.errors import ServiceError
from service.eventstore.codec import decode
from service.eventstore.records import Row, chain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from service.domain.events.base import Position

FORMAT: Literal["ws-service.recording"] = "ws-service.recording"
VERSION = 1

NULL = b"null"

_START = b'{"format":"'

Hash = Annotated[
    str, Meta(pattern="^[0-9a-f]{64}$", description="A SHA-256, in lower-case hexadecimal.")
]


class NotARecording(ServiceError):
    """The file is no recording that this version can read."""


class BrokenRecording(ServiceError):
    """The recording was changed, or is not complete."""


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a recording; unknown fields are refused."""


class Player(_Part, frozen=True):
    """A player, by seat: the id as in the events, and the display name at the time of export."""

    id: int | str
    name: str


class Ending(_Part, frozen=True):
    """How the match ended; `winner` is a seat, or null."""

    reason: EndReason
    winner: int | None
    scores: list[int]


class EventOfRecording(_Part, frozen=True):
    """A row of the log. `hash` is the SHA-256 of `previous` and of the other fields.

    `data` and `meta`, which may be null, count byte by byte. `recorded_at` is in microseconds
    since 1970.
    """

    position: Annotated[int, Meta(ge=1)]
    version: Annotated[int, Meta(ge=1)]
    type: str
    schema_version: int
    event_id: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
    correlation_id: str
    actor: str | None
    node: str
    recorded_at: int
    data: msgspec.Raw
    meta: msgspec.Raw
    previous: Hash
    hash: Hash


class Anchor(_Part, frozen=True):
    """Where the match stands in its log: the epoch, and position and hash of its last event.

    A log whose event at that position has this hash has had this match, and everything before it.
    """

    epoch: str
    position: int
    hash: Hash


class Header(_Part, frozen=True):
    """The first line of a file."""

    format: Literal["ws-service.recording"]
    version: int
    match: str
    game: str
    rules_version: int
    tick_hz: int | None
    options: dict[str, Any]
    seed: int
    players: list[Player]
    started_at: int
    ended_at: int | None
    ticks: int | None
    result: Ending | None
    skipped: list[int]


class Recording(Header, frozen=True):
    """A recorded match. `ended_at` and `result` are null for one that was exported while live.

    Times are in microseconds since 1970; `tick_hz` is 0 for a turn-based game. `skipped` are the
    positions of events that the operator of the log has excluded for good.
    """

    events: list[EventOfRecording]
    chain: Anchor
    digest: Hash

    @property
    def names(self) -> list[str]:
        """The display names by seat."""
        return [player.name for player in self.players]

    def decoded(self) -> tuple[list[MatchEvent], list[int]]:
        """Return the events that are not skipped, and when they were recorded.

        Raises `NotARecording` for an event that this version can't read.
        """
        events: list[MatchEvent] = []
        times: list[int] = []
        for number, one in enumerate(self.events, 1):
            if one.position in self.skipped:
                continue
            try:
                event = decode(one.type, one.schema_version, bytes(one.data))
            except (ServiceError, ValueError) as error:
                raise NotARecording(f"{_named(number, one)} can't be read: {error}") from error
            if not isinstance(event, MatchEvent):
                raise NotARecording(f"{_named(number, one)} is none of a match")
            events.append(event)
            times.append(one.recorded_at)
        return events, times


class Source(msgspec.Struct, frozen=True):
    """What a recording is made of: the rows of a match, and what the log has beside them."""

    rows: Sequence[Row]
    previous: Mapping[Position, bytes]
    """The hashes of the rows before them, by position; GENESIS for 0."""
    epoch: str
    names: Mapping[str, str]
    """Display names by user id, as text."""
    tick_hz: int | None
    skipped: Collection[Position] = ()


def write(source: Source) -> Iterator[bytes]:
    """Yield the lines of a recording; raise `NotARecording` if the rows are none of a match."""
    digest = hashlib.sha256()
    for line in _lines(source):
        digest.update(line)
        yield line
    yield b',\n"digest":"%s"}\n' % digest.hexdigest().encode()


def read(content: bytes) -> Recording:
    """Decode a file; raise `NotARecording`, which names what is wrong, and where."""
    try:
        head = msgspec.json.decode(content, type=_Version)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise NotARecording(f"it is no recording of a match: {error}") from error
    if head.format != FORMAT:
        raise NotARecording(f"it is no recording of a match: its format is {head.format!r}")
    if head.version != VERSION:
        raise NotARecording(
            f"it is a recording of version {head.version}; this version of ws-service reads "
            f"version {VERSION}"
        )
    try:
        return msgspec.json.decode(content, type=Recording)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise NotARecording(f"the recording is damaged: {error}") from error


def check(recording: Recording, content: bytes) -> None:
    """Raise `BrokenRecording`, which names the first part of a file that was changed.

    It proves that nothing was changed since the events were hashed: not that a log has them, for
    which `same_as` compares them with the log.
    """
    if not content.startswith(_START):
        raise BrokenRecording(
            "the file was formatted anew: its bytes are not those that were written, so they can't "
            "be checked"
        )
    stream = match_stream(recording.match)
    before: EventOfRecording | None = None
    for number, event in enumerate(recording.events, 1):
        if event.version != number:
            raise BrokenRecording(f"event {number} of the match is missing")
        row = _row(event, stream)
        if chain(bytes.fromhex(event.previous), tuple(row[:-1])) != row.hash:
            if number == 1 and _is_of_another_match(event, row):
                raise BrokenRecording("the field `match` was changed: the events say otherwise")
            raise BrokenRecording(f"{_named(number, event)} was changed: its hash does not match")
        if before is not None and not _follows(before, event):
            raise BrokenRecording(f"{_named(number, event)} does not follow the one before it")
        before = event
    if before is None:
        raise BrokenRecording("the recording has no events")
    if (recording.chain.position, recording.chain.hash) != (before.position, before.hash):
        raise BrokenRecording("the field `chain` was changed: it does not name the last event")
    _check_header(recording)
    if not _has_digest(content, recording.digest):
        raise BrokenRecording(
            "the file was changed, or written anew: its digest does not match. All events are "
            "intact, so it is a name, the field `chain` or `skipped`, or the digest itself"
        )


def same_as(recording: Recording, rows: Sequence[Row]) -> None:
    """Compare a recording with the rows that a log has of the match; raise `BrokenRecording`."""
    stream = match_stream(recording.match)
    for number, (event, row) in enumerate(zip(recording.events, rows, strict=False), 1):
        if _row(event, stream) != row:
            raise BrokenRecording(f"{_named(number, event)} is not the one that this log has")
    if len(recording.events) > len(rows):
        raise BrokenRecording(f"this log has only {len(rows)} events of the match")
    if len(recording.events) < len(rows):
        raise BrokenRecording(
            f"this log has {len(rows)} events of the match: the recording ends early"
        )


class _Version(msgspec.Struct):
    format: str
    version: int


def _lines(source: Source) -> Iterator[bytes]:
    """Yield all lines but the last one, which has the digest."""
    yield msgspec.json.encode(_header(source))[:-1] + b',\n"events":[\n'
    last = len(source.rows)
    for number, row in enumerate(source.rows, 1):
        yield msgspec.json.encode(_event(row, source.previous)) + (
            b"" if number == last else b",\n"
        )
    end = source.rows[-1]
    anchor = Anchor(epoch=source.epoch, position=end.position, hash=end.hash.hex())
    yield b'\n],\n"chain":' + msgspec.json.encode(anchor)


def _header(source: Source) -> Header:
    kept = [row for row in source.rows if row.position not in source.skipped]
    started = decode(*_encoded(kept[0])) if kept else None
    if not isinstance(started, MatchStarted):
        raise NotARecording("its events do not begin with the start of a match")
    ending = next((row for row in reversed(kept) if row.type == MatchEnded.type), None)
    ended = None if ending is None else decode(*_encoded(ending))
    return Header(
        format=FORMAT,
        version=VERSION,
        match=started.match,
        game=started.game,
        rules_version=started.rules_version,
        tick_hz=source.tick_hz,
        options=started.options,
        seed=started.seed,
        players=[
            Player(id=user, name=source.names.get(str(user), str(user))) for user in started.players
        ],
        started_at=kept[0].recorded_at,
        ended_at=None if ending is None else ending.recorded_at,
        ticks=ended.tick if isinstance(ended, MatchEnded) else None,
        result=_ending(ended),
        skipped=[row.position for row in source.rows if row.position in source.skipped],
    )


def _ending(ended: object) -> Ending | None:
    if not isinstance(ended, MatchEnded):
        return None
    return Ending(reason=ended.reason, winner=ended.winner, scores=ended.scores)


def _encoded(row: Row) -> tuple[str, int, bytes]:
    return row.type, row.schema_version, row.data


def _event(row: Row, previous: Mapping[Position, bytes]) -> EventOfRecording:
    return EventOfRecording(
        position=row.position,
        version=row.version,
        type=row.type,
        schema_version=row.schema_version,
        event_id=row.event_id.hex(),
        correlation_id=row.correlation_id,
        actor=row.actor,
        node=row.node,
        recorded_at=row.recorded_at,
        data=msgspec.Raw(row.data),
        meta=msgspec.Raw(NULL if row.meta is None else row.meta),
        previous=previous[row.position - 1].hex(),
        hash=row.hash.hex(),
    )


def _row(event: EventOfRecording, stream: str) -> Row:
    return Row(
        position=event.position,
        stream=stream,
        version=event.version,
        type=event.type,
        schema_version=event.schema_version,
        event_id=bytes.fromhex(event.event_id),
        correlation_id=event.correlation_id,
        actor=event.actor,
        node=event.node,
        recorded_at=event.recorded_at,
        data=bytes(event.data),
        meta=None if bytes(event.meta) == NULL else bytes(event.meta),
        hash=bytes.fromhex(event.hash),
    )


def _follows(before: EventOfRecording, event: EventOfRecording) -> bool:
    """Return whether an event can come after another: in the log there are others in between."""
    if event.position == before.position + 1:
        return event.previous == before.hash
    return event.position > before.position


def _is_of_another_match(event: EventOfRecording, row: Row) -> bool:
    """Return whether the first event is intact, but of another match than the recording says."""
    found = re.search(rb'"match":"([^"\\]*)"', row.data)
    if found is None:
        return False
    other = row._replace(stream=match_stream(found[1].decode(errors="replace")))
    return chain(bytes.fromhex(event.previous), tuple(other[:-1])) == row.hash


def _check_header(recording: Recording) -> None:
    """Raise `BrokenRecording` for a field of the header that is not what the events say."""
    rows = [_row(event, match_stream(recording.match)) for event in recording.events]
    names = {str(player.id): player.name for player in recording.players}
    source = Source(rows, {}, "", names, recording.tick_hz, set(recording.skipped))
    try:
        expected = _header(source)
    except (ServiceError, ValueError) as error:
        raise BrokenRecording(f"the events can't be read: {error}") from error
    for field in Header.__struct_fields__:
        if getattr(recording, field) != getattr(expected, field):
            raise BrokenRecording(f"the field `{field}` was changed: the events say otherwise")


_DIGEST = re.compile(rb',\n"digest":"([0-9a-f]{64})"\}\n')


def _has_digest(content: bytes, digest: str) -> bool:
    """Return whether `digest` is that of the bytes before it."""
    at = content.rfind(b',\n"digest":')
    found = _DIGEST.fullmatch(content, max(at, 0))
    return (
        found is not None
        and found[1].decode() == digest == hashlib.sha256(content[:at]).hexdigest()
    )


def _named(number: int, event: EventOfRecording) -> str:
    return f"event {number} ({event.type}, position {event.position})"
