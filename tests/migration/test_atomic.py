"""A migration interrupted at any statement leaves the old or the new schema."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from alembic import command
from alembic.util import CommandError
from sqlalchemy import Engine, event

from service.domain.events.matches import MatchEnded, MatchStarted
from service.domain.events.outbox import ConsumerSubscribed
from service.eventstore import migrate
from service.eventstore.lock import LogInUse, LogLock
from service.eventstore.sqlite import SqliteStore
from tests.integration.log_file import append_of, joined

REVISIONS = ("base", "0001")
"""Where a directory may have been left by an older version."""


class Broken(Exception):
    """The process is gone, as far as this migration knows."""


def at(path: Path, revision: str) -> str:
    """Make a database of a revision, with events where it can have some, and return its URL."""
    url = f"sqlite+aiosqlite:///{path}"
    path.parent.mkdir(parents=True, exist_ok=True)
    if revision == "base":
        return url
    migrate.upgrade(url)
    store = SqliteStore(path, "n1", 20)
    store.commit([append_of(joined(1), joined(2))])
    store.close()
    go(url, "downgrade", revision)
    return url


def go(url: str, direction: str, revision: str) -> None:
    """Do as `alembic upgrade` or `downgrade`, on the command line."""
    config = migrate.alembic_config()
    config.attributes["url"] = url
    getattr(command, direction)(config, revision)


def contents(path: Path) -> tuple[list[tuple[str, str]], list[tuple[object, ...]]]:
    """Return the schema, in the words of the database, and the events."""
    if not path.exists() or not path.stat().st_size:
        return [], []
    with closing(sqlite3.connect(path)) as database:
        query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
        schema = database.execute(query).fetchall()
        if not any(name == "events" for name, _ in schema):
            return schema, []
        return schema, database.execute("SELECT * FROM events").fetchall()


@contextmanager
def statements() -> Iterator[list[str]]:
    """Note what is sent to the database."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@contextmanager
def broken_at(number: int) -> Iterator[None]:
    """Break off before a statement."""
    left = iter(range(number))

    def count(*_: object) -> None:
        if next(left, None) is None:
            raise Broken

    event.listen(Engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", count)


@pytest.mark.parametrize("revision", REVISIONS)
def test_an_error_between_any_two_statements_rolls_back_the_migration(
    tmp_path: Path, revision: str
) -> None:
    url = at(tmp_path / "log.db", revision)
    before = contents(tmp_path / "log.db")
    number = 0
    while True:
        try:
            with broken_at(number):
                migrate.upgrade(url)
        except Broken:
            assert contents(tmp_path / "log.db") == before
            number += 1
        else:
            break
    assert number > 5
    assert migrate.current(url) == migrate.newest()
    assert contents(tmp_path / "log.db")[1] == before[1]


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_kill_between_any_two_statements_leaves_the_old_or_new_schema(
    tmp_path: Path, revision: str
) -> None:
    """The files are copied before each statement: so a killed process leaves them."""
    path = tmp_path / "data" / "log.db"
    url = at(path, revision)
    before = contents(path)
    copies: list[Path] = []

    def copy(*_: object) -> None:
        copies.append(tmp_path / str(len(copies)) / "log.db")
        shutil.copytree(path.parent, copies[-1].parent)

    event.listen(Engine, "before_cursor_execute", copy)
    try:
        migrate.upgrade(url)
    finally:
        event.remove(Engine, "before_cursor_execute", copy)
    after = contents(path)
    assert len(copies) > 5
    for one in copies:
        migrate.current(f"sqlite+aiosqlite:///{one}")
        assert contents(one) in (before, after)
        migrate.upgrade(f"sqlite+aiosqlite:///{one}")
        assert contents(one) == after


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_migration_is_one_transaction(tmp_path: Path, revision: str) -> None:
    url = at(tmp_path / "log.db", revision)
    with statements() as sent:
        migrate.upgrade(url)
    assert sent[0] == "BEGIN IMMEDIATE"
    assert not any("COMMIT" in one or "BEGIN" in one for one in sent[1:] if "TRIGGER" not in one)


def test_downgrade_base_refuses_a_log_with_events(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    url = at(path, "0001")
    go(url, "upgrade", "head")
    before = contents(path)
    with pytest.raises(CommandError, match="there are events"):
        go(url, "downgrade", "base")
    assert contents(path) == before


def test_a_downgrade_and_upgrade_keeps_stored_user_tokens(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    url = at(path, "0001")
    go(url, "upgrade", "head")
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("INSERT INTO bearers VALUES ('r-1', '7', x'01')")
    before = contents(path)
    go(url, "downgrade", "0001")
    go(url, "upgrade", "head")
    assert contents(path) == before
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT * FROM bearers").fetchall() == [("r-1", "7", b"\x01")]


def test_an_upgrade_adds_deliveries_for_matches_that_ended_under_an_older_version(
    tmp_path: Path,
) -> None:
    """The older version writes no outbox: a match that ended under it would have no deliveries."""
    path = tmp_path / "log.db"
    url = at(path, "0001")
    go(url, "upgrade", "head")
    store = SqliteStore(path, "n1", 20)
    started = MatchStarted(
        match="r-1",
        tick=0,
        game="relay",
        rules_version=1,
        players=[7, 8],
        seed=1,
        options={},
        pace="free",
        turn_s=None,
    )
    ended = MatchEnded(match="r-1", tick=1, reason="left", winner=0, scores=[1, 0], hash="")
    store.commit([append_of(ConsumerSubscribed(consumer="hook"), started, ended)])
    store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        waiting = database.execute("SELECT consumer, match, state FROM outbox").fetchall()
        go(url, "downgrade", "0001")
        database.execute("DELETE FROM outbox")
        database.execute("DELETE FROM consumers")
        go(url, "upgrade", "head")
        assert database.execute("SELECT consumer FROM consumers").fetchall() == [("hook",)]
        found = database.execute("SELECT consumer, match, state FROM outbox").fetchall()
    assert found == waiting == [("hook", "r-1", "waiting")]


def test_alembic_by_hand_refuses_a_log_in_use(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    url = at(path, "0001")
    lock = LogLock(path.with_suffix(".lock"))
    before = contents(path)
    for direction, revision in (("upgrade", "head"), ("downgrade", "base")):
        with pytest.raises(CommandError, match="another ws-service"):
            go(url, direction, revision)
    with pytest.raises(LogInUse):
        migrate.upgrade(url)
    assert contents(path) == before
    lock.release()
