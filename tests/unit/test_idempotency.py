"""Recognizing repeated commands, and reused ids with other content."""

from __future__ import annotations

import msgspec
import pytest

from service.domain.events.lobby import LobbyJoined
from service.eventstore.codec import decode_meta, encode_meta
from service.eventstore.records import Meta, Origin, RecordedEvent, propose
from service.protocol import classic, v1
from service.runtime.idempotency import (
    RESULT_TTL_US,
    RESULTS_PER_USER_MAX,
    CommandResult,
    CommandResults,
    Fingerprints,
    are_equal,
)

SECRET = "a key of some length"
ONE = Fingerprints(SECRET)
EVENT = LobbyJoined(user=1, socket="n1.1.1")


def recorded(position: int, meta: Meta | None, at: int = 0) -> RecordedEvent:
    return RecordedEvent(position, 1, at, EVENT, "1", meta)


def test_the_digest_does_not_depend_on_key_order() -> None:
    first = v1.RoomCreate(id="i", metadata={"a": 1, "b": [1]}, options={"seats": 2})
    second = v1.RoomCreate(id="i", metadata={"b": [1], "a": 1}, options={"seats": 2})
    assert ONE.of(first) == ONE.of(second) == Fingerprints(SECRET).of(first)


@pytest.mark.parametrize(
    "other",
    [
        v1.ChatSend(id="i", text="hello", room_id="s"),
        v1.ChatSend(id="i", text="Hello", room_id="r"),
        v1.RoomLeave(id="i", room_id="r"),
        classic.GameLeave(id="i", room_id="r"),
    ],
)
def test_another_type_or_content_has_another_digest(other: msgspec.Struct) -> None:
    known = ONE.of(v1.ChatSend(id="i", text="hello", room_id="r"))
    assert not are_equal(known, ONE.of(other))


def test_the_digest_depends_on_the_command_type() -> None:
    assert ONE.of(v1.RoomLeave(room_id="r")) != ONE.of(classic.GameLeave(room_id="r"))


def test_digests_are_keyed_and_compared_per_key() -> None:
    message = v1.ChatSend(id="i", text="hello", room_id="r")
    other = Fingerprints("another key").of(message)
    assert other != ONE.of(message)
    assert are_equal(ONE.of(message), other)
    assert are_equal(None, other)
    assert are_equal(other, None)


def test_the_digest_is_stored_in_the_event_meta() -> None:
    digest = ONE.of(v1.RoomLeave(room_id="r"))
    first, second = propose([EVENT, EVENT], Origin("test", 1, "i", digest))
    assert second.meta is None
    data = encode_meta(first.meta)
    assert data is not None
    assert decode_meta(data) == Meta("i", 2, digest)


def test_meta_of_an_older_version_round_trips_unchanged() -> None:
    meta = decode_meta(b'{"command":"i","events":1}')
    assert meta == Meta("i", 1)
    assert encode_meta(meta) == b'{"command":"i","events":1}'


def test_a_result_is_known_after_the_last_event_of_its_command() -> None:
    answers = CommandResults()
    answers.record(recorded(5, Meta("i", 2, b"digest")))
    assert answers.find(("1", "i")) is None
    answers.record(recorded(6, None))
    assert answers.find(("1", "i")) == CommandResult(6, None, b"digest")
    answers.record(recorded(7, None, RESULT_TTL_US + 1))
    assert answers.find(("1", "i")) is None


def numbered(position: int, at: int, command: str, user: str = "1") -> RecordedEvent:
    return RecordedEvent(position, 1, at, EVENT, user, Meta(command, 1))


def test_remembered_commands_are_bounded_per_user_and_by_age() -> None:
    answers = CommandResults()
    for number in range(10 * RESULTS_PER_USER_MAX):
        answers.record(numbered(number, number, f"c{number}"))
    assert len(answers) == RESULTS_PER_USER_MAX
    assert answers.find(("1", "c0")) is None
    assert answers.find(("1", f"c{10 * RESULTS_PER_USER_MAX - 1}")) is not None


def test_an_id_used_again_counts_once_and_from_its_last_use() -> None:
    answers = CommandResults()
    for at in (0, RESULT_TTL_US // 2):
        answers.record(numbered(at, at, "again"))
    assert len(answers) == 1
    answers.record(numbered(RESULT_TTL_US + 1, RESULT_TTL_US + 1, "later", user="8"))
    assert answers.find(("1", "again")) is not None
    answers.record(numbered(2 * RESULT_TTL_US, 2 * RESULT_TTL_US, "last", user="8"))
    assert answers.find(("1", "again")) is None


def test_results_from_before_the_start_are_older_than_what_was_recorded_meanwhile() -> None:
    in_order, refilled = CommandResults(), CommandResults()
    older = [numbered(at, at, f"c{at}") for at in (1, 2, RESULT_TTL_US)]
    newer = [numbered(at, at, f"c{at}") for at in (RESULT_TTL_US + 2, RESULT_TTL_US + 3)]
    for one in older + newer:
        in_order.record(one)
    refilled.begin_refill()
    refilled.record(newer[0])
    for one in older:
        refilled.refill(one)
    assert refilled.find(("1", f"c{RESULT_TTL_US + 2}")) is None
    refilled.record(newer[1])
    refilled.end_refill()
    for one in older + newer:
        key = ("1", f"c{one.position}")
        assert refilled.find(key) == in_order.find(key)
    assert refilled.find(("1", "c1")) is None
    assert refilled.find(("1", f"c{RESULT_TTL_US}")) is not None


def test_a_clock_step_back_neither_forgets_nor_keeps_results_for_ever() -> None:
    answers = CommandResults()
    for position, at in enumerate((10 * RESULT_TTL_US, RESULT_TTL_US, RESULT_TTL_US + 5), 1):
        answers.record(numbered(position, at, f"c{position}"))
    assert all(answers.find(("1", f"c{number}")) is not None for number in (1, 2, 3))
    answers.record(numbered(4, 2 * RESULT_TTL_US + 3, "c4"))
    found = [answers.find(("1", f"c{number}")) is not None for number in (1, 2, 3, 4)]
    assert found == [False, False, True, True]


def test_a_command_with_a_skipped_last_event_is_known_at_the_next_event() -> None:
    answers = CommandResults()
    answers.record(recorded(5, Meta("i", 3, b"digest")))
    answers.record(recorded(6, None))
    answers.record(recorded(9, Meta("j", 1)))
    assert answers.find(("1", "i")) == CommandResult(7, None, b"digest")
    assert answers.find(("1", "j")) == CommandResult(9)
