"""The events of one stream are verified against the hashes of adjacent events."""

from __future__ import annotations

import pytest

from service.domain.events.base import Event
from service.domain.events.matches import MatchEnded, MatchStarted
from service.eventstore.integrity import broken_link, broken_match
from service.eventstore.records import chain
from tests.integration.log_file import LogFile, append_of, joined

STREAM = "user:7"
LENGTH = 7


@pytest.fixture
def filled(log_file: LogFile) -> LogFile:
    """Every second event is of the stream that is checked, the first and the last one, too."""
    events: list[Event] = [joined(8 if number % 2 else 7) for number in range(LENGTH - 1)]
    store = log_file.store()
    store.commit([append_of(event) for event in [*events, joined(7)]])
    store.close()
    return log_file


def own_positions(file: LogFile) -> list[int]:
    rows = file.query("SELECT position FROM events WHERE stream = ? ORDER BY position", STREAM)
    return [row[0] for row in rows]


@pytest.mark.parametrize("rows_at_once", [1, 2, 1000])
async def test_an_untouched_stream_verifies(filled: LogFile, rows_at_once: int) -> None:
    assert await broken_link(filled.reader(), STREAM, rows_at_once=rows_at_once) is None
    assert await broken_link(filled.reader(), "user:nobody", rows_at_once=rows_at_once) is None


@pytest.mark.parametrize(
    "change",
    [
        "data = replace(data, '7', '9')",
        "data = data || ' '",
        "type = 'lobby.left'",
        "schema_version = 2",
        "recorded_at = recorded_at + 1",
        "actor = 'x'",
        "correlation_id = 'x'",
        "node = 'n2'",
        "meta = '{}'",
        "hash = zeroblob(32)",
        "event_id = zeroblob(16)",
        "version = version + 100",
    ],
)
async def test_a_change_in_any_column_of_any_event_is_named(filled: LogFile, change: str) -> None:
    for position in own_positions(filled):
        before = filled.query("SELECT * FROM events WHERE position = ?", position)[0]
        filled.change(f"UPDATE events SET {change} WHERE position = {position}")  # noqa: S608 - our own text
        broken = await broken_link(filled.reader(), STREAM)
        assert broken is not None
        assert f"position {position} was changed" in broken.message
        filled.change(f"DELETE FROM events WHERE position = {position}")  # noqa: S608 - our own text
        filled.insert("events", before)
        assert await broken_link(filled.reader(), STREAM) is None


async def test_a_change_with_a_recomputed_hash_is_named(filled: LogFile) -> None:
    """The next row, or the head of the log, shows it."""
    for position in own_positions(filled):
        before = filled.query("SELECT * FROM events WHERE position = ?", position)[0]
        filled.change(f"UPDATE events SET actor = 'x' WHERE position = {position}")  # noqa: S608 - our own text
        rows = {row.position: row async for page in filled.reader().rows() for row in page}
        previous = rows[position - 1].hash if position > 1 else bytes(32)
        forged = chain(previous, tuple(rows[position][:-1]))
        filled.change(f"UPDATE events SET hash = x'{forged.hex()}' WHERE position = {position}")  # noqa: S608 - our own text
        broken = await broken_link(filled.reader(), STREAM)
        assert broken is not None
        assert f"position {position}" in broken.message
        filled.change(f"DELETE FROM events WHERE position = {position}")  # noqa: S608 - our own text
        filled.insert("events", before)


async def test_a_missing_adjacent_event_is_named(filled: LogFile) -> None:
    filled.change("DELETE FROM events WHERE position = 2")
    broken = await broken_link(filled.reader(), STREAM)
    assert broken is not None
    assert "position 2 is missing" in broken.message


@pytest.mark.parametrize(
    "change", ["DELETE FROM events", "UPDATE events SET stream = 'match:other'"]
)
async def test_any_event_removed_from_a_match_is_named(log_file: LogFile, change: str) -> None:
    match = "room-1"
    started = MatchStarted(
        match=match, tick=0, game="pong", rules_version=1, players=[7, 8], seed=1, options={},
        pace="ticks", turn_s=None,
    )  # fmt: skip
    ended = MatchEnded(match=match, tick=9, reason="left", winner=1, scores=[2, 3], hash="")
    store = log_file.store()
    for event in (started, joined(7), ended, joined(8)):
        store.commit([append_of(event)])
    store.close()
    assert await broken_match(log_file.reader(), match) is None
    for position in (1, 3):
        (before,) = log_file.query("SELECT * FROM events WHERE position = ?", position)
        log_file.change(f"{change} WHERE position = {position}")
        broken = await broken_match(log_file.reader(), match)
        assert broken is not None
        assert "missing" in broken.message
        log_file.change(f"DELETE FROM events WHERE position = {position}")  # noqa: S608 - our own text
        log_file.insert("events", before)
