"""`ws-service db`: the schema of the database."""

from __future__ import annotations

from service.eventstore import migrate
from service.settings import load_settings


def upgrade() -> None:
    """Migrate the database to the newest schema; create it if there is none."""
    url = load_settings().storage.database_url
    before = migrate.current(url)
    migrate.upgrade(url)
    after = migrate.current(url)
    same = before == after
    print(f"schema {after}, as before" if same else f"schema {before or 'none'} -> {after}")


def current() -> None:
    """Show the schema of the database, and the one of this version."""
    found = migrate.current(load_settings().storage.database_url)
    print(f"schema {found or 'none'}, newest is {migrate.newest()}")


def check() -> None:
    """End with an error unless the database has the newest schema."""
    migrate.check(load_settings().storage.database_url)
    print("the database has the newest schema")
