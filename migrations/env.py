"""How alembic reaches the database, for its own command and for `ws-service`.

A caller that has a connection gives it as `config.attributes["connection"]`, one that has a
URL as `config.attributes["url"]`; without either, the settings say where the database is.
"""

import sqlite3
from typing import cast

from alembic import context
from alembic.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, inspect

from service.errors import ConfigurationError
from service.eventstore import migrate
from service.eventstore.read_models.rebuild import Rebuild, walk
from service.eventstore.tables import metadata
from service.settings import load_settings

KEPT_WITHOUT_EVENTS = "0001"
"""At this revision events may be appended while tables of later revisions are not written."""


def run(connection: Connection) -> None:
    """Run the migrations in the transaction of `connection`."""
    # On PostgreSQL nothing can be appended at an older revision: its function is missing there.
    was_behind = (
        connection.dialect.name == "sqlite"
        and MigrationContext.configure(connection).get_current_revision() == KEPT_WITHOUT_EVENTS
        and inspect(connection).has_table("outbox")
    )
    # SQLite can't alter most of a table: alembic makes it anew ("batch"). That drops the triggers
    # of the table, so the event table is never changed in that way.
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
    if was_behind and inspect(connection).has_table("skipped"):
        rebuild(connection)


def rebuild(connection: Connection) -> None:
    """Rebuild the derived tables, since events were appended while they were not written."""
    driver = cast(sqlite3.Connection, connection.connection.driver_connection)
    tables = Rebuild(driver)
    walk(driver, lambda _done, _total: None, tables.project)
    tables.finish()


def connect_and_run() -> None:
    """Run the migrations in one transaction, with the lock of the log."""
    url = context.config.attributes.get("url") or load_settings().storage.database_url
    try:
        with migrate.locked(url), migrate.transaction(url) as connection:
            run(connection)
    except ConfigurationError as error:
        raise CommandError(error.message) from error


given: Connection | None = context.config.attributes.get("connection")
if given is None:
    connect_and_run()
else:
    run(given)
