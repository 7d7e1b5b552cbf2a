"""Read models: a rebuild gives the same rows as the writer."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from service.domain.events.base import Event
from service.domain.events.matches import MatchEnded, MatchStarted
from service.domain.events.outbox import (
    USER_SERVICE,
    ConsumerSubscribed,
    ConsumerUnsubscribed,
    ResultDelivered,
    ResultRejected,
    ResultRequeued,
)
from service.eventstore.inspection import LogFiles, inspect
from service.eventstore.integrity import BrokenChain
from service.eventstore.read_models.rebuild import (
    BrokenProjection,
    Comparison,
    DamagedDatabase,
    DatabaseUnusable,
    check_file,
    open_read_only,
    rebuild_tables,
    sqlite_errors_named,
    walk,
)
from service.eventstore.records import Head
from service.eventstore.side_file import DamagedHead, LostTail, SideFile
from service.eventstore.stored import UnreadableEvent
from tests.integration.log_file import LogFile, append_of, appended, joined, proposed

HOOK = "webhook-1"
TABLES = ("matches", "match_players", "consumers", "outbox")


def started(match: str) -> MatchStarted:
    return MatchStarted(
        match=match,
        tick=0,
        game="pong",
        rules_version=1,
        players=[7, 8],
        seed=1,
        options={},
        pace="ticks",
        turn_s=None,
    )


def ended(match: str) -> MatchEnded:
    return MatchEnded(match=match, tick=9, reason="left", winner=1, scores=[2, 3], hash="")


EVENTS: list[Event] = [
    ConsumerSubscribed(consumer=USER_SERVICE),
    ConsumerSubscribed(consumer=HOOK),
    ConsumerSubscribed(consumer="webhook-gone"),
    ConsumerUnsubscribed(consumer="webhook-gone"),
    started("delivered-1"),
    ended("delivered-1"),
    ResultDelivered(consumer=HOOK, match="delivered-1"),
    started("rejected-1"),
    ended("rejected-1"),
    ResultRejected(consumer=HOOK, match="rejected-1", status=400),
    ResultRequeued(consumer=HOOK, match="rejected-1"),
    ResultRejected(consumer=HOOK, match="rejected-1", status=400),
    started("waits-1"),
    ended("waits-1"),
    joined(7),
    started("live-1"),
]


@pytest.fixture
def filled(log_file: LogFile) -> LogFile:
    """A log with matches in every state of the outbox, and the notes of a delivery."""
    store = log_file.store()
    for event in EVENTS:
        store.commit([append_of(event)])
    store.close()
    log_file.change(
        "UPDATE outbox SET attempts = 4, next_at = 99, last_error = 'down' WHERE match = 'waits-1'"
    )
    return log_file


def tables(file: LogFile) -> dict[str, list[tuple[object, ...]]]:
    return {name: sorted(file.query(f"SELECT * FROM {name}")) for name in TABLES}  # noqa: S608 - our own text


def compare(file: LogFile) -> None:
    comparison = Comparison(file.path)
    try:
        with open_read_only(file.path) as connection:
            walk(connection, lambda _done, _total: None, comparison.project)
        comparison.finish()
    finally:
        comparison.close()


def rebuild(file: LogFile) -> None:
    rebuild_tables(file.path, lambda _done, _total: None)


def test_read_models_written_by_the_writer_match_the_log(filled: LogFile) -> None:
    compare(filled)


CHANGES = [
    "DELETE FROM match_players",
    "DELETE FROM match_players WHERE match = 'waits-1' AND seat = 1",
    "DELETE FROM outbox WHERE match = 'rejected-1' AND consumer = 'webhook-1'",
    "DELETE FROM consumers",
    "INSERT INTO consumers VALUES ('webhook-2')",
    "UPDATE outbox SET state = 'waiting' WHERE match = 'rejected-1'",
    "UPDATE outbox SET position = 1",
    "INSERT INTO outbox VALUES ('webhook-1', 'delivered-1', 'waiting', 6, 0, 0, NULL)",
    "UPDATE match_players SET user = '9'",
    "UPDATE matches SET winner = NULL",
    "UPDATE matches SET scores = '[9,9]'",
    "UPDATE matches SET started_at = 1",
    "UPDATE matches SET rules_version = 7 WHERE match = 'live-1'",
    "UPDATE matches SET ended_at = 5 WHERE match = 'live-1'",
    "DELETE FROM matches WHERE match = 'live-1'",
    "UPDATE outbox SET attempts = 'many'",
    "UPDATE outbox SET attempts = -1",
    "UPDATE outbox SET next_at = 9223372036854775807",
    "UPDATE outbox SET next_at = x'00'",
    "UPDATE outbox SET last_error = x'ff'",
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_damaged_table_is_named_with_its_remedy_and_rebuilt(filled: LogFile, change: str) -> None:
    before = tables(filled)
    with closing(filled.connect()) as database, database:
        database.execute("PRAGMA foreign_keys = OFF")
        database.execute(change)
    with pytest.raises(BrokenProjection, match="ws-service log rebuild"):
        compare(filled)
    rebuild(filled)
    compare(filled)
    # A row that was lost has lost the notes of its delivery, too.
    assert {name: len(rows) for name, rows in tables(filled).items()} == {
        name: len(rows) for name, rows in before.items()
    }


BEHIND = """
    UPDATE log_head SET position = 15, hash = (SELECT hash FROM events WHERE position = 15)
