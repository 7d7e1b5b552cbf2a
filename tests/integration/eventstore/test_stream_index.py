"""The stream index is filled asynchronously, and reads give the same events at any time."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import Unavailable
from service.eventstore import commit_thread, migrate, stream_index
from service.eventstore.plan import Committed
from service.eventstore.sqlite import SqliteStore
from service.eventstore.store import DuplicateVersion
from tests.effort import effort
from tests.integration.log_file import LogFile, append_of, appended, joined

FULL = 2
"""What `PRAGMA synchronous` returns when each commit is synced to the disk."""

USERS = ("1", "2", "3", "4")


def connection_of(store: SqliteStore) -> sqlite3.Connection:
    """Return the connection that a store writes by."""
    return store._connection  # noqa: SLF001 - its statements are what is tested


def indexed(log_file: LogFile) -> int:
    """Return up to where the index is filled."""
    ((position,),) = log_file.query("SELECT position FROM stream_index_head")
    return int(position)


def append(store: SqliteStore, *users: str) -> None:
    """Append an event for each of these users."""
    (answer,) = store.commit([append_of(*(joined(user) for user in users))])
    assert isinstance(answer, Committed)


def test_events_are_not_indexed_by_the_commit_but_by_a_fill(log_file: LogFile) -> None:
    store = log_file.store()
    append(store, "1", "2", "1")
    assert (indexed(log_file), store.unindexed) == (0, 3)
    assert log_file.query("SELECT * FROM stream_index") == []
    store.fill_index()
    assert (indexed(log_file), store.unindexed) == (3, 0)
    assert log_file.query("SELECT * FROM stream_index") == [
        ("user:1", 1, 1),
        ("user:1", 2, 3),
        ("user:2", 1, 2),
    ]


def test_a_fill_adds_no_more_events_than_its_bound(
    log_file: LogFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_index, "ROWS_PER_FILL", 2)
    store = log_file.store()
    append(store, "1", "2", "1")
    store.fill_index()
    assert (indexed(log_file), store.unindexed) == (2, 1)
    assert (store.last_version("user:1"), store.last_version("user:2")) == (2, 1)
    store.fill_index()
    assert (indexed(log_file), store.unindexed) == (3, 0)


def test_a_fill_is_not_synced_to_the_disk_and_every_commit_is(log_file: LogFile) -> None:
    store = log_file.store()
    statements: list[str] = []
    connection_of(store).set_trace_callback(statements.append)
    append(store, "1")
    store.fill_index()
    store.fill_index()
    append(store, "2")
    append(store, "3")
    shown = ("BEGIN", "COMMIT", "PRAGMA", "INSERT INTO events", "INSERT INTO stream_index (")
    assert [kind for one in statements for kind in shown if one.strip().startswith(kind)] == [
        *("BEGIN", "INSERT INTO events", "COMMIT"),
        *("PRAGMA", "BEGIN", "INSERT INTO stream_index (", "COMMIT"),
        *("BEGIN", "INSERT INTO stream_index (", "COMMIT"),
        *("PRAGMA", "BEGIN", "INSERT INTO events", "COMMIT"),
        *("BEGIN", "INSERT INTO events", "COMMIT"),
    ]
    assert [one for one in statements if one.startswith("PRAGMA")] == [
        "PRAGMA synchronous=NORMAL",
        "PRAGMA synchronous=FULL",
    ]
    assert connection_of(store).execute("PRAGMA synchronous").fetchone() == (FULL,)


def test_nothing_is_committed_while_commits_can_not_be_made_durable(log_file: LogFile) -> None:
    store = log_file.store()
    append(store, "1")
    store.fill_index()

    def refuse_pragmas(action: int, *_names: object) -> int:
        return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_PRAGMA else sqlite3.SQLITE_OK

    connection_of(store).set_authorizer(refuse_pragmas)
    for _ in range(2):
        with pytest.raises(Unavailable):
            append(store, "2")
    assert (store.head.position, log_file.query("SELECT count(*) FROM events")) == (1, [(1,)])
    connection_of(store).set_authorizer(None)
    append(store, "2")
    assert connection_of(store).execute("PRAGMA synchronous").fetchone() == (FULL,)
    assert log_file.query("SELECT count(*) FROM events") == [(2,)]


@effort(40)
@given(data=st.data())
def test_a_stream_reads_the_same_however_much_of_it_is_indexed(data: st.DataObject) -> None:
    with TemporaryDirectory() as directory:
        file = LogFile(Path(directory) / "log.db")
        migrate.upgrade(file.url)
        try:
            asyncio.run(compare_with_lists(file, data))
        finally:
            asyncio.run(file.close())


async def compare_with_lists(file: LogFile, data: st.DataObject) -> None:
    """Append, fill and open again in some order; the model is a list of positions a stream."""
    store, model = file.store(), dict[str, list[int]]()
    position = 0
    for _ in range(data.draw(st.integers(1, 6))):
        users = data.draw(st.lists(st.sampled_from(USERS), min_size=1, max_size=5))
        append(store, *users)
        for user in users:
            position += 1
            model.setdefault(f"user:{user}", []).append(position)
        step = data.draw(st.sampled_from(("stay", "fill", "reopen")))
        if step == "fill":
            store.fill_index()
        elif step == "reopen":
            store = file.store()
    reader = file.reader()
    for user in USERS:
        stream = f"user:{user}"
        expected = model.get(stream, [])
        after = data.draw(st.integers(0, position))
        assert store.last_version(stream) == len(expected)
        page = await reader.page(after, stream=stream)
        assert [one.position for one in page] == [at for at in expected if at > after]
        found = await reader.of_match(stream, after, 100)
        assert [version for version, _, _ in found] == [*range(after + 1, len(expected) + 1)]
        rows = [row.position async for page in reader.rows(stream=stream) for row in page]
        assert rows == expected


def test_a_second_event_of_the_same_version_is_refused_by_the_index(log_file: LogFile) -> None:
    store = log_file.store()
    append(store, "1", "1")
    log_file.change("UPDATE events SET version = 1 WHERE position = 2")
    with pytest.raises(DuplicateVersion):
        store.fill_index()
    assert indexed(log_file) == 0


async def test_a_log_that_is_closed_has_all_its_events_in_the_index(log_file: LogFile) -> None:
    log = log_file.started()
    for user in USERS:
        await appended(log, append_of(joined(user)).events)
    await log_file.close_logs()
    assert indexed(log_file) == len(USERS)


async def test_an_idle_writer_fills_the_index(
    log_file: LogFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit_thread, "ROWS_PER_FILL", 2)
    log, filled = log_file.started(), threading.Event()
    fill_index = SqliteStore.fill_index

    def fill_and_tell(store: SqliteStore) -> None:
        fill_index(store)
        filled.set()

    monkeypatch.setattr(SqliteStore, "fill_index", fill_and_tell)
    await appended(log, append_of(joined("1"), joined("2")).events)
    # Nothing else is put into the writer's queue meanwhile.
    assert filled.wait(timeout=10)
    assert indexed(log_file) == 2


async def test_a_duplicate_version_stops_the_index_but_not_the_log(
    log_file: LogFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit_thread, "ROWS_PER_FILL", 4)
    log = log_file.started()
    await appended(log, append_of(joined("1"), joined("1")).events)
    log_file.change("UPDATE events SET version = 1 WHERE position = 2")
    await appended(log, append_of(joined("2"), joined("3")).events)
    assert await appended(log, append_of(joined("2")).events) == [5]
    await log_file.close_logs()
    assert indexed(log_file) == 0


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("DELETE FROM stream_index WHERE version = 2", "lacks 1 events"),
        ("UPDATE stream_index SET position = 2 WHERE version = 2", "event 2 of user:1"),
        ("UPDATE stream_index_head SET position = 1", "event"),
        ("INSERT INTO stream_index VALUES ('user:9', 1, 3)", "event 1 of user:9"),
    ],
)
def test_an_index_that_is_not_what_the_events_say_is_named(
    log_file: LogFile, change: str, found: str
) -> None:
    store = log_file.store()
    append(store, "1", "2", "1")
    store.fill_index()
    with closing(log_file.connect()) as connection:
        assert stream_index.difference(connection, "main") is None
        connection.execute(change)
        assert found in str(stream_index.difference(connection, "main"))
        stream_index.refill(connection, 3)
        assert stream_index.difference(connection, "main") is None
