"""All revisions on PostgreSQL: with events, in both directions, and interrupted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Engine, create_engine, event, inspect
from sqlalchemy.pool import NullPool

from service.cli import maintenance
from service.errors import ConfigurationError
from service.eventstore import migrate
from service.eventstore.inspection import NotOurDatabase
from service.eventstore.migrate import SqliteOnly, WrongSchema
from service.eventstore.postgres import PostgresStore
from service.eventstore.postgres_schema import conninfo
from service.eventstore.tables import metadata
from tests.integration.log_file import append_of, joined
from tests.postgres import Postgres, running

pytestmark = pytest.mark.postgres

SQLITE_ALONE = {"stream_index", "stream_index_head"}
POSTGRES_ALONE = {"nodes", "keys", "recorded_at", "barrier"}
"""Tables and columns that only several nodes need."""


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """One server for these tests."""
    with running() as server:
        yield server


@pytest.fixture
def url(server: Postgres) -> str:
    """An empty database."""
    return server.create_database()


def go(url: str, direction: str, revision: str) -> None:
    """Do as `alembic upgrade` or `downgrade`, on the command line."""
    config = migrate.alembic_config()
    config.attributes["url"] = url
    getattr(command, direction)(config, revision)


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    """Run a query."""
    with psycopg.connect(conninfo(url)) as connection:
        return connection.execute(query.encode()).fetchall()


def schema(url: str) -> list[tuple[object, ...]]:
    """Return columns, constraints, triggers and functions."""
    return (
        rows(
            url,
            "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable"
            " FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2",
        )
        + rows(
            url,
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)"
            " FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2",
        )
        + rows(
            url,
            "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"
            " ORDER BY 1, 2",
        )
        + rows(
            url,
            "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            " ORDER BY 1",
        )
    )


def commit(url: str, *users: int) -> None:
    """Append an event for each user."""
    with closing(PostgresStore(conninfo(url), "n1", 2000)) as store:
        store.commit([append_of(joined(user)) for user in users])


def test_the_migrated_schema_matches_the_tables(url: str) -> None:
    migrate.upgrade(url)
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_name": lambda name, kind, _parents: (
                    kind != "table" or name not in SQLITE_ALONE
                ),
                "include_object": lambda _object, name, kind, reflected, to: (
                    (kind != "table" or name not in SQLITE_ALONE)
                    and not (reflected and to is None and name in POSTGRES_ALONE)
                    and name != "uq_events_stream_version"
                ),
            },
        )
        assert compare_metadata(context, metadata) == []
        unique = {one["name"] for one in inspect(connection).get_unique_constraints("events")}
    # Several processes may append: here the database itself keeps versions unique (decision 19).
    assert unique == {"uq_events_event_id", "uq_events_stream_version"}


@pytest.mark.parametrize("revision", ["0001", "0002", "0003", "0004", "0005", "0006"])
def test_every_revision_is_upgraded_with_its_events(url: str, revision: str) -> None:
    migrate.upgrade(url)
    commit(url, 1, 2)
    before, events = schema(url), rows(url, "SELECT * FROM events ORDER BY position")
    go(url, "downgrade", revision)
    assert migrate.current(url) == revision
    with pytest.raises(WrongSchema):
        migrate.check(url)
    migrate.upgrade(url)
    assert schema(url) == before
    assert rows(url, "SELECT * FROM events ORDER BY position") == events
    commit(url, 3)


def test_an_empty_log_goes_down_to_nothing_and_up_again(url: str) -> None:
    migrate.upgrade(url)
    before = schema(url)
    go(url, "downgrade", "base")
    assert rows(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [
        ("alembic_version",)
    ]
    migrate.upgrade(url)
    assert schema(url) == before


def test_the_tables_of_events_are_not_dropped(url: str) -> None:
    migrate.upgrade(url)
    commit(url, 1)
    with pytest.raises(CommandError, match="there are events"):
        go(url, "downgrade", "base")
    assert migrate.current(url) == migrate.newest()


class _Broken(Exception):
    """The process has ended, as far as the migration knows."""


def test_a_migration_that_is_interrupted_leaves_nothing(url: str) -> None:
    before = schema(url)

    def fail(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "INSERT INTO alembic_version" in statement or "skipped" in statement:
            raise _Broken

    event.listen(Engine, "before_cursor_execute", fail)
    try:
        with pytest.raises(_Broken):
            migrate.upgrade(url)
    finally:
        event.remove(Engine, "before_cursor_execute", fail)
    assert schema(url) == before
    migrate.upgrade(url)


def test_two_processes_that_migrate_at_once_wait_for_each_other(url: str) -> None:
    failures: list[BaseException] = []

    def upgrade() -> None:
        try:
            migrate.upgrade(url)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            failures.append(error)

    # Alembic's own context is one for the process, so only the lock is tried at once.
    with psycopg.connect(conninfo(url)) as other:
        other.execute(
            "SELECT pg_advisory_xact_lock("
            "hashtextextended('ws-service-migrate:' || current_schema(), 0))"
        )
        thread = threading.Thread(target=upgrade)
        thread.start()
        while not rows(url, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
            assert thread.is_alive()
        assert migrate.current(url) is None
    thread.join()
    assert failures == []
    assert migrate.current(url) == migrate.newest()


def test_tables_of_another_application_are_refused(url: str) -> None:
    with psycopg.connect(conninfo(url)) as connection:
        connection.execute("CREATE TABLE events (id integer)")
    with pytest.raises(NotOurDatabase):
        migrate.upgrade(url)


def test_a_database_in_another_encoding_is_refused(server: Postgres) -> None:
    with closing(server.connect("postgres")) as connection:
        connection.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    url = f"{server.create_database().rpartition('/')[0]}/latin"
    with pytest.raises(ConfigurationError, match="encoding LATIN1"):
        migrate.upgrade(url)


def test_backup_and_restore_name_the_tools_of_the_server(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WS_DATABASE_URL", url)
    monkeypatch.setenv("WS_DATA_DIR", str(tmp_path))
    with pytest.raises(SqliteOnly, match="pg_dump --format=custom"):
        maintenance.backup(tmp_path)
    with pytest.raises(SqliteOnly, match="pg_restore --clean"):
        maintenance.restore(tmp_path, replace=False)
    assert list(tmp_path.iterdir()) == []


def test_commands_for_files_say_that_there_are_none(url: str) -> None:
    with pytest.raises(SqliteOnly, match="works with SQLite only"):
        migrate.database_path(url)