"""

HEADS = [
    BEHIND,
    "UPDATE log_head SET hash = zeroblob(32)",
    "DELETE FROM log_head",
]


@pytest.mark.parametrize("change", HEADS)
async def test_a_wrong_log_head_is_named_and_rebuilt(filled: LogFile, change: str) -> None:
    filled.started()
    await filled.close_logs()
    ((_, position, hash_, epoch),) = filled.query("SELECT * FROM log_head")
    filled.change(change)
    before = filled.query("SELECT * FROM log_head")
    with pytest.raises(DamagedHead, match="ws-service log rebuild"):
        compare(filled)
    with pytest.raises(DamagedHead, match="ws-service log rebuild"):
        inspect(filled.path, accept_lost_tail=False)
    for accept in (False, True):
        with pytest.raises(DamagedHead, match="ws-service log rebuild"):
            filled.log(accept_lost_tail=accept)
    assert filled.query("SELECT * FROM log_head") == before
    SideFile(LogFiles(filled.path).side_file).write(Head(position, hash_, epoch))
    rebuild(filled)
    assert filled.query("SELECT * FROM log_head") == [(1, position, hash_, epoch)]
    compare(filled)
    inspect(filled.path, accept_lost_tail=False)


def test_a_row_beyond_the_head_outside_the_hash_chain_blocks_the_rebuild(
    filled: LogFile,
) -> None:
    filled.change(BEHIND, "UPDATE events SET actor = 'x' WHERE position = 16")
    before = filled.query("SELECT * FROM log_head")
    with pytest.raises(BrokenChain, match="position 16"):
        rebuild(filled)
    assert filled.query("SELECT * FROM log_head") == before


async def test_a_log_shorter_than_its_head_needs_accept_lost_tail(
    filled: LogFile,
) -> None:
    filled.change("DELETE FROM events WHERE position = 16")
    ((hash_,),) = filled.query("SELECT hash FROM events WHERE position = 15")
    with pytest.raises(LostTail, match="ends at 15, its head says 16"):
        inspect(filled.path, accept_lost_tail=False)
    with pytest.raises(LostTail, match="ends at 15, its head says 16"):
        filled.log()
    inspect(filled.path, accept_lost_tail=True)
    log = filled.started(accept_lost_tail=True)
    assert (log.head.position, log.head.hash) == (15, hash_)
    await appended(log, proposed(joined(9)))
    await filled.close_logs()
    with open_read_only(filled.path) as connection:
        assert walk(connection, lambda _done, _total: None).position == 16


def test_a_rebuild_keeps_delivery_attempts_and_errors(filled: LogFile) -> None:
    before = tables(filled)
    rebuild(filled)
    assert tables(filled) == before


def test_an_interrupted_rebuild_changes_nothing(filled: LogFile) -> None:
    with closing(filled.connect()) as database, database:
        database.execute("DELETE FROM outbox")
    before = tables(filled)

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild_tables(filled.path, interrupt)
    assert tables(filled) == before


def test_a_rebuild_refuses_a_tampered_log(filled: LogFile) -> None:
    before = tables(filled)
    filled.change("UPDATE events SET data = replace(data, '[2,3]', '[9,3]') WHERE position = 6")
    with pytest.raises(BrokenChain, match="position 6"):
        rebuild(filled)
    assert tables(filled) == before


def test_an_event_of_a_later_version_is_named_by_its_position(filled: LogFile) -> None:
    filled.change("UPDATE events SET type = 'from.the_future' WHERE position = 3")
    filled.chain_anew()
    with pytest.raises(UnreadableEvent, match="position 3"):
        rebuild(filled)


def test_snapshots_are_rewritten_by_the_next_start(filled: LogFile) -> None:
    with closing(filled.connect()) as database, database:
        database.execute("INSERT INTO snapshots VALUES ('world', 1, 'code', x'00', x'00')")
    rebuild(filled)
    assert filled.query("SELECT * FROM snapshots") == []


def spoil_pages(path: Path) -> None:
    """Write nonsense over all pages but the first one."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xaa" * (path.stat().st_size - 4096))


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def no_database(path: Path) -> None:
    path.write_bytes(b"this is no database at all" * 400)


@pytest.mark.parametrize("damage", [spoil_pages, cut, no_database])
def test_a_damaged_file_raises_one_clear_error(
    filled: LogFile, damage: Callable[[Path], None]
) -> None:
    with closing(filled.connect()) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    damage(filled.path)
    with pytest.raises(DamagedDatabase, match="restore a backup"):
        check_file(filled.path)
    with pytest.raises((DamagedDatabase, BrokenChain)):
        rebuild(filled)


def test_a_damaged_index_is_rebuilt(filled: LogFile) -> None:
    """A row that its index does not know: as after a write that was torn."""
    with closing(filled.connect()) as database, database:
        database.execute("PRAGMA writable_schema = ON")
        index = "name = 'ix_match_players_user_match'"
        ((sql,),) = database.execute(f"SELECT sql FROM sqlite_master WHERE {index}")  # noqa: S608 - our own text
        # As if what was written by one order of columns were read by another.
        changed = re.sub(r"\(.*\)", '("match", "user")', sql)
        assert changed != sql
        database.execute(f"UPDATE sqlite_master SET sql = ? WHERE {index}", (changed,))  # noqa: S608 - our own text
    with pytest.raises(BrokenProjection, match="an index is damaged"):
        check_file(filled.path)
    rebuild(filled)
    check_file(filled.path)


def test_a_locked_database_is_not_reported_as_damaged(filled: LogFile) -> None:
    with closing(filled.connect()) as other:
        other.execute("BEGIN IMMEDIATE")
        with (
            pytest.raises(DatabaseUnusable, match="no other process uses the database"),
            sqlite_errors_named(filled.path),
            closing(sqlite3.connect(filled.path, timeout=0)) as connection,
        ):
            connection.execute("BEGIN IMMEDIATE")
