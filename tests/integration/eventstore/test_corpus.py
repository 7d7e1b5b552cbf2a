"""Every recorded form stays readable: `corpus.ndjson` has every version of every event.

A line is `{type, schema_version, data, fields}`: the data byte for byte, and what it says. Lines
are only added. A new event type needs a line, and so does a new schema version of an old one.
"""

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from service.domain.events import EVENT_TYPES
from service.eventstore.codec import UnknownEvent, decode, encode

CORPUS = Path(__file__).parent / "corpus.ndjson"


class Line(NamedTuple):
    type: str
    schema_version: int
    data: bytes
    fields: dict[str, Any]


def lines() -> list[Line]:
    found = [msgspec.json.decode(line) for line in CORPUS.read_bytes().splitlines()]
    return [Line(**{**line, "data": line["data"].encode()}) for line in found]


LINES = lines()
PRESENT = {event_type.type: event_type.schema_version for event_type in EVENT_TYPES}


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.type}-{line.schema_version}")
def test_each_recorded_event_still_decodes_to_the_same_values(line: Line) -> None:
    event = decode(line.type, line.schema_version, line.data)
    assert event.type == line.type
    read = msgspec.json.decode(encode(event))
    # A later form may say more, but never something else.
    assert {name: read[name] for name in line.fields} == line.fields


@pytest.mark.parametrize(
    "line",
    [line for line in LINES if line.schema_version == PRESENT[line.type]],
    ids=lambda line: line.type,
)
def test_current_events_are_encoded_unchanged(line: Line) -> None:
    """It fails when an event changes in place; that is what a new schema version is for."""
    assert encode(decode(line.type, line.schema_version, line.data)) == line.data


@pytest.mark.parametrize("type_", PRESENT)
def test_every_version_of_every_event_type_has_a_line(type_: str) -> None:
    found = {line.schema_version for line in LINES if line.type == type_}
    assert found == set(range(1, PRESENT[type_] + 1))


def test_every_event_of_the_corpus_is_still_known() -> None:
    assert {line.type for line in LINES} == PRESENT.keys()


def test_an_event_of_a_later_version_is_refused() -> None:
    with pytest.raises(UnknownEvent, match=r"unknown type 'moon\.landed'"):
        decode("moon.landed", 1, b"{}")
    with pytest.raises(UnknownEvent, match="with schema version 2, this version knows 1"):
        decode("lobby.joined", 2, b"{}")
