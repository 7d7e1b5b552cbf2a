"""How alembic reaches the database, for its own command and for `ws-service`.

A caller that has a connection gives it as `config.attributes["connection"]`, one that has a
URL as `config.attributes["url"]`; without either, the settings say where the database is.
"""

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection

from service.errors import ConfigurationError
from service.log import migrate
from service.log.tables import metadata
from service.settings import load_settings


def run(connection: Connection) -> None:
    """Run the migrations over `connection`, whose transaction is its owner's."""
    # SQLite can't alter most of a table: alembic makes it anew ("batch"). That drops the
    # triggers of the table, so the event table is only ever added to.
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


def connect_and_run() -> None:
    """Run the migrations in one transaction, while nobody else uses the log."""
    url = context.config.attributes.get("url") or load_settings().database_url
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
