"""What an operator does to a log on PostgreSQL while no node runs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from service.domain.events.matches import MatchEnded, MatchStarted
from service.domain.events.outbox import ConsumerSubscribed, ResultRejected
from service.eventstore import postgres_commands
from service.eventstore.integrity import BrokenChain
from service.eventstore.lock import LogInUse
from service.eventstore.postgres import PostgresStore
from service.eventstore.postgres_schema import conninfo
from service.eventstore.read_models.postgres_rebuild import rebuild_tables
from service.eventstore.read_models.rebuild import BrokenProjection, Comparison
from service.eventstore.side_file import DamagedHead, LostTail, SideFile
from service.eventstore.skips import Skip
from tests.integration.eventstore.store_database import Database, committed
from tests.integration.log_file import append_of, joined
from tests.postgres import Postgres, binaries

pytestmark = pytest.mark.postgres

DERIVED = ("matches", "match_players", "consumers", "outbox")
UNPROTECTED = "ALTER TABLE events DISABLE TRIGGER USER"


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Database]:
    """A log with matches and deliveries, that no process uses."""
    found = Database(postgres.create_log())
    store = found.opened()
    committed(store, append_of(ConsumerSubscribed("webhook"), joined(1)))
    for match in ("r-1", "r-2"):
        started = MatchStarted(match, 0, "pong", 1, [7, "ana"], 1, {}, "ticks", None)
        committed(store, append_of(started, MatchEnded(match, 9, "timeup", 1, [0, 2], "h")))
    committed(store, append_of(ResultRejected("webhook", "r-2", 410)))
    found.close()
    found.query("UPDATE outbox SET attempts = 7, next_at = 5, last_error = 'e' WHERE match = 'r-1'")
    yield found
    found.close()


def rebuilt(database: Database, side_file: Path) -> int:
    """Rebuild, and compare the tables with the log."""
    events = rebuild_tables(database.conninfo, side_file, lambda _done, _total: None)
    compare(database)
    return events


def compare(database: Database) -> None:
    """Raise `BrokenProjection` unless the derived tables agree with the log."""
    comparison = Comparison(Path(), database.conninfo)

    async def project(reader: object) -> None:
        async for page in reader.read(0):  # type: ignore[attr-defined]  # a reader of the log
            for recorded in page:
                comparison.project(recorded)

    with closing(comparison):
        database.read(project)
        comparison.finish()


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM match_players; DELETE FROM matches; DELETE FROM outbox",
        "UPDATE matches SET scores = '[9,9]'",
        "INSERT INTO consumers VALUES ('stranger')",
        "UPDATE outbox SET state = 'rejected'",
        "UPDATE match_players SET \"user\" = 'eve'",
    ],
)
def test_derived_tables_are_rebuilt_from_the_log(
    database: Database, tmp_path: Path, damage: str
) -> None:
    before = {table: sorted(database.query(f"SELECT * FROM {table}")) for table in DERIVED}  # noqa: S608 - ours
    for statement in damage.split(";"):
        database.query(statement)
    with pytest.raises(BrokenProjection):
        compare(database)
    assert rebuilt(database, tmp_path / "side") == 7
    after = {table: sorted(database.query(f"SELECT * FROM {table}")) for table in DERIVED}  # noqa: S608 - ours
    if "outbox" not in damage:
        # The state of deliveries is no part of the log, and stays.
        assert after == before
    assert database.verify() == 7


def test_a_rebuild_puts_a_missing_head_back_with_the_epoch_of_the_side_file(
    database: Database, tmp_path: Path
) -> None:
    with closing(PostgresStore(database.conninfo, "n1", 100)) as store:
        SideFile(tmp_path / "side").write(store.head)
        head = store.head
    database.query("DELETE FROM log_head")
    with pytest.raises(DamagedHead):
        PostgresStore(database.conninfo, "n1", 100)
    rebuilt(database, tmp_path / "side")
    with closing(PostgresStore(database.conninfo, "n1", 100)) as store:
        assert store.head == head
        store.check_end()


def test_a_log_that_was_changed_is_not_rebuilt_from(database: Database, tmp_path: Path) -> None:
    database.query(UNPROTECTED)
    database.query("UPDATE events SET actor = 'eve' WHERE position = 3")
    database.query("DELETE FROM outbox")
    with pytest.raises(BrokenChain, match="position 3 was changed"):
        rebuild_tables(database.conninfo, tmp_path / "side", lambda _done, _total: None)
    assert database.query("SELECT count(*) FROM outbox") == [(0,)]


@pytest.mark.parametrize("is_shared", [False, True], ids=["single", "node"])
def test_what_changes_a_log_is_refused_while_it_is_used(
    database: Database, tmp_path: Path, *, is_shared: bool
) -> None:
    with closing(PostgresStore(database.conninfo, "a", 100, is_shared=is_shared)):
        with pytest.raises(LogInUse, match="stop it first"):
            rebuild_tables(database.conninfo, tmp_path / "side", lambda _done, _total: None)
        with pytest.raises(LogInUse), postgres_commands.locked(database.conninfo):
            pass
    with postgres_commands.locked(database.conninfo):
        postgres_commands.write_skip(database.conninfo, Skip(3, "why", "me", 0))
        with pytest.raises(LogInUse):
            PostgresStore(database.conninfo, "a", 100, is_shared=True)


def test_a_log_is_dumped_and_restored_by_the_tools_of_the_server(
    postgres: Postgres, database: Database, tmp_path: Path
) -> None:
    dump = str(tmp_path / "log.dump")
    run("pg_dump", "--format=custom", f"--file={dump}", database.conninfo)
    store = database.node("a")
    committed(store, append_of(joined(2)))
    side_file = SideFile(tmp_path / "side")
    side_file.write(store.head)
    database.close()

    restore = ("pg_restore", "--clean", "--if-exists", "--no-owner")
    run(*restore, f"--dbname={database.conninfo}", dump)
    compare(database)
    assert database.verify() == 7
    # The node knows more than this log, and is told to accept that.
    store = PostgresStore(database.conninfo, "a", 100, is_shared=True)
    with closing(store):
        with pytest.raises(LostTail):
            side_file.check(store.head, store.hash_at)
        epoch = store.head.epoch
        store.begin_epoch()
        assert store.head.epoch != epoch
    assert committed(database.node("a", 3), append_of(joined(3)))[0].positions == [8]
    assert database.verify() == 8

    # The same into another, empty database.
    other = Database(postgres.create_database(), is_migrated=False)
    run("pg_restore", "--no-owner", f"--dbname={conninfo(other.url)}", dump)
    assert committed(other.opened(), append_of(joined(3)))[0].positions == [8]
    assert other.verify() == 8
    other.close()


def test_one_of_several_nodes_does_not_begin_an_epoch(database: Database) -> None:
    with closing(PostgresStore(database.conninfo, "a", 100, is_shared=True)) as store:
        with (
            closing(PostgresStore(database.conninfo, "b", 100, is_shared=True)),
            pytest.raises(LogInUse, match="stop all other nodes"),
        ):
            store.begin_epoch()
        store.begin_epoch()
        # It is shared again.
        PostgresStore(database.conninfo, "b", 100, is_shared=True).close()


def run(*command: str) -> None:
    """Run a tool of the server."""
    found = binaries()
    assert found is not None
    subprocess.run([str(found / command[0]), *command[1:]], check=True, capture_output=True)
