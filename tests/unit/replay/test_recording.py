"""Portable recordings: written, read again, and checked; what was changed is named."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Literal

import jsonschema  # type: ignore[import-untyped]  # it has no types
import msgspec
import pytest
from msgspec import UNSET, UnsetType

from service.domain.events.base import Event, match_stream
from service.domain.events.matches import MatchEvent, MatchInput, MatchStarted
from service.eventstore.codec import encode
from service.eventstore.records import GENESIS, Row, chain
from service.games.catalogue import GAMES
from service.games.connect_four import CONNECT_FOUR, Dropped
from service.games.options import set_up
from service.replay import recording
from service.replay.loading import has_secrets_now
from service.replay.recording import BrokenRecording, NotARecording, Source
from service.replay.replay import Replay
from tests.unit.replay.recordings import MATCH, an_input, checkpoint, ended, started
from tools.recording_schema import SCHEMA

NAMES = {"1": "Zoë 🎈", "2": "Ben"}
COLUMNS = (3, 2, 3, 2, 3, 2, 3)
GAP = 2
"""Every so many events the log has one of another stream in between."""


def played() -> list[MatchEvent]:
    """Play connect four to its end."""
    state = set_up(CONNECT_FOUR, 1, {"turn_s": 30}, 2)
    events: list[MatchEvent] = [started(CONNECT_FOUR, 1, {"turn_s": 30}, 2)]
    for tick, column in enumerate(COLUMNS):
        assert state.turn is not None
        move = Dropped(state.turn, column)
        events.append(an_input(tick, move.seat, move))
        CONNECT_FOUR.apply(state, move)
        if tick == 3:
            events.append(checkpoint(state, 4))
    result = CONNECT_FOUR.result(state)
    assert result is not None
    return [*events, ended(CONNECT_FOUR, state, len(COLUMNS), "finished", result.winner)]


def logged(events: Sequence[Event]) -> Source:
    """Return what a log has of these events, each a second after the other."""
    rows: list[Row] = []
    previous: dict[int, bytes] = {}
    position, last = 0, GENESIS
    for version, event in enumerate(events, 1):
        if version % GAP == 0:
            position, last = position + 1, bytes([version]) * 32
        previous[position] = last
        position += 1
        meta = b'{"command":"c","events":1}' if isinstance(event, MatchInput) else None
        row = Row(
            position=position,
            stream=match_stream(MATCH),
            version=version,
            type=event.type,
            schema_version=event.schema_version,
            event_id=bytes([version]) * 16,
            correlation_id=f"k{version}",
            actor=None if version == 1 else "7",
            node="n1",
            recorded_at=1_700_000_000_000_000 + version * 1_000_000,
            data=encode(event),
            meta=meta,
            hash=b"",
        )
        last = chain(last, tuple(row[:-1]))
        rows.append(row._replace(hash=last))
    return Source(rows, previous, epoch="e1", names=NAMES, tick_hz=0)


SOURCE = logged(played())
CONTENT = b"".join(recording.write(SOURCE))


def fault(content: bytes) -> str:
    """Read and check a file, and return what is wrong with it."""
    with pytest.raises((NotARecording, BrokenRecording)) as found:
        recording.check(recording.read(content), content)
    assert found.value.message
    return found.value.message


def test_a_recording_has_all_that_a_replay_needs() -> None:
    read = recording.read(CONTENT)
    recording.check(read, CONTENT)
    assert read.names == ["Zoë 🎈", "Ben"]
    assert (read.game, read.rules_version, read.seed) == ("connect_four", 1, 1)
    assert read.options == {"turn_s": 30}
    assert read.result is not None
    assert (read.result.reason, read.ticks) == ("finished", len(COLUMNS))
    events, times = read.decoded()
    assert events == played()
    replay = Replay(events, GAMES, times)
    assert replay.verify() is None
    assert replay.seconds_at(0) == 0


def test_a_line_is_an_event() -> None:
    lines = CONTENT.split(b"\n")
    assert len(lines) == 2 + len(SOURCE.rows) + 4
    assert lines[0].startswith(b'{"format":"ws-service.recording","version":1,"match":')
    assert all(line.startswith(b'{"position":') for line in lines[2 : 2 + len(SOURCE.rows)])


def test_it_names_the_place_of_the_match_in_its_log() -> None:
    last = SOURCE.rows[-1]
    read = recording.read(CONTENT)
    assert (read.chain.epoch, read.chain.position) == ("e1", last.position)
    assert read.chain.hash == last.hash.hex()


def test_every_flipped_bit_is_found() -> None:
    chance = random.Random(5)  # noqa: S311 - no secret
    for at in range(len(CONTENT)):
        changed = bytearray(CONTENT)
        changed[at] ^= 1 << chance.randrange(8)
        assert fault(bytes(changed))


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b'"column":3', b'"column":4', "event 2 (match.input, position 3) was changed"),
        (b'"correlation_id":"k3"', b'"correlation_id":"k4"', "event 3 (match.input"),
        (b'"actor":"7"', b'"actor":"8"', "event 2 (match.input"),
        (b'"seed":1,"players"', b'"seed":2,"players"', "the field `seed` was changed"),
        (b'"match":"r-1","game"', b'"match":"r-2","game"', "the field `match` was changed"),
        (b'"finished","winner":0', b'"finished","winner":1', "`result`"),
        ("Zoë".encode(), b"Zoe", "a name"),
        (b'"skipped":[]', b'"skipped":[99]', "the field `skipped`"),
        (b'"epoch":"e1"', b'"epoch":"e2"', "its digest does not match"),
        (b'"format":"ws-service.recording"', b'"format":"other"', "its format is 'other'"),
        (b'"version":1,"match"', b'"version":2,"match"', "of version 2"),
        (b'"node":"n1"', b'"nodes":"n1"', "damaged"),
        (b'"type":"match.input"', b'"type":"match.moved"', "event 2"),
        (b"\n", b"\n\n", "digest"),
    ],
)
def test_what_was_changed_is_named(old: bytes, new: bytes, what: str) -> None:
    assert old in CONTENT
    assert what in fault(CONTENT.replace(old, new, 1))


@pytest.mark.parametrize("number", [1, 2, 5, len(SOURCE.rows)])
def test_an_event_that_is_left_out_is_named(number: int) -> None:
    lines = CONTENT.split(b"\n")
    del lines[1 + number]
    message = fault(b"\n".join(lines).replace(b"},\n],", b"}\n],"))
    assert "is missing" in message or "`chain`" in message


def test_events_in_another_order_are_named() -> None:
    lines = CONTENT.split(b"\n")
    lines[3], lines[4] = lines[4], lines[3]
    assert fault(b"\n".join(lines)) == "event 2 of the match is missing"


@pytest.mark.parametrize("length", [0, 1, 40, 400, len(CONTENT) - 2])
def test_a_file_that_ends_early_is_no_recording(length: int) -> None:
    with pytest.raises(NotARecording, match="no recording of a match"):
        recording.read(CONTENT[:length])


@pytest.mark.parametrize(
    "content",
    [b"[]", b"{}", b"7", b"\x1f\x8b", b'"', b"[" * 100_000, b'{"format":1,"version":1}'],
)
def test_other_files_are_no_recordings(content: bytes) -> None:
    with pytest.raises(NotARecording):
        recording.read(content)


def test_a_file_that_was_formatted_anew_is_refused() -> None:
    again = msgspec.json.format(CONTENT, indent=0)
    assert "formatted anew" in fault(again)


def test_a_live_match_is_recorded_without_a_result() -> None:
    content = b"".join(recording.write(logged(played()[:3])))
    read = recording.read(content)
    recording.check(read, content)
    assert (read.result, read.ended_at, read.ticks) == (None, None, None)


def test_skipped_events_stay_in_the_chain_and_out_of_the_replay() -> None:
    skipped = SOURCE.rows[2].position
    source = msgspec.structs.replace(SOURCE, skipped={skipped})
    content = b"".join(recording.write(source))
    read = recording.read(content)
    recording.check(read, content)
    assert read.skipped == [skipped]
    assert len(read.decoded()[0]) == len(SOURCE.rows) - 1


def test_rows_of_something_else_are_not_recorded() -> None:
    with pytest.raises(NotARecording):
        list(recording.write(logged(played()[1:])))
    with pytest.raises(NotARecording):
        list(recording.write(logged([])))


def test_a_recording_is_compared_with_the_log_that_has_the_match() -> None:
    read = recording.read(CONTENT)
    recording.same_as(read, SOURCE.rows)
    with pytest.raises(BrokenRecording, match="only 3 events"):
        recording.same_as(read, SOURCE.rows[:3])
    more = [*SOURCE.rows, SOURCE.rows[-1]]
    with pytest.raises(BrokenRecording, match="ends early"):
        recording.same_as(read, more)
    other = [*SOURCE.rows[:-1], SOURCE.rows[-1]._replace(node="n2")]
    with pytest.raises(BrokenRecording, match="is not the one that this log has"):
        recording.same_as(read, other)


def test_an_event_of_a_later_version_is_named() -> None:
    later = [row._replace(schema_version=99) if row.version == 2 else row for row in SOURCE.rows]
    content = b"".join(recording.write(msgspec.structs.replace(SOURCE, rows=later)))
    with pytest.raises(NotARecording, match=r"event 2 .* can't be read"):
        recording.read(content).decoded()


@pytest.mark.parametrize(
    ("secrets", "events", "hidden"),
    [(UNSET, 3, False), ("until_end", 3, True), ("until_end", 99, False), ("always", 99, True)],
)
def test_a_recording_of_secrets_is_known_as_one(
    secrets: Literal["until_end", "always"] | UnsetType, events: int, *, hidden: bool
) -> None:
    began, *others = played()[:events]
    assert isinstance(began, MatchStarted)
    source = logged([msgspec.structs.replace(began, secrets=secrets), *others])
    assert has_secrets_now(source) is hidden
    assert not has_secrets_now(logged([]))


def test_a_recording_is_what_its_schema_says() -> None:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert list(validator.iter_errors(json.loads(CONTENT))) == []
    wrong = {**json.loads(CONTENT), "digest": "ABC"}
    assert [error.json_path for error in validator.iter_errors(wrong)] == ["$.digest"]
