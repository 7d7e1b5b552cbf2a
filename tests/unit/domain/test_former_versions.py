"""An event is recorded with the lowest schema version that has all of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from service.domain.events import EVENT_TYPES
from service.domain.events.base import Event
from service.domain.events.matches import MatchEnded
from service.eventstore.codec import decode, encode
from service.eventstore.upcasts import UPCASTS

FORMER = [kind for kind in EVENT_TYPES if kind.former is not None]

ENDED: dict[str, Any] = {
    "match": "a-1",
    "tick": 7,
    "reason": "timeup",
    "winner": 0,
    "scores": [1, 0],
    "hash": "",
}


@pytest.mark.parametrize("kind", FORMER, ids=lambda kind: kind.type)
def test_a_former_version_differs_in_nothing_but_fields_that_may_be_unset(
    kind: type[Event],
) -> None:
    assert kind.former is not None
    version = kind.former.schema_version
    assert version + 1 == kind.schema_version
    assert kind.former.needs_level < kind.needs_level
    defaults = {one.name: one.default for one in msgspec.structs.fields(kind)}
    assert [defaults[name] for name in kind.former.lacks] == [UNSET] * len(kind.former.lacks)
    # Reading it as the next version changes nothing.
    assert UPCASTS[kind.type, version](b'{"any":1}') == b'{"any":1}'


def test_an_event_without_the_new_fields_is_recorded_as_before_and_read_again() -> None:
    ended = MatchEnded(**ENDED)
    assert (ended.written_version, ended.written_level) == (2, 1)
    assert decode(ended.type, 2, encode(ended)) == ended


def test_an_event_with_new_fields_needs_a_node_that_knows_them() -> None:
    ended = MatchEnded(**ENDED, bots=[1])
    assert (ended.written_version, ended.written_level) == (3, 3)
    assert decode(ended.type, 3, encode(ended)) == ended
