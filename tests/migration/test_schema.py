"""Migrations produce the schema of the code's tables, in both directions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from service.errors import ConfigurationError
from service.eventstore import migrate
from service.eventstore.sqlite import SqliteStore
from service.eventstore.tables import metadata
from tests.integration.log_file import append_of, joined


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Name a database that is not there yet, in a directory that is not there either."""
    return f"sqlite+aiosqlite:///{tmp_path / 'data' / 'log.db'}"


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    migrate.upgrade(url)
    engine = create_engine(f"sqlite:///{migrate.database_path(url)}")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def run(connection: Connection, revision: str) -> None:
    """Go down to a revision, or up to `head`."""
    config = migrate.alembic_config()
    config.attributes["connection"] = connection
    (command.upgrade if revision == "head" else command.downgrade)(config, revision)
    connection.commit()


def schema(connection: Connection) -> list[tuple[str, str]]:
    """Return the SQL of the database's schema."""
    query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
    return [(name, sql) for name, sql in connection.exec_driver_sql(query)]


def test_the_migrated_schema_matches_the_tables(connection: Connection) -> None:
    assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_constraint_and_index_names_match_the_tables(connection: Connection) -> None:
    """What has another name can't be found by a later migration."""
    inspector = inspect(connection)
    for name, table in metadata.tables.items():
        assert inspector.get_pk_constraint(name)["name"] == f"pk_{name}"
        found = {one["name"] for one in inspector.get_indexes(name)}
        assert found == {index.name for index in table.indexes}
    unique = {one["name"] for one in inspector.get_unique_constraints("events")}
    assert unique == {"uq_events_event_id"}


def test_upgrade_downgrade_upgrade_gives_the_same_schema(connection: Connection) -> None:
    before = schema(connection)
    run(connection, "base")
    assert [name for name, _ in schema(connection)] == ["alembic_version"]
    run(connection, "head")
    assert schema(connection) == before


def test_a_second_upgrade_changes_nothing(url: str, connection: Connection) -> None:
    before = schema(connection)
    migrate.upgrade(url)
    assert schema(connection) == before


def test_an_upgrade_keeps_existing_rows(url: str) -> None:
    migrate.upgrade(url)
    store = SqliteStore(migrate.database_path(url), "n1", 20)
    head = store.head
    store.close()
    migrate.upgrade(url)
    store = SqliteStore(migrate.database_path(url), "n1", 20)
    assert store.head == head
    store.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET data = x'00'",
        "UPDATE events SET position = position + 1",
        "DELETE FROM events",
        "DELETE FROM events WHERE position = 1",
    ],
)
def test_the_database_refuses_to_change_an_event(url: str, statement: str) -> None:
    migrate.upgrade(url)
    path = migrate.database_path(url)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute(
            "INSERT INTO events VALUES (1, 's', 1, 't', 1, x'01', 'c', NULL, 'n', 0, x'02', NULL,"
            " x'03')"
        )
        before = writer.execute("SELECT * FROM events").fetchall()
        with pytest.raises(sqlite3.IntegrityError, match="events are immutable"):
            writer.execute(statement)
        # Neither does any other program.
        with (
            closing(sqlite3.connect(path)) as other,
            pytest.raises(sqlite3.IntegrityError, match="events are immutable"),
        ):
            other.execute(statement)
        assert writer.execute("SELECT * FROM events").fetchall() == before


def test_inspecting_a_missing_database_does_not_create_it(url: str) -> None:
    assert migrate.current(url) is None
    with pytest.raises(ConfigurationError, match="there is no event log at"):
        migrate.check(url)
    assert not migrate.database_path(url).exists()


def test_a_file_that_is_not_a_database_is_reported_and_unchanged(url: str) -> None:
    path = migrate.database_path(url)
    path.parent.mkdir()
    path.write_text("this is no database, but long enough to be looked at as one " * 20)
    for work in (migrate.upgrade, migrate.current, migrate.check):
        with pytest.raises(ConfigurationError, match=r"log\.db can't be used: .* not a database"):
            work(url)
    assert path.read_text().startswith("this is no database")


def test_a_database_of_a_later_version_is_reported(url: str) -> None:
    migrate.upgrade(url)
    with closing(sqlite3.connect(migrate.database_path(url))) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    for work in (migrate.upgrade, migrate.check):
        with pytest.raises(ConfigurationError, match="schema 9999, which only a later version"):
            work(url)


def test_a_locked_database_is_reported(url: str) -> None:
    path = migrate.database_path(url)
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ConfigurationError, match="can't be used: database is locked"):
            migrate.upgrade(f"{url}?timeout=0.02")


def test_migrating_to_the_stream_index_and_back_keeps_all_events(
    url: str, connection: Connection
) -> None:
    path = migrate.database_path(url)
    store = SqliteStore(path, "n1", 20)
    store.commit([append_of(joined(1), joined(2), joined(1))])
    store.close()
    everything = "SELECT * FROM events ORDER BY position"
    before = connection.exec_driver_sql(everything).fetchall()
    connection.commit()
    run(connection, "0003")
    assert connection.exec_driver_sql(everything).fetchall() == before
    with pytest.raises(IntegrityError, match="UNIQUE"):
        connection.exec_driver_sql(
            "INSERT INTO events SELECT 4, stream, version, type, 1, x'01', 'c', NULL, 'n', 0, data,"
            " NULL, hash FROM events WHERE position = 3"
        )
    connection.rollback()
    run(connection, "head")
    assert connection.exec_driver_sql(everything).fetchall() == before
    assert connection.exec_driver_sql("SELECT * FROM stream_index").fetchall() == [
        ("user:1", 1, 1),
        ("user:1", 2, 3),
        ("user:2", 1, 2),
    ]
    store = SqliteStore(path, "n1", 20)
    assert (store.unindexed, store.last_version("user:1")) == (0, 2)
    store.close()


@pytest.mark.parametrize("revision", ["0001", "0002", "0003", "0004", "0005", "0006"])
def test_every_revision_is_upgraded_with_its_events(
    url: str, connection: Connection, revision: str
) -> None:
    store = SqliteStore(migrate.database_path(url), "n1", 20)
    store.commit([append_of(joined(1), joined(2))])
    store.close()
    everything = "SELECT * FROM events ORDER BY position"
    before, events = schema(connection), connection.exec_driver_sql(everything).fetchall()
    connection.commit()
    run(connection, revision)
    assert migrate.current(url) == revision
    with pytest.raises(ConfigurationError):
        migrate.check(url)
    run(connection, "head")
    assert schema(connection) == before
    assert connection.exec_driver_sql(everything).fetchall() == events
    store = SqliteStore(migrate.database_path(url), "n1", 20)
    store.commit([append_of(joined(3))])
    store.close()
