"""The reader: pages, streams, profiles and texts."""

from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from service.domain.events.lobby import LobbyLeft
from service.domain.personal_data import NO_PERSONAL_DATA, PersonalData, Text
from service.eventstore.plan import Append
from service.eventstore.reader import KEYS_PAGE, PAGE
from service.eventstore.records import GENESIS, Origin, RecordedEvent, propose
from tests.integration.log_file import LogFile, append_of, events_of, joined

One = TypeVar("One")


async def all_of(pages: AsyncIterator[Sequence[One]]) -> list[One]:
    return [one async for page in pages for one in page]


def positions(recorded: Sequence[RecordedEvent]) -> list[int]:
    return [one.position for one in recorded]


async def test_an_empty_log_has_no_pages_and_its_head_at_zero(log_file: LogFile) -> None:
    reader = log_file.reader()
    assert await all_of(reader.read()) == []
    assert await all_of(reader.rows()) == []
    assert (await reader.head()).position == 0
    assert (await reader.head()).hash == GENESIS


async def test_events_are_read_in_pages_without_a_gap(log_file: LogFile) -> None:
    log_file.store().commit([append_of(joined(user % 2 + 1)) for user in range(2 * PAGE + 1)])
    pages = [page async for page in log_file.reader().read()]
    assert [len(page) for page in pages] == [PAGE, PAGE, 1]
    assert positions([one for page in pages for one in page]) == list(range(1, 2 * PAGE + 2))
    rows = [len(page) async for page in log_file.reader().rows(PAGE + 1)]
    assert rows == [PAGE]


async def test_a_stream_is_read_in_version_order(log_file: LogFile) -> None:
    log_file.store().commit([append_of(joined(user, at)) for at, user in enumerate((1, 2, 1, 1))])
    reader = log_file.reader()
    found = await all_of(reader.read(stream="user:1"))
    assert events_of(found) == [joined(1, 0), joined(1, 2), joined(1, 3)]
    assert [one.version for one in found] == [1, 2, 3]
    assert positions(await all_of(reader.read(1, stream="user:1"))) == [3, 4]
    assert [row.position for row in await all_of(reader.rows(3, stream="user:1"))] == [4]
    assert await all_of(reader.read(stream="user:9")) == []


async def test_a_row_has_every_column_as_written(log_file: LogFile) -> None:
    store, append = log_file.store(), append_of(joined("ana"))
    store.commit([append])
    (row,) = await all_of(log_file.reader().rows())
    assert row.event_id == append.events[0].event_id
    assert (row.stream, row.version, row.type, row.schema_version) == (
        "user:ana",
        1,
        "lobby.joined",
        1,
    )
    assert (row.correlation_id, row.actor, row.node) == ("test", "7", "n1")
    assert row.data == b'{"user":"ana","socket":"n1.1.1"}'
    assert row.hash == store.head.hash


async def test_events_are_counted_by_type(log_file: LogFile) -> None:
    log_file.store().commit([append_of(joined(1), joined(2))])
    assert await log_file.reader().counts() == {"lobby.joined": 2}


async def test_names_are_found_for_any_number_of_users(log_file: LogFile) -> None:
    names = {str(user): f"Name {user}" for user in range(KEYS_PAGE + 2)}
    log_file.store().commit([Append([], {}, PersonalData(names=names))])
    reader = log_file.reader()
    assert await reader.names([*names, "nobody"]) == names
    assert await reader.names([]) == {}


async def test_the_reader_is_read_only(log_file: LogFile) -> None:
    async with log_file.reader().engine.connect() as connection:
        with pytest.raises(OperationalError, match="readonly"):
            await connection.execute(text("UPDATE log_head SET position = 9"))


async def test_texts_are_found_until_they_are_erased(log_file: LogFile) -> None:
    texts = {"c1": Text("salt", "hello"), "c2": Text("pepper", "bye")}
    append = msgspec.structs.replace(append_of(joined(1)), personal_data=PersonalData(texts=texts))
    log_file.store().commit([append])
    reader = log_file.reader()
    assert await reader.texts(["c1", "c2", "c3"]) == {"c1": "hello", "c2": "bye"}
    log_file.change("DELETE FROM texts WHERE chat = 'c1'")
    assert await reader.texts(["c1", "c2"]) == {"c2": "bye"}


async def test_the_last_event_before_a_time_is_searched_backwards(log_file: LogFile) -> None:
    reader = log_file.reader()
    assert await reader.last_before(1, after=0) == 0
    log_file.store().commit([append_of(*(joined(user) for user in range(1, 8)))])
    log_file.change("UPDATE events SET recorded_at = 100 * (position / 2)")
    found = [await reader.last_before(at, after=0) for at in (0, 1, 100, 101, 300, 301)]
    assert found == [0, 1, 1, 3, 5, 7]
    assert await reader.last_before(101, after=5) == 5


async def test_a_search_by_time_tolerates_times_that_go_back(log_file: LogFile) -> None:
    log_file.store().commit([append_of(*(joined(user) for user in range(1, 5)))])
    log_file.change("UPDATE events SET recorded_at = CASE WHEN position = 2 THEN 900 ELSE 100 END")
    assert await log_file.reader().last_before(500, after=0) == 4
    assert await log_file.reader().last_before(50, after=0) == 0


async def test_stored_events_are_read_undecoded_and_filtered(
    log_file: LogFile,
) -> None:
    named = propose([joined(3)], Origin("test", 3, "with-an-id"))
    log_file.store().commit(
        [
            append_of(joined(1), LobbyLeft(user=1, socket="n1.1.1"), joined(2), joined(1)),
            Append(named, {}, NO_PERSONAL_DATA),
        ]
    )
    reader = log_file.reader()
    pages = reader.stored(
        0, 5, without=("lobby.left", "match.input"), sparse="lobby.joined", streams={"user:1"}
    )
    found = await all_of(pages)
    assert [(one.position, one.stream) for one in found] == [
        (1, "user:1"),
        (4, "user:1"),
    ]
    assert [one.decoded() for one in found[1:]] == (await all_of(reader.read(3)))[:1]
    some = await all_of(reader.stored(1, 3, without=(), sparse="any", streams=()))
    assert [one.position for one in some] == [2, 3]
    # It belongs to a command with an id, which must be known again.
    assert [one.position async for one in reader.commands(0, 5)] == [5]


async def test_all_events_of_a_type_are_found_after_a_position(log_file: LogFile) -> None:
    log_file.store().commit(
        [append_of(joined(1), LobbyLeft(user=1, socket="n1.1.1"), joined(2), joined(3))]
    )
    reader = log_file.reader()
    found = [event async for event in reader.of_type_between("lobby.joined", 1, 4)]
    assert found == [joined(2), joined(3)]
    assert [event async for event in reader.of_type_between("lobby.joined", 1, 3)] == [joined(2)]
