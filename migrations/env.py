"""How alembic reaches the database, for its own command and for `ws-service`.

A caller that has a connection gives it as `config.attributes["connection"]`, one that has a
URL as `config.attributes["url"]`; without either, the settings say where the database is.
"""

import asyncio

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from service.log.tables import metadata
from service.settings import load_settings


def migrate(connection: Connection) -> None:
    """Run the migrations over `connection`, whose transaction is its owner's."""
    # SQLite can't alter most of a table: alembic makes it anew ("batch"). That drops the
    # triggers of the table, so the event table is only ever added to.
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


async def connect_and_migrate() -> None:
    """Open the database, run the migrations in one transaction and close it."""
    url = context.config.attributes.get("url") or load_settings().database_url
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(migrate)
    finally:
        await engine.dispose()


given: Connection | None = context.config.attributes.get("connection")
if given is None:
    asyncio.run(connect_and_migrate())
else:
    migrate(given)
